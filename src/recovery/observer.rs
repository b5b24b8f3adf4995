//! Who looks on while data is read back: told how far it is, asked whether it is still wanted.
//!
//! **Invariant:** a recovery that was called off has changed nothing and ends in [`RecoveryError::CalledOff`], whatever
//! its parts made of what they had by then.

use std::ops::ControlFlow;
use std::path::Path;

use super::RecoveryError;
use crate::storage::Disk;
use crate::wal::{Lsn, segments};

/// What recovery is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Loading a checkpoint.
    Pages,
    /// Replaying the log.
    Log,
}

impl Stage {
    /// What is counted, in words.
    pub fn what(self) -> &'static str {
        match self {
            Self::Pages => "bytes of pages",
            Self::Log => "bytes of the log",
        }
    }
}

/// How far it is; told some times a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// With what.
    pub stage: Stage,
    /// So many bytes of it.
    pub done: u64,
    /// Of so many.
    pub total: u64,
    /// Bytes of all stages that are done.
    pub all_done: u64,
    /// Bytes of all stages.
    pub all_total: u64,
}

/// See the module.
pub(super) struct Observer<'a> {
    tell: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    wal_dir: &'a Path,
    page_bytes: u64,
    log_bytes: u64,
    is_called_off: bool,
}

impl<'a> Observer<'a> {
    /// `tell` is told, and says whether to go on.
    pub fn new(wal_dir: &'a Path, tell: &'a mut dyn FnMut(Progress) -> ControlFlow<()>) -> Self {
        Self {
            tell,
            wal_dir,
            page_bytes: 0,
            log_bytes: 0,
            is_called_off: false,
        }
    }

    /// So many bytes of pages are to be loaded, and the log from there on is to be replayed.
    pub fn begin(&mut self, disk: &dyn Disk, page_bytes: u64, after: Lsn) {
        self.page_bytes = page_bytes;
        // An estimate; what is wrong with the log is told by who reads it.
        self.log_bytes = log_bytes(disk, self.wal_dir, after).unwrap_or(0);
        self.note(Stage::Pages, 0, page_bytes);
    }

    /// Tells how far it is; whether to go on.
    pub fn note(&mut self, stage: Stage, done: u64, total: u64) -> bool {
        let (before, all_total) = match stage {
            Stage::Pages => (0, self.page_bytes + self.log_bytes),
            Stage::Log => (self.page_bytes, self.page_bytes + total),
        };
        let progress = Progress {
            stage,
            done,
            total,
            all_done: before + done,
            all_total,
        };
        self.is_called_off |= (self.tell)(progress).is_break();
        !self.is_called_off
    }

    /// `outcome`, unless it was called off.
    pub fn check<T, E: Into<RecoveryError>>(&self, outcome: Result<T, E>) -> Result<T, RecoveryError> {
        if self.is_called_off {
            return Err(RecoveryError::CalledOff);
        }
        outcome.map_err(Into::into)
    }
}

/// Bytes of the segments that have records behind `after`.
fn log_bytes(disk: &dyn Disk, dir: &Path, after: Lsn) -> Option<u64> {
    let mut files = segments(disk, dir).ok()?;
    let before = files.iter().take_while(|(first, _)| *first <= after.next()).count();
    files.drain(..before.saturating_sub(1));
    files.iter().map(|(_, path)| disk.len(path).ok()).sum()
}
