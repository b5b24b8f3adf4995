//! The keys that a client watches.
//!
//! **Invariants**
//! - Whether a key is watched, and what all of them take, is known without a look at the others.
//! - Keys that are taken out leave their flag with them: a change in flight cannot spoil what is watched next.

use std::collections::{BTreeMap, HashMap};

use crate::engine::ids::DatabaseId;
use crate::engine::watch::WatchFlag;

/// What a watched key takes beside its bytes, here and in its shard's table.
const KEY_BYTES: u64 = 128;

/// Keys, each with whether it was dead already when WATCH was called.
type Keys = HashMap<Box<[u8]>, bool>;

/// See the module.
#[derive(Default)]
pub struct Watches {
    keys: BTreeMap<DatabaseId, Keys>,
    count: usize,
    bytes: u64,
    flag: WatchFlag,
}

impl Watches {
    /// Raised when a watched key changes.
    pub fn flag(&self) -> &WatchFlag {
        &self.flag
    }

    /// Whether this key of a database is watched.
    pub fn has(&self, database: DatabaseId, key: &[u8]) -> bool {
        self.keys.get(&database).is_some_and(|keys| keys.contains_key(key))
    }

    /// Adds a key that is not watched yet.
    pub fn add(&mut self, database: DatabaseId, key: &[u8], was_expired: bool) {
        let before = self.keys.entry(database).or_default().insert(key.into(), was_expired);
        debug_assert!(before.is_none(), "watched already");
        self.count += 1;
        self.bytes += 2 * key.len() as u64 + KEY_BYTES;
    }

    /// Takes all of them out, and with them their flag.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What they take, here and in their shards' tables.
    pub fn held_bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether all of them are in this database.
    pub fn are_in(&self, database: DatabaseId) -> bool {
        self.keys.keys().all(|one| *one == database)
    }

    /// The keys, by database.
    pub fn by_database(&self) -> impl Iterator<Item = (DatabaseId, impl Iterator<Item = &[u8]>)> {
        let databases = self.keys.iter();
        databases.map(|(database, keys)| (*database, keys.keys().map(|key| &**key)))
    }

    /// Those that were alive, or not there, when WATCH was called, with their databases.
    pub fn alive(&self) -> impl Iterator<Item = (DatabaseId, &[u8])> {
        self.keys.iter().flat_map(|(database, keys)| {
            let alive = keys.iter().filter(|(_, was_expired)| !**was_expired);
            alive.map(|(key, _)| (*database, &**key))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Watches;
    use crate::engine::ids::DatabaseId;

    #[test]
    fn keys_are_counted_with_what_they_take() {
        let mut watches = Watches::default();
        watches.add(DatabaseId::new(0), b"alive", false);
        watches.add(DatabaseId::new(0), b"dead", true);
        assert!(
            watches.are_in(DatabaseId::new(0))
                && watches.has(DatabaseId::new(0), b"dead")
                && !watches.has(DatabaseId::new(1), b"dead")
        );
        watches.add(DatabaseId::new(1), b"alive", false);
        assert!(!watches.are_in(DatabaseId::new(0)) && watches.len() == 3 && watches.held_bytes() > 28);
        let alive: Vec<_> = watches.alive().map(|(database, key)| (database.get(), key)).collect();
        assert_eq!(alive, [(0, &b"alive"[..]), (1, b"alive")]);
        watches.flag().raise();
        let taken = watches.take();
        assert!(taken.flag().is_raised() && !watches.flag().is_raised());
        assert!(taken.len() == 3 && watches.is_empty() && watches.held_bytes() == 0);
    }
}
