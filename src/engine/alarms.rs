//! Blocked commands that look again at a time of their own, though no key of theirs has changed.
//!
//! **Invariant:** a command is here once at most, and only while it waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// See the module. By time, Unix milliseconds, and number.
pub struct Alarms<W> {
    set: Mutex<BTreeMap<(u64, u64), W>>,
    /// The first time of all, so that nobody need lock; `u64::MAX`: there is none.
    first_ms: AtomicU64,
}

impl<W> Default for Alarms<W> {
    fn default() -> Self {
        Self {
            set: Mutex::default(),
            first_ms: AtomicU64::new(u64::MAX),
        }
    }
}

impl<W> Alarms<W> {
    /// Has the waiter with this number try again at this time.
    pub fn set(&self, at_ms: u64, id: u64, waiter: W) {
        let mut set = self.set.lock();
        set.insert((at_ms, id), waiter);
        self.note_first(&set);
    }

    /// Forgets what was set for this time and number.
    pub fn clear(&self, at_ms: u64, id: u64) {
        let mut set = self.set.lock();
        set.remove(&(at_ms, id));
        self.note_first(&set);
    }

    /// Takes out those whose time has come.
    pub fn take_due(&self, now_ms: u64) -> Vec<W> {
        if self.first_ms.load(Ordering::Relaxed) > now_ms {
            return Vec::new();
        }
        let mut set = self.set.lock();
        let later = now_ms.checked_add(1).map(|later| set.split_off(&(later, 0)));
        let due = std::mem::replace(&mut *set, later.unwrap_or_default());
        self.note_first(&set);
        due.into_values().collect()
    }

    fn note_first(&self, set: &BTreeMap<(u64, u64), W>) {
        let first = set.keys().next().map_or(u64::MAX, |(at_ms, _)| *at_ms);
        self.first_ms.store(first, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_due_are_taken_once() {
        let alarms = Alarms::default();
        for (at_ms, id) in [(20, 1), (10, 2), (10, 3), (30, 4)] {
            alarms.set(at_ms, id, id * 100);
        }
        assert!(alarms.take_due(9).is_empty());
        alarms.clear(10, 2);
        assert_eq!(alarms.take_due(20), [300, 100]);
        assert!(alarms.take_due(20).is_empty());
        alarms.set(25, 5, 500);
        assert_eq!(alarms.take_due(u64::MAX), [500, 400]);
        assert_eq!(alarms.first_ms.load(Ordering::Relaxed), u64::MAX);
    }
}
