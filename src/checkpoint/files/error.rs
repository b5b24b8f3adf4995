//! What can go wrong with checkpoint files, each with its file and place.
//!
//! **Invariant:** damage names the file and the byte; nothing here is ever guessed around.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::fault::PageFault;
use super::refusal::Refusal;
use crate::engine::CollectionError;
use crate::engine::index::Misfit;
use crate::page::Malformed;
use crate::storage::FileError;
use crate::wal::WalError;

/// An error of a checkpoint, of `PERSIST` or of `LOAD`.
#[derive(Clone, Debug)]
pub enum CheckpointError {
    /// The file system refused.
    Io(FileError),
    /// The bytes are not what was written.
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Written in a version of the format that this program does not know.
    UnknownVersion {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// The version found.
        version: u32,
    },
    /// The log could not be made stable.
    Wal(WalError),
    /// It cannot be done as things are.
    Refused(Refusal),
    /// The registry of collections refuses.
    Collection(CollectionError),
    /// The content of a page or of a record makes no sense.
    Page(PageFault),
}

/// A result of checkpoint work.
pub type Result<T> = std::result::Result<T, CheckpointError>;

impl CheckpointError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io(FileError::at(doing, path)(error))
    }

    pub(crate) fn damaged(file: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.to_owned(),
            offset,
            reason: reason.into(),
        }
    }

    /// The file that cannot be read, or whose bytes are not what was written.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Io(error) => Some(&error.path),
            Self::Damaged { file, .. } | Self::UnknownVersion { file, .. } => Some(file),
            Self::Wal(_) | Self::Refused(_) | Self::Collection(_) | Self::Page(_) => None,
        }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Damaged { file, offset, reason } => {
                write!(f, "{} is damaged at byte {offset}: {reason}", file.display())
            }
            Self::UnknownVersion { file, offset, version } => {
                let file = file.display();
                write!(
                    f,
                    "{file} has format version {version} at byte {offset}, unknown to this program"
                )
            }
            Self::Wal(error) => error.fmt(f),
            Self::Refused(why) => why.fmt(f),
            Self::Collection(error) => error.fmt(f),
            Self::Page(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for CheckpointError {}

impl From<WalError> for CheckpointError {
    fn from(error: WalError) -> Self {
        Self::Wal(error)
    }
}

impl From<Refusal> for CheckpointError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<CollectionError> for CheckpointError {
    fn from(error: CollectionError) -> Self {
        Self::Collection(error)
    }
}

impl From<PageFault> for CheckpointError {
    fn from(fault: PageFault) -> Self {
        Self::Page(fault)
    }
}

impl From<Malformed> for CheckpointError {
    fn from(malformed: Malformed) -> Self {
        Self::Page(malformed.into())
    }
}

impl From<Misfit> for CheckpointError {
    fn from(misfit: Misfit) -> Self {
        Self::Page(misfit.into())
    }
}
