//! [`Reader`]: the records of a log, in order, verified.
//!
//! How a torn tail is told from damage (only in the last segment; anywhere else it is damage): see `judge`.
//!
//! **Invariants**
//! - A record that comes out has a matching CRC and the LSN that follows the one before.
//! - Memory is bounded by the window and the longest record; a length is believed only as far as the file goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Lsn;
use super::error::WalError;
use super::format::{
    FLAG_BATCH_END, HeaderFault, RECORD_COVERED_BYTES, RECORD_HEADER_BYTES, RECORD_PREFIX_BYTES, RECORD_VERSION,
    RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader, covered,
};
use super::positions::Place;
use super::segment::{self, SegmentFile};
use crate::storage::{Disk, DiskRead};

/// Read from the file at a time; longer records are read whole.
const WINDOW_BYTES: usize = 1 << 20;
/// The same for those who follow a log, mostly by small steps.
const FOLLOW_WINDOW_BYTES: usize = 128 << 10;
/// Sectors are written whole; a hole that a power cut leaves ends where one does.
const SECTOR_BYTES: u64 = 512;
/// A run of zeroes this long up to the end of a sector is taken for a hole.
const HOLE_BYTES_MIN: u64 = 64;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its log sequence number.
    pub lsn: Lsn,
    /// Wall clock of its commit, in ms since 1970.
    pub wall_ms: u64,
    /// The leader term.
    pub term: u32,
    /// The replication group.
    pub group: u16,
    /// Where it begins in its file.
    pub offset: u64,
    /// Whether it is the last record of a worker's batch.
    pub batch_end: bool,
    /// The bytes that the producer wrote.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record whose frame is `bytes`.
    pub(super) fn of(header: &RecordHeader, offset: u64, bytes: &'a [u8]) -> Self {
        Record {
            lsn: header.lsn,
            wall_ms: header.wall_ms,
            term: header.term,
            group: header.group,
            offset,
            batch_end: header.flags & FLAG_BATCH_END != 0,
            payload: bytes.get(RECORD_HEADER_BYTES..).unwrap_or_default(),
        }
    }
}

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
}

/// Reads a log in order.
pub struct Reader {
    disk: Arc<dyn Disk>,
    files: Vec<SegmentFile>,
    index: usize,
    current: Option<SegmentReader>,
    next: Lsn,
    from: Lsn,
    tail: Option<Tail>,
    done_bytes: u64,
    total_bytes: u64,
    record_at: u64,
}

/// What is at an offset of a segment.
pub(super) enum Frame {
    Record(RecordHeader),
    Mark(RecordHeader),
    Bad(&'static str),
    End,
}

impl Reader {
    /// The first LSN that the segments in `dir` go back to; `None` when there are none, or no such directory.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn oldest_lsn(disk: &dyn Disk, dir: &Path) -> Result<Option<Lsn>, WalError> {
        if !disk.exists(dir).map_err(WalError::io("look for", dir))? {
            return Ok(None);
        }
        Ok(segment::list(disk, dir)?.first().map(|file| file.first))
    }

    /// Positions a reader on the log in `dir` so that its first record is `from`. An empty directory is an empty log;
    /// a log that begins after `from` is an error, one that ends before it has nothing to read.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, from: Lsn) -> Result<Reader, WalError> {
        let from = from.max(1);
        let mut files = segment::list(disk.as_ref(), dir)?;
        let before = files.iter().take_while(|file| file.first <= from).count();
        if let (0, Some(file)) = (before, files.first()) {
            return Err(WalError::Missing {
                expected: from,
                found: file.first,
                file: file.path.clone(),
            });
        }
        files.drain(..before.saturating_sub(1));
        let mut total_bytes = 0;
        for file in &files {
            total_bytes += disk.len(&file.path).map_err(WalError::io("measure", &file.path))?;
        }
        let next = files.first().map_or(from, |file| file.first);
        Ok(Reader {
            disk,
            files,
            index: 0,
            current: None,
            next,
            from,
            tail: None,
            done_bytes: 0,
            total_bytes,
            record_at: 0,
        })
    }

    /// A reader of a log that is being written, on the place `offset` of record `next` in the first of `files`. It must
    /// not be asked for records that are not written yet.
    pub(super) fn resume(
        disk: Arc<dyn Disk>,
        files: Vec<SegmentFile>,
        next: Lsn,
        offset: u64,
    ) -> Result<Reader, WalError> {
        let first = files.first().map_or(next, |file| file.first);
        let mut reader = Reader {
            disk,
            files,
            index: 0,
            current: None,
            next: first,
            from: 1,
            tail: None,
            done_bytes: 0,
            total_bytes: 0,
            record_at: 0,
        };
        let Some(file) = reader.files.first() else {
            return Ok(reader);
        };
        if let Ok(mut segment) = reader.enter(file, false)? {
            segment.offset = offset;
            segment.window_bytes = FOLLOW_WINDOW_BYTES;
            reader.current = Some(segment);
            reader.next = next;
        }
        Ok(reader)
    }

    /// Where the next record is, if that is in the segment of the last one.
    pub(super) fn place(&self) -> Option<Place> {
        let segment = self.current.as_ref()?;
        Some(Place {
            segment: self.files.get(self.index)?.first,
            offset: segment.offset,
        })
    }

    /// The next record, `None` at the end (then [`Reader::tail`] tells whether it is torn). After an error the reader
    /// is not to be used any more.
    #[expect(clippy::should_implement_trait, reason = "the record borrows the reader's window")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, WalError> {
        let Some(header) = self.advance()? else { return Ok(None) };
        let Some(segment) = &mut self.current else {
            return Ok(None);
        };
        let start = segment.offset - u64::from(header.len) - RECORD_PREFIX_BYTES as u64;
        self.record_at = start;
        let bytes = segment.bytes(start, header.len as usize + RECORD_PREFIX_BYTES)?;
        Ok(Some(Record::of(&header, start, bytes)))
    }

    /// The torn tail, once the end is reached.
    pub fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }

    /// The LSN after the last record read.
    pub fn next_lsn(&self) -> Lsn {
        self.next
    }

    /// The file of the last record that came out, and where in it the record begins.
    pub fn position(&self) -> Option<(&Path, u64)> {
        self.current.as_ref().map(|segment| (&*segment.path, self.record_at))
    }

    /// Bytes read and bytes in all, for progress.
    pub fn progress(&self) -> (u64, u64) {
        (
            self.done_bytes + self.current.as_ref().map_or(0, |segment| segment.offset),
            self.total_bytes,
        )
    }

    /// Steps over the next record at or after `from`.
    fn advance(&mut self) -> Result<Option<RecordHeader>, WalError> {
        while self.tail.is_none() {
            let Some(file) = self.files.get(self.index) else {
                return Ok(None);
            };
            let last = self.index + 1 == self.files.len();
            let mut segment = match self.current.take() {
                Some(segment) => segment,
                None => match self.enter(file, last)? {
                    Ok(segment) => segment,
                    Err(tail) => {
                        self.tail = Some(tail);
                        break;
                    }
                },
            };
            let frame = segment.frame(segment.offset)?;
            match frame {
                Frame::End => {
                    self.done_bytes += segment.len;
                    self.index += 1;
                    continue;
                }
                Frame::Bad(reason) => {
                    self.tail = Some(segment.judge(self.next, last, reason)?);
                    break;
                }
                Frame::Record(header) | Frame::Mark(header) => segment.check_order(&header, self.next)?,
            }
            let wanted = self.step(&mut segment, &frame);
            self.current = Some(segment);
            if wanted.is_some() {
                return Ok(wanted);
            }
        }
        Ok(None)
    }

    /// Moves behind a frame; returns its header if it is a record that was asked for.
    fn step(&mut self, segment: &mut SegmentReader, frame: &Frame) -> Option<RecordHeader> {
        match frame {
            Frame::Record(header) => {
                segment.offset += frame_bytes(header);
                self.next = header.lsn + 1;
                (header.lsn >= self.from).then_some(*header)
            }
            Frame::Mark(header) => {
                segment.offset += frame_bytes(header);
                None
            }
            Frame::Bad(_) | Frame::End => None,
        }
    }

    /// Opens a segment; the inner error is the torn header of one that never held a record.
    fn enter(&self, file: &SegmentFile, last: bool) -> Result<Result<SegmentReader, Tail>, WalError> {
        if file.first != self.next {
            return Err(WalError::Missing {
                expected: self.next,
                found: file.first,
                file: file.path.clone(),
            });
        }
        let read = self
            .disk
            .open_read(&file.path)
            .map_err(WalError::io("open", &file.path))?;
        let len = read.len().map_err(WalError::io("measure", &file.path))?;
        match SegmentReader::open(read, len, file) {
            Err(WalError::Damaged { reason, .. }) if last && len <= SEGMENT_HEADER_BYTES as u64 => Ok(Err(Tail {
                file: file.path.clone(),
                offset: 0,
                bytes: len,
                reason,
            })),
            other => other.map(Ok),
        }
    }
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
    window_bytes: usize,
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
        let Some(header) = self.header(at)? else {
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

    /// An intact frame must be the next record, or a mark that speaks of records before it.
    pub fn check_order(&self, header: &RecordHeader, next: Lsn) -> Result<(), WalError> {
        if header.is_mark() {
            if header.lsn < next {
                return Ok(());
            }
            let reason = format!(
                "a mark says that record {} was synced, the records before it end at {}",
                header.lsn,
                next - 1
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
    /// - Nothing intact follows: a torn tail.
    /// - A mark follows that says `expected` was synced: damage.
    /// - Records follow, none of them marked as synced: pages reach the disk in any order, so a power cut may leave a
    ///   hole before them. If there is a hole (zeroes up to a sector's end), a torn tail; else damage.
    fn judge(&mut self, expected: Lsn, last: bool, reason: &'static str) -> Result<Tail, WalError> {
        let at = self.offset;
        if !last {
            return Err(WalError::damaged(&self.path, at, reason));
        }
        let found = self.intact_after(at, expected)?;
        if let Some(mark) = found.mark {
            let reason = format!("{reason}, and the mark at byte {mark} says that record {expected} was whole");
            return Err(WalError::damaged(&self.path, at, reason));
        }
        if let Some(record) = found.record
            && !self.has_hole(at, record)?
        {
            let reason = format!("{reason}, and an intact record follows at byte {record}");
            return Err(WalError::damaged(&self.path, at, reason));
        }
        Ok(Tail {
            file: self.path.clone(),
            offset: at,
            bytes: self.len - at,
            reason: reason.to_owned(),
        })
    }

    /// Searches behind `at` for intact frames: the first record above `expected`, and a mark that covers it.
    /// O(bytes), plus a CRC for each place that looks like a frame.
    fn intact_after(&mut self, at: u64, expected: Lsn) -> Result<Behind, WalError> {
        let mut found = Behind::default();
        let mut at = at + 1;
        while let Some(header) = self.header(at)? {
            if !self.plausible(&header, at, expected) || !self.intact(&header, at)? {
                at += 1;
                continue;
            }
            if header.is_mark() && header.lsn >= expected {
                found.mark = Some(at);
                return Ok(found);
            }
            if !header.is_mark() {
                found.record.get_or_insert(at);
            }
            at += frame_bytes(&header);
        }
        Ok(found)
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

    /// Whether a run of zeroes up to the end of a sector lies between `from` and `to`.
    fn has_hole(&mut self, from: u64, to: u64) -> Result<bool, WalError> {
        let (mut at, mut run) = (from, 0);
        while at < to {
            let count = usize::try_from(to - at).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            for byte in self.bytes(at, count)? {
                run = if *byte == 0 { run + 1 } else { 0 };
                at += 1;
                if at.is_multiple_of(SECTOR_BYTES) && run >= HOLE_BYTES_MIN {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// What a search behind a bad frame has found, by offset.
#[derive(Default)]
struct Behind {
    record: Option<u64>,
    mark: Option<u64>,
}
