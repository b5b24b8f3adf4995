//! A connected client: what its commands know of it, and what others may see of it and ask of it.
//!
//! **Invariant:** a [`Client`] belongs to its connection's worker; other threads have its [`ClientHandle`] only.

mod caching;
mod ending;
mod handle;
mod list;
mod mailbox;
mod rights;
mod telling;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::acl::User;
use crate::engine::ids::DatabaseId;
use crate::engine::watch::WatchFlag;
use crate::pubsub::{PubSub, Subscriber, TopicKind};
use crate::resp::Proto;
use rights::Rights;

pub use caching::{Caching, CachingMode, Desired};
pub use ending::{Ending, HasEnded, Unblocked, Waiter};
pub use handle::{ClientHandle, Labels};
pub use list::Clients;
pub use mailbox::{Answer, Letter, Mailbox};
pub use telling::{Post, When};

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
    /// When WATCH was called, Unix milliseconds: what dies later is a change.
    pub since_ms: u64,
}

/// The state of one connection.
pub struct Client {
    /// What others see of it.
    pub handle: Arc<ClientHandle>,
    /// Selected database.
    pub database: DatabaseId,
    /// Whether it has logged in, or was let in as `default`.
    pub authenticated: bool,
    /// Whose rights it has.
    rights: Rights,
    /// MULTI, when inside one.
    pub multi: Option<Multi>,
    /// Watched keys.
    pub watches: Vec<Watch>,
    /// Raised when a watched key changes.
    pub watch_flag: WatchFlag,
    /// What it has subscribed to.
    pub subscriber: Subscriber,
    /// Prefixes of keys that it wants to know of.
    pub prefixes: BTreeSet<Box<[u8]>>,
    /// CLIENT CACHING has been said of the next command, or of the transaction.
    pub caching_said: bool,
    /// It caches, or did.
    has_cached: bool,
}

impl Client {
    /// A fresh connection's state; `user` is the one that connections begin as.
    pub fn new(handle: Arc<ClientHandle>, user: Arc<User>, subscriber: Subscriber) -> Self {
        handle.set_user(Arc::clone(user.id()));
        Self {
            handle,
            database: DatabaseId::DEFAULT,
            authenticated: user.is_open(),
            rights: Rights::of(user),
            multi: None,
            watches: Vec::new(),
            watch_flag: WatchFlag::default(),
            subscriber,
            prefixes: BTreeSet::new(),
            caching_said: false,
            has_cached: false,
        }
    }

    /// Whether it may only subscribe and unsubscribe: it has subscriptions, and its protocol has no other way to tell
    /// messages from replies.
    #[inline]
    pub fn only_listens(&self) -> bool {
        self.subscriber.is_any() && self.handle.proto.load(Ordering::Relaxed) < 3
    }

    /// Subscribes to `name`, and tells others how many subscriptions it has; whether that is new.
    pub fn subscribe(&mut self, pubsub: &PubSub, kind: TopicKind, name: &[u8]) -> bool {
        let is_new = pubsub.subscribe(&mut self.subscriber, kind, name);
        if is_new {
            self.handle.keep(Subscriber::bytes_of(name));
            self.note_subscriptions(kind);
        }
        is_new
    }

    /// Ends a subscription, and tells others; whether there was one.
    pub fn unsubscribe(&mut self, pubsub: &PubSub, kind: TopicKind, name: &[u8]) -> bool {
        let was_there = pubsub.unsubscribe(&mut self.subscriber, kind, name);
        if was_there {
            self.handle.let_go(Subscriber::bytes_of(name));
            self.note_subscriptions(kind);
        }
        was_there
    }

    /// Has it be shown what the server runs, and tells others; whether that is new.
    pub fn start_monitor(&mut self, pubsub: &PubSub) -> bool {
        let is_new = pubsub.start_monitor(&mut self.subscriber);
        self.handle.is_monitor.store(true, Ordering::Relaxed);
        is_new
    }

    /// Ends that.
    pub fn end_monitor(&mut self, pubsub: &PubSub) {
        if pubsub.end_monitor(&mut self.subscriber) {
            self.handle.is_monitor.store(false, Ordering::Relaxed);
        }
    }

    fn note_subscriptions(&self, kind: TopicKind) {
        let count = u32::try_from(self.subscriber.count(kind)).unwrap_or(u32::MAX);
        if let Some(told) = self.handle.subscriptions.get(kind.index()) {
            told.store(count, Ordering::Relaxed);
        }
    }

    /// Switches the protocol of its replies; the reply that is being written must be switched, too.
    pub fn note_proto(&self, proto: Proto) {
        let version = if proto == Proto::Resp3 { 3 } else { 2 };
        self.handle.proto.store(version, Ordering::Relaxed);
    }

    /// Selects a database.
    pub fn select(&mut self, database: DatabaseId) {
        self.database = database;
        self.handle.database.store(database.get(), Ordering::Relaxed);
    }
}
