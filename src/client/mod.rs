//! A connected client: what its commands know of it, and what others may see of it and ask of it.
//!
//! **Invariant:** a [`Client`] belongs to its connection's worker; other threads have its [`ClientHandle`] only.

mod ending;
mod handle;
mod list;
mod mailbox;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::ids::DatabaseId;
use crate::engine::watch::WatchFlag;

pub use ending::{Ending, HasEnded, Unblocked, Waiter};
pub use handle::{ClientHandle, Labels};
pub use list::Clients;
pub use mailbox::{Answer, Letter, Mailbox};

/// A transaction being queued.
#[derive(Default)]
pub struct Multi {
    /// A command was refused while queueing: EXEC will abort.
    pub aborted: bool,
}

/// One watched key.
pub struct Watch {
    /// In which database.
    pub database: DatabaseId,
    /// The key.
    pub key: Vec<u8>,
    /// It was dead already when WATCH was called.
    pub was_expired: bool,
}

/// The state of one connection.
pub struct Client {
    /// What others see of it.
    pub handle: Arc<ClientHandle>,
    /// Selected database.
    pub database: DatabaseId,
    /// Whether it may run commands.
    pub authenticated: bool,
    /// MULTI, when inside one.
    pub multi: Option<Multi>,
    /// Watched keys.
    pub watches: Vec<Watch>,
    /// Raised when a watched key changes.
    pub watch_flag: WatchFlag,
}

impl Client {
    /// A fresh connection's state.
    pub fn new(handle: Arc<ClientHandle>, authenticated: bool) -> Self {
        Self {
            handle,
            database: DatabaseId::DEFAULT,
            authenticated,
            multi: None,
            watches: Vec::new(),
            watch_flag: WatchFlag::default(),
        }
    }

    /// Selects a database.
    pub fn select(&mut self, database: DatabaseId) {
        self.database = database;
        self.handle.database.store(database.get(), Ordering::Relaxed);
    }
}
