//! [`Walk`]: one segment file frame by frame, damaged or not. For tools that show or rescue a log; a server
//! reads with [`Reader`](super::Reader).
//!
//! **Invariant:** what comes out as a record or a mark has a matching CRC; everything else is a fault, and after a
//! fault it goes on with the next frame that is intact.

use std::path::Path;

use super::Lsn;
use super::error::WalError;
use super::format::{HeaderFault, RECORD_HEADER_BYTES, RECORD_PREFIX_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::reader::Record;
use super::segment::SegmentFile;
use super::segment_reader::{Frame, SegmentReader, frame_bytes};
use crate::storage::Disk;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSummary {
    /// The first LSN by its header.
    pub first_lsn: Lsn,
    /// Where its records' CRCs start from.
    pub salt: u32,
    /// That of the log which it belongs to; 0: not known.
    pub identity: u32,
    /// The file's length.
    pub bytes: u64,
}

/// What is next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record.
    Record(Record<'a>),
    /// All records up to `lsn` were synced before it was written.
    Mark {
        /// Where it is.
        offset: u64,
        /// What it covers.
        lsn: Lsn,
        /// When it was written.
        wall_ms: u64,
    },
    /// Neither; or intact and out of order.
    Fault {
        /// Where it is.
        offset: u64,
        /// What is wrong.
        reason: String,
        /// Where the next intact frame is.
        resumes_at: Option<u64>,
    },
}

/// See the module.
pub struct Walk {
    segment: SegmentReader,
    first: Lsn,
    identity: u32,
    next: Lsn,
}

impl Walk {
    /// Opens a segment file, whatever its name.
    ///
    /// # Errors
    /// When it cannot be read, or its header is damaged: without it no record can be verified.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, WalError> {
        let file = disk.open_read(path).map_err(WalError::io("open", path))?;
        let len = file.len().map_err(WalError::io("measure", path))?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = file.read_at(0, &mut bytes).map_err(WalError::io("read", path))?;
        if read < SEGMENT_HEADER_BYTES {
            return Err(WalError::damaged(path, 0, "the segment's header is cut short"));
        }
        let header = SegmentHeader::decode(&bytes).map_err(|fault| match fault {
            HeaderFault::Bad(reason) => WalError::damaged(path, 0, reason),
            HeaderFault::Version(version) => WalError::UnknownVersion {
                file: path.to_owned(),
                offset: 8,
                version,
            },
        })?;
        let first = header.first_lsn;
        let named = SegmentFile {
            first,
            path: path.to_owned(),
        };
        Ok(Self {
            segment: SegmentReader::open(file, len, &named)?,
            first,
            identity: header.identity,
            next: first,
        })
    }

    /// What the segment says of itself.
    pub fn summary(&self) -> SegmentSummary {
        SegmentSummary {
            first_lsn: self.first,
            salt: self.segment.salt,
            identity: self.identity,
            bytes: self.segment.len,
        }
    }

    /// The LSN after the last record that came out.
    pub fn next_lsn(&self) -> Lsn {
        self.next
    }

    /// How far it is, in bytes.
    pub fn offset(&self) -> u64 {
        self.segment.offset
    }

    /// What is next; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "the record borrows the window on the file")]
    pub fn next(&mut self) -> Result<Option<Found<'_>>, WalError> {
        let at = self.segment.offset;
        let header = match self.segment.frame(at) {
            Ok(Frame::End | Frame::Blank) => return Ok(None),
            Ok(Frame::Bad(reason)) => return self.fault(at, reason.to_owned(), at + 1).map(Some),
            Ok(Frame::Record(header) | Frame::Mark(header)) => header,
            // Intact, and not understood.
            Err(error @ (WalError::UnknownVersion { .. } | WalError::Damaged { .. })) => {
                return self.fault(at, error.to_string(), at + 1).map(Some);
            }
            Err(error) => return Err(error),
        };
        if let Err(error) = self.segment.check_order(&header, self.next) {
            if !header.is_mark() {
                self.next = header.lsn;
            }
            let behind = if header.is_mark() {
                at + frame_bytes(&header)
            } else {
                at
            };
            return self.fault(at, error.to_string(), behind).map(Some);
        }
        self.segment.offset += frame_bytes(&header);
        if header.is_mark() {
            return Ok(Some(Found::Mark {
                offset: at,
                lsn: header.lsn,
                wall_ms: header.wall_ms,
            }));
        }
        self.next = header.lsn.saturating_add(1);
        let bytes = self.segment.bytes(at, header.len as usize + RECORD_PREFIX_BYTES)?;
        Ok(Some(Found::Record(Record::of(&header, at, bytes))))
    }

    /// Moves to the next intact frame from `from` on, or to the end.
    fn fault(&mut self, offset: u64, reason: String, from: u64) -> Result<Found<'_>, WalError> {
        let resumes_at = self.intact_from(from)?;
        self.segment.offset = resumes_at.unwrap_or(self.segment.len);
        Ok(Found::Fault {
            offset,
            reason,
            resumes_at,
        })
    }

    fn intact_from(&mut self, from: u64) -> Result<Option<u64>, WalError> {
        let mut at = from;
        while at + RECORD_HEADER_BYTES as u64 <= self.segment.len {
            let Some(header) = self.segment.header(at)? else { break };
            if self.segment.plausible(&header, at, self.next) && self.segment.intact(&header, at)? {
                if !header.is_mark() {
                    self.next = header.lsn;
                }
                return Ok(Some(at));
            }
            at += 1;
        }
        Ok(None)
    }
}
