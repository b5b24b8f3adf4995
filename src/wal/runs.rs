//! Runs: which records the segments of a log hold without one missing between them.
//!
//! Records are missing where a log had failed and went on behind a checkpoint, and where it was off for a time.
//!
//! **Invariant:** what a run tells of is there. A segment whose end cannot be found out ends its run before itself.

use std::path::Path;

use super::Lsn;
use super::error::WalError;
use super::format::{RECORD_HEADER_BYTES, RECORD_PREFIX_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, covered};
use super::segment::{self, SegmentFile};
use super::segment_reader::read_segment_header;
use super::walk::{Found, Walk};
use crate::storage::Disk;

/// So much of a segment's end is looked at, one after the other, before all of it is read.
const WINDOWS_BYTES: [u64; 2] = [64 << 10, 1 << 20];
/// Where a record has its LSN.
const LSN_AT: usize = 16;

/// Records one behind another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first one.
    pub first: Lsn,
    /// The last one; the one before `first` if there is none yet.
    pub last: Lsn,
    /// When that was written, nearly; 0: not known.
    pub last_wall_ms: u64,
}

/// The runs of the log in `dir`, oldest first.
///
/// # Errors
/// When the directory cannot be read.
pub fn runs(disk: &dyn Disk, dir: &Path) -> Result<Vec<Run>, WalError> {
    let files = segment::list(disk, dir)?;
    let nexts = files.iter().skip(1).map(|next| Some(next.first)).chain([None]);
    Ok(joined(
        files.iter().zip(nexts).map(|(file, next)| of_segment(disk, file, next)),
    ))
}

/// What a segment holds before the one that begins with `next`, if there is one.
pub(super) fn of_segment(disk: &dyn Disk, file: &SegmentFile, next: Option<Lsn>) -> Run {
    let first = file.first;
    if let Some(next) = next
        && ends_with(disk, file, next.before()).unwrap_or(false)
    {
        return Run {
            first,
            last: next.before(),
            last_wall_ms: 0,
        };
    }
    read(disk, file).unwrap_or(Run {
        first,
        last: first.before(),
        last_wall_ms: 0,
    })
}

/// Segments that continue one another, put together.
pub(super) fn joined(segments: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for next in segments {
        match runs.last_mut() {
            Some(run) if run.last.next() == next.first => {
                // One without a record tells nothing of the time.
                if next.last >= next.first {
                    (run.last, run.last_wall_ms) = (next.last, next.last_wall_ms);
                }
            }
            _ => runs.push(next),
        }
    }
    runs
}

/// Whether the last frame of a segment is of record `lsn`, by a look at its end.
fn ends_with(disk: &dyn Disk, file: &SegmentFile, lsn: Lsn) -> Result<bool, WalError> {
    let path = &file.path;
    let salt = read_segment_header(disk, file)?.salt;
    let reader = disk.open_read(path).map_err(WalError::io("open", path))?;
    let length = reader.len().map_err(WalError::io("measure", path))?;
    for window in WINDOWS_BYTES {
        let from = length.saturating_sub(window).max(SEGMENT_HEADER_BYTES as u64);
        let mut bytes = vec![0; length.saturating_sub(from) as usize];
        let read = reader.read_at(from, &mut bytes).map_err(WalError::io("read", path))?;
        bytes.truncate(read);
        let number = lsn.get().to_le_bytes();
        let mut places = memchr::memmem::rfind_iter(&bytes, &number).filter_map(|at| at.checked_sub(LSN_AT));
        if places.any(|at| is_last_frame(&bytes, at, lsn, salt)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a frame of `lsn` is at `at`, and nothing behind it.
fn is_last_frame(bytes: &[u8], at: usize, lsn: Lsn, salt: u32) -> bool {
    let frame = bytes.get(at..).unwrap_or_default();
    let Some(header) = frame.first_chunk::<RECORD_HEADER_BYTES>().map(RecordHeader::decode) else {
        return false;
    };
    let Some((record, rest)) = frame.split_at_checked(RECORD_PREFIX_BYTES + header.len as usize) else {
        return false;
    };
    // Blocks that were made ready and not used are zeros.
    header.lsn == lsn
        && rest.iter().all(|byte| *byte == 0)
        && crc32c::crc32c_append(salt, covered(record)) == header.crc
}

/// A segment as all of its frames tell, up to the first that is damaged.
fn read(disk: &dyn Disk, file: &SegmentFile) -> Result<Run, WalError> {
    let mut walk = Walk::open(disk, &file.path)?;
    let mut run = Run {
        first: file.first,
        last: file.first.before(),
        last_wall_ms: 0,
    };
    loop {
        match walk.next()? {
            Some(Found::Record(record)) => (run.last, run.last_wall_ms) = (record.lsn, record.wall_ms),
            Some(Found::Mark { .. }) => {}
            Some(Found::Fault { .. }) | None => return Ok(run),
        }
    }
}
