//! WATCH: which keys of a shard somebody watches, and the flag to raise when one changes.
//!
//! **Invariant:** a table belongs to its shard's lock; every applied effect passes through [`WatchTable::touch`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A client's "a watched key has changed", raised by whoever changes it.
#[derive(Clone, Default, Debug)]
pub struct WatchFlag(Arc<AtomicBool>);

impl WatchFlag {
    /// Raises the flag.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether a watched key has changed.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Watched keys and their watchers' flags. Empty tables own nothing.
#[derive(Default)]
pub struct WatchTable(Option<Box<HashMap<Box<[u8]>, Vec<WatchFlag>>>>);

impl WatchTable {
    /// Adds a watcher.
    pub fn add(&mut self, key: &[u8], flag: &WatchFlag) {
        self.0
            .get_or_insert_default()
            .entry(key.into())
            .or_default()
            .push(flag.clone());
    }

    /// Takes a watcher away.
    pub fn remove(&mut self, key: &[u8], flag: &WatchFlag) {
        let Some(table) = &mut self.0 else { return };
        if let Some(flags) = table.get_mut(key) {
            flags.retain(|other| !other.is_same(flag));
            if flags.is_empty() {
                table.remove(key);
            }
        }
        if table.is_empty() {
            self.0 = None;
        }
    }

    /// Raises the flags of the key's watchers.
    #[inline]
    pub fn touch(&mut self, key: &[u8]) {
        if let Some(table) = &self.0
            && let Some(flags) = table.get(key)
        {
            flags.iter().for_each(WatchFlag::raise);
        }
    }

    /// Takes everything out, for a collection that changes place.
    pub fn take(&mut self) -> Vec<(Box<[u8]>, Vec<WatchFlag>)> {
        self.0.take().map_or_else(Vec::new, |table| table.into_iter().collect())
    }
}
