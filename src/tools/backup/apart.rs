//! What must not lie within what: backups within the folders of their server, anything else within a backup.
//!
//! **Invariant:** paths are compared as they are in the file system, symbolic links followed, also where their last
//! parts are not there yet.

use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::manifest::MANIFEST;
use super::store::is_name;
use crate::storage::{Disk, FileError};

/// Where `path` leads, as far as it is there.
fn real(path: &Path) -> Result<PathBuf, FileError> {
    let path = std::path::absolute(path).map_err(FileError::at("look for", path))?;
    for ancestor in path.ancestors() {
        let Ok(there) = ancestor.canonicalize() else { continue };
        let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
        return Ok(there.join(rest));
    }
    Ok(path)
}

/// That `path` is no backup and not within one, be it unfinished.
///
/// # Errors
/// It is, or cannot be looked at.
pub fn check_outside_backups(disk: &dyn Disk, path: &Path) -> Result<(), BackupError> {
    for ancestor in real(path)?.ancestors() {
        let manifest = ancestor.join(MANIFEST);
        let is_named = ancestor.file_name().and_then(|name| name.to_str()).is_some_and(is_name);
        if is_named || disk.exists(&manifest).map_err(FileError::at("look for", &manifest))? {
            return Err(BackupError::WithinBackup {
                path: path.to_owned(),
                backup: ancestor.to_owned(),
            });
        }
    }
    Ok(())
}

/// That `path` is none of these folders of a server, and not within one.
///
/// # Errors
/// It is, or cannot be looked at.
pub fn check_outside_folders(path: &Path, folders: &[&Path]) -> Result<(), BackupError> {
    let place = real(path)?;
    for folder in folders {
        if place.starts_with(real(folder)?) {
            return Err(BackupError::WithinServer {
                path: path.to_owned(),
                folder: (*folder).to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::RealDisk;

    #[test]
    fn what_is_within_what() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        std::fs::create_dir_all(data.join("wal")).unwrap();
        std::os::unix::fs::symlink(&data, home.path().join("link")).unwrap();
        let is_outside =
            |path: &str| check_outside_folders(&home.path().join(path), &[&data, &data.join("wal")]).is_ok();
        for path in [
            "data",
            "data/wal",
            "data/wal/new",
            "data/new",
            "link/new",
            "link/not/yet",
            "data/../data/a",
        ] {
            assert!(!is_outside(path), "{path}");
        }
        for path in ["database", "backups", ""] {
            assert!(is_outside(path), "{path}");
        }
        let backup = home.path().join("mine");
        std::fs::create_dir(&backup).unwrap();
        std::fs::write(backup.join(MANIFEST), "").unwrap();
        let is_outside = |path: &str| check_outside_backups(&RealDisk, &home.path().join(path)).is_ok();
        for path in [
            "mine",
            "mine/new",
            "mine/wal/new",
            "backup-20261125T080000Z",
            "backup-20261125T080000Z-2/wal/a",
        ] {
            assert!(!is_outside(path), "{path}");
        }
        for path in ["", "new", "mined", "backup-of-mine"] {
            assert!(is_outside(path), "{path}");
        }
    }
}
