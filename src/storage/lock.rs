//! One process per directory: an advisory lock on a file in it.
//!
//! **Invariants**
//! - The lock is the kernel's and dies with the process; the pid in the file is for people only.
//! - Only a regular file of that name in the directory itself is written to: nothing that a symbolic link leads to.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::direct::is_at;

/// The name of the lock file inside the directory.
pub const LOCK_FILE: &str = "LOCK";

/// Holds a directory for this process until dropped.
#[derive(Debug)]
pub struct DirLock {
    file: File,
    path: PathBuf,
}

impl DirLock {
    /// The path of the lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the directory anew where the lock file is not the one that is locked: it was removed, or the directory
    /// replaced. One that is not there is left alone.
    ///
    /// # Errors
    /// When another process has it, or it cannot be locked.
    pub fn renew(&mut self) -> io::Result<()> {
        let Some(dir) = self.path.parent().filter(|dir| dir.is_dir()) else {
            return Ok(());
        };
        if !is_at(&self.file, &self.path)? {
            *self = lock_dir(dir)?;
        }
        Ok(())
    }
}

/// Takes the directory `dir` (which exists) for this process; if another one holds it, the error names its pid.
pub fn lock_dir(dir: &Path) -> io::Result<DirLock> {
    let path = dir.join(LOCK_FILE);
    let mut file = open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held_by(dir, &mut file)),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // On a full disk there is no pid to be read, and the lock holds all the same.
    let _ = note_holder(&mut file);
    Ok(DirLock { file, path })
}

/// Opens the lock file, which is made if there is none.
fn open(path: &Path) -> io::Result<File> {
    // A pipe would be waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags)
        .open(path);
    let refused = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{LOCK_FILE} in it is {what}"));
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => refused("a symbolic link, which is not followed"),
        _ => error,
    })?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(refused("no regular file"))
    }
}

fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn held_by(dir: &Path, file: &mut File) -> io::Error {
    let mut text = String::new();
    // An unreadable pid must not hide the error that matters.
    let holder = match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    };
    let message = format!("the directory {} is in use by {holder}", dir.display());
    io::Error::new(io::ErrorKind::WouldBlock, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let lock = lock_dir(dir.path()).unwrap();
        let error = lock_dir(dir.path()).unwrap_err();
        assert!(
            error.to_string().contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        assert!(lock.path().ends_with(LOCK_FILE));
        drop(lock);
        lock_dir(dir.path()).unwrap();
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (lock, other) = (dir.path().join(LOCK_FILE), dir.path().join("other"));
        let refused = |why: &str| {
            let error = lock_dir(dir.path()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        std::fs::write(&other, "of somebody else").unwrap();
        std::os::unix::fs::symlink(&other, &lock).unwrap();
        refused("a symbolic link");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "of somebody else");
        // One that leads to nothing makes nothing there.
        std::fs::remove_file(&other).unwrap();
        refused("a symbolic link");
        assert!(!other.exists());
        std::fs::remove_file(&lock).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &lock, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        refused("no regular file");
        std::fs::remove_file(&lock).unwrap();
        lock_dir(dir.path()).unwrap();
    }

    #[test]
    fn a_lock_that_is_lost_is_taken_anew_unless_somebody_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut lock = lock_dir(dir.path()).unwrap();
        std::fs::remove_file(lock.path()).unwrap();
        lock.renew().unwrap();
        lock.renew().unwrap();
        assert!(lock_dir(dir.path()).is_err());
        std::fs::remove_file(lock.path()).unwrap();
        let other = lock_dir(dir.path()).unwrap();
        assert!(lock.renew().is_err());
        drop(other);
        lock.renew().unwrap();
        assert!(lock_dir(dir.path()).is_err());
    }
}
