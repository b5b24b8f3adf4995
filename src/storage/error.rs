//! A refusal of the file system, with what was being done to which file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// See the module. `Clone`, because one failure may be told to many.
#[derive(Clone, Debug)]
pub struct FileError {
    /// What was being done, as in "read".
    pub doing: &'static str,
    /// To which file or directory.
    pub path: PathBuf,
    /// Why it failed.
    pub error: Arc<io::Error>,
}

impl FileError {
    /// Whether there was no room for it.
    pub fn is_want_of_room(&self) -> bool {
        matches!(
            self.error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }

    /// Makes errors of what was being done to `path`.
    pub fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            doing,
            path: path.to_owned(),
            error: Arc::new(error),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cannot {} {}: {}", self.doing, self.path.display(), self.error)
    }
}

impl std::error::Error for FileError {}
