//! What can go wrong with the log, each with its subject.
//!
//! **Invariants**: `Clone`, because one failure is told to every waiter.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Lsn;
use crate::storage::FileError;

/// An error of the write-ahead log.
#[derive(Debug, Clone)]
pub enum WalError {
    /// The file system refused.
    Io(FileError),
    /// An earlier write or sync failed; nothing is written any more.
    Failed(Arc<str>),
    /// The log was closed before the record became durable.
    Closed,
    /// The segment that is being written to is not where a start would read it, or not as it was written.
    Strayed {
        /// The segment file.
        file: PathBuf,
        /// What has become of it.
        how: &'static str,
    },
    /// Bytes that were whole once are not what was written.
    Damaged {
        /// The segment file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Written by a version of the format that this program does not know.
    UnknownVersion {
        /// The segment file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// The version found.
        version: u32,
    },
    /// Records are missing.
    Missing {
        /// The first LSN that is not there.
        expected: Lsn,
        /// The LSN found instead.
        found: Lsn,
        /// Where it was found.
        file: PathBuf,
    },
    /// The newest segment that the log had is not there.
    Lost {
        /// That segment.
        file: PathBuf,
        /// What tells of it.
        note: PathBuf,
    },
    /// The log has been longer.
    Short {
        /// Its last record now.
        last: Lsn,
        /// What was durable once.
        reached: Lsn,
        /// What tells of it.
        note: PathBuf,
    },
    /// A segment of another log.
    Foreign {
        /// That segment.
        file: PathBuf,
        /// What tells of the log that belongs here.
        note: PathBuf,
    },
    /// The record is not retained any more.
    Trimmed {
        /// The LSN asked for.
        from: Lsn,
        /// The first one that is there.
        oldest: Lsn,
    },
    /// The log holds records at or above the LSN it was to be continued with.
    Behind {
        /// The LSN that was to be the next.
        next: Lsn,
        /// The last LSN in the log.
        last: Lsn,
    },
}

impl WalError {
    /// Whether there was no room on the disk.
    pub(super) fn is_want_of_room(&self) -> bool {
        matches!(self, Self::Io(error) if error.is_want_of_room())
    }

    /// Whether a write has found that its file is not at its place any more.
    pub(super) fn is_of_lost_file(&self) -> bool {
        matches!(self, Self::Io(error) if error.error.kind() == io::ErrorKind::NotFound)
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WalError {
        move |error| WalError::Io(FileError::at(doing, path)(error))
    }

    pub(crate) fn damaged(file: &Path, offset: u64, reason: impl Into<String>) -> WalError {
        WalError::Damaged {
            file: file.to_owned(),
            offset,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for WalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WalError::Io(error) => write!(f, "WAL: {error}"),
            WalError::Failed(why) => write!(f, "WAL: failed earlier: {why}"),
            WalError::Closed => write!(f, "WAL: closed before the record was durable"),
            WalError::Strayed { file, how } => {
                write!(f, "WAL: the segment {} {how}, while it was written to", file.display())
            }
            WalError::Damaged { file, offset, reason } => {
                write!(f, "WAL: {} is damaged at byte {offset}: {reason}", file.display())
            }
            WalError::UnknownVersion { file, offset, version } => {
                let file = file.display();
                write!(
                    f,
                    "WAL: {file} has format version {version} at byte {offset}, unknown to this program"
                )
            }
            WalError::Missing { expected, found, file } => {
                let file = file.display();
                write!(
                    f,
                    "WAL: record {expected} is missing, the next one found is {found} in {file}"
                )
            }
            WalError::Lost { file, note } => {
                let (file, note) = (file.display(), note.display());
                write!(
                    f,
                    "WAL: the log's newest segment is missing: {file}, of which {note} tells"
                )
            }
            WalError::Short { last, reached, note } => {
                let note = note.display();
                write!(
                    f,
                    "WAL: the log ends with record {last}, and was durable up to {reached} once, as {note} tells"
                )
            }
            WalError::Foreign { file, note } => {
                let (file, note) = (file.display(), note.display());
                write!(f, "WAL: {file} is of another log than the one of which {note} tells")
            }
            WalError::Trimmed { from, oldest } => {
                write!(f, "WAL: record {from} is not retained, the oldest is {oldest}")
            }
            WalError::Behind { next, last } => {
                write!(f, "WAL: cannot continue at {next}, the log goes on to {last}")
            }
        }
    }
}

impl std::error::Error for WalError {}
