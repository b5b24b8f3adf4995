//! The folders of a data set, for one process alone.
//!
//! Any of them may be named by two configurations, so each is locked by itself.
//!
//! **Invariants**
//! - Nothing in a folder is read or changed before it is locked.
//! - A restore in place that was cut short is finished under the locks of what it moves, which then are taken anew; what
//!   one has built that was not committed is removed.
//! - A directory that a restore was to fill, and has not, is not taken.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::exchange::{Exchange, ExchangeError};
use super::unfinished::{UNFINISHED, forget_built};
use super::verify::Folders;
use crate::storage::{DirLock, Disk, lock_dir};

/// Why the folders cannot be had.
#[derive(Debug)]
pub enum FolderError {
    /// The folder cannot be made, or is in use.
    Taken {
        /// Which of them.
        what: &'static str,
        /// Where it is.
        dir: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Two of them are one.
    Same {
        /// One of them.
        what: &'static str,
        /// The other.
        other: &'static str,
        /// Where it is.
        dir: PathBuf,
    },
    /// A restore in place cannot be finished.
    Exchange(ExchangeError),
    /// A restore into this new directory was cut short.
    Unfinished(PathBuf),
}

impl fmt::Display for FolderError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { what, dir, error } => write!(out, "{what} {}: {error}", dir.display()),
            Self::Same { what, other, dir } => {
                write!(out, "{what} {}: it is the {other} as well", dir.display())
            }
            Self::Exchange(error) => error.fmt(out),
            Self::Unfinished(dir) => write!(
                out,
                "{}: a restore into it was interrupted: the same restore again makes it anew; {UNFINISHED} in it is of no \
                 use to anybody",
                dir.display()
            ),
        }
    }
}

impl std::error::Error for FolderError {}

impl From<ExchangeError> for FolderError {
    fn from(error: ExchangeError) -> Self {
        Self::Exchange(error)
    }
}

/// A restore in place that has been finished, and where what was there before is now.
pub type Finished = Option<(Exchange, Vec<PathBuf>)>;

/// Locked until dropped.
#[derive(Default)]
pub struct FolderLocks {
    taken: Vec<(&'static str, PathBuf, DirLock)>,
}

impl FolderLocks {
    /// Takes the data directory and all its folders, which are made if missing, and finishes a restore in place.
    ///
    /// # Errors
    /// When one of them is in use or cannot be made.
    pub fn take(disk: &dyn Disk, data_dir: &Path, folders: &Folders) -> Result<(Self, Finished), FolderError> {
        check_finished(data_dir)?;
        let mut locks = Self::default();
        locks.make(disk, DATA, data_dir)?;
        let mut finished = None;
        if Exchange::pending(disk, data_dir)?.is_some() {
            let mut moved = Self::default();
            moved.add_existing(folders)?;
            finished = Exchange::finish_pending(disk, data_dir)?;
        }
        for (what, dir) in named(folders) {
            locks.make(disk, what, dir)?;
        }
        forget_built(disk, &folders.checkpoints);
        Ok((locks, finished))
    }

    /// Takes the data directory, which exists, and what there is of its folders.
    ///
    /// # Errors
    /// When one of them is in use.
    pub fn take_existing(data_dir: &Path, folders: &Folders) -> Result<Self, FolderError> {
        check_finished(data_dir)?;
        let mut locks = Self::default();
        locks.add(DATA, data_dir)?;
        locks.add_existing(folders)?;
        Ok(locks)
    }

    /// Takes anew what is not locked any more: a lock file was removed, or a folder replaced.
    ///
    /// # Errors
    /// When one of them is in use.
    pub fn renew(&mut self) -> Result<(), FolderError> {
        for (what, place, lock) in &mut self.taken {
            lock.renew().map_err(taken(what, place))?;
        }
        Ok(())
    }

    fn add_existing(&mut self, folders: &Folders) -> Result<(), FolderError> {
        let there = named(folders).into_iter().filter(|(_, dir)| dir.is_dir());
        for (what, dir) in there {
            self.add(what, dir)?;
        }
        Ok(())
    }

    fn make(&mut self, disk: &dyn Disk, what: &'static str, dir: &Path) -> Result<(), FolderError> {
        disk.create_dir_all(dir).map_err(taken(what, dir))?;
        self.add(what, dir)
    }

    fn add(&mut self, what: &'static str, dir: &Path) -> Result<(), FolderError> {
        let place = dir.canonicalize().map_err(taken(what, dir))?;
        if let Some((other, ..)) = self.taken.iter().find(|(_, other, _)| *other == place) {
            let dir = dir.to_owned();
            return Err(FolderError::Same { what, other, dir });
        }
        let lock = lock_dir(dir).map_err(taken(what, dir))?;
        self.taken.push((what, place, lock));
        Ok(())
    }
}

const DATA: &str = "data directory";

/// That no restore into `data_dir` was cut short.
///
/// # Errors
/// One was.
pub fn check_finished(data_dir: &Path) -> Result<(), FolderError> {
    if data_dir.join(UNFINISHED).exists() {
        return Err(FolderError::Unfinished(data_dir.to_owned()));
    }
    Ok(())
}

fn named(folders: &Folders) -> [(&'static str, &Path); 3] {
    [
        ("checkpoint directory", &folders.checkpoints),
        ("log directory", &folders.log),
        ("directory of persisted collections", &folders.persisted),
    ]
}

fn taken(what: &'static str, dir: &Path) -> impl FnOnce(io::Error) -> FolderError {
    move |error| FolderError::Taken {
        what,
        dir: dir.to_owned(),
        error,
    }
}
