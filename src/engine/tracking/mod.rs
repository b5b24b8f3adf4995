//! Client-side caching: which clients have read which keys, and which want to know of all keys with a prefix; what a
//! change means to them is noted by the thread that makes it.
//!
//! A read enters its client under the locks that it reads with, and a change takes the key out under the same lock. So
//! no change comes between a value and the client's interest in it.
//!
//! **Invariants**
//! - While nobody caches, a change costs one look at [`Tracking::is_on`], and a read none.
//! - A key means the same in all numbered databases, as in Redis; each named collection is a space of its own
//!   ([`Space`]): no client is told of keys of a collection that it has nothing to do with.
//! - The table has no more than `limits.tracking_keys_max` keys once who entered one more has been served. Clients that
//!   are gone are left in it until their key changes, goes, or is entered for more; with the last client all of it
//!   goes.

mod prefixes;
mod space;
mod table;
mod told;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use self::prefixes::Prefixes;
use self::table::Table;
use super::watch::Cause;

pub use prefixes::PrefixId;
pub use space::Space;
pub use told::{Authors, Broadcast, Readers, Stale, Told};

/// So many keys are put out of the table at a time.
const EVICTED_MAX: usize = 1000;

/// How much is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Keys that somebody has read.
    pub keys: u64,
    /// Clients, counted at each of them.
    pub items: u64,
    /// Prefixes that somebody wants to know of.
    pub prefixes: u64,
}

/// See the module.
pub struct Tracking {
    is_on: AtomicBool,
    /// Clients that have asked for it, and are still there.
    clients: RwLock<HashSet<u64>>,
    table: Table,
    keys_max: AtomicU64,
    prefixes: RwLock<Prefixes>,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            is_on: AtomicBool::new(false),
            clients: RwLock::default(),
            table: Table::new(rand::random()),
            keys_max: AtomicU64::new(0),
            prefixes: RwLock::default(),
        }
    }
}

impl Tracking {
    /// Whether a change may mean something to anybody.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Sets how many keys the table may have; 0 = any number.
    pub fn set_keys_max(&self, keys_max: u64) {
        self.keys_max.store(keys_max, Ordering::Relaxed);
    }

    /// A client begins to cache.
    pub fn join(&self, client: u64) {
        let mut clients = self.clients.write();
        clients.insert(client);
        self.is_on.store(true, Ordering::Release);
    }

    /// A client that may have [joined](Self::join) is gone. Its prefixes have been removed.
    pub fn leave(&self, client: u64) {
        let mut clients = self.clients.write();
        if clients.remove(&client) && clients.is_empty() {
            // Nobody is there who could be told.
            self.is_on.store(false, Ordering::Release);
            self.table.clear();
            *clients = HashSet::new();
        }
    }

    /// A client wants to know of all keys that begin with `prefix`.
    pub fn add_prefix(&self, prefix: &[u8], client: u64) {
        self.prefixes.write().add(prefix, client);
    }

    /// No longer.
    pub fn remove_prefix(&self, prefix: &[u8], client: u64) {
        self.prefixes.write().remove(prefix, client);
    }

    /// A prefix, and who wants to know of the keys that have it.
    pub fn prefix(&self, prefix: PrefixId) -> Option<(Box<[u8]>, Vec<u64>)> {
        self.prefixes.read().get(prefix)
    }

    /// How much is tracked.
    pub fn totals(&self) -> Totals {
        Totals {
            keys: self.table.keys(),
            items: self.table.items(),
            prefixes: self.prefixes.read().count() as u64,
        }
    }

    /// What the table takes of memory, roughly.
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.table.bytes()
    }

    /// Drops what is not tracked any more. Not for workers.
    pub fn drop_cleared(&self) {
        self.table.drop_cleared();
    }

    /// Enters a client that has read a key. Under the lock that it has read with.
    pub(super) fn remember(&self, space: Space, key: &[u8], client: u64) {
        // Who is just coming or going may stay in the list for now.
        let is_there = |client| self.clients.try_read().is_none_or(|clients| clients.contains(&client));
        self.table.add(space, key, client, is_there);
    }

    /// Notes what a change of a key means. Under the lock of its shard.
    pub(super) fn note(&self, space: Space, key: &[u8], cause: Cause, told: &mut Told) {
        if let Some(readers) = self.table.take(space, key) {
            told.note_key(key.into(), readers);
        }
        let prefixes = self.prefixes.read();
        if prefixes.count() > 0 {
            prefixes.visit_matches(key, |prefix| told.note_prefix(prefix, space, key, cause));
        }
    }

    /// Puts keys out of a table that has too many; those who have read them are to be told as if they had changed.
    pub fn evict(&self, told: &mut Told) {
        let max = self.keys_max.load(Ordering::Relaxed);
        if max == 0 || self.table.keys() <= max {
            return;
        }
        for _ in 0..EVICTED_MAX {
            let Some((key, readers)) = self.table.take_any(rand::random()) else {
                return;
            };
            told.note_evicted(key, readers);
            if self.table.keys() <= max {
                return;
            }
        }
    }

    /// What a whole collection holds has changed: everybody forgets everything.
    pub(super) fn note_all(&self, told: &mut Told) {
        if self.is_on() {
            self.table.clear();
            told.note_all();
        }
    }
}
