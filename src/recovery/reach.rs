//! Which moments can be restored, of the checkpoints and the log that are kept: the one place that knows.
//!
//! **Invariant:** a moment is the data behind one record. It can be restored if a checkpoint is of it, or if the log
//! has every record from a checkpoint, or from the first record, up to it.

use crate::lsn::Lsn;
use crate::wal::Run;

/// Moments one behind another, each of which can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first of them: that of a checkpoint, or of the log's first record.
    pub from: Lsn,
    /// The last of them.
    pub to: Lsn,
    /// When that was, nearly, Unix milliseconds; 0: not known.
    pub to_wall_ms: u64,
}

impl Stretch {
    /// Whether it is a checkpoint's instant alone.
    pub fn is_instant(&self) -> bool {
        self.from == self.to
    }

    /// Whether moment `lsn` is one of them.
    pub fn has(&self, lsn: Lsn) -> bool {
        self.from <= lsn && lsn <= self.to
    }
}

/// What can be restored with `checkpoints`, as LSN and wall clock, and the runs of a log; both and the result are
/// oldest first. O(checkpoints × runs).
pub fn stretches(checkpoints: impl IntoIterator<Item = (Lsn, u64)>, runs: &[Run]) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let begun = runs
        .iter()
        .find(|run| run.first <= Lsn::FIRST && run.last >= Lsn::FIRST);
    found.extend(begun.map(|run| Stretch {
        from: Lsn::FIRST,
        to: run.last,
        to_wall_ms: run.last_wall_ms,
    }));
    for (lsn, wall_ms) in checkpoints {
        let behind = runs.iter().find(|run| run.first <= lsn.next() && lsn < run.last);
        let (to, to_wall_ms) = behind.map_or((lsn, wall_ms), |run| (run.last, run.last_wall_ms));
        match found.last_mut() {
            Some(last) if last.to >= lsn => {
                if to > last.to {
                    (last.to, last.to_wall_ms) = (to, to_wall_ms);
                }
            }
            _ => found.push(Stretch {
                from: lsn,
                to,
                to_wall_ms,
            }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(checkpoints: &[u64], runs: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let runs: Vec<Run> = runs
            .iter()
            .map(|(first, last)| Run {
                first: Lsn::new(*first),
                last: Lsn::new(*last),
                last_wall_ms: *last,
            })
            .collect();
        let stretches = stretches(checkpoints.iter().map(|lsn| (Lsn::new(*lsn), *lsn)), &runs);
        stretches
            .iter()
            .map(|stretch| {
                assert_eq!(stretch.to_wall_ms, stretch.to.get(), "{stretch:?}");
                (stretch.from.get(), stretch.to.get())
            })
            .collect()
    }

    #[test]
    fn of_a_whole_log() {
        assert_eq!(found(&[], &[]), []);
        assert_eq!(found(&[], &[(1, 9)]), [(1, 9)]);
        assert_eq!(found(&[], &[(1, 0)]), [], "nothing has been written");
        assert_eq!(found(&[], &[(4, 9)]), [], "the beginning is missing");
        assert_eq!(found(&[5, 9], &[(1, 12)]), [(1, 12)]);
        assert_eq!(found(&[2, 5, 9], &[(6, 12)]), [(2, 2), (5, 12)]);
        assert_eq!(
            found(&[2, 5, 9], &[(10, 9)]),
            [(2, 2), (5, 5), (9, 9)],
            "a log that has just begun"
        );
        assert_eq!(found(&[2, 5], &[]), [(2, 2), (5, 5)]);
    }

    #[test]
    fn of_a_log_with_gaps() {
        // It failed behind 10, and went on behind a checkpoint at 15.
        assert_eq!(found(&[5, 15], &[(1, 10), (16, 20)]), [(1, 10), (15, 20)]);
        assert_eq!(found(&[5, 15], &[(4, 10), (16, 20)]), [(5, 10), (15, 20)]);
        assert_eq!(found(&[15], &[(4, 10), (16, 20)]), [(15, 20)], "nothing to begin with");
        assert_eq!(found(&[5, 10, 15], &[(4, 10), (16, 20)]), [(5, 10), (15, 20)]);
        assert_eq!(
            found(&[5, 12], &[(4, 10), (16, 20)]),
            [(5, 10), (12, 12)],
            "its checkpoint is gone"
        );
        assert_eq!(
            found(&[3, 7, 15, 18], &[(4, 6), (9, 10), (16, 20)]),
            [(3, 6), (7, 7), (15, 20)]
        );
    }
}
