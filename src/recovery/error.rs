//! Why the server does not start, in words that say where and what to do.
//!
//! **Invariant:** nothing is skipped and nothing older is taken instead; that decision is the operator's.

use std::fmt;
use std::path::PathBuf;

use crate::checkpoint::CheckpointError;
use crate::engine::CollectionError;
use crate::page::Malformed;
use crate::wal::{Lsn, WalError};

/// See the module.
#[derive(Debug)]
pub enum RecoveryError {
    /// The newest checkpoint cannot be used.
    Checkpoint {
        /// Its manifest.
        manifest: PathBuf,
        /// What is wrong.
        error: CheckpointError,
    },
    /// What was committed last cannot be told, or is not there.
    Control(CheckpointError),
    /// The moment asked for is not among those that can be built.
    OutOfReach(String),
    /// The log cannot be read.
    Wal(WalError),
    /// A record is intact and makes no sense for the data.
    Replay {
        /// The record.
        lsn: Lsn,
        /// Its file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: ReplayFault,
    },
    /// A thread could not be started, or died.
    Thread(String),
    /// Whoever wanted it wants it no longer.
    CalledOff,
}

/// What is wrong with an intact record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayFault {
    /// Its payload is not effects.
    Malformed(Malformed),
    /// An effect does not fit the collections that there are.
    Collection(CollectionError),
}

impl From<Malformed> for ReplayFault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<CollectionError> for ReplayFault {
    fn from(error: CollectionError) -> Self {
        Self::Collection(error)
    }
}

impl fmt::Display for ReplayFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Collection(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint { manifest, error } => write!(
                f,
                "the newest checkpoint {} cannot be loaded: {error}. Nothing was changed. Put back an intact copy of \
                 the file; or, to go back to an older checkpoint and lose what came after it, move this manifest away \
                 (an older checkpoint helps only with a WAL that reaches back to it, see wal.keep_age_s)",
                manifest.display()
            ),
            Self::Control(error) => write!(
                f,
                "{error}. Nothing was changed. Put back what is missing or damaged; an older checkpoint is never taken \
                 by itself, since it would lose what came after it"
            ),
            Self::Wal(error @ WalError::Missing { .. }) => write!(
                f,
                "{error}. Nothing was changed. The log does not continue the newest checkpoint: put back the missing \
                 segments or the checkpoint that belongs to this log"
            ),
            Self::Wal(error @ (WalError::Lost { .. } | WalError::Short { .. } | WalError::Foreign { .. })) => write!(
                f,
                "{error}. Nothing was changed. Put back the log that belongs to these checkpoints (storage.wal_dir); or, \
                 to go on with what is left and lose the rest, use lokikv repair"
            ),
            Self::Wal(error) => write!(f, "{error}. Nothing was changed"),
            Self::Replay {
                lsn,
                file,
                offset,
                reason,
            } => write!(
                f,
                "WAL: record {lsn} in {} at byte {offset} is intact but cannot be applied: {reason}. It may come from \
                 a newer version of this program, or from another server's log",
                file.display()
            ),
            Self::OutOfReach(why) => f.write_str(why),
            Self::Thread(why) => write!(f, "recovery: {why}"),
            Self::CalledOff => f.write_str("recovery: called off; nothing was changed"),
        }
    }
}

impl std::error::Error for RecoveryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Checkpoint { error, .. } | Self::Control(error) => Some(error),
            Self::Wal(error) => Some(error),
            Self::Replay { .. } | Self::OutOfReach(_) | Self::Thread(_) | Self::CalledOff => None,
        }
    }
}

impl From<WalError> for RecoveryError {
    fn from(error: WalError) -> Self {
        Self::Wal(error)
    }
}
