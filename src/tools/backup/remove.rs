//! Removing a backup, or what is left of one.
//!
//! **Invariants**
//! - Nothing is removed but what is surely a backup or was to become one: a real folder with a manifest, or with the
//!   file that is to be renamed to it, which is there first; in it are files of a backup's names only, and nobody has
//!   locked it.
//! - The manifest goes first, by being renamed back: what is left of the folder is known as such.

use std::fs::{FileType, symlink_metadata};
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::manifest::{CHECKPOINTS, LOG, MANIFEST, Manifest, TEMPORARY, place};
use crate::checkpoint::files::control::CONTROL;
use crate::storage::fault_point::fault_point;
use crate::storage::{DirLock, Disk, FileError, LOCK_FILE, lock_dir};
use crate::wal::LOG_NOTE;

/// Whether a folder without a manifest is what is left of a backup, or is empty.
pub fn is_left_over(disk: &dyn Disk, dir: &Path) -> Result<bool, FileError> {
    if !kind(dir)?.is_dir() {
        return Ok(false);
    }
    let names = disk.list(dir).map_err(FileError::at("list", dir))?;
    Ok(names.is_empty() || names.iter().any(|name| name == TEMPORARY))
}

/// Removes a backup, or what is left of one, from the folder `parent`.
///
/// # Errors
/// When it is not known to be one, is in use, or the disk refuses; it may be no backup any more then.
pub fn remove(disk: &dyn Disk, parent: &Path, dir: &Path) -> Result<(), BackupError> {
    if !kind(dir)?.is_dir() {
        return Err(foreign(dir, "it is a symbolic link or no directory"));
    }
    let manifest = Manifest::read(disk, dir)?;
    if manifest.is_none() && !is_left_over(disk, dir)? {
        return Err(foreign(dir, &format!("there is no {TEMPORARY} in it")));
    }
    let files = files(disk, dir, manifest.as_ref())?;
    let locks = lock_all(dir, manifest.is_some())?;
    let go = |path: &Path| disk.remove(path).map_err(FileError::at("remove", path));
    for lock in &locks {
        go(lock.path())?;
    }
    let (whole, mark) = (dir.join(MANIFEST), dir.join(TEMPORARY));
    if manifest.is_some() {
        disk.rename(&whole, &mark).map_err(FileError::at("rename", &whole))?;
    }
    disk.sync_dir(dir).map_err(FileError::at("sync", dir))?;
    fault_point("backup.manifest_removed");
    files.iter().try_for_each(|path| go(path))?;
    fault_point("backup.files_removed");
    for folder in [CHECKPOINTS, LOG].map(|name| dir.join(name)) {
        if disk.exists(&folder).map_err(FileError::at("look for", &folder))? {
            disk.remove_dir(&folder).map_err(FileError::at("remove", &folder))?;
        }
    }
    if disk.exists(&mark).map_err(FileError::at("look for", &mark))? {
        go(&mark)?;
    }
    disk.remove_dir(dir).map_err(FileError::at("remove", dir))?;
    disk.sync_dir(parent).map_err(FileError::at("sync", parent))?;
    Ok(())
}

fn foreign(dir: &Path, why: &str) -> BackupError {
    BackupError::Foreign(dir.to_owned(), why.to_owned())
}

/// What is at `path` itself.
fn kind(path: &Path) -> Result<FileType, FileError> {
    let found = symlink_metadata(path).map_err(FileError::at("look at", path))?;
    Ok(found.file_type())
}

/// The files in the two folders.
///
/// # Errors
/// When there is anything that no backup has, or not this one.
fn files(disk: &dyn Disk, dir: &Path, manifest: Option<&Manifest>) -> Result<Vec<PathBuf>, BackupError> {
    let stranger = |path: &Path| foreign(dir, &format!("{} is not of a backup", path.display()));
    let mut files = Vec::new();
    for name in disk.list(dir).map_err(FileError::at("list", dir))? {
        let path = dir.join(&name);
        let kind = kind(&path)?;
        let is_known = match name.to_str() {
            Some(MANIFEST | TEMPORARY) => kind.is_file(),
            Some(LOCK_FILE) => manifest.is_some() && kind.is_file(),
            Some(CHECKPOINTS | LOG) => kind.is_dir(),
            _ => false,
        };
        if !is_known {
            return Err(stranger(&path));
        }
    }
    for folder in [CHECKPOINTS, LOG] {
        let inside = dir.join(folder);
        if !disk.exists(&inside).map_err(FileError::at("look for", &inside))? {
            continue;
        }
        for name in disk.list(&inside).map_err(FileError::at("list", &inside))? {
            let path = inside.join(&name);
            let name = name.to_str().unwrap_or_default();
            let is_lock = name == LOCK_FILE && manifest.is_some();
            let is_named = match manifest {
                Some(manifest) => manifest.file(&format!("{folder}/{name}")).is_some(),
                None => may_be_in(folder, name),
            };
            if !kind(&path)?.is_file() || !(is_lock || is_named) {
                return Err(stranger(&path));
            }
            if !is_lock {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// Whether a backup that is being taken may have a file of that name in that folder.
fn may_be_in(folder: &str, name: &str) -> bool {
    let numbered = |prefix: &str, suffix: &str| {
        let digits = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match folder {
        LOG => numbered("wal-", ".log"),
        _ => {
            let stem = name.strip_suffix(".tmp").unwrap_or(name);
            [CONTROL, LOG_NOTE].contains(&stem) || numbered("manifest-", ".lkm") || numbered("pages-", ".lkp")
        }
    }
}

/// The locks that are there, for this process: who has read the backup back may have left them.
fn lock_all(dir: &Path, may_be_there: bool) -> Result<Vec<DirLock>, BackupError> {
    let mut locks = Vec::new();
    for folder in ["", CHECKPOINTS, LOG].map(|name| place(dir, name)) {
        if may_be_there && symlink_metadata(folder.join(LOCK_FILE)).is_ok() {
            let lock = lock_dir(&folder);
            locks.push(lock.map_err(|error| BackupError::Locked(folder.clone(), error))?);
        }
    }
    Ok(locks)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::storage::RealDisk;

    const NAME: &str = "backup-20200101T000000Z";

    /// A directory of backups with a folder of a backup's name, in which are these.
    fn folder(paths: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join(NAME);
        fill(&dir, paths);
        (home, dir)
    }

    fn fill(dir: &Path, paths: &[&str]) {
        fs::create_dir(dir).unwrap();
        for path in paths {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "data").unwrap();
        }
    }

    fn removed(dir: &Path) -> Result<(), BackupError> {
        remove(&RealDisk, dir.parent().unwrap(), dir)
    }

    const PARTS: [&str; 4] = [
        "checkpoint/control.lkc",
        "checkpoint/manifest-00000000000000000001.lkm",
        "checkpoint/pages-00000000000000000001.lkp",
        "wal/wal-00000000000000000001.log",
    ];

    #[test]
    fn what_is_left_of_a_backup_goes() {
        for paths in [&[][..], &[TEMPORARY], &[&[TEMPORARY], &PARTS[..]].concat()] {
            let (home, dir) = folder(paths);
            removed(&dir).unwrap();
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "{paths:?}");
        }
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        let mine = [&[TEMPORARY], &PARTS[..]].concat();
        for (paths, why) in [
            (PARTS.to_vec(), "there is no backup.lkb.tmp in it"),
            ([&mine[..], &["LOCK"]].concat(), "LOCK is not of a backup"),
            ([&mine[..], &["wal/LOCK"]].concat(), "LOCK is not of a backup"),
            ([&mine[..], &["letter.txt"]].concat(), "letter.txt is not of a backup"),
            (
                [&mine[..], &["wal/letter.txt"]].concat(),
                "letter.txt is not of a backup",
            ),
            ([&mine[..], &["wal/a/b"]].concat(), "wal/a is not of a backup"),
            ([&mine[..], &["persist/a"]].concat(), "persist is not of a backup"),
        ] {
            let (_home, dir) = folder(&paths);
            let told = removed(&dir).unwrap_err().to_string();
            assert!(told.contains(why) && told.contains(NAME), "{paths:?}: {told}");
            assert!(paths.iter().all(|path| dir.join(path).exists()), "{paths:?}");
        }
    }

    #[test]
    fn links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let victim = home.path().join("victim");
        fill(&victim, &[&[TEMPORARY], &PARTS[..]].concat());
        let dir = home.path().join(NAME);
        symlink(&victim, &dir).unwrap();
        assert!(!is_left_over(&RealDisk, &dir).unwrap());
        let told = removed(&dir).unwrap_err().to_string();
        assert!(told.contains("a symbolic link"), "{told}");
        fs::remove_file(&dir).unwrap();
        for folder in ["checkpoint", "wal"] {
            fill(&dir, &[TEMPORARY]);
            symlink(victim.join(folder), dir.join(folder)).unwrap();
            let told = removed(&dir).unwrap_err().to_string();
            assert!(told.contains("is not of a backup"), "{told}");
            fs::remove_dir_all(&dir).unwrap();
        }
        assert!(PARTS.iter().all(|path| victim.join(path).exists()));
    }
}
