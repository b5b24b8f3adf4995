//! Taking a backup of folders that a server goes on with.
//!
//! **Invariants**
//! - A file that never changes may be the server's own with a second name; any other is a copy.
//! - Every file of it is read back from where it is, and so is what is in it, before there is a manifest.
//! - What fails leaves no backup; what was there before stays, until the new one is whole.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check;
use super::digest;
use super::error::BackupError;
use super::manifest::{BackupFile, CHECKPOINTS, LOG, Manifest, place};
use super::source::{Contents, Part, Source};
use super::store::{Backup, Store};
use crate::checkpoint::files::control::Control;
use crate::storage::fault_point::fault_point;
use crate::storage::{Disk, FileError};
use crate::wal::{LogNote, Lsn};

/// How it is taken.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many backups of the same data set stay, this one included; `None`: all.
    pub keep: Option<u64>,
    /// Whether files of the server may get a second name instead of being copied.
    pub may_link: bool,
}

/// Who is told how it goes.
pub struct Watcher<'a> {
    /// So many bytes of so many have been dealt with; may end it.
    pub progress: &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    /// Something that stops nothing.
    pub note: &'a mut dyn FnMut(&str),
}

/// What was done.
#[derive(Debug)]
pub struct Taken {
    /// The new backup.
    pub backup: Backup,
    /// The names of those that went.
    pub removed: Vec<String>,
}

/// Takes a backup, then removes old ones.
///
/// # Errors
/// Why there is none.
pub fn take(
    disk: &Arc<dyn Disk>,
    source: &Source,
    store: &Store,
    options: Options,
    watcher: &mut Watcher<'_>,
) -> Result<Taken, BackupError> {
    let mut there = store.look()?;
    for (_, error) in &there.damaged {
        (watcher.note)(&error.to_string());
    }
    for dir in &there.foreign {
        let dir = dir.display();
        (watcher.note)(&format!("{dir}: it has a backup's name and is none: it is left alone"));
    }
    for dir in &there.unfinished {
        if let Err(error) = store.remove(dir) {
            (watcher.note)(&format!("what is left of a backup cannot be removed: {error}"));
        }
    }
    let contents = source.contents(disk.as_ref())?;
    // Others are of other servers.
    there.whole.retain(|backup| backup.manifest.data_set == source.data_set);
    let last = there.whole.last();
    let dir = store.begin(source.wall_ms)?;
    let mut taking = Taking {
        disk: disk.as_ref(),
        dir: &dir,
        last,
        may_link: options.may_link,
        unchanged: BTreeSet::new(),
        new_bytes: 0,
        // Each is read twice, and its content once.
        done: (0, contents.parts.iter().map(|part| part.bytes * 3).sum()),
        watcher,
    };
    let made = taking.run(source, contents);
    let made = made.and_then(|manifest| {
        let parent = store.dir();
        disk.sync_dir(parent).map_err(FileError::at("sync", parent))?;
        Ok(manifest)
    });
    let manifest = match made {
        Ok(manifest) => manifest,
        Err(error) => {
            // The next one removes what stays of it.
            let _ = store.remove(&dir);
            return Err(error);
        }
    };
    fault_point("backup.whole");
    let backup = Backup { dir, manifest };
    let removed = thin_out(store, &there.whole, &backup, options.keep, watcher);
    Ok(Taken { backup, removed })
}

/// Removes the oldest of the backups before `new`, which are in their order; the names of those that are gone.
pub fn thin_out(
    store: &Store,
    before: &[Backup],
    new: &Backup,
    keep: Option<u64>,
    watcher: &mut Watcher<'_>,
) -> Vec<String> {
    let superfluous = (before.len() + 1).saturating_sub(kept(keep));
    let old = before.get(..superfluous).unwrap_or_default();
    let is_ahead =
        |known: &&Backup| known.manifest.data_set == new.manifest.data_set && known.manifest.lsn > new.manifest.lsn;
    let ahead = before.iter().rfind(is_ahead);
    // What was taken since has lesser LSNs than older ones, and would be the first to go.
    if let Some(ahead) = ahead.filter(|_| !old.is_empty()) {
        (watcher.note)(&format!(
            "no old backup is removed until LSN {} is behind: {} has later records than the server, which was set back \
             to older data",
            ahead.manifest.lsn,
            ahead.dir.display()
        ));
        return Vec::new();
    }
    remove(store, old, watcher)
}

/// How many backups stay.
fn kept(keep: Option<u64>) -> usize {
    let keep = keep.map_or(usize::MAX, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
    keep.max(1)
}

/// The names of those that are gone.
fn remove(store: &Store, old: &[Backup], watcher: &mut Watcher<'_>) -> Vec<String> {
    let mut removed = Vec::new();
    for backup in old {
        match store.remove(&backup.dir) {
            Ok(()) => removed.push(backup.name()),
            Err(error) => (watcher.note)(&format!("an old backup cannot be removed: {error}")),
        }
    }
    removed
}

struct Taking<'a, 'w> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    last: Option<&'a Backup>,
    may_link: bool,
    /// Files that are those of the last backup.
    unchanged: BTreeSet<String>,
    new_bytes: u64,
    done: (u64, u64),
    watcher: &'a mut Watcher<'w>,
}

/// Tells the watcher of more bytes.
fn tell((done, total): &mut (u64, u64), watcher: &mut Watcher<'_>, bytes: u64) -> Result<(), BackupError> {
    *done = done.saturating_add(bytes).min(*total);
    match (watcher.progress)(*done, *total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(BackupError::Interrupted),
    }
}

impl Taking<'_, '_> {
    fn run(&mut self, source: &Source, contents: Contents) -> Result<Manifest, BackupError> {
        let mut files = Vec::with_capacity(contents.parts.len() + 2);
        for part in &contents.parts {
            files.push(self.bring(part)?);
            fault_point("backup.file_there");
        }
        files.extend(self.write_own(&contents)?);
        let mut manifest = Manifest {
            format: Manifest::format(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            source: source.url.clone(),
            data_set: source.data_set.clone(),
            taken_ms: source.wall_ms,
            lsn: contents.lsn,
            checkpoints: contents.snapshots,
            log: contents.log,
            new_bytes: self.new_bytes,
            files,
        };
        if let Some(newest) = manifest.checkpoints.last().filter(|_| manifest.log.is_none()) {
            manifest.taken_ms = newest.wall_ms;
        }
        if manifest.lsn == Lsn::ZERO || !manifest.has(crate::recovery::Until::Lsn(manifest.lsn)) {
            let lsn = manifest.lsn;
            return Err(BackupError::NothingToRestore(format!(
                "checkpoints and log of {} do not make up the data as it is at LSN {lsn}: there is nothing to back up",
                source.url
            )));
        }
        let (done, watcher, unchanged) = (&mut self.done, &mut *self.watcher, &self.unchanged);
        check::content(
            self.disk,
            self.dir,
            &manifest,
            &|path| unchanged.contains(path),
            &mut |bytes| tell(done, watcher, bytes),
        )?;
        check::numbers(self.disk, self.dir, &manifest)?;
        for folder in [CHECKPOINTS, LOG].map(|name| self.dir.join(name)) {
            self.disk.sync_dir(&folder).map_err(FileError::at("sync", &folder))?;
        }
        fault_point("backup.files_durable");
        manifest.write(self.disk, self.dir)?;
        Ok(manifest)
    }

    /// The control file and the note of the log, which are those of the backup alone.
    fn write_own(&mut self, contents: &Contents) -> Result<Vec<BackupFile>, BackupError> {
        let folder = self.dir.join(CHECKPOINTS);
        contents.control.write(self.disk, &folder)?;
        let mut paths = vec![Control::path(&folder)];
        if let Some(note) = &contents.note {
            note.write(self.disk, &folder)?;
            paths.push(LogNote::path(&folder));
        }
        let of_own = |path: PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let (bytes, sha256) = digest::of_file(self.disk, &path, u64::MAX, None, &mut |_| Ok(()))?;
            self.new_bytes += bytes;
            Ok(BackupFile {
                path: format!("{CHECKPOINTS}/{name}"),
                bytes,
                sha256,
            })
        };
        paths.into_iter().map(of_own).collect()
    }

    /// Has a file in the backup, durable, and read back.
    fn bring(&mut self, part: &Part) -> Result<BackupFile, BackupError> {
        if let Some(file) = self.take_over(part)? {
            self.unchanged.insert(part.path.clone());
            return Ok(file);
        }
        let to = place(self.dir, &part.path);
        let sha256 = if part.is_final && self.may_link && self.disk.link(&part.from, &to).is_ok() {
            self.digest(&to, part.bytes)?
        } else {
            self.copy(part, &to)?
        };
        self.new_bytes += part.bytes;
        Ok(BackupFile {
            path: part.path.clone(),
            bytes: part.bytes,
            sha256,
        })
    }

    /// The same file of the last backup under a second name, if there is one and it is whole.
    fn take_over(&mut self, part: &Part) -> Result<Option<BackupFile>, BackupError> {
        let known = self.last.and_then(|last| {
            let file = last.manifest.file(&part.path)?;
            (file.bytes == part.bytes).then(|| (file.clone(), place(&last.dir, &part.path)))
        });
        let Some((file, there)) = known else { return Ok(None) };
        if self.digest(&part.from, part.bytes)? != file.sha256 {
            return Ok(None);
        }
        let to = place(self.dir, &part.path);
        if self.disk.link(&there, &to).is_err() {
            if !self.disk.exists(&there).unwrap_or(true) {
                self.tell_damage(&there, "it is missing");
            }
            return Ok(None);
        }
        let (done, watcher) = (&mut self.done, &mut *self.watcher);
        match check::check_file(self.disk, self.dir, &file, &mut |bytes| tell(done, watcher, bytes)) {
            Ok(()) => Ok(Some(file)),
            Err(BackupError::Damaged(_, why)) => {
                self.tell_damage(&there, &why);
                self.disk.remove(&to).map_err(FileError::at("remove", &to))?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Tells of damage of a file of the last backup.
    fn tell_damage(&mut self, there: &Path, why: &str) {
        let there = there.display();
        (self.watcher.note)(&format!(
            "{there}: it is damaged: {why}; the new backup has a copy of its own"
        ));
    }

    fn copy(&mut self, part: &Part, to: &Path) -> Result<String, BackupError> {
        let mut copy = self.disk.create(to).map_err(FileError::at("create", to))?;
        let (done, watcher) = (&mut self.done, &mut *self.watcher);
        let read = &mut |bytes| tell(done, watcher, bytes);
        let (bytes, sha256) = digest::of_file(self.disk, &part.from, part.bytes, Some((copy.as_mut(), to)), read)?;
        if bytes != part.bytes {
            let why = format!("it has {bytes} bytes and had {}", part.bytes);
            return Err(BackupError::damaged(&part.from, why));
        }
        copy.sync_data().map_err(FileError::at("sync", to))?;
        drop(copy);
        if self.digest(to, u64::MAX)? != sha256 {
            return Err(BackupError::damaged(to, "it reads back otherwise than it was written"));
        }
        Ok(sha256)
    }

    fn digest(&mut self, path: &Path, bytes: u64) -> Result<String, BackupError> {
        let (done, watcher) = (&mut self.done, &mut *self.watcher);
        let (_, sha256) = digest::of_file(self.disk, path, bytes, None, &mut |bytes| tell(done, watcher, bytes))?;
        Ok(sha256)
    }
}
