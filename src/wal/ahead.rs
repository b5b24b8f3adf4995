//! Zeroes written ahead of the log's end: where they are, a durable write changes the blocks it writes and nothing else
//! of the file, so that the file system's journal has nothing to commit.
//!
//! The keeper writes them while others write records.
//!
//! **Invariants**
//! - Zeroes go behind all that is written: while they are being written nobody writes beyond where they begin.
//! - Locks are taken in this order: the writer's, then `at_work`.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

/// Zeroes are written so many at a time.
const STEP_BYTES: u64 = 1 << 20;
/// More are written when fewer are left.
const LEFT_BYTES_MIN: u64 = STEP_BYTES / 2;
/// Commits that are larger gain less than the zeroes cost.
const COMMIT_BYTES_MAX: u64 = 64 << 10;
/// Zeroes begin at a multiple of this: no block holds both them and records.
const ALIGNMENT_BYTES: u64 = 4096;

/// The writer's share of it.
#[derive(Default)]
pub(super) struct Ahead {
    at_work: Arc<Mutex<()>>,
    /// Where the zeroes begin that may be at work.
    fence: Option<u64>,
    /// Where the zeroes end; below the end of the segment there are none.
    zeroed_to: u64,
    /// Some mean of the last commits.
    commit_bytes: u64,
    /// The file takes no zeroes.
    is_refused: bool,
}

/// Zeroes to be written, which nobody disturbs as long as this lives.
pub(super) struct Zeroing<'a> {
    pub from: u64,
    pub to: u64,
    _at_work: MutexGuard<'a, ()>,
}

impl Ahead {
    /// Another file is written to.
    pub fn reset(&mut self) {
        (self.fence, self.zeroed_to, self.is_refused) = (None, 0, false);
    }

    /// The file takes no zeroes: none are tried again.
    pub fn refuse(&mut self) {
        self.is_refused = true;
    }

    /// Waits for zeroes that are being written where a write is to go, up to `end`.
    #[inline]
    pub fn clear_way(&mut self, end: u64) {
        if self.fence.is_some_and(|fence| end > fence) {
            drop(self.at_work.lock());
            self.fence = None;
        }
    }

    /// A commit had so many bytes.
    pub fn note_commit(&mut self, bytes: u64) {
        self.commit_bytes = (self.commit_bytes * 7 + bytes) / 8;
    }

    /// Whether zeroes would soon be missing in a segment that ends at `end` and is full at `full_bytes`.
    pub fn is_due(&self, end: u64, full_bytes: u64) -> bool {
        let left = self.zeroed_to.saturating_sub(end);
        !self.is_refused
            && left < LEFT_BYTES_MIN
            && (1..=COMMIT_BYTES_MAX).contains(&self.commit_bytes)
            && self.next_from(end) < full_bytes
    }

    fn next_from(&self, end: u64) -> u64 {
        self.zeroed_to.max(end).next_multiple_of(ALIGNMENT_BYTES)
    }

    /// Who waits for the zeroes.
    pub fn at_work(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.at_work)
    }

    /// Begins to write zeroes, which are due; `at_work` is this one's.
    pub fn begin<'a>(&mut self, at_work: &'a Mutex<()>, end: u64, full_bytes: u64) -> Zeroing<'a> {
        let from = self.next_from(end);
        let to = (from + STEP_BYTES).min(full_bytes.next_multiple_of(ALIGNMENT_BYTES));
        (self.fence, self.zeroed_to) = (Some(from), to);
        Zeroing {
            from,
            to,
            _at_work: at_work.lock(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_BYTES: u64 = 4 << 20;

    #[test]
    fn zeroes_are_written_for_small_commits_only_and_up_to_the_end_of_the_segment() {
        let mut ahead = Ahead::default();
        assert!(!ahead.is_due(100, FULL_BYTES), "nothing has been committed");
        ahead.note_commit(4000);
        assert!(ahead.is_due(100, FULL_BYTES));
        assert!(!ahead.is_due(FULL_BYTES, FULL_BYTES));
        let at_work = ahead.at_work();
        let zeroing = ahead.begin(&at_work, 100, FULL_BYTES);
        assert_eq!((zeroing.from, zeroing.to), (4096, 4096 + STEP_BYTES));
        drop(zeroing);
        let at_end = ahead.begin(&at_work, FULL_BYTES - 5000, FULL_BYTES - 10);
        assert_eq!((at_end.from, at_end.to), (FULL_BYTES - 4096, FULL_BYTES));
        drop(at_end);
        ahead.reset();
        drop(ahead.begin(&at_work, 100, FULL_BYTES));
        assert!(!ahead.is_due(100, FULL_BYTES) && ahead.is_due(STEP_BYTES, FULL_BYTES));
        for _ in 0..100 {
            ahead.note_commit(1 << 20);
        }
        assert!(!ahead.is_due(STEP_BYTES, FULL_BYTES));
        ahead.reset();
        ahead.refuse();
        assert!(!ahead.is_due(100, FULL_BYTES));
    }

    #[test]
    fn a_write_waits_for_zeroes_in_its_way_and_for_no_others() {
        let mut ahead = Ahead::default();
        let at_work = ahead.at_work();
        let zeroing = ahead.begin(&at_work, 0, FULL_BYTES);
        ahead.clear_way(zeroing.from);
        let waiting = std::thread::spawn(move || ahead.clear_way(1));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!waiting.is_finished());
        drop(zeroing);
        waiting.join().unwrap();
    }
}
