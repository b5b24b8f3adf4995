//! Why a tool cannot go on.
//!
//! **Invariant:** the text is one sentence for who runs the tool; it names the file or directory.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::backup::BackupError;
use crate::checkpoint::CheckpointError;
use crate::engine::field::Unfit;
use crate::recovery::RecoveryError;
use crate::recovery::exchange::{Exchange, ExchangeError};
use crate::recovery::folders::FolderError;
use crate::storage::FileError;
use crate::wal::{Lsn, WalError};

/// See the module.
#[derive(Debug)]
pub enum ToolError {
    /// The file system refused.
    File(FileError),
    /// It refused what concerns this path.
    At(PathBuf, io::Error),
    /// It refused; which file it was is told by whoever asked.
    Io(io::Error),
    /// A checkpoint's files are not as they should be, or one cannot be written.
    Checkpoint(CheckpointError),
    /// The log cannot be read.
    Wal(WalError),
    /// The data cannot be built.
    Recovery(RecoveryError),
    /// A backup cannot be used.
    Backup(BackupError),
    /// A restore in place did not work.
    Exchange(ExchangeError),
    /// A restore in place has still to be finished, in this data directory.
    Interrupted(Box<Exchange>, PathBuf),
    /// A structure cannot be shown.
    Unfit(Unfit),
    /// There is no such data directory.
    NoDirectory(String),
    /// A folder is in use, or cannot be taken.
    Locked(FolderError),
    /// The directory is to be filled and holds something.
    NotEmpty(PathBuf),
    /// Something cannot be started.
    Start(&'static str, io::Error),
    /// A checkpoint is not of the moment wanted.
    OtherMoment {
        /// Of this one.
        found: Lsn,
        /// Instead of that one.
        wanted: Lsn,
    },
    /// What is found is no damage.
    NotDamage(String),
    /// Nothing is left to start from.
    Hopeless(String),
    /// All names for a quarantine folder are taken.
    NoQuarantine,
}

impl fmt::Display for ToolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(out),
            Self::At(path, error) => write!(out, "{}: {error}", path.display()),
            Self::Io(error) => error.fmt(out),
            Self::Checkpoint(error) => error.fmt(out),
            Self::Wal(error) => error.fmt(out),
            Self::Recovery(error) => error.fmt(out),
            Self::Backup(error) => error.fmt(out),
            Self::Exchange(error) => error.fmt(out),
            Self::Interrupted(exchange, data_dir) => out.write_str(&exchange.refusal(data_dir)),
            Self::Unfit(error) => error.fmt(out),
            Self::NoDirectory(dir) => write!(out, "{dir}: no such directory"),
            Self::Locked(error) => error.fmt(out),
            Self::NotEmpty(path) => write!(out, "{} is not empty, and nothing is overwritten", path.display()),
            Self::Start(what, error) => write!(out, "cannot start {what}: {error}"),
            Self::OtherMoment { found, wanted } => write!(out, "the checkpoint is at LSN {found} and not {wanted}"),
            Self::NotDamage(why) => write!(out, "{why}: not damage, so there is nothing to repair"),
            Self::Hopeless(why) => write!(
                out,
                "no checkpoint can be used and the log does not go back to the beginning: {why}. Put back a copy of the \
                 directory"
            ),
            Self::NoQuarantine => out.write_str("no name is left for a quarantine folder"),
        }
    }
}

impl std::error::Error for ToolError {}

macro_rules! from {
    ($($variant:ident $error:ty),+) => {
        $(impl From<$error> for ToolError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })+
    };
}

from!(
    File FileError,
    Checkpoint CheckpointError,
    Wal WalError,
    Recovery RecoveryError,
    Backup BackupError,
    Exchange ExchangeError,
    Locked FolderError,
    Unfit Unfit
);
