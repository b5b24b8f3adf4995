//! How many clients there are, counted from the moment their connections are accepted until these are closed.
//!
//! **Invariant:** a [`Place`] travels with its connection and is given back when that has ended, whichever way; so no
//! burst gets past the limit while a worker has not yet looked at those who came before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The places that clients have taken.
#[derive(Clone, Default)]
pub struct Places(Arc<AtomicU64>);

/// One of them.
pub struct Place(Arc<AtomicU64>);

impl Places {
    /// Takes a place, unless `max` are taken.
    pub fn take(&self, max: u64) -> Option<Place> {
        let one_more = |taken: u64| (taken < max).then_some(taken + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Place(Arc::clone(&self.0)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_back() {
        let places = Places::default();
        let (first, second) = (places.take(2), places.take(2));
        assert!(first.is_some() && second.is_some() && places.take(2).is_none());
        drop(first);
        assert!(places.take(2).is_some() && places.take(1).is_none());
    }
}
