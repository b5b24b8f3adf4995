//! WATCH: which keys of a shard somebody watches, and the flag to raise when one changes.
//!
//! **Invariant:** a table belongs to its shard's lock; every applied effect passes through [`WatchTable::touch`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

/// A client's "a watched key has changed", raised by the thread that changes it.
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

/// Why a key changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody writes it.
    Write,
    /// Its time has come: it is removed.
    Expiry,
    /// The time of some of its elements has come: they are removed.
    Deaths,
    /// It is removed for want of memory.
    Eviction,
}

impl Cause {
    /// Whether the change as such is told to those who watch: what dies is told as a fact of time, before it goes.
    pub fn touches(self) -> bool {
        matches!(self, Self::Write | Self::Eviction)
    }
}

/// Somebody who watches a key.
#[derive(Clone, Debug)]
pub struct Watcher {
    flag: WatchFlag,
    /// When the watch began, Unix milliseconds: that what was dead by then goes is no change.
    since_ms: u64,
}

impl Watcher {
    /// Tells the watcher of a change.
    pub fn raise(&self) {
        self.flag.raise();
    }
}

/// Those who watch a key; most have one.
pub type Watching = SmallVec<[Watcher; 1]>;
type Watchers = HashMap<Box<[u8]>, Watching>;

/// Watched keys and their watchers. Empty tables own nothing.
#[derive(Default)]
pub struct WatchTable(Option<Box<Watchers>>);

impl WatchTable {
    /// Adds a watcher of a key as it is at a time, unless it watches the key; whether it was added.
    pub fn add(&mut self, key: &[u8], flag: &WatchFlag, since_ms: u64) -> bool {
        if self.has(key, flag) {
            return false;
        }
        let flag = flag.clone();
        self.add_again(key, Watcher { flag, since_ms });
        true
    }

    fn has(&self, key: &[u8], flag: &WatchFlag) -> bool {
        let watchers = self.0.as_ref().and_then(|table| table.get(key));
        watchers.is_some_and(|watchers| watchers.iter().any(|watcher| watcher.flag.is_same(flag)))
    }

    /// Adds a watcher that was taken out.
    pub fn add_again(&mut self, key: &[u8], watcher: Watcher) {
        self.0
            .get_or_insert_default()
            .entry(key.into())
            .or_default()
            .push(watcher);
    }

    /// Takes a watcher away.
    pub fn remove(&mut self, key: &[u8], flag: &WatchFlag) {
        let Some(table) = &mut self.0 else { return };
        if let Some(watchers) = table.get_mut(key) {
            watchers.retain(|other| !other.flag.is_same(flag));
            if watchers.is_empty() {
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
            && let Some(watchers) = table.get(key)
        {
            watchers.iter().for_each(Watcher::raise);
        }
    }

    /// Those watchers of a key of which something `has_died` since they watch it.
    pub fn touched_by_death(&self, key: &[u8], has_died: impl Fn(u64) -> bool) -> Vec<Watcher> {
        let watching = self.0.as_ref().and_then(|table| table.get(key));
        let touched = watching.into_iter().flatten();
        touched.filter(|watcher| has_died(watcher.since_ms)).cloned().collect()
    }

    /// Those who are to be told when a key has changed for such a reason.
    pub fn touched_by(&self, cause: Cause, key: &[u8]) -> Vec<Watcher> {
        if !cause.touches() {
            return Vec::new();
        }
        let watching = self.0.as_ref().and_then(|table| table.get(key));
        watching.into_iter().flatten().cloned().collect()
    }

    /// Whether nobody watches anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All that is in it.
    pub fn all(&self) -> Vec<(Box<[u8]>, Watching)> {
        let all = self.0.iter().flat_map(|table| table.iter());
        all.map(|(key, watching)| (key.clone(), watching.clone())).collect()
    }

    /// Takes everything out, for a collection that changes place.
    pub fn take(&mut self) -> Vec<(Box<[u8]>, Watching)> {
        self.0.take().map_or_else(Vec::new, |table| table.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{WatchFlag, WatchTable, Watcher};

    #[test]
    fn the_removal_of_what_was_seen_dead_is_no_change() {
        let (saw_alive, saw_dead) = (WatchFlag::default(), WatchFlag::default());
        let mut table = WatchTable::default();
        table.add(b"k", &saw_alive, 9);
        table.add(b"k", &saw_dead, 10);
        let touched = table.touched_by_death(b"k", |since_ms| since_ms < 10);
        touched.iter().for_each(Watcher::raise);
        assert!(saw_alive.is_raised() && !saw_dead.is_raised());
        // What comes after the removal is one.
        table.touch(b"k");
        assert!(saw_dead.is_raised());
    }
}
