//! What of a running server's folders makes up a backup.
//!
//! **Invariants**
//! - Nothing behind the LSN that the server gave is in it, and everything up to there that is kept is.
//! - Files that are called final do not change any more: pages and manifests that were published, and segments of the
//!   log behind which there is another one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::BackupError;
use super::manifest::{CHECKPOINTS, LOG, LogPart, Snapshot};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::files::catalog::{self, manifest_name, page_file_name};
use crate::checkpoint::files::control::Control;
use crate::checkpoint::files::manifest::Manifest;
use crate::storage::{Disk, FileError};
use crate::wal::{Found, LogNote, Lsn, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, WalError, Walk, segments};

/// A running server, as it tells of itself, and its folders.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it is, for people.
    pub url: String,
    /// Its folder of checkpoints.
    pub checkpoints: PathBuf,
    /// That of its log.
    pub log: PathBuf,
    /// How far the log is stable; `None`: there is no log.
    pub lsn: Option<Lsn>,
    /// All that was written by then, Unix milliseconds, has an LSN up to this one.
    pub wall_ms: u64,
    /// Its data set, in hexadecimal.
    pub data_set: String,
}

/// A file to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its place in a backup.
    pub path: String,
    /// Where it is.
    pub from: PathBuf,
    /// How much of it.
    pub bytes: u64,
    /// Whether it never changes.
    pub is_final: bool,
}

/// All that makes up a backup.
#[derive(Debug)]
pub struct Contents {
    /// Files to be had.
    pub parts: Vec<Part>,
    /// Their checkpoints, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Their log.
    pub log: Option<LogPart>,
    /// The last record.
    pub lsn: Lsn,
    /// The control file for them.
    pub control: Control,
    /// The note of the log for them.
    pub note: Option<LogNote>,
}

impl Source {
    /// What there is.
    ///
    /// # Errors
    /// When it is another server's directory, or something is damaged or missing.
    pub fn contents(&self, disk: &dyn Disk) -> Result<Contents, BackupError> {
        // Before the manifests: one that is published meanwhile is newer than it tells.
        let mut control = self.control(disk)?;
        let mut parts = Vec::new();
        let snapshots = self.snapshots(disk, &control, &mut parts)?;
        let newest = snapshots.last().copied();
        let lsn = self.lsn.or(newest.map(|snapshot| snapshot.lsn)).unwrap_or_default();
        (control.checkpoint, control.lsn) = newest.map_or((0, Lsn::ZERO), |newest| (newest.id, newest.lsn));
        control.pins.clear();
        let (log, note) = match self.lsn {
            Some(lsn) => self.log(disk, lsn, &mut parts)?.unzip(),
            None => (None, None),
        };
        Ok(Contents {
            parts,
            snapshots,
            log,
            lsn,
            control,
            note,
        })
    }

    fn control(&self, disk: &dyn Disk) -> Result<Control, BackupError> {
        let dir = &self.checkpoints;
        let path = Control::path(dir);
        let control = Control::read(disk, dir)?;
        let control = control.ok_or_else(|| BackupError::NoControl(path.clone()))?;
        let found = format!("{:032x}", control.data_set);
        if found != self.data_set {
            return Err(BackupError::OtherDataSet {
                control: path,
                server: self.data_set.clone(),
                found,
            });
        }
        Ok(control)
    }

    /// Checkpoints up to the LSN, and the files of them.
    fn snapshots(
        &self,
        disk: &dyn Disk,
        control: &Control,
        parts: &mut Vec<Part>,
    ) -> Result<Vec<Snapshot>, BackupError> {
        let (mut snapshots, mut page_files) = (Vec::new(), BTreeSet::new());
        let manifests = catalog::manifests(disk, &self.checkpoints)?;
        control.check_newest(&self.checkpoints, manifests.last().map(|(id, _)| *id))?;
        for (id, path) in manifests {
            let head = Manifest::read_head(disk, &path)?;
            if self.lsn.is_some_and(|lsn| head.lsn > lsn) {
                continue;
            }
            if head.data_set != control.data_set {
                return Err(CheckpointError::damaged(&path, 80, "it is of another data set").into());
            }
            page_files.extend(head.files);
            parts.push(whole(disk, CHECKPOINTS, &manifest_name(id), path, true)?);
            snapshots.push(Snapshot {
                id,
                lsn: head.lsn,
                wall_ms: head.wall_ms,
            });
        }
        for id in page_files {
            let name = page_file_name(id);
            let from = self.checkpoints.join(&name);
            parts.push(whole(disk, CHECKPOINTS, &name, from, true)?);
        }
        Ok(snapshots)
    }

    /// The segments with records up to `lsn`, the last of them no further; what is to be noted of them.
    fn log(&self, disk: &dyn Disk, lsn: Lsn, parts: &mut Vec<Part>) -> Result<Option<(LogPart, LogNote)>, BackupError> {
        let mut found: Vec<(Lsn, PathBuf, u64)> = Vec::new();
        let all = match disk.exists(&self.log) {
            Ok(false) => Vec::new(),
            _ => segments(disk, &self.log)?,
        };
        // The first one that has records behind the LSN.
        let mut behind = None;
        for (first, path) in all {
            let bytes = disk.len(&path).map_err(FileError::at("measure", &path))?;
            // One that was begun in vain, or that may be: where a failure takes it back, the one before it goes on.
            if bytes <= SEGMENT_HEADER_BYTES as u64 {
                continue;
            }
            if first > lsn {
                behind = Some(first);
                break;
            }
            found.push((first, path, bytes));
        }
        let Some((newest, newest_path, _)) = found.last().cloned() else {
            return Ok(None);
        };
        let log = match found.first() {
            Some((_, path, _)) => first_record(disk, path)?,
            None => None,
        };
        for (at, (_, path, bytes)) in found.iter().enumerate() {
            let is_final = at + 1 < found.len() || behind == Some(lsn.next());
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = if is_final {
                *bytes
            } else {
                end_of(disk, &self.log, path, lsn)?
            };
            parts.push(Part {
                path: format!("{LOG}/{name}"),
                from: path.clone(),
                bytes,
                is_final,
            });
        }
        let identity = Walk::open(disk, &newest_path)?.summary().identity;
        let note = LogNote {
            identity,
            newest,
            reached: lsn,
        };
        Ok(log.map(|log| (log, note)))
    }
}

fn whole(disk: &dyn Disk, folder: &str, name: &str, from: PathBuf, is_final: bool) -> Result<Part, BackupError> {
    Ok(Part {
        path: format!("{folder}/{name}"),
        bytes: disk.len(&from).map_err(FileError::at("measure", &from))?,
        from,
        is_final,
    })
}

/// The first record of the segment at `path`; `None`: there is none in it.
pub fn first_record(disk: &dyn Disk, path: &Path) -> Result<Option<LogPart>, WalError> {
    let mut walk = Walk::open(disk, path)?;
    while let Some(found) = walk.next()? {
        match found {
            Found::Record(record) => {
                return Ok(Some(LogPart {
                    first: record.lsn,
                    first_ms: record.wall_ms,
                }));
            }
            Found::Mark { .. } => {}
            Found::Fault { offset, reason, .. } => return Err(WalError::damaged(path, offset, reason)),
        }
    }
    Ok(None)
}

/// Where record `lsn` ends in the segment at `path`.
fn end_of(disk: &dyn Disk, dir: &Path, path: &Path, lsn: Lsn) -> Result<u64, BackupError> {
    let mut walk = Walk::open(disk, path)?;
    while let Some(found) = walk.next()? {
        match found {
            Found::Record(record) if record.lsn >= lsn => {
                return Ok(record.offset + (RECORD_HEADER_BYTES + record.payload.len()) as u64);
            }
            Found::Record(_) | Found::Mark { .. } => {}
            Found::Fault { offset, reason, .. } => return Err(WalError::damaged(path, offset, reason).into()),
        }
    }
    Err(BackupError::LogEnds {
        dir: dir.to_owned(),
        wanted: lsn,
        next: walk.next_lsn(),
    })
}
