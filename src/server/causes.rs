//! What can make everybody wait, as events that LATENCY knows, and as lines of the log where it is long.
//!
//! Those who sync the log, or have everybody else wait, only note how long that took; housekeeping takes it from there.

use std::time::Duration;

use crate::engine::worker::unix_ms;
use crate::metrics::rarely::Rarely;
use crate::metrics::stats::events;
use crate::state::Server;

/// What is worth a line, whatever LATENCY is told to remember.
const LONG_SYNC: Duration = Duration::from_secs(1);
const LONG_STOP: Duration = Duration::from_millis(100);
/// More than so many seconds are between two lines of one kind.
const LINE_GAP_S: u64 = 1;

/// Notes what has happened since the last time, and tells of it.
#[derive(Default)]
pub(super) struct Causes {
    syncs: Rarely,
    stops: Rarely,
    checkpoints: Rarely,
}

impl Causes {
    /// Looks once.
    pub(super) fn note(&self, server: &Server) {
        let (engine, now_s) = (&server.engine, unix_ms() / 1000);
        let sync = engine.wal().take_longest_sync();
        let (stop, checkpoint) = (engine.stops.exclusive.take(), engine.stops.capture.take());
        let threshold = Duration::from_millis(server.params.live().latency_threshold_ms());
        let took = [
            (events::LOG_SYNC, sync),
            (events::EXCLUSIVE, stop),
            (events::CHECKPOINT, checkpoint),
        ];
        for (event, took) in took {
            if !threshold.is_zero() && took >= threshold {
                server.stats.add_latency(event, now_s, took.as_millis() as u32);
            }
        }
        if sync >= LONG_SYNC && self.syncs.is_due(now_s, LINE_GAP_S) {
            let stats = engine.wal().stats();
            tracing::warn!(
                millis = sync.as_millis() as u64,
                pending_bytes = stats.pending_bytes,
                written_lsn = %stats.written_lsn,
                stable_lsn = %stats.stable_lsn,
                "a sync of the log was slow: the disk is busy, or too slow for it"
            );
        }
        if stop >= LONG_STOP && self.stops.is_due(now_s, LINE_GAP_S) {
            let millis = stop.as_millis() as u64;
            tracing::warn!(millis, "an exclusive section was long: every client had to wait for it");
        }
        if checkpoint >= LONG_STOP && self.checkpoints.is_due(now_s, LINE_GAP_S) {
            let millis = checkpoint.as_millis() as u64;
            tracing::warn!(
                millis,
                "a checkpoint's instant was long: every client had to wait for it"
            );
        }
    }
}
