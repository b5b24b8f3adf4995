//! [`Reader`]: the records of a log, in order, verified.
//!
//! How a torn tail is told from damage (only in the last segment; anywhere else it is damage): see `judge`.
//!
//! **Invariants**
//! - A record that comes out has a matching CRC and the LSN that follows the one before.
//! - Memory is bounded by the window and the longest record; a length is believed only as far as the file goes.

use std::path::Path;
use std::sync::Arc;

use super::Lsn;
use super::error::WalError;
use super::format::{FLAG_BATCH_END, RECORD_HEADER_BYTES, RECORD_PREFIX_BYTES, RecordHeader, SEGMENT_HEADER_BYTES};
use super::positions::Place;
use super::segment::{self, SegmentFile};
use super::segment_reader::{Frame, SegmentReader, Tail, frame_bytes};
use crate::storage::Disk;

/// The same for those who follow a log, mostly by small steps.
const FOLLOW_WINDOW_BYTES: usize = 128 << 10;
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
        let from = from.max(Lsn::FIRST);
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
            from: Lsn::FIRST,
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
                Frame::Blank if last => {
                    self.tail = Some(segment.blank_tail());
                    break;
                }
                Frame::Blank => {
                    self.tail = Some(segment.judge(self.next, last, "zeroes where a record should be")?);
                    break;
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
                self.next = header.lsn.next();
                (header.lsn >= self.from).then_some(*header)
            }
            Frame::Mark(header) => {
                segment.offset += frame_bytes(header);
                None
            }
            Frame::Bad(_) | Frame::Blank | Frame::End => None,
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
                is_blank: false,
            })),
            other => other.map(Ok),
        }
    }
}
