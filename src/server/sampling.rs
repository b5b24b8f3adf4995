//! Samples of the last hour, for the status page: taken by the housekeeping thread, one every five seconds.

use std::time::{Duration, Instant};

use crate::commands::table::table;
use crate::engine::worker::unix_ms;
use crate::metrics::history::{Latency, Levels, Taken, Totals};
use crate::metrics::stats::DURATION_BUCKETS;
use crate::state::Server;
use crate::state::figures::process::rss_bytes;

/// What the next sample is compared with.
#[derive(Default)]
pub(super) struct Sampler {
    calls: [u64; DURATION_BUCKETS],
}

impl Sampler {
    /// Takes a sample if it is time.
    pub fn sample(&mut self, server: &Server) {
        let (history, now) = (&server.stats.history, Instant::now());
        if !history.is_due(now) {
            return;
        }
        let latency = self.latency(server);
        history.sample(now, totals(server), (latency, levels(server)), newest(server));
    }

    /// How long calls took since the last sample.
    fn latency(&mut self, server: &Server) -> Latency {
        let mut calls = [0_u64; DURATION_BUCKETS];
        for command in table().all() {
            let totals = server.stats.command_totals(command.id);
            for (sum, calls) in calls.iter_mut().zip(totals.by_duration) {
                *sum += calls;
            }
        }
        let before = std::mem::replace(&mut self.calls, calls);
        for (calls, before) in calls.iter_mut().zip(before) {
            // CONFIG RESETSTAT lets counting begin anew.
            *calls = calls.checked_sub(before).unwrap_or(*calls);
        }
        Latency {
            p50_nanos: bound_nanos(&calls, 0.5),
            p99_nanos: bound_nanos(&calls, 0.99),
        }
    }
}

/// The bound below which this share of the calls stayed; `None` without calls.
fn bound_nanos(calls: &[u64; DURATION_BUCKETS], share: f64) -> Option<u64> {
    let wanted = (calls.iter().sum::<u64>() as f64 * share).ceil() as u64;
    let mut sum = 0;
    let bucket = calls.iter().position(|calls| {
        sum += calls;
        sum >= wanted
    });
    bucket.filter(|_| wanted > 0).map(|bucket| 1000 << bucket)
}

fn totals(server: &Server) -> Totals {
    Totals {
        commands: server.engine.count(|counters| counters.commands.get()),
        log_bytes: server.engine.wal().written_bytes(),
        checkpoints_failed: server.checkpoints.stats().failed,
    }
}

fn levels(server: &Server) -> Levels {
    let (engine, log) = (&server.engine, server.engine.wal().stats());
    Levels {
        // As `used_memory` of INFO.
        used_bytes: engine.used_bytes() + server.clients.held_bytes() + server.scripts.bytes() + log.pending_bytes,
        rss_bytes: rss_bytes(),
        log_disk_bytes: log.disk_bytes,
        log_lag_records: log.last_lsn.records_since(log.stable_lsn.min(log.last_lsn)),
        fsync_us: log.fsync_last_us,
    }
}

/// The newest checkpoint.
fn newest(server: &Server) -> Option<Taken> {
    let stats = server.checkpoints.stats();
    stats.last.map(|last| Taken {
        id: last.id,
        lsn: last.lsn,
        age: Duration::from_millis(unix_ms().saturating_sub(last.wall_ms)),
        bytes: stats.last_bytes,
        millis: stats.last_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_calls() {
        let mut calls = [0; DURATION_BUCKETS];
        assert_eq!(bound_nanos(&calls, 0.5), None);
        (calls[1], calls[4], calls[10]) = (90, 9, 1);
        assert_eq!(bound_nanos(&calls, 0.5), Some(2_000));
        assert_eq!(bound_nanos(&calls, 0.99), Some(16_000));
        assert_eq!(bound_nanos(&calls, 1.0), Some(1_024_000));
    }
}
