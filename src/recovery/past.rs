//! The data as it was at an earlier moment: the newest checkpoint before it, and the log from there.
//!
//! **Invariants**
//! - Nothing on disk is changed, and a server may go on with the same files meanwhile.
//! - It is the data exactly at that moment, or an error that tells which moments are possible.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::observer::Observer;
use super::{Progress, RecoverOptions, RecoveryError, Until, moment, newest, replay, sum, wal_io};
use crate::checkpoint::CheckpointInfo;
use crate::checkpoint::files::catalog;
use crate::checkpoint::files::manifest::Manifest;
use crate::engine::registry::Registry;
use crate::engine::worker::unix_ms;
use crate::storage::Disk;
use crate::wal::{Lsn, Reader};

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
    let known = known(disk, options)?;
    let mut registry = Registry::default();
    let access_s = (unix_ms() / 1000) as u32;
    let base = known.checkpoints.iter().rev();
    let base = base.clone().find(|(info, _)| until.covers(info.lsn, info.wall_ms));
    let mut lsn = Lsn::ZERO;
    let mut observer = Observer::new(&options.wal_dir, &mut progress);
    if let Some((info, path)) = base {
        let loaded = newest::Loading {
            disk: disk.as_ref(),
            dir: &options.checkpoint_dir,
            threads: options.threads,
            access_s,
            registry: &mut registry,
            observer: &mut observer,
        }
        .run_from(info.id, path, known.data_set);
        observer.check(loaded)?;
        lsn = info.lsn;
    }
    if !until.is_met_by(lsn) {
        if known.oldest.is_none_or(|oldest| oldest > lsn.next()) {
            return Err(known.out_of_reach(until));
        }
        let how = (options.threads, access_s, until);
        let replayed = replay::replay(disk, &options.wal_dir, lsn.next(), &mut registry, how, &mut observer);
        let replayed = observer.check(replayed)?;
        lsn = replayed.next_lsn.before();
    }
    // Before the first record there was no server yet.
    let reached = lsn > Lsn::ZERO
        && match until {
            Until::Lsn(wanted) => lsn == wanted,
            Until::Time(_) | Until::End => true,
        };
    if !reached {
        return Err(known.out_of_reach(until));
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
    fn out_of_reach(&self, until: Until) -> RecoveryError {
        let wanted = match until {
            Until::Lsn(lsn) => format!("LSN {lsn}"),
            Until::Time(at_ms) => moment::show(at_ms),
            Until::End => "the end of the log".to_owned(),
        };
        let mut possible = Vec::new();
        // The log continues the first checkpoint that it reaches back to.
        let continued = |oldest: Lsn| {
            let first = self.checkpoints.iter().find(|(info, _)| info.lsn.next() >= oldest);
            first.map(|(info, _)| format!("LSN {} ({}) and later", info.lsn, moment::show(info.wall_ms)))
        };
        match self.oldest {
            Some(oldest) if oldest <= Lsn::FIRST => possible.push("LSN 1 and later".to_owned()),
            Some(oldest) => possible.extend(continued(oldest)),
            None => {}
        }
        let reach = |info: &CheckpointInfo| self.oldest.is_some_and(|oldest| info.lsn.next() >= oldest);
        let apart = self.checkpoints.iter().filter(|(info, _)| !reach(info));
        possible.extend(apart.map(|(info, _)| {
            let time = moment::show(info.wall_ms);
            format!("checkpoint {} (LSN {}, {time})", info.id, info.lsn)
        }));
        let possible = if possible.is_empty() {
            "nothing is".to_owned()
        } else {
            possible.join(", ")
        };
        RecoveryError::OutOfReach(format!(
            "{wanted} is out of reach of the checkpoints and the log kept; possible: {possible}, up to the log's end"
        ))
    }
}
