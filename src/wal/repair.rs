//! Removing what a crash left half written, and, on explicit demand only, what is behind damage.
//!
//! **Invariants**
//! - [`repair_tail`] removes only what no mark says was synced; it refuses damage.
//! - [`repair_damage`] deletes no segment: what it cuts off stays beside the log under another name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reader::Reader;
use super::segment;
use super::segment_reader::Tail;
use super::{Lsn, SEGMENT_HEADER_BYTES, WalError};
use crate::storage::Disk;

/// Cuts the torn tail off the last segment, if there is one, durably; returns what it was.
pub fn repair_tail(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Option<Tail>, WalError> {
    let files = segment::list(disk.as_ref(), dir)?;
    let Some(last) = files.last() else { return Ok(None) };
    let mut reader = Reader::open(disk.clone(), dir, last.first)?;
    while reader.next()?.is_some() {}
    let Some(tail) = reader.tail() else { return Ok(None) };
    cut(disk.as_ref(), dir, &tail.file, tail.offset)?;
    if tail.is_blank {
        return Ok(Some(tail.clone()));
    }
    tracing::warn!(
        "WAL: removed the torn tail of {}: {} bytes from byte {} on ({})",
        tail.file.display(),
        tail.bytes,
        tail.offset,
        tail.reason
    );
    Ok(Some(tail.clone()))
}

/// What an explicit repair did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The log goes on with this LSN; all records from it on are cut off.
    pub next_lsn: Lsn,
    /// Copies of what was cut off, for a later look.
    pub kept: Vec<PathBuf>,
}

/// Ends the log before the first damage: copies the damaged segment aside, cuts it there and moves all later segments
/// aside (suffix `.damaged`). For an operator who has decided to lose those records; `None` if nothing is damaged.
pub fn repair_damage(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Option<Repair>, WalError> {
    let files = segment::list(disk.as_ref(), dir)?;
    let Some(first) = files.first() else { return Ok(None) };
    let mut reader = Reader::open(disk.clone(), dir, first.first)?;
    let (file, offset) = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(WalError::Damaged { file, offset, .. }) => break (file, offset),
            Err(WalError::Missing { file, .. }) => break (file, 0),
            Err(error) => return Err(error),
        }
    };
    // A header's damage is told with the offset of the field; the segment is lost as a whole.
    let offset = if offset < SEGMENT_HEADER_BYTES as u64 {
        0
    } else {
        offset
    };
    let mut kept = Vec::new();
    for later in files.iter().rev().filter(|later| later.path > file) {
        kept.push(set_aside(disk.as_ref(), &later.path)?);
    }
    if offset == 0 {
        kept.push(set_aside(disk.as_ref(), &file)?);
    } else {
        kept.push(copy_aside(disk.as_ref(), &file)?);
        cut(disk.as_ref(), dir, &file, offset)?;
    }
    disk.sync_dir(dir).map_err(WalError::io("sync", dir))?;
    Ok(Some(Repair {
        next_lsn: reader.next_lsn(),
        kept,
    }))
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged");
    PathBuf::from(name)
}

/// Gives the segment at `path` a name under which it is none of the log, not durably yet.
pub(super) fn set_aside(disk: &dyn Disk, path: &Path) -> Result<PathBuf, WalError> {
    let to = aside(path);
    disk.rename(path, &to).map_err(WalError::io("rename", path))?;
    Ok(to)
}

fn copy_aside(disk: &dyn Disk, path: &Path) -> Result<PathBuf, WalError> {
    let to = aside(path);
    if disk.exists(&to).map_err(WalError::io("look for", &to))? {
        disk.remove(&to).map_err(WalError::io("remove", &to))?;
    }
    let from = disk.open_read(path).map_err(WalError::io("open", path))?;
    let mut copy = disk.create(&to).map_err(WalError::io("create", &to))?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let read = from.read_at(at, &mut buffer).map_err(WalError::io("read", path))?;
        if read == 0 {
            break;
        }
        copy.write_all(buffer.get(..read).unwrap_or_default())
            .map_err(WalError::io("write", &to))?;
        at += read as u64;
    }
    copy.sync_data().map_err(WalError::io("sync", &to))?;
    Ok(to)
}

/// Ends a segment at `offset`, durably; removes it if that leaves no header.
fn cut(disk: &dyn Disk, dir: &Path, file: &Path, offset: u64) -> Result<(), WalError> {
    if offset < SEGMENT_HEADER_BYTES as u64 {
        disk.remove(file).map_err(WalError::io("remove", file))?;
        return disk.sync_dir(dir).map_err(WalError::io("sync", dir));
    }
    disk.truncate(file, offset).map_err(WalError::io("truncate", file))
}
