//! How long written records have been waiting for a sync.
//!
//! **Invariant:** a record counts from when it was written until a sync has ended that began behind it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Under `everysec`, writers are held back while a record has been waiting for longer.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// See the module. Times are milliseconds since the log was opened, plus one; 0 = none.
pub(super) struct Unsynced {
    opened: Instant,
    /// Since when records wait that no sync has begun for.
    since: AtomicU64,
    /// Since when those wait that are being synced.
    syncing_since: AtomicU64,
    /// Writers are held back.
    is_late: AtomicBool,
    /// How often that was so.
    late_count: AtomicU64,
}

impl Unsynced {
    pub fn new() -> Self {
        Self {
            opened: Instant::now(),
            since: AtomicU64::new(0),
            syncing_since: AtomicU64::new(0),
            is_late: AtomicBool::new(false),
            late_count: AtomicU64::new(0),
        }
    }

    fn moment(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.opened).as_millis() as u64 + 1
    }

    /// Records have been written; `others_wait`: behind others that wait. Where none does, what was noted is of records
    /// that a sync has reached which had begun before they were noted.
    #[inline]
    pub fn note_written(&self, others_wait: bool) {
        if !others_wait || self.since.load(Ordering::Relaxed) == 0 {
            self.since.store(self.moment(Instant::now()), Ordering::Relaxed);
        }
    }

    /// A sync begins, of all that is written.
    pub fn begin_sync(&self) {
        let since = self.since.swap(0, Ordering::Relaxed);
        self.syncing_since.store(since, Ordering::Relaxed);
    }

    /// It has ended.
    pub fn end_sync(&self) {
        self.syncing_since.store(0, Ordering::Relaxed);
        self.is_late.store(false, Ordering::Relaxed);
    }

    /// Nothing waits any more.
    pub fn forget(&self) {
        self.since.store(0, Ordering::Relaxed);
        self.end_sync();
    }

    /// Whether, `now`, a record has been waiting for too long.
    #[inline]
    pub fn is_late(&self, now: Instant) -> bool {
        let (syncing, written) = (
            self.syncing_since.load(Ordering::Relaxed),
            self.since.load(Ordering::Relaxed),
        );
        let since = if syncing == 0 { written } else { syncing };
        if since == 0 || self.moment(now).saturating_sub(since) <= WAIT_MAX.as_millis() as u64 {
            return false;
        }
        if !self.is_late.swap(true, Ordering::Relaxed) {
            self.late_count.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("the log's disk is slow: writers wait until what they wrote is synced");
        }
        true
    }

    /// How often writers have been held back.
    pub fn late_count(&self) -> u64 {
        self.late_count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_late_from_its_write_to_the_end_of_its_sync() {
        let unsynced = Unsynced::new();
        let now = Instant::now();
        assert!(!unsynced.is_late(now + WAIT_MAX * 2));
        unsynced.note_written(true);
        assert!(!unsynced.is_late(now + WAIT_MAX / 2));
        unsynced.begin_sync();
        unsynced.note_written(true);
        let late = Instant::now() + WAIT_MAX + Duration::from_millis(2);
        assert!(unsynced.is_late(late) && unsynced.is_late(late));
        unsynced.end_sync();
        assert_eq!(unsynced.late_count(), 1, "once for each time of waiting");
        assert!(unsynced.is_late(late), "what was written meanwhile has no sync yet");
        assert_eq!(unsynced.late_count(), 2);
        unsynced.forget();
        assert!(!unsynced.is_late(late));
    }
}
