//! The directory of persisted collections: a folder for each, whose manifest is always of the same name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{CheckpointError, Result};
use crate::storage::Disk;

/// The manifest in the folder of a persisted collection.
pub const MANIFEST: &str = "manifest.lkm";

/// Names and manifests of the collections persisted in `dir`; none if there is no such directory.
///
/// # Errors
/// When the directory cannot be read.
pub fn persisted_manifests(disk: &dyn Disk, dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    if !disk.exists(dir).map_err(CheckpointError::io("look for", dir))? {
        return Ok(found);
    }
    for name in disk.list(dir).map_err(CheckpointError::io("list", dir))? {
        let path = dir.join(&name).join(MANIFEST);
        let is_there = match disk.exists(&path) {
            // A file, such as the folder's lock.
            Err(error) if error.kind() == ErrorKind::NotADirectory => false,
            other => other.map_err(CheckpointError::io("look for", &path))?,
        };
        if is_there {
            found.push((name.to_string_lossy().into_owned(), path));
        }
    }
    Ok(found)
}
