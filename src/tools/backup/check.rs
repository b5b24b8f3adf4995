//! Reading a backup back: each file against the manifest, and what is in it against its own checksums.
//!
//! **Invariant:** nothing is changed; the first fault ends it, and is named with its file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::digest;
use super::error::BackupError;
use super::manifest::{BackupFile, CHECKPOINTS, LOG, MANIFEST, Manifest, Snapshot, place};
use super::source::first_record;
use super::store::Backup;
use crate::checkpoint::files::catalog::{self, page_file_name};
use crate::checkpoint::files::control::Control;
use crate::checkpoint::files::format::ManifestKind;
use crate::checkpoint::files::manifest::Manifest as CheckpointManifest;
use crate::checkpoint::files::verify::{Event, Expected, verify_manifest};
use crate::engine::effect::decode_all;
use crate::recovery::Until;
use crate::storage::{Disk, FileError, LOCK_FILE};
use crate::wal::{Found, Lsn, WalError, Walk, segments};

/// Told how many more bytes have been read; may end it.
pub type Read<'a> = &'a mut dyn FnMut(u64) -> Result<(), BackupError>;

/// That all files are there, no others, and each is what the manifest says.
///
/// # Errors
/// The first that is not.
pub fn check(disk: &dyn Disk, backup: &Backup, read: Read<'_>) -> Result<(), BackupError> {
    let (dir, manifest) = (&backup.dir, &backup.manifest);
    let named: BTreeSet<PathBuf> = manifest.files.iter().map(|file| place(dir, &file.path)).collect();
    for folder in [CHECKPOINTS, LOG].map(|name| dir.join(name)) {
        let is_there = disk.exists(&folder).map_err(FileError::at("look for", &folder))?;
        let names = if is_there {
            disk.list(&folder).map_err(FileError::at("list", &folder))?
        } else {
            Vec::new()
        };
        let mut strangers = names.iter().map(|name| folder.join(name));
        let stranger = strangers.find(|path| !named.contains(path) && !path.ends_with(LOCK_FILE));
        if let Some(path) = stranger {
            return Err(BackupError::damaged(&path, "it does not belong to the backup"));
        }
    }
    manifest
        .files
        .iter()
        .try_for_each(|file| check_file(disk, dir, file, read))?;
    numbers(disk, dir, manifest)
}

/// That the manifest tells of the checkpoints, and of where the log begins, what their files do.
///
/// # Errors
/// It does not, or one of them cannot be read.
pub fn numbers(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let differs = |what: String| Err(BackupError::damaged(&dir.join(MANIFEST), what));
    let folder = dir.join(CHECKPOINTS);
    let mut found = Vec::new();
    for (id, path) in catalog::manifests(disk, &folder)? {
        let head = CheckpointManifest::read_head(disk, &path)?;
        if format!("{:032x}", head.data_set) != manifest.data_set {
            return differs(format!("{} is of another data set", path.display()));
        }
        found.push(Snapshot {
            id,
            lsn: head.lsn,
            wall_ms: head.wall_ms,
        });
    }
    if found != manifest.checkpoints {
        return differs("its checkpoints are not those that are there".to_owned());
    }
    let newest = found.last().map_or((0, Lsn::ZERO), |newest| (newest.id, newest.lsn));
    let control = Control::read(disk, &folder)?.map(|control| (control.data_set, (control.checkpoint, control.lsn)));
    if control.is_none_or(|(data_set, told)| format!("{data_set:032x}") != manifest.data_set || told != newest) {
        return differs("its data set and newest checkpoint are not those of the control file".to_owned());
    }
    let parts = segments(disk, &dir.join(LOG))?;
    let first = match parts.first() {
        Some((_, path)) => first_record(disk, path)?,
        None => None,
    };
    if first != manifest.log {
        return differs("its log begins otherwise than the one that is there".to_owned());
    }
    if let Some((_, path)) = parts.last() {
        let (_, next) = segment(disk, path, &mut |_| Ok(()))?;
        check_end(dir, manifest, next)?;
    }
    if !manifest.has(Until::Lsn(manifest.lsn)) {
        return differs(format!("LSN {}, its last one, cannot be restored", manifest.lsn));
    }
    Ok(())
}

/// That the log, the next record of which would be `next`, ends where the backup does.
fn check_end(dir: &Path, manifest: &Manifest, next: Lsn) -> Result<(), BackupError> {
    if next == manifest.lsn.next() {
        return Ok(());
    }
    Err(BackupError::LogEnds {
        dir: dir.join(LOG),
        wanted: manifest.lsn,
        next,
    })
}

/// That one is what the manifest says.
pub fn check_file(disk: &dyn Disk, dir: &Path, file: &BackupFile, read: Read<'_>) -> Result<(), BackupError> {
    let path = place(dir, &file.path);
    if !disk.exists(&path).map_err(FileError::at("look for", &path))? {
        return Err(BackupError::damaged(&path, "it is missing"));
    }
    let bytes = disk.len(&path).map_err(FileError::at("measure", &path))?;
    if bytes != file.bytes {
        let why = format!("it has {bytes} bytes and not {}", file.bytes);
        return Err(BackupError::Damaged(path, why));
    }
    let (_, sha256) = digest::of_file(disk, &path, file.bytes, None, read)?;
    if sha256 != file.sha256 {
        return Err(BackupError::damaged(&path, "its SHA-256 is not that of the manifest"));
    }
    Ok(())
}

/// That the checkpoints and the log in it are whole, but for what `is_known` to be so: files that have not changed
/// since they were found to be.
///
/// # Errors
/// The first fault.
pub fn content(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    is_known: &dyn Fn(&str) -> bool,
    read: Read<'_>,
) -> Result<(), BackupError> {
    for (id, path) in catalog::manifests(disk, &dir.join(CHECKPOINTS))? {
        let head = CheckpointManifest::read_head(disk, &path)?;
        let names = head.files.iter().map(|id| page_file_name(*id));
        let mut names = names.chain([catalog::manifest_name(id)]);
        if names.all(|name| is_known(&format!("{CHECKPOINTS}/{name}"))) {
            continue;
        }
        checkpoint(disk, id, &path, read)?;
    }
    log(disk, dir, manifest, is_known, read)
}

fn checkpoint(disk: &dyn Disk, id: u64, path: &Path, read: Read<'_>) -> Result<(), BackupError> {
    let expected = Expected {
        kind: ManifestKind::Checkpoint,
        id: Some(id),
    };
    let (mut fault, mut before) = (Ok(()), 0);
    verify_manifest(disk, path, expected, &mut |event| match event {
        Event::Fault(error) if fault.is_ok() => fault = Err(error.into()),
        Event::Read { done, .. } if fault.is_ok() => {
            fault = read(done.saturating_sub(before));
            before = done;
        }
        _ => {}
    });
    fault
}

fn log(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    is_known: &dyn Fn(&str) -> bool,
    read: Read<'_>,
) -> Result<(), BackupError> {
    let folder = format!("{LOG}/");
    let mut files: Vec<&BackupFile> = manifest
        .files
        .iter()
        .filter(|file| file.path.starts_with(&folder))
        .collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let newest = manifest.checkpoints.last().map_or(Lsn::ZERO, |snapshot| snapshot.lsn);
    // Where the segment before ends, if that is known.
    let mut end: Option<Lsn> = None;
    for (at, file) in files.iter().enumerate() {
        let is_next_known = files.get(at + 1).is_none_or(|next| is_known(&next.path));
        if is_known(&file.path) && is_next_known {
            end = None;
            continue;
        }
        let path = place(dir, &file.path);
        let (first, next) = segment(disk, &path, read)?;
        // Where the log had failed and went on behind a checkpoint, records are missing that the checkpoint has.
        if let Some(expected) = end.filter(|end| *end != first && (first < *end || first > newest.next())) {
            let (found, file) = (first, path);
            return Err(WalError::Missing { expected, found, file }.into());
        }
        end = Some(next);
    }
    match end {
        Some(next) => check_end(dir, manifest, next),
        None => Ok(()),
    }
}

/// Reads a segment with its effects: its first LSN, and the one after its last.
fn segment(disk: &dyn Disk, path: &Path, read: Read<'_>) -> Result<(Lsn, Lsn), BackupError> {
    let mut walk = Walk::open(disk, path)?;
    let first = walk.summary().first_lsn;
    let mut before = 0;
    loop {
        let fault = match walk.next()? {
            None => return Ok((first, walk.next_lsn())),
            Some(Found::Mark { .. }) => None,
            Some(Found::Fault { offset, reason, .. }) => Some((offset, reason)),
            Some(Found::Record(record)) => {
                let mut effects = decode_all(record.payload);
                let unknown = effects.find_map(|effect| effect.err());
                unknown.map(|why| (record.offset, format!("the record is not understood: {why}")))
            }
        };
        if let Some((offset, reason)) = fault {
            return Err(WalError::damaged(path, offset, reason).into());
        }
        let at = walk.offset();
        read(at.saturating_sub(before))?;
        before = at;
    }
}
