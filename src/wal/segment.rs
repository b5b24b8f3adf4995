//! Segment files: their names, their list, their creation.
//!
//! **Invariants**
//! - A name is `wal-` and the first LSN as 20 digits and `.log`, so that names sort as LSNs do.
//! - A segment's header and directory entry are durable before its first record is written: a torn header means
//!   that the segment never held a record.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Lsn;
use super::error::WalError;
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::storage::fault_point::fault_point;
use crate::storage::{Disk, DiskFile};

/// The file name of the segment that begins with `first`.
pub fn segment_name(first: Lsn) -> String {
    format!("wal-{first:020}.log")
}

fn parse_name(name: &OsStr) -> Option<Lsn> {
    let digits = name.to_str()?.strip_prefix("wal-")?.strip_suffix(".log")?;
    let canonical = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if canonical { digits.parse().ok() } else { None }
}

/// A segment by name: its first LSN and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentFile {
    pub first: Lsn,
    pub path: PathBuf,
}

/// The segments of a directory in order; other files are ignored.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<SegmentFile>, WalError> {
    let names = disk.list(dir).map_err(WalError::io("list", dir))?;
    let segment = |name| {
        parse_name(name).map(|first| SegmentFile {
            first,
            path: dir.join(name),
        })
    };
    let mut files: Vec<SegmentFile> = names.iter().filter_map(|name| segment(name)).collect();
    files.sort_by_key(|file| file.first);
    Ok(files)
}

/// First LSN and path of each segment in a directory, in order.
///
/// # Errors
/// When the directory cannot be read.
pub fn segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<(Lsn, PathBuf)>, WalError> {
    let files = list(disk, dir)?;
    Ok(files.into_iter().map(|file| (file.first, file.path)).collect())
}

/// A segment open for writing.
pub(super) struct OpenSegment {
    pub file: Box<dyn DiskFile>,
    pub path: PathBuf,
    pub salt: u32,
    /// Its length, header included.
    pub bytes: u64,
}

/// Creates the segment of the log `identity` that begins with `first`, durably. Where that fails nothing stays, if the
/// disk lets it go; what an earlier attempt has left is replaced.
pub(super) fn create(disk: &dyn Disk, dir: &Path, first: Lsn, identity: u32) -> Result<OpenSegment, WalError> {
    let path = dir.join(segment_name(first));
    remove_leftover(disk, &path)?;
    create_at(disk, dir, &path, first, identity).inspect_err(|_| {
        // What stays is replaced by the next attempt, or removed with it.
        let _ = disk.remove(&path);
    })
}

/// Removes a segment that never held a record, as its length tells, if it is there.
pub(super) fn remove_leftover(disk: &dyn Disk, path: &Path) -> Result<(), WalError> {
    let is_there = disk.exists(path).map_err(WalError::io("look for", path))?;
    if is_there && disk.len(path).map_err(WalError::io("measure", path))? <= SEGMENT_HEADER_BYTES as u64 {
        disk.remove(path).map_err(WalError::io("remove", path))?;
    }
    Ok(())
}

/// Removes segments that were begun in vain: those that `is_known` does not tell of. O(files).
pub(super) fn remove_leftovers(disk: &dyn Disk, dir: &Path, is_known: impl Fn(Lsn) -> bool) -> Result<(), WalError> {
    let files = list(disk, dir)?;
    files
        .iter()
        .filter(|file| !is_known(file.first))
        .try_for_each(|file| remove_leftover(disk, &file.path))
}

fn create_at(disk: &dyn Disk, dir: &Path, path: &Path, first: Lsn, identity: u32) -> Result<OpenSegment, WalError> {
    let salt = rand::random();
    let mut file = disk.create(path).map_err(WalError::io("create", path))?;
    let header = SegmentHeader {
        salt,
        first_lsn: first,
        identity,
    };
    file.write_all(&header.encode()).map_err(WalError::io("write", path))?;
    file.sync_data().map_err(WalError::io("sync", path))?;
    fault_point("wal.segment_created");
    disk.sync_dir(dir).map_err(WalError::io("sync", dir))?;
    fault_point("wal.segment_durable");
    Ok(OpenSegment {
        file,
        path: path.to_owned(),
        salt,
        bytes: SEGMENT_HEADER_BYTES as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_and_parse() {
        assert_eq!(segment_name(Lsn::new(42)), "wal-00000000000000000042.log");
        assert_eq!(parse_name(OsStr::new(&segment_name(Lsn::MAX))), Some(Lsn::MAX));
        for bad in [
            "wal-42.log",
            "wal-0000000000000000004x.log",
            "wal-00000000000000000042.tmp",
            "LOCK",
        ] {
            assert_eq!(parse_name(OsStr::new(bad)), None, "{bad}");
        }
    }
}
