//! Log lines that clients can cause: written now and then only, so that nobody can fill the log with them.

use std::sync::atomic::{AtomicU64, Ordering};

/// Whether something is due, at most once in a while.
#[derive(Default, Debug)]
pub struct Rarely {
    /// When it was due last, Unix seconds; 0 = never.
    last_s: AtomicU64,
}

impl Rarely {
    /// Whether more than `gap_s` seconds have passed since it last said so. Of several threads that ask at once, one is
    /// told yes. A clock that was set back counts as time that has passed.
    pub fn is_due(&self, now_s: u64, gap_s: u64) -> bool {
        let last_s = self.last_s.load(Ordering::Relaxed);
        now_s.abs_diff(last_s) > gap_s
            && self
                .last_s
                .compare_exchange(last_s, now_s, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_a_while() {
        let rarely = Rarely::default();
        let due: Vec<u64> = [1000, 1001, 1060, 1061, 1062, 900, 901]
            .into_iter()
            .filter(|now_s| rarely.is_due(*now_s, 60))
            .collect();
        assert_eq!(due, [1000, 1061, 900]);
    }
}
