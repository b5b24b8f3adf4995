//! Why a backup cannot be taken or used.
//!
//! **Invariant:** the text is one sentence for who runs the tool; it names the file or directory.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::checkpoint::CheckpointError;
use crate::storage::FileError;
use crate::wal::{Lsn, WalError};

/// See the module.
#[derive(Debug)]
pub enum BackupError {
    /// The file system refused.
    File(FileError),
    /// A checkpoint's files are not as they should be.
    Checkpoint(CheckpointError),
    /// The log is not as it should be.
    Wal(WalError),
    /// The directory is in use, or cannot be locked.
    Locked(PathBuf, io::Error),
    /// A file of a backup is not what it was, or not there.
    Damaged(PathBuf, String),
    /// The manifest is of another version.
    Version(PathBuf, u32),
    /// There is no whole backup there.
    NoBackup(PathBuf),
    /// It is not known to be a backup, or what is left of one, for the reason told; so it is not removed.
    Foreign(PathBuf, String),
    /// The moment is in none of them.
    OutOfReach(String),
    /// What the server keeps does not make up a moment that could be restored.
    NothingToRestore(String),
    /// What is to be the server's folder of checkpoints has no control file, which would be here.
    NoControl(PathBuf),
    /// The directory is not that of the server.
    OtherDataSet {
        /// The directory's control file.
        control: PathBuf,
        /// What the server's data set is.
        server: String,
        /// What is found there.
        found: String,
    },
    /// Backups were to be within a folder of the server.
    WithinServer {
        /// Where they were to be.
        path: PathBuf,
        /// Which folder.
        folder: PathBuf,
    },
    /// Something was to be within a backup.
    WithinBackup {
        /// Where it was to be.
        path: PathBuf,
        /// Which backup.
        backup: PathBuf,
    },
    /// The log there does not reach as far as the server has said.
    LogEnds {
        /// Where it is.
        dir: PathBuf,
        /// How far it was to reach.
        wanted: Lsn,
        /// The first that is not there.
        next: Lsn,
    },
    /// It failed when the server did not hold its files any more, for the reason told.
    NotHeld(Box<Self>, String),
    /// The user has ended it.
    Interrupted,
}

impl BackupError {
    /// A file of a backup that is not what it was.
    pub fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged(path.to_owned(), why.into())
    }
}

impl fmt::Display for BackupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(out),
            Self::Checkpoint(error) => error.fmt(out),
            Self::Wal(error) => error.fmt(out),
            Self::Locked(dir, error) => write!(out, "{}: {error}", dir.display()),
            Self::Damaged(path, why) => write!(out, "{}: it is damaged: {why}", path.display()),
            Self::Version(path, version) => {
                write!(out, "{}: version {version} is not known here", path.display())
            }
            Self::NoBackup(dir) => write!(out, "{}: there is no whole backup in it", dir.display()),
            Self::Foreign(dir, why) => write!(out, "{}: it is left alone: {why}", dir.display()),
            Self::OutOfReach(why) | Self::NothingToRestore(why) => out.write_str(why),
            Self::NoControl(path) => write!(
                out,
                "{}: there is no such file: its folder is not that of the server's checkpoints, or is not seen from here",
                path.display()
            ),
            Self::OtherDataSet { control, server, found } => write!(
                out,
                "{} is of data set {found}, and the server has data set {server}: it is another server's directory",
                control.display()
            ),
            Self::WithinServer { path, folder } => write!(
                out,
                "{}: it is within {}, where the server has its data: a directory outside of it is needed",
                path.display(),
                folder.display()
            ),
            Self::WithinBackup { path, backup } => write!(
                out,
                "{}: it is within the backup {}, which stays as it is: name another directory",
                path.display(),
                backup.display()
            ),
            Self::LogEnds { dir, wanted, next } => write!(
                out,
                "{}: the log is to reach LSN {wanted} and ends before LSN {next}: it is not that of the server, or not up to \
                 date",
                dir.display()
            ),
            Self::NotHeld(why, state) => write!(out, "{why}; the server does not hold its files any more: {state}"),
            Self::Interrupted => out.write_str("interrupted"),
        }
    }
}

impl std::error::Error for BackupError {}

macro_rules! from {
    ($($variant:ident $error:ty),+) => {
        $(impl From<$error> for BackupError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })+
    };
}

from!(File FileError, Checkpoint CheckpointError, Wal WalError);
