//! How many clients there are, counted from the moment their connections are accepted until these are closed.
//!
//! **Invariant:** a [`Place`] travels with its connection and is given back when that has ended, whichever way; so no
//! burst gets past the limit while a worker has not yet looked at those who came before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The places that clients have taken.
#[derive(Default)]
pub struct Places {
    taken: Arc<AtomicU64>,
    are_spare: bool,
}

/// One of them.
pub struct Place {
    taken: Arc<AtomicU64>,
    is_spare: bool,
}

impl Places {
    /// Those that are kept for administrators.
    pub fn spare() -> Self {
        Self {
            are_spare: true,
            ..Self::default()
        }
    }

    /// Takes a place, unless `max` are taken.
    pub fn take(&self, max: u64) -> Option<Place> {
        let one_more = |taken: u64| (taken < max).then_some(taken + 1);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Place {
            taken: Arc::clone(&self.taken),
            is_spare: self.are_spare,
        })
    }
}

impl Place {
    /// Whether it is kept for administrators.
    pub fn is_spare(&self) -> bool {
        self.is_spare
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
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
