//! The longest of what has happened since somebody looked: many threads note, one takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// See the module.
#[derive(Default, Debug)]
pub struct Longest(AtomicU64);

impl Longest {
    /// Something took so long.
    pub fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_max(micros, Ordering::Relaxed);
    }

    /// The longest since this was last asked; zero if there was nothing.
    pub fn take(&self) -> Duration {
        Duration::from_micros(self.0.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_told_once() {
        let longest = Longest::default();
        assert_eq!(longest.take(), Duration::ZERO);
        for millis in [3, 7, 5] {
            longest.note(Duration::from_millis(millis));
        }
        assert_eq!(longest.take(), Duration::from_millis(7));
        assert_eq!(longest.take(), Duration::ZERO);
    }
}
