//! The writing end of the log: merges, seals, writes.
//!
//! **Invariants**
//! - What is written is the contiguous run after `written_lsn`.
//! - A segment is synced before the next is begun, under every policy: only the last can have a torn tail.
//! - After a sync a mark follows, before the next record or after a short idle time: damage below a mark is never
//!   taken for a torn tail.
//! - After an error nothing more is written to the segment.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::ahead::Ahead;
use super::core::{Core, SegmentInfo};
use super::format::{self, RECORD_PREFIX_BYTES};
use super::merge::{Merge, Next, Run};
use super::positions::{Place, SPACING_BYTES};
use super::segment::OpenSegment;
use super::{Lsn, WalError, WalOptions};
use crate::storage::fault_point::fault_point;

/// A write to the file is at most about this large (a spliced value apart).
const WRITE_BYTES_MAX: u64 = 1 << 20;
/// Runs of records from this size on are written from where they are.
const RUN_BYTES_MIN: usize = 16 << 10;
/// Splices up to this size are copied into the gathered write.
const SPLICE_COPY_BYTES_MAX: usize = 64 << 10;
/// Memory for gathering that is kept.
const GATHER_BYTES_KEPT: usize = 128 << 10;

/// Whether all that was contiguous has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    All,
    /// The segment is full.
    Full,
}

pub(super) struct Writer {
    core: Arc<Core>,
    group: u16,
    term: u32,
    segment: OpenSegment,
    merge: Merge,
    gather: Vec<u8>,
    /// Bytes, as the producers counted them, of the records that were taken since the last flush: gathered, or written.
    taken_bytes: u64,
    taken_records: u64,
    next: Lsn,
    last_wall_ms: u64,
    noted: Noted,
    /// Records below are durable by other means, and not written.
    floor: Lsn,
    pub ahead: Ahead,
    /// Something was written and not made durable here.
    is_dirty: bool,
    /// A sync here has failed.
    is_in_doubt: bool,
    /// A record is being gathered, piece by piece.
    is_within_record: bool,
}

/// How far the last write of a turn is to get.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    Written,
    Durable,
}

/// The last place that was noted for readers.
#[derive(Default)]
struct Noted {
    segment: Lsn,
    offset: u64,
}

impl Noted {
    /// Notes where record `next` will be at the end of `last`, if that is far enough from the last note.
    fn note(&mut self, core: &Core, next: Lsn, last: &SegmentInfo) {
        let place = Place {
            segment: last.first,
            offset: last.bytes,
        };
        if self.segment != place.segment {
            self.segment = place.segment;
            self.offset = 0;
        }
        if place.offset - self.offset >= SPACING_BYTES {
            self.offset = place.offset;
            core.positions.lock().note(next, place);
        }
    }
}

impl Writer {
    /// `next`: the LSN of the next record, and when the last one was written.
    pub fn new(core: Arc<Core>, options: &WalOptions, segment: OpenSegment, (next, last_wall_ms): (Lsn, u64)) -> Self {
        Writer {
            core,
            group: options.group,
            term: options.term,
            segment,
            merge: Merge::default(),
            gather: Vec::new(),
            taken_bytes: 0,
            taken_records: 0,
            next,
            last_wall_ms,
            noted: Noted::default(),
            floor: Lsn::FIRST,
            ahead: Ahead::default(),
            is_dirty: false,
            is_in_doubt: false,
            is_within_record: false,
        }
    }

    /// The LSN of the next record to be written.
    pub fn next(&self) -> Lsn {
        self.next
    }

    /// Whether a record above a gap is here.
    pub fn is_stuck(&self) -> bool {
        !self.merge.is_empty()
    }

    /// The segment in use.
    pub fn segment(&self) -> &OpenSegment {
        &self.segment
    }

    /// Writes all records up to the first gap, or to the end of the segment.
    pub fn write(&mut self) -> Result<Wrote, WalError> {
        self.write_to(Goal::Written)
    }

    /// The same, durably, and all that was written to the segment before.
    pub fn commit(&mut self) -> Result<Wrote, WalError> {
        let before = self.segment.bytes;
        let wrote = self.write_to(Goal::Durable)?;
        if self.is_dirty {
            self.sync()?;
        }
        self.ahead.note_commit(self.segment.bytes - before);
        Ok(wrote)
    }

    fn write_to(&mut self, goal: Goal) -> Result<Wrote, WalError> {
        self.sweep();
        let mut merge = std::mem::take(&mut self.merge);
        let result = self.write_merged(&mut merge, goal);
        self.merge = merge;
        let wrote = result?;
        self.flush(goal)?;
        Ok(wrote)
    }

    /// Writes a mark by itself, if one is due.
    pub fn write_mark(&mut self) -> Result<(), WalError> {
        if self.core.mark_due.swap(false, Ordering::SeqCst) {
            self.gather_mark();
        }
        self.write_gathered(Goal::Written)
    }

    /// Whether what a write has just failed to write is here as a whole, and nothing that was written before is in
    /// doubt.
    pub fn can_write_again(&self) -> bool {
        !self.is_within_record && !self.is_in_doubt
    }

    /// Writes once more what there was no room for, in the place of what of it has been written.
    pub fn write_again(&mut self) -> Result<(), WalError> {
        let segment = &mut self.segment;
        self.ahead.clear_way(u64::MAX);
        segment
            .file
            .truncate(segment.bytes)
            .map_err(WalError::io("truncate", &segment.path))?;
        self.ahead.reset();
        self.flush(Goal::Written)
    }

    /// Cuts off what the segment has behind its last record, and syncs it, unless that is how it is: it is not written
    /// to any more.
    pub fn end_segment(&mut self) -> Result<(), WalError> {
        let segment = &mut self.segment;
        self.ahead.clear_way(u64::MAX);
        let len = segment.file.len().map_err(WalError::io("measure", &segment.path))?;
        if len != segment.bytes {
            segment
                .file
                .truncate(segment.bytes)
                .map_err(WalError::io("truncate", &segment.path))?;
        } else if self.core.stable_bytes.load(Ordering::SeqCst) == segment.bytes {
            return Ok(());
        }
        self.sync()
    }

    fn sync(&mut self) -> Result<(), WalError> {
        let segment = &mut self.segment;
        self.is_in_doubt = true;
        segment.file.sync_data().map_err(WalError::io("sync", &segment.path))?;
        (self.is_dirty, self.is_in_doubt) = (false, false);
        Ok(())
    }

    /// Goes on in `segment`, which begins with the next record.
    pub fn turn_to(&mut self, segment: OpenSegment) {
        self.segment = segment;
        (self.is_dirty, self.is_in_doubt) = (false, false);
        self.ahead.reset();
        let mut segments = self.core.segments.lock();
        if let Some(last) = segments.last_mut() {
            last.last_wall_ms = self.last_wall_ms;
            // One in which the log had failed has been left with what is good of it.
            last.last.get_or_insert(self.next.before());
        }
        // One in which the log failed before its first record is there no more.
        segments.retain(|known| known.first < self.next);
        segments.push(SegmentInfo {
            first: self.next,
            path: self.segment.path.clone(),
            bytes: self.segment.bytes,
            last: None,
            last_wall_ms: 0,
        });
    }

    /// Forgets the records below `next`, written or not: they are durable by other means.
    pub fn skip_to(&mut self, next: Lsn) {
        self.gather.clear();
        self.is_within_record = false;
        let unwritten = std::mem::take(&mut self.taken_bytes);
        self.core.pending.0.fetch_sub(unwritten, Ordering::SeqCst);
        self.taken_records = 0;
        self.floor = next;
        self.next = next;
        self.sweep();
    }

    fn sweep(&mut self) {
        let core = &self.core;
        self.merge
            .follow(core.slots_version.load(Ordering::Acquire), || core.slots.lock().clone());
        let (bytes, gone) = self.merge.sweep();
        core.queued.0.fetch_sub(bytes, Ordering::SeqCst);
        if gone {
            let gone = self.merge.forget_gone();
            core.slots
                .lock()
                .retain(|slot| !gone.iter().any(|gone| Arc::ptr_eq(gone, slot)));
        }
        let skipped = self.merge.skip_below(self.floor);
        core.pending.0.fetch_sub(skipped, Ordering::SeqCst);
    }

    fn write_merged(&mut self, merge: &mut Merge, goal: Goal) -> Result<Wrote, WalError> {
        while let Some(stream) = merge.find(self.next) {
            // The records of one stream as long as they follow each other.
            loop {
                let Some(room_bytes) = self.room_bytes() else {
                    return Ok(Wrote::Full);
                };
                if self.taken_bytes >= WRITE_BYTES_MAX {
                    self.flush(Goal::Written)?;
                }
                if self.core.mark_due.swap(false, Ordering::SeqCst) {
                    self.gather_mark();
                }
                let run = merge.seal_run(stream, self.next, self.segment.salt, room_bytes.min(WRITE_BYTES_MAX));
                let head = if run.records > 0 {
                    let wrote = self.take_run(&run, goal);
                    let bytes = run.bytes.len();
                    let head = merge.advance(stream, bytes, 0);
                    wrote?;
                    head
                } else {
                    self.take_record(merge, stream)?
                };
                if head != self.next {
                    break;
                }
            }
        }
        Ok(Wrote::All)
    }

    /// Takes a run into the file, if it is long and need only be written, else into what is gathered. Either way it has
    /// been taken: one that cannot be written is gathered.
    fn take_run(&mut self, run: &Run<'_>, goal: Goal) -> Result<(), WalError> {
        let wrote = if goal == Goal::Written && run.bytes.len() >= RUN_BYTES_MIN {
            self.write_gathered(Goal::Written)
                .and_then(|()| self.write_out(run.bytes, Goal::Written))
        } else {
            self.gather.extend_from_slice(run.bytes);
            Ok(())
        };
        if wrote.is_err() {
            self.gather.extend_from_slice(run.bytes);
        }
        self.last_wall_ms = run.last_wall_ms;
        self.note_taken(run.records, run.bytes.len() as u64);
        wrote
    }

    /// Takes the next record, which has splices.
    fn take_record(&mut self, merge: &mut Merge, stream: usize) -> Result<Lsn, WalError> {
        let record = merge.peek(stream).ok_or_else(|| self.lost_record())?;
        self.is_within_record = true;
        self.write_record(&record)?;
        self.is_within_record = false;
        // Not before: a record in which the log fails is still in its stream.
        self.note_taken(1, record.bytes());
        let (inline, splices) = (record.inline.len(), record.splices.len());
        Ok(merge.advance(stream, inline, splices))
    }

    fn note_taken(&mut self, records: u64, bytes: u64) {
        self.taken_records += records;
        self.taken_bytes += bytes;
        self.next = Lsn::new(self.next.get() + records);
    }

    /// How many bytes the segment takes before it is full, at least one as long as it holds no record; `None`: none.
    fn room_bytes(&self) -> Option<u64> {
        let full_bytes = self.core.segment_bytes.load(Ordering::Relaxed);
        let bytes = self.segment.bytes + self.gather.len() as u64;
        if bytes < full_bytes {
            return Some(full_bytes - bytes);
        }
        let segments = self.core.segments.lock();
        let holds_record = segments.last().is_some_and(|last| last.first < self.next);
        (!holds_record).then_some(1)
    }

    /// The chunks are not what the producers promise; must never happen.
    fn lost_record(&self) -> WalError {
        WalError::Failed(Arc::from(format!("WAL: record {} is malformed in memory", self.next)))
    }

    fn write_record(&mut self, record: &Next<'_>) -> Result<(), WalError> {
        self.last_wall_ms = record.header.wall_ms;
        let mut crc = self.segment.salt;
        each_piece(record, |piece| {
            crc = crc32c::crc32c_append(crc, piece);
            Ok(())
        })?;
        let at = self.gather.len();
        let prefix = record.inline.get(..RECORD_PREFIX_BYTES).unwrap_or_default();
        self.gather.extend_from_slice(prefix);
        format::put_crc(self.gather.get_mut(at..).unwrap_or_default(), crc);
        each_piece(record, |piece| self.gather_piece(piece))
    }

    /// A large piece is written from where it is; what was gathered goes first.
    fn gather_piece(&mut self, piece: &[u8]) -> Result<(), WalError> {
        if piece.len() <= SPLICE_COPY_BYTES_MAX {
            self.gather.extend_from_slice(piece);
            return Ok(());
        }
        self.write_gathered(Goal::Written)?;
        self.write_out(piece, Goal::Written)
    }

    fn gather_mark(&mut self) {
        let stable = self.core.stable.load(Ordering::Relaxed);
        let (group, term) = (self.group, self.term);
        self.gather.extend(format::mark(
            self.segment.salt,
            group,
            term,
            Lsn::new(stable),
            self.last_wall_ms,
        ));
    }

    /// Writes what is gathered and tells how far it goes.
    fn flush(&mut self, goal: Goal) -> Result<(), WalError> {
        self.write_gathered(goal)?;
        if self.taken_records == 0 {
            return Ok(());
        }
        let core = &self.core;
        if let Some(last) = core.segments.lock().last_mut() {
            last.bytes = self.segment.bytes;
            self.noted.note(core, self.next, last);
        }
        core.counters
            .records_written
            .fetch_add(std::mem::take(&mut self.taken_records), Ordering::Relaxed);
        core.pending
            .0
            .fetch_sub(std::mem::take(&mut self.taken_bytes), Ordering::SeqCst);
        if goal == Goal::Written {
            core.unsynced.note_written(core.is_unsynced());
        }
        core.advance_written(self.next.before());
        Ok(())
    }

    fn write_gathered(&mut self, goal: Goal) -> Result<(), WalError> {
        let mut gather = std::mem::take(&mut self.gather);
        let result = if gather.is_empty() {
            Ok(())
        } else {
            self.write_out(&gather, goal)
        };
        // What could not be written may be written again.
        if result.is_ok() {
            gather.clear();
            gather.shrink_to(GATHER_BYTES_KEPT);
        }
        self.gather = gather;
        result
    }

    fn write_out(&mut self, bytes: &[u8], goal: Goal) -> Result<(), WalError> {
        fault_point("wal.before_write");
        let segment = &mut self.segment;
        self.ahead.clear_way(segment.bytes + bytes.len() as u64);
        let is_durable = goal == Goal::Durable
            && segment
                .file
                .write_direct(bytes)
                .map_err(WalError::io("write", &segment.path))?;
        if !is_durable {
            self.is_dirty = true;
            segment
                .file
                .write_all(bytes)
                .map_err(WalError::io("write", &segment.path))?;
        }
        segment.bytes += bytes.len() as u64;
        self.core
            .counters
            .bytes_written
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        fault_point("wal.written");
        Ok(())
    }
}

/// The pieces of a record that its CRC covers, in order: inline bytes and splices.
fn each_piece(record: &Next<'_>, mut take: impl FnMut(&[u8]) -> Result<(), WalError>) -> Result<(), WalError> {
    let mut at = RECORD_PREFIX_BYTES;
    for splice in record.splices {
        let end = splice.at - record.start;
        take(record.inline.get(at..end).unwrap_or_default())?;
        take(splice.data.bytes())?;
        at = end;
    }
    take(record.inline.get(at..).unwrap_or_default())
}
