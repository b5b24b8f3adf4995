//! The writer thread: merges, seals, writes, rotates, syncs.
//!
//! **Invariants**
//! - One thread writes; what it writes is the contiguous run after `written_lsn`.
//! - A segment is synced before the next is created, under every policy: only the last can have a torn tail.
//! - After a sync a mark follows, before the next record or after a short idle time: damage below a mark is never
//!   taken for a torn tail.
//! - The first error ends the thread; nothing is retried.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::core::{BUSY, Core, GATHER_BYTES, GATHERING, IDLE, SegmentInfo};
use super::format::{self, RECORD_PREFIX_BYTES, covered};
use super::merge::{Merge, Next};
use super::positions::{Place, SPACING_BYTES};
use super::segment::{self, OpenSegment};
use super::{Fsync, Lsn, WalError, WalOptions};
use crate::storage::Disk;
use crate::storage::fault_point::fault_point;

/// A write to the file is at most about this large (a spliced value apart).
const WRITE_BYTES_MAX: usize = 1 << 20;
/// Splices up to this size are copied into the gathered write.
const SPLICE_COPY_BYTES_MAX: usize = 64 << 10;
/// How long everysec and no gather before they write.
const GATHER_TIME: Duration = Duration::from_millis(2);
/// The rhythm of everysec.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// After a sync and this much idle time the mark is written by itself.
const MARK_IDLE_TIME: Duration = Duration::from_millis(50);
/// A closing log waits this long for records that are begun and not yet submitted.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

pub(super) struct Writer {
    core: Arc<Core>,
    disk: Arc<dyn Disk>,
    options: WalOptions,
    segment: OpenSegment,
    merge: Merge,
    gather: Vec<u8>,
    /// Bytes, as the producers counted them, of the records in `gather`.
    gathered_bytes: u64,
    gathered_records: u64,
    next: Lsn,
    last_wall_ms: u64,
    last_sync: Instant,
    mark_due: bool,
    noted: Noted,
    /// How far a closing log was when it last had something to write, and when that was.
    last_drained: (Lsn, Instant),
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

/// What a turn of the loop found.
struct Turn {
    wrote: bool,
    closing: bool,
}

impl Writer {
    /// `next`: the LSN of the next record, and when the last one was written.
    pub fn new(
        core: Arc<Core>,
        disk: Arc<dyn Disk>,
        options: WalOptions,
        segment: OpenSegment,
        (next, last_wall_ms): (Lsn, u64),
    ) -> Self {
        Writer {
            core,
            disk,
            options,
            segment,
            merge: Merge::default(),
            gather: Vec::with_capacity(WRITE_BYTES_MAX + SPLICE_COPY_BYTES_MAX),
            gathered_bytes: 0,
            gathered_records: 0,
            next,
            last_wall_ms,
            last_sync: Instant::now(),
            mark_due: next > Lsn::FIRST,
            noted: Noted::default(),
            last_drained: (Lsn::ZERO, Instant::now()),
        }
    }

    /// Runs until the close or the first error.
    pub fn run(mut self) {
        if let Err(error) = self.work() {
            self.core.fail(&error.to_string());
        }
        self.core.closed.store(true, Ordering::SeqCst);
        self.core.pending.0.store(0, Ordering::SeqCst);
        self.core.wake_all();
    }

    fn work(&mut self) -> Result<(), WalError> {
        loop {
            let turn = self.turn()?;
            if self.core.is_failed() {
                return Ok(());
            }
            if turn.closing && self.drained() {
                return self.finish();
            }
            self.pause(&turn)?;
        }
    }

    fn turn(&mut self) -> Result<Turn, WalError> {
        let before = self.core.written.0.load(Ordering::Relaxed);
        self.sweep();
        self.write_prefix()?;
        self.sync_if_due()?;
        let closing = self.core.control.lock().closing;
        Ok(Turn {
            wrote: self.core.written.0.load(Ordering::Relaxed) > before,
            closing,
        })
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
    }

    /// Writes all records up to the first gap.
    fn write_prefix(&mut self) -> Result<(), WalError> {
        let mut merge = std::mem::take(&mut self.merge);
        let result = self.write_merged(&mut merge);
        self.merge = merge;
        result?;
        self.flush()
    }

    fn write_merged(&mut self, merge: &mut Merge) -> Result<(), WalError> {
        while let Some(stream) = merge.find(self.next) {
            // A run: the records of one stream as long as they follow each other.
            loop {
                let record = merge.peek(stream).ok_or_else(|| self.lost_record())?;
                self.write_record(&record)?;
                let (inline, splices) = (record.inline.len(), record.splices.len());
                self.next = self.next.next();
                if merge.advance(stream, inline, splices) != self.next {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The chunks are not what the producers promise; must never happen.
    fn lost_record(&self) -> WalError {
        WalError::Failed(Arc::from(format!("WAL: record {} is malformed in memory", self.next)))
    }

    fn write_record(&mut self, record: &Next<'_>) -> Result<(), WalError> {
        self.make_room()?;
        if self.mark_due {
            self.gather_mark();
        }
        let at = self.gather.len();
        self.last_wall_ms = record.header.wall_ms;
        self.gathered_records += 1;
        self.gathered_bytes += record.inline.len() as u64;
        if record.splices.is_empty() {
            self.gather.extend_from_slice(record.inline);
            let sealed = self
                .gather
                .get(at..)
                .map_or(0, |bytes| crc32c::crc32c_append(self.segment.salt, covered(bytes)));
            self.patch_crc(at, sealed);
            return Ok(());
        }
        let mut crc = self.segment.salt;
        each_piece(record, |piece| {
            crc = crc32c::crc32c_append(crc, piece);
            Ok(())
        })?;
        self.gather
            .extend_from_slice(record.inline.get(..RECORD_PREFIX_BYTES).unwrap_or_default());
        self.patch_crc(at, crc);
        each_piece(record, |piece| self.gather_piece(piece))?;
        self.gathered_bytes += record
            .splices
            .iter()
            .map(|splice| splice.data.len() as u64)
            .sum::<u64>();
        Ok(())
    }

    fn patch_crc(&mut self, at: usize, crc: u32) {
        if let Some(field) = self
            .gather
            .get_mut(at + 4..)
            .and_then(|rest| rest.first_chunk_mut::<4>())
        {
            *field = crc.to_le_bytes();
        }
    }

    /// A large piece is written from where it is; what was gathered goes first.
    fn gather_piece(&mut self, piece: &[u8]) -> Result<(), WalError> {
        if piece.len() <= SPLICE_COPY_BYTES_MAX {
            self.gather.extend_from_slice(piece);
            return Ok(());
        }
        self.write_gathered()?;
        self.write_out(piece)
    }

    fn gather_mark(&mut self) {
        self.mark_due = false;
        let stable = self.core.stable.load(Ordering::Relaxed);
        let (group, term) = (self.options.group, self.options.term);
        self.gather.extend(format::mark(
            self.segment.salt,
            group,
            term,
            Lsn::new(stable),
            self.last_wall_ms,
        ));
    }

    /// Before a record: writes what is gathered if it is much, and turns to a new segment if this one is full.
    fn make_room(&mut self) -> Result<(), WalError> {
        let full_bytes = self.core.segment_bytes.load(Ordering::Relaxed);
        if self.segment.bytes + self.gather.len() as u64 >= full_bytes && !self.segment_is_new() {
            self.flush()?;
            return self.rotate();
        }
        if self.gather.len() >= WRITE_BYTES_MAX {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Whether the segment holds no record yet.
    fn segment_is_new(&self) -> bool {
        self.gathered_records == 0
            && self
                .core
                .segments
                .lock()
                .last()
                .is_some_and(|last| last.first == self.next)
    }

    fn rotate(&mut self) -> Result<(), WalError> {
        self.sync()?;
        self.segment = segment::create(self.disk.as_ref(), &self.options.dir, self.next)?;
        let mut segments = self.core.segments.lock();
        if let Some(last) = segments.last_mut() {
            last.last_wall_ms = self.last_wall_ms;
        }
        let (path, bytes) = (self.segment.path.clone(), self.segment.bytes);
        segments.push(SegmentInfo {
            first: self.next,
            path,
            bytes,
            last_wall_ms: 0,
        });
        Ok(())
    }

    /// Writes what is gathered and tells how far it goes.
    fn flush(&mut self) -> Result<(), WalError> {
        self.write_gathered()?;
        if self.gathered_records == 0 {
            return Ok(());
        }
        let core = &self.core;
        core.advance_written(self.next.before());
        core.counters
            .records_written
            .fetch_add(std::mem::take(&mut self.gathered_records), Ordering::Relaxed);
        core.pending
            .0
            .fetch_sub(std::mem::take(&mut self.gathered_bytes), Ordering::SeqCst);
        if let Some(last) = core.segments.lock().last_mut() {
            last.bytes = self.segment.bytes;
            self.noted.note(core, self.next, last);
        }
        if !core.room.is_empty() && !core.over_pending() {
            core.room.wake_all();
        }
        Ok(())
    }

    fn write_gathered(&mut self) -> Result<(), WalError> {
        let mut gather = std::mem::take(&mut self.gather);
        let result = if gather.is_empty() {
            Ok(())
        } else {
            self.write_out(&gather)
        };
        gather.clear();
        self.gather = gather;
        result
    }

    fn write_out(&mut self, bytes: &[u8]) -> Result<(), WalError> {
        fault_point("wal.before_write");
        let segment = &mut self.segment;
        segment
            .file
            .write_all(bytes)
            .map_err(WalError::io("write", &segment.path))?;
        segment.bytes += bytes.len() as u64;
        self.core
            .counters
            .bytes_written
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        fault_point("wal.written");
        Ok(())
    }

    fn sync_if_due(&mut self) -> Result<(), WalError> {
        if !self.unsynced() {
            return Ok(());
        }
        let stable = self.core.stable.load(Ordering::Relaxed);
        let due = match self.core.policy() {
            Fsync::Always => true,
            Fsync::EverySec => self.last_sync.elapsed() >= SYNC_INTERVAL,
            Fsync::No => false,
        };
        if due || self.core.control.lock().sync_to > Lsn::new(stable) {
            self.sync()
        } else {
            Ok(())
        }
    }

    fn sync(&mut self) -> Result<(), WalError> {
        let written = self.core.written.0.load(Ordering::Relaxed);
        let start = Instant::now();
        self.segment
            .file
            .sync_data()
            .map_err(WalError::io("sync", &self.segment.path))?;
        fault_point("wal.synced");
        self.last_sync = Instant::now();
        let took_us = u64::try_from((self.last_sync - start).as_micros()).unwrap_or(u64::MAX);
        let counters = &self.core.counters;
        counters.fsyncs.fetch_add(1, Ordering::Relaxed);
        counters.fsync_last_us.store(took_us, Ordering::Relaxed);
        counters.fsync_max_us.fetch_max(took_us, Ordering::Relaxed);
        self.mark_due = true;
        self.core.advance_stable(Lsn::new(written));
        Ok(())
    }

    /// Whether a closing log has written all that it will. The grace begins anew with each record that is written: it is
    /// for those that nobody submits, and a disk that is slow loses none.
    fn drained(&mut self) -> bool {
        if self.core.next.0.load(Ordering::Acquire) == self.next.get() {
            return true;
        }
        let (next, since) = self.last_drained;
        if next != self.next {
            self.last_drained = (self.next, Instant::now());
            return false;
        }
        since.elapsed() >= CLOSE_GRACE
    }

    /// The end of the log: all durable, and marked so.
    fn finish(&mut self) -> Result<(), WalError> {
        if !self.merge.is_empty() {
            tracing::warn!("WAL: closed while record {} was begun and not submitted", self.next);
        }
        if self.unsynced() {
            self.sync()?;
        }
        if self.mark_due {
            self.gather_mark();
            self.write_gathered()?;
            self.segment
                .file
                .sync_data()
                .map_err(WalError::io("sync", &self.segment.path))?;
        }
        Ok(())
    }

    /// Sleeps until there is something to do.
    fn pause(&mut self, turn: &Turn) -> Result<(), WalError> {
        let gathers = self.core.policy() != Fsync::Always && !turn.closing;
        if turn.wrote && gathers {
            self.park(GATHERING, Some(Instant::now() + GATHER_TIME));
            return Ok(());
        }
        let timed_out = self.park(IDLE, self.deadline(Instant::now(), turn.closing));
        if gathers && self.core.queued.0.load(Ordering::SeqCst) > 0 {
            self.park(GATHERING, Some(Instant::now() + GATHER_TIME));
        } else if timed_out && self.mark_due && !self.unsynced() {
            self.gather_mark();
            self.write_gathered()?;
        }
        Ok(())
    }

    /// Whether records are written that are not synced.
    fn unsynced(&self) -> bool {
        self.core.written.0.load(Ordering::Relaxed) > self.core.stable.load(Ordering::Relaxed)
    }

    /// When an idle writer has something to do by itself.
    fn deadline(&self, now: Instant, closing: bool) -> Option<Instant> {
        if closing {
            return Some(now + Duration::from_millis(1));
        }
        if self.unsynced() {
            return (self.core.policy() == Fsync::EverySec).then(|| self.last_sync + SYNC_INTERVAL);
        }
        self.mark_due.then(|| now + MARK_IDLE_TIME)
    }

    /// Sleeps; returns whether that was for the whole time.
    fn park(&self, state: u8, until: Option<Instant>) -> bool {
        let core = &self.core;
        core.parked.store(state, Ordering::SeqCst);
        let mut control = core.control.lock();
        let enough = if state == GATHERING { GATHER_BYTES } else { 1 };
        let mut timed_out = false;
        if core.queued.0.load(Ordering::SeqCst) < enough && !control.nudged && !core.is_failed() {
            match until {
                Some(until) => timed_out = core.work.wait_until(&mut control, until).timed_out(),
                None => core.work.wait(&mut control),
            }
        }
        control.nudged = false;
        core.parked.store(BUSY, Ordering::SeqCst);
        timed_out
    }
}

/// The pieces of a record that its CRC covers, in order: inline bytes and splices.
fn each_piece(record: &Next<'_>, mut take: impl FnMut(&[u8]) -> Result<(), WalError>) -> Result<(), WalError> {
    let mut at = RECORD_PREFIX_BYTES;
    for splice in record.splices {
        let end = splice.at - record.start;
        take(record.inline.get(at..end).unwrap_or_default())?;
        take(&splice.data)?;
        at = end;
    }
    take(record.inline.get(at..).unwrap_or_default())
}
