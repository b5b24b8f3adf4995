//! Reading one segment file: frames, verified; and what is behind a bad one.
//!
//! **Invariant:** memory is bounded by the window and the longest record; a length is believed only as far as the file
//! goes.

use std::path::PathBuf;

use super::Lsn;
use super::error::WalError;
use super::format::{
    HeaderFault, RECORD_COVERED_BYTES, RECORD_HEADER_BYTES, RECORD_PREFIX_BYTES, RECORD_VERSION, RecordHeader,
    SEGMENT_HEADER_BYTES, SegmentHeader, covered,
};
use super::segment::SegmentFile;
use crate::storage::{Disk, DiskRead};

/// Read from the file at a time; longer records are read whole.
const WINDOW_BYTES: usize = 1 << 20;

/// What is at an offset of a segment.
pub(super) enum Frame {
    Record(RecordHeader),
    Mark(RecordHeader),
    Bad(&'static str),
    /// Zeroes up to the end of the file, written ahead.
    Blank,
    End,
}

/// What the header of a frame is where nothing has been written.
const BLANK: RecordHeader = RecordHeader {
    len: 0,
    crc: 0,
    version: 0,
    flags: 0,
    group: 0,
    term: 0,
    lsn: Lsn::ZERO,
    wall_ms: 0,
};

/// Where the whole records end in a log whose last segment has a torn tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The segment file.
    pub file: PathBuf,
    /// The end of its last whole record; below the header's size: the segment never held a record.
    pub offset: u64,
    /// How many bytes are behind it.
    pub bytes: u64,
    /// What is wrong with the first of them.
    pub reason: String,
    /// They are the zeroes that a log writes ahead: nothing is lost with them.
    pub is_blank: bool,
}

pub(super) fn frame_bytes(header: &RecordHeader) -> u64 {
    u64::from(header.len) + RECORD_PREFIX_BYTES as u64
}

/// The verified header of a segment.
pub(super) fn read_segment_header(disk: &dyn Disk, file: &SegmentFile) -> Result<SegmentHeader, WalError> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    let read = disk
        .read_at(&file.path, 0, &mut bytes)
        .map_err(WalError::io("read", &file.path))?;
    check_header(&bytes, read, file)
}

fn check_header(
    bytes: &[u8; SEGMENT_HEADER_BYTES],
    read: usize,
    file: &SegmentFile,
) -> Result<SegmentHeader, WalError> {
    if read < SEGMENT_HEADER_BYTES {
        return Err(WalError::damaged(&file.path, 0, "the segment's header is cut short"));
    }
    let header = SegmentHeader::decode(bytes).map_err(|fault| match fault {
        HeaderFault::Bad(reason) => WalError::damaged(&file.path, 0, reason),
        HeaderFault::Version(version) => WalError::UnknownVersion {
            file: file.path.clone(),
            offset: 8,
            version,
        },
    })?;
    if header.first_lsn != file.first {
        let reason = format!("its name says {}, its header {}", file.first, header.first_lsn);
        return Err(WalError::damaged(&file.path, 16, reason));
    }
    Ok(header)
}

/// One segment file and a window on it.
pub(super) struct SegmentReader {
    file: Box<dyn DiskRead>,
    pub path: PathBuf,
    pub salt: u32,
    pub len: u64,
    /// Where the next frame begins.
    pub offset: u64,
    window: Vec<u8>,
    window_at: u64,
    pub(super) window_bytes: usize,
}

impl SegmentReader {
    pub fn open(file: Box<dyn DiskRead>, len: u64, segment: &SegmentFile) -> Result<Self, WalError> {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = file
            .read_at(0, &mut bytes)
            .map_err(WalError::io("read", &segment.path))?;
        let salt = check_header(&bytes, read, segment)?.salt;
        let path = segment.path.clone();
        let offset = SEGMENT_HEADER_BYTES as u64;
        Ok(SegmentReader {
            file,
            path,
            salt,
            len,
            offset,
            window: Vec::new(),
            window_at: 0,
            window_bytes: WINDOW_BYTES,
        })
    }

    /// `count` bytes from `offset`; the caller has checked that the file holds them.
    pub fn bytes(&mut self, offset: u64, count: usize) -> Result<&[u8], WalError> {
        let skip = offset
            .checked_sub(self.window_at)
            .and_then(|skip| usize::try_from(skip).ok());
        let start = match skip.filter(|skip| skip.checked_add(count).is_some_and(|end| end <= self.window.len())) {
            Some(start) => start,
            None => {
                self.fill(offset, count)?;
                0
            }
        };
        let cut = || WalError::damaged(&self.path, offset, "the file became shorter while it was read");
        self.window.get(start..start + count).ok_or_else(cut)
    }

    fn fill(&mut self, offset: u64, count: usize) -> Result<(), WalError> {
        let rest = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let size = count.max(self.window_bytes.min(rest));
        if self.window.capacity() > size.max(self.window_bytes) * 2 {
            self.window = Vec::new();
        }
        self.window.resize(size, 0);
        let read = self
            .file
            .read_at(offset, &mut self.window)
            .map_err(WalError::io("read", &self.path))?;
        self.window.truncate(read);
        self.window_at = offset;
        Ok(())
    }

    pub fn header(&mut self, at: u64) -> Result<Option<RecordHeader>, WalError> {
        if self.len.saturating_sub(at) < RECORD_HEADER_BYTES as u64 {
            return Ok(None);
        }
        let bytes = self.bytes(at, RECORD_HEADER_BYTES)?;
        Ok(bytes.first_chunk().map(RecordHeader::decode))
    }

    /// What is at `at`; an intact frame of an unknown version or with unknown flags is an error.
    pub fn frame(&mut self, at: u64) -> Result<Frame, WalError> {
        if at >= self.len {
            return Ok(Frame::End);
        }
        let header = self.header(at)?;
        if header.is_none_or(|header| header == BLANK) && self.is_blank_from(at)? {
            return Ok(Frame::Blank);
        }
        let Some(header) = header else {
            return Ok(Frame::Bad("the record's header is cut short"));
        };
        if (header.len as usize) < RECORD_COVERED_BYTES {
            return Ok(Frame::Bad("the record's length is impossible"));
        }
        if frame_bytes(&header) > self.len - at {
            return Ok(Frame::Bad("the record goes beyond the end of the file"));
        }
        let salt = self.salt;
        let bytes = self.bytes(at, header.len as usize + RECORD_PREFIX_BYTES)?;
        if crc32c::crc32c_append(salt, covered(bytes)) != header.crc {
            return Ok(Frame::Bad("the record's CRC does not match"));
        }
        if header.version != RECORD_VERSION {
            let version = u32::from(header.version);
            return Err(WalError::UnknownVersion {
                file: self.path.clone(),
                offset: at,
                version,
            });
        }
        if !header.flags_known() {
            return Err(WalError::damaged(
                &self.path,
                at,
                format!("unknown flags {:#04x}", header.flags),
            ));
        }
        Ok(if header.is_mark() {
            Frame::Mark(header)
        } else {
            Frame::Record(header)
        })
    }

    /// Whether nothing but zeroes follows. O(bytes) where that is so.
    fn is_blank_from(&mut self, at: u64) -> Result<bool, WalError> {
        let (mut at, window_bytes) = (at, self.window_bytes as u64);
        while at < self.len {
            let count = (self.len - at).min(window_bytes);
            if self.bytes(at, count as usize)?.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += count;
        }
        Ok(true)
    }

    /// The rest of the segment is blank.
    pub fn blank_tail(&self) -> Tail {
        Tail {
            file: self.path.clone(),
            offset: self.offset,
            bytes: self.len - self.offset,
            reason: "zeroes that were written ahead".to_owned(),
            is_blank: true,
        }
    }

    /// An intact frame must be the next record, or a mark that speaks of records before it.
    pub fn check_order(&self, header: &RecordHeader, next: Lsn) -> Result<(), WalError> {
        if header.is_mark() {
            if header.lsn < next {
                return Ok(());
            }
            let reason = format!(
                "a mark says that record {} was synced, the records before it end at {}",
                header.lsn,
                next.before()
            );
            return Err(WalError::damaged(&self.path, self.offset, reason));
        }
        if header.lsn == next && header.lsn < Lsn::MAX {
            return Ok(());
        }
        let reason = format!("record {next} is missing, record {} is in its place", header.lsn);
        Err(WalError::damaged(&self.path, self.offset, reason))
    }

    /// The frame at `offset`, where record `expected` should be, is bad: a torn tail, or damage?
    ///
    /// - Not in the last segment: damage (a segment is synced before the next begins).
    /// - A mark follows that says `expected` was synced: damage.
    /// - Otherwise a torn tail, whatever follows: nothing tells that it was synced, and what is not synced reaches the
    ///   disk in any order. A power cut may lose any piece of it and keep a later one.
    pub fn judge(&mut self, expected: Lsn, last: bool, reason: &'static str) -> Result<Tail, WalError> {
        let at = self.offset;
        if !last {
            return Err(WalError::damaged(&self.path, at, reason));
        }
        if let Some(mark) = self.mark_after(at, expected)? {
            let reason = format!("{reason}, and the mark at byte {mark} says that record {expected} was whole");
            return Err(WalError::damaged(&self.path, at, reason));
        }
        Ok(Tail {
            file: self.path.clone(),
            offset: at,
            bytes: self.len - at,
            reason: reason.to_owned(),
            is_blank: false,
        })
    }

    /// Searches behind `at` for an intact mark that covers `expected`. O(bytes), plus a CRC for each place that looks
    /// like a frame.
    fn mark_after(&mut self, at: u64, expected: Lsn) -> Result<Option<u64>, WalError> {
        let mut at = at + 1;
        while let Some(header) = self.header(at)? {
            if !self.plausible(&header, at, expected) || !self.intact(&header, at)? {
                at += 1;
                continue;
            }
            if header.is_mark() && header.lsn >= expected {
                return Ok(Some(at));
            }
            at += frame_bytes(&header);
        }
        Ok(None)
    }

    /// Whether it can be a frame of this log, before its CRC is looked at.
    pub fn plausible(&self, header: &RecordHeader, at: u64, expected: Lsn) -> bool {
        let records_max = self.len / RECORD_HEADER_BYTES as u64;
        let lsn_max = expected.saturating_add(records_max);
        let lsn_fits = header.lsn <= lsn_max && (header.is_mark() || header.lsn >= expected);
        let len_fits = header.len as usize >= RECORD_COVERED_BYTES && frame_bytes(header) <= self.len - at;
        header.version == RECORD_VERSION && header.flags_known() && lsn_fits && len_fits
    }

    pub fn intact(&mut self, header: &RecordHeader, at: u64) -> Result<bool, WalError> {
        let salt = self.salt;
        let bytes = self.bytes(at, header.len as usize + RECORD_PREFIX_BYTES)?;
        Ok(crc32c::crc32c_append(salt, covered(bytes)) == header.crc)
    }
}
