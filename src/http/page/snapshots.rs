//! The checkpoints that are kept, and which moments can be restored, from the running server.

use super::data::{Kept, Restores, SNAPSHOTS_MAX, SnapshotRow, Snapshots};
use crate::checkpoint::Snapshot;
use crate::engine::worker::unix_ms;
use crate::recovery::reach::{Stretch, stretches};
use crate::state::Server;
use crate::wal::Lsn;

/// What there is, given the checkpoints that are `kept`; `None`: they are not known yet.
pub(super) fn gather(server: &Server, kept: Option<&[Snapshot]>) -> Snapshots {
    let all = kept.unwrap_or_default();
    let log = server.engine.wal();
    let runs = log.runs();
    let checkpoints = all.iter().map(|snapshot| (snapshot.lsn, snapshot.wall_ms));
    let reach = Reach {
        all,
        stretches: stretches(checkpoints, &runs),
        // What a log that has failed goes on with lies behind a checkpoint to come.
        end: runs.last().map(|run| run.last).filter(|_| !log.is_failed()),
        started_ms: server.started_s.saturating_mul(1000),
    };
    let shown = all.get(all.len().saturating_sub(SNAPSHOTS_MAX)..).unwrap_or_default();
    let config = server.params.config();
    let keep = (config.checkpoint.keep_count, config.checkpoint.keep_age_s);
    let rows = shown.iter().enumerate().map(|(at, snapshot)| SnapshotRow {
        id: snapshot.id,
        lsn: snapshot.lsn.get(),
        wall_ms: snapshot.wall_ms,
        keys: snapshot.keys,
        new_bytes: snapshot.written_bytes,
        shared_bytes: snapshot.referenced_bytes.saturating_sub(snapshot.written_bytes),
        is_pinned: snapshot.is_pinned,
        kept: how_long(snapshot.wall_ms, (shown.len() - at - 1) as u64, keep),
        restores: reach.of(snapshot.lsn),
    });
    Snapshots {
        kept: rows.collect(),
        count: all.len(),
        is_unknown: kept.is_none(),
        whole: reach.whole(unix_ms()),
        log_from_ms: reach.log_from_ms().filter(|_| kept.is_some()),
    }
}

/// What can be restored.
struct Reach<'a> {
    /// The checkpoints, oldest first.
    all: &'a [Snapshot],
    stretches: Vec<Stretch>,
    /// The last record, if the log goes on behind it.
    end: Option<Lsn>,
    /// When the server was started.
    started_ms: u64,
}

impl Reach<'_> {
    fn is_current(&self, stretch: &Stretch) -> bool {
        Some(stretch.to) == self.end
    }

    /// What the checkpoint at `lsn` restores.
    fn of(&self, lsn: Lsn) -> Restores {
        match self.stretches.iter().find(|stretch| stretch.has(lsn)) {
            Some(stretch) if self.is_current(stretch) => Restores::AnySince,
            Some(stretch) if stretch.to > lsn => Restores::AnyTo(stretch.to.get()),
            _ => Restores::Instant,
        }
    }

    /// When the stretch begins, as far as that is known.
    fn begins_ms(&self, stretch: &Stretch) -> Option<u64> {
        let first = self.all.iter().find(|snapshot| stretch.has(snapshot.lsn));
        let began_here = (self.all.is_empty() && self.is_current(stretch)).then_some(self.started_ms);
        first.map(|snapshot| snapshot.wall_ms).or(began_here)
    }

    /// From when on every moment until now can be restored.
    fn log_from_ms(&self) -> Option<u64> {
        let current = self.stretches.last().filter(|stretch| self.is_current(stretch));
        current.and_then(|stretch| self.begins_ms(stretch))
    }

    /// The times of which every moment can be restored.
    fn whole(&self, now_ms: u64) -> Vec<(u64, u64)> {
        let longer = self
            .stretches
            .iter()
            .filter(|stretch| !stretch.is_instant() || self.is_current(stretch));
        let newest = longer.rev().take(SNAPSHOTS_MAX);
        let times = newest.filter_map(|stretch| {
            let to_ms = if self.is_current(stretch) {
                now_ms
            } else {
                stretch.to_wall_ms
            };
            self.begins_ms(stretch).map(|from_ms| (from_ms, to_ms.max(from_ms)))
        });
        times.collect()
    }
}

/// How long a checkpoint with so many newer ones is kept: the checkpointer lets go of it after it has taken another
/// one, if it is neither among the newest nor young.
fn how_long(wall_ms: u64, newer: u64, (keep_count, keep_age_s): (u64, u64)) -> Kept {
    let until_ms = wall_ms.saturating_add(keep_age_s.saturating_mul(1000));
    match keep_count.checked_sub(newer) {
        Some(more) if more > 0 => Kept::Newest(more),
        _ if until_ms > unix_ms() => Kept::Until(until_ms),
        _ => Kept::Next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::Run;

    #[test]
    fn how_long_checkpoints_stay() {
        let now_ms = unix_ms();
        assert_eq!(how_long(now_ms, 0, (2, 0)), Kept::Newest(2));
        assert_eq!(how_long(now_ms, 1, (2, 0)), Kept::Newest(1));
        assert_eq!(how_long(now_ms, 2, (2, 0)), Kept::Next);
        assert_eq!(how_long(now_ms, 3, (2, 3600)), Kept::Until(now_ms + 3_600_000));
        assert_eq!(how_long(now_ms - 3_600_001, 3, (2, 3600)), Kept::Next);
        assert_eq!(how_long(u64::MAX, 9, (1, u64::MAX)), Kept::Until(u64::MAX));
    }

    fn snapshot(lsn: u64) -> Snapshot {
        Snapshot {
            id: lsn,
            lsn: Lsn::new(lsn),
            wall_ms: lsn * 1000,
            keys: 0,
            pages: 0,
            written_pages: 0,
            written_bytes: 0,
            referenced_bytes: 0,
            page_files: 0,
            is_pinned: false,
        }
    }

    fn run(first: u64, last: u64) -> Run {
        Run {
            first: Lsn::new(first),
            last: Lsn::new(last),
            last_wall_ms: last * 1000,
        }
    }

    fn reach<'a>(all: &'a [Snapshot], runs: &[Run], is_failed: bool) -> Reach<'a> {
        let checkpoints = all.iter().map(|snapshot| (snapshot.lsn, snapshot.wall_ms));
        Reach {
            all,
            stretches: stretches(checkpoints, runs),
            end: runs.last().map(|run| run.last).filter(|_| !is_failed),
            started_ms: 500,
        }
    }

    #[test]
    fn what_lies_before_a_gap_is_not_restored_to_now() {
        let all = [2, 5, 15].map(snapshot);
        let reach = reach(&all, &[run(4, 10), run(16, 20)], false);
        let rows: Vec<Restores> = all.iter().map(|snapshot| reach.of(snapshot.lsn)).collect();
        assert_eq!(rows, [Restores::Instant, Restores::AnyTo(10), Restores::AnySince]);
        assert_eq!(reach.log_from_ms(), Some(15_000));
        assert_eq!(reach.whole(99_000), [(15_000, 99_000), (5_000, 10_000)]);
    }

    #[test]
    fn a_log_that_has_failed_ends() {
        let all = [5].map(snapshot);
        let failed = reach(&all, &[run(4, 10)], true);
        assert_eq!(
            (failed.of(Lsn::new(5)), failed.log_from_ms()),
            (Restores::AnyTo(10), None)
        );
        assert_eq!(failed.whole(99_000), [(5_000, 10_000)]);
        let sound = reach(&all, &[run(4, 10)], false);
        assert_eq!(
            (sound.of(Lsn::new(5)), sound.log_from_ms()),
            (Restores::AnySince, Some(5_000))
        );
        // Nothing has been written since the checkpoint.
        let new = reach(&all, &[run(6, 5)], false);
        assert_eq!(
            (new.of(Lsn::new(5)), new.log_from_ms()),
            (Restores::AnySince, Some(5_000))
        );
    }

    #[test]
    fn without_a_log_or_without_checkpoints() {
        let all = [5].map(snapshot);
        let alone = reach(&all, &[], false);
        assert_eq!((alone.of(Lsn::new(5)), alone.log_from_ms()), (Restores::Instant, None));
        assert_eq!(alone.whole(99_000), []);
        let begun = reach(&[], &[run(1, 7)], false);
        assert_eq!(
            (begun.log_from_ms(), begun.whole(99_000)),
            (Some(500), vec![(500, 99_000)])
        );
        assert_eq!(reach(&[], &[run(3, 7)], false).log_from_ms(), None);
    }
}
