//! A directory of backups: which there are, and which has a moment.
//!
//! **Invariants**
//! - Only folders of the names that backups have are touched.
//! - What is made for a backup has its mark first, durably: what is left of it is known as such.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::apart::check_outside_backups;
use super::error::BackupError;
use super::manifest::{CHECKPOINTS, LOG, MANIFEST, Manifest, TEMPORARY};
use super::order::{self, Found};
use super::remove::{is_left_over, remove};
use crate::recovery::Until;
use crate::storage::fault_point::fault_point;
use crate::storage::{DirLock, Disk, FileError, lock_dir};
use crate::time;

const PREFIX: &str = "backup-";

/// A whole backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Where it is.
    pub dir: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
}

impl Backup {
    /// Its name.
    pub fn name(&self) -> String {
        name_of(&self.dir)
    }

    /// When it was taken, as the clock told.
    pub fn age(&self) -> Age {
        (self.manifest.taken_ms, age_by_name(&self.dir))
    }
}

/// When a backup was taken: Unix milliseconds, and what its name tells.
pub type Age = (u64, (String, u32));

/// When it was taken, as its name tells: that of two of a second with the greater number is the newer.
fn age_by_name(dir: &Path) -> (String, u32) {
    let name = name_of(dir);
    let (stem, number) = name.split_at_checked(PREFIX.len() + 16).unwrap_or((&name, ""));
    let number = number.strip_prefix('-').and_then(|text| text.parse().ok());
    (stem.to_owned(), number.unwrap_or(0))
}

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a backup may have that name: `backup-20261125T080000Z`, or that with a number behind.
pub fn is_name(name: &str) -> bool {
    let Some((time, rest)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_at_checked(16)) else {
        return false;
    };
    let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    let number = rest.strip_prefix('-');
    is_time && (rest.is_empty() || number.is_some_and(|text| text.parse::<u32>().is_ok()))
}

/// What is in a directory.
#[derive(Debug, Default)]
pub struct Place {
    /// Whole backups, oldest first.
    pub whole: Vec<Backup>,
    /// Folders in which a backup is being taken, or was cut short.
    pub unfinished: Vec<PathBuf>,
    /// Other folders that have a backup's name, and no manifest.
    pub foreign: Vec<PathBuf>,
    /// Those whose manifest cannot be used, and why.
    pub damaged: Vec<(PathBuf, BackupError)>,
}

impl Place {
    /// Looks at `dir`, a directory of backups, or a backup; `None`: it is neither.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>, BackupError> {
        let mut place = Self::default();
        if !dir.is_dir() {
            return Ok(None);
        }
        if disk
            .exists(&dir.join(MANIFEST))
            .map_err(FileError::at("look for", dir))?
        {
            place.add(disk, dir.to_owned());
            return Ok(Some(place));
        }
        let mut is_one = false;
        for name in disk.list(dir).map_err(FileError::at("list", dir))? {
            let path = dir.join(&name);
            if name.to_str().is_some_and(is_name) && path.is_dir() {
                is_one = true;
                place.add(disk, path);
            }
        }
        place.whole = order::in_order(place.whole);
        Ok(is_one.then_some(place))
    }

    fn add(&mut self, disk: &dyn Disk, dir: PathBuf) {
        match Manifest::read(disk, &dir) {
            Ok(Some(manifest)) => self.whole.push(Backup { dir, manifest }),
            Err(error) if Manifest::is_in(disk, &dir) => self.damaged.push((dir, error)),
            // There is none, or it went just now.
            Ok(None) | Err(_) => match is_left_over(disk, &dir) {
                Ok(true) => self.unfinished.push(dir),
                Err(gone) if gone.error.kind() == ErrorKind::NotFound => {}
                Ok(false) | Err(_) => self.foreign.push(dir),
            },
        }
    }

    /// The newest backup that has that moment; without one the newest of all. `note` is told of damaged ones that are
    /// passed over, and of an older one that bears a later time.
    ///
    /// # Errors
    /// When there is none, or one is damaged that might have it: that is newer by its name, if no moment is given. When
    /// a clock went back, and so nothing tells whether it has that time.
    pub fn choose(
        mut self,
        dir: &Path,
        until: Option<Until>,
        note: &mut dyn FnMut(&str),
    ) -> Result<Backup, BackupError> {
        self.damaged.sort_by_key(|(dir, _)| age_by_name(dir));
        let found = order::find(&self.whole, until);
        let newest = self.damaged.last().map(|(dir, _)| age_by_name(dir));
        let is_sure = |found: &Backup| until.is_some() || newest.is_none_or(|newest| newest < age_by_name(&found.dir));
        if let Found::At(at) = found
            && self.whole.get(at).is_some_and(is_sure)
        {
            self.damaged.iter().for_each(|(_, error)| note(&error.to_string()));
            if until.is_none()
                && let Some(doubt) = order::doubt(&self.whole, at)
            {
                note(&doubt);
            }
            return Ok(self.whole.swap_remove(at));
        }
        if let Some((_, error)) = self.damaged.pop() {
            return Err(error);
        }
        if let Found::Doubtful(why) = found {
            return Err(BackupError::OutOfReach(why));
        }
        let Some(until) = until.filter(|_| !self.whole.is_empty()) else {
            return Err(BackupError::NoBackup(dir.to_owned()));
        };
        let possible: Vec<String> = self.whole.iter().map(|backup| backup.manifest.reach()).collect();
        Err(BackupError::OutOfReach(format!(
            "{} is in no backup of {}; possible: {}",
            order::in_words(until),
            dir.display(),
            possible.join("; ")
        )))
    }
}

/// A directory of backups for this process alone, to add to.
pub struct Store {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    _lock: DirLock,
}

impl Store {
    /// Makes `dir`, which is no backup itself, if it is not there, and locks it.
    ///
    /// # Errors
    /// When another process has it, or the disk refuses.
    pub fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Self, BackupError> {
        check_outside_backups(disk.as_ref(), dir)?;
        disk.create_dir_all(dir).map_err(FileError::at("create", dir))?;
        let lock = lock_dir(dir).map_err(|error| BackupError::Locked(dir.to_owned(), error))?;
        Ok(Self {
            disk: Arc::clone(disk),
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(&self) -> Result<Place, BackupError> {
        let place = Place::look(self.disk.as_ref(), &self.dir)?;
        Ok(place.unwrap_or_default())
    }

    /// A new folder for a backup of this moment, with the folders in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(&self, taken_ms: u64) -> Result<PathBuf, BackupError> {
        let stem = format!("{PREFIX}{}", time::compact(taken_ms));
        let mut dir = self.dir.join(&stem);
        let mut number = 1_u32;
        while self.disk.exists(&dir).map_err(FileError::at("look for", &dir))? {
            number = number.saturating_add(1);
            dir = self.dir.join(format!("{stem}-{number}"));
        }
        self.make(&dir).inspect_err(|_| {
            // The next one removes what stays of it.
            let _ = self.remove(&dir);
        })?;
        fault_point("backup.begun");
        Ok(dir)
    }

    fn make(&self, dir: &Path) -> Result<(), FileError> {
        let disk = self.disk.as_ref();
        disk.create_dir_all(dir).map_err(FileError::at("create", dir))?;
        let mark = dir.join(TEMPORARY);
        let made = disk.create(&mark).and_then(|mut file| file.sync_data());
        made.map_err(FileError::at("create", &mark))?;
        disk.sync_dir(dir).map_err(FileError::at("sync", dir))?;
        for folder in [CHECKPOINTS, LOG].map(|name| dir.join(name)) {
            disk.create_dir_all(&folder).map_err(FileError::at("create", &folder))?;
        }
        Ok(())
    }

    /// Removes a backup, or what is left of one.
    ///
    /// # Errors
    /// When it is not known to be one, is in use, or the disk refuses; it may be no backup any more then.
    pub fn remove(&self, dir: &Path) -> Result<(), BackupError> {
        remove(self.disk.as_ref(), &self.dir, dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::backup::Snapshot;
    use crate::wal::Lsn;

    #[test]
    fn names_of_backups() {
        assert!(is_name("backup-20261125T080000Z") && is_name("backup-20261125T080000Z-12"));
        for name in [
            "backup-",
            "backup-2026",
            "backup-20261125T080000Z-",
            "backup-20261125T080000Zx",
            "20261125T080000Z",
            "backup-of-mine-000000",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    fn backup(name: &str) -> Backup {
        let lsn = Lsn::new(5);
        let manifest = Manifest {
            format: Manifest::format(),
            program: String::new(),
            source: String::new(),
            data_set: String::new(),
            taken_ms: 500,
            lsn,
            checkpoints: vec![Snapshot {
                id: 1,
                lsn,
                wall_ms: 500,
            }],
            log: None,
            new_bytes: 0,
            files: Vec::new(),
        };
        let dir = PathBuf::from(name);
        Backup { dir, manifest }
    }

    #[test]
    fn an_older_damaged_backup_hides_no_newer_one() {
        let of_damage = |dir: &str| {
            let dir = PathBuf::from(dir);
            let error = BackupError::damaged(&dir.join(MANIFEST), "it is cut short");
            (dir, error)
        };
        let (older, newest, last) = (
            "backup-20261125T070000Z",
            "backup-20261125T080000Z-2",
            "backup-20261125T080000Z-10",
        );
        let choose = |damaged: &[&str], until| {
            let place = Place {
                whole: vec![backup(newest)],
                damaged: damaged.iter().map(|dir| of_damage(dir)).collect(),
                ..Place::default()
            };
            let mut notes = Vec::new();
            let chosen = place.choose(Path::new("d"), until, &mut |text| notes.push(text.to_owned()));
            (chosen.map(|backup| backup.name()), notes)
        };
        let (chosen, notes) = choose(&[older], None);
        assert_eq!(chosen.unwrap(), newest);
        assert!(notes.len() == 1 && notes[0].contains(older), "{notes:?}");
        for damaged in [[older, last], [last, older]] {
            let (chosen, notes) = choose(&damaged, None);
            let why = chosen.unwrap_err().to_string();
            assert!(why.contains(last) && notes.is_empty(), "{why} {notes:?}");
            // A moment that is named is that of whichever has it.
            let (chosen, notes) = choose(&damaged, Some(Until::Lsn(Lsn::new(5))));
            assert!(chosen.unwrap() == newest && notes.len() == 2, "{notes:?}");
            assert!(choose(&damaged, Some(Until::Lsn(Lsn::new(6)))).0.is_err());
        }
    }
}
