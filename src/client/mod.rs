//! A connected client: what its commands know of it, and what others may see of it and ask of it.
//!
//! **Invariant:** a [`Client`] belongs to its connection's worker; other threads have its [`ClientHandle`] only.

mod ending;
mod handle;
mod list;
mod watches;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::engine::ids::DatabaseId;

pub use ending::{Ending, HasEnded, Unblocked, Waiter};
pub use handle::{ClientHandle, Labels};
pub use list::Clients;
pub use watches::Watches;

/// A transaction being queued.
#[derive(Default)]
pub struct Multi {
    /// A command was refused while queueing: EXEC will abort.
    pub aborted: bool,
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
    pub watches: Watches,
}

impl Client {
    /// A fresh connection's state.
    pub fn new(handle: Arc<ClientHandle>, authenticated: bool) -> Self {
        Self {
            handle,
            database: DatabaseId::DEFAULT,
            authenticated,
            multi: None,
            watches: Watches::default(),
        }
    }

    /// Selects a database.
    pub fn select(&mut self, database: DatabaseId) {
        self.database = database;
        self.handle.database.store(database.get(), Ordering::Relaxed);
    }
}
