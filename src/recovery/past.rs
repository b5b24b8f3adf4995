//! The data as it was at an earlier moment: the newest checkpoint before it, and the log from there.
//!
//! **Invariants**
//! - Nothing on disk is changed, and a server may go on with the same files meanwhile.
//! - It is the data exactly at that moment, or an error that tells which moments are possible.
//! - A log that the folder of checkpoints tells of (`log_note`) is that one, and is as long as it was, as at a start.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::observer::Observer;
use super::reach::{Stretch, stretches};
use super::{Progress, RecoverOptions, RecoveryError, Until, log_note, moment, newest, replay, sum, wal_io};
use crate::checkpoint::CheckpointInfo;
use crate::checkpoint::files::catalog;
use crate::checkpoint::files::manifest::Manifest;
use crate::engine::registry::Registry;
use crate::engine::worker::unix_ms;
use crate::page::Access;
use crate::storage::Disk;
use crate::wal::{LogNote, Lsn, Reader, WalError, runs};

/// What there was.
pub struct Past {
    /// All collections.
    pub registry: Registry,
    /// The last record that is in it.
    pub lsn: Lsn,
    /// The checkpoint it began with.
    pub checkpoint: Option<CheckpointInfo>,
    /// Keys in it.
    pub keys: u64,
    /// Heap bytes of it.
    pub data_bytes: u64,
}

/// Builds the data as it was at the moment `until`.
///
/// # Errors
/// When it is out of reach, or something on the way is damaged.
pub fn recover_past(
    disk: &Arc<dyn Disk>,
    options: &RecoverOptions,
    until: Until,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Past, RecoveryError> {
    let note = log_note(disk.as_ref(), options)?;
    let known = known(disk, options)?;
    let mut registry = Registry::default();
    let access = Access::in_second(unix_ms());
    let last = match until {
        Until::Lsn(lsn) => Some(lsn),
        Until::Time(at_ms) => known.last_by(at_ms, disk, &options.wal_dir)?,
    };
    // Before the first record there was no server yet.
    let Some(last) = last.filter(|last| *last > Lsn::ZERO) else {
        return Err(known.out_of_reach(until, disk, options));
    };
    let base = known.checkpoints.iter().rfind(|(info, _)| info.lsn <= last);
    let mut lsn = Lsn::ZERO;
    let mut observer = Observer::new(&options.wal_dir, &mut progress);
    if let Some((info, path)) = base {
        let loaded = newest::Loading {
            disk: disk.as_ref(),
            dir: &options.checkpoint_dir,
            threads: options.threads,
            access,
            registry: &mut registry,
            observer: &mut observer,
        }
        .run_from(info.id, path, known.data_set);
        observer.check(loaded)?;
        lsn = info.lsn;
    }
    if lsn != last {
        if known.oldest.is_none_or(|oldest| oldest > lsn.next()) {
            return Err(known.out_of_reach(until, disk, options));
        }
        let how = (options.threads, access, last);
        let replayed = replay::replay(disk, &options.wal_dir, lsn.next(), &mut registry, how, &mut observer);
        let replayed = observer.check(replayed)?;
        lsn = replayed.next_lsn.before();
        if matches!(until, Until::Time(_)) && replayed.end == replayed.next_lsn {
            check_end(note, options, replayed.end)?;
        }
    }
    if lsn != last {
        return Err(known.out_of_reach(until, disk, options));
    }
    registry.drop_unfinished_loads();
    registry.empty_caches();
    let totals = sum(&registry);
    Ok(Past {
        registry,
        lsn,
        checkpoint: base.map(|(info, _)| *info),
        keys: totals.keys,
        data_bytes: totals.bytes,
    })
}

/// What a time asks for may have been behind the end of a log that was cut short.
fn check_end(note: Option<LogNote>, options: &RecoverOptions, end: Lsn) -> Result<(), WalError> {
    note.map_or(Ok(()), |note| note.check_end(&options.checkpoint_dir, end))
}

/// The last record of these that was written by `at_ms`. It is told if some before it bear later times.
fn last_within(disk: &Arc<dyn Disk>, log: &Path, (from, to): (Lsn, Lsn), at_ms: u64) -> Result<Option<Lsn>, WalError> {
    let (mut last, mut first_later) = (None, None);
    if from > to {
        return Ok(None);
    }
    let mut reader = Reader::open(Arc::clone(disk), log, from)?;
    loop {
        match reader.next() {
            Ok(Some(record)) if record.lsn < from => {}
            Ok(Some(record)) if record.lsn <= to && record.wall_ms <= at_ms => last = Some(record.lsn),
            Ok(Some(record)) if record.lsn <= to => first_later = first_later.or(Some(record.lsn)),
            Ok(_) => break,
            // Where the log had failed, records are missing up to the checkpoint behind which it went on.
            Err(WalError::Missing { expected, .. }) if to < Lsn::MAX && expected <= to => break,
            Err(error) => return Err(error),
        }
    }
    if let (Some(first), Some(last)) = (first_later, last)
        && first < last
    {
        tracing::warn!(
            "the clock went back: records from LSN {first} on bear later times than {}, and LSN {last} behind them does \
             not; all of them are in what is restored",
            moment::show(at_ms)
        );
    }
    Ok(last)
}

/// What there is to build from.
struct Known {
    /// What all checkpoints are of.
    data_set: u128,
    /// Checkpoints with their manifests, oldest first.
    checkpoints: Vec<(CheckpointInfo, PathBuf)>,
    /// The first record of the log.
    oldest: Option<Lsn>,
}

fn known(disk: &Arc<dyn Disk>, options: &RecoverOptions) -> Result<Known, RecoveryError> {
    let dir = &options.checkpoint_dir;
    let committed = catalog::committed(disk.as_ref(), dir).map_err(RecoveryError::Control)?;
    let manifests = catalog::manifests(disk.as_ref(), dir).map_err(|error| RecoveryError::Checkpoint {
        manifest: dir.clone(),
        error,
    })?;
    let mut checkpoints = Vec::with_capacity(manifests.len());
    for (id, path) in manifests {
        match Manifest::read_head(disk.as_ref(), &path) {
            Ok(head) => {
                let (lsn, wall_ms) = (head.lsn, head.wall_ms);
                checkpoints.push((CheckpointInfo { id, lsn, wall_ms }, path));
            }
            Err(error) => return Err(RecoveryError::Checkpoint { manifest: path, error }),
        }
    }
    let wal = &options.wal_dir;
    let oldest = if disk.exists(wal).map_err(|error| wal_io(wal, error))? {
        Reader::oldest_lsn(disk.as_ref(), wal)?
    } else {
        None
    };
    Ok(Known {
        data_set: committed.map_or(0, |(control, ..)| control.data_set),
        checkpoints,
        oldest,
    })
}

impl Known {
    /// The last record that was written by `at_ms`; `None` when that is out of reach. Reads the log from its end back,
    /// a checkpoint's part after the other: behind it clocks may have gone back.
    fn last_by(&self, at_ms: u64, disk: &Arc<dyn Disk>, log: &Path) -> Result<Option<Lsn>, RecoveryError> {
        let Some(oldest) = self.oldest else { return Ok(None) };
        let mut end = Lsn::MAX;
        for (info, _) in self.checkpoints.iter().rev() {
            let from = info.lsn.next();
            if let Some(last) = last_within(disk, log, (from.max(oldest), end), at_ms)? {
                return Ok(Some(last));
            }
            if info.wall_ms <= at_ms {
                // What came next is not kept, and may have been written by then, too.
                let is_whole = from >= oldest || end == info.lsn;
                return Ok(is_whole.then_some(info.lsn));
            }
            end = info.lsn;
        }
        Ok(last_within(disk, log, (oldest, end), at_ms)?)
    }

    fn out_of_reach(&self, until: Until, disk: &Arc<dyn Disk>, options: &RecoverOptions) -> RecoveryError {
        let wanted = match until {
            Until::Lsn(lsn) => format!("LSN {lsn}"),
            Until::Time(at_ms) => moment::show(at_ms),
        };
        let log = runs(disk.as_ref(), &options.wal_dir).unwrap_or_default();
        let checkpoints = self.checkpoints.iter().map(|(info, _)| (info.lsn, info.wall_ms));
        let end = log.last().map(|run| run.last);
        let possible: Vec<String> = stretches(checkpoints, &log)
            .iter()
            .map(|stretch| self.told(stretch, Some(stretch.to) == end))
            .collect();
        let possible = if possible.is_empty() {
            "nothing".to_owned()
        } else {
            possible.join(", ")
        };
        RecoveryError::OutOfReach(format!(
            "{wanted} is out of reach of the checkpoints and the log kept; possible: {possible}"
        ))
    }

    /// Moments in words, oldest first; `is_last` if the log ends with them.
    fn told(&self, stretch: &Stretch, is_last: bool) -> String {
        let at = self.checkpoints.iter().find(|(info, _)| info.lsn == stretch.from);
        let from = match at {
            Some((info, _)) => format!("LSN {} ({})", info.lsn, moment::show(info.wall_ms)),
            None => format!("LSN {}", stretch.from),
        };
        match at {
            Some((info, _)) if stretch.is_instant() => format!("checkpoint {} ({from})", info.id),
            _ if is_last => format!("{from} and later, up to LSN {}, the log's end", stretch.to),
            _ => format!("{from} to LSN {}, behind which records are missing", stretch.to),
        }
    }
}
