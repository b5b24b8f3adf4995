//! [`WorkerLog`]: how a worker appends records, without lock, CRC or I/O per record.
//!
//! **Invariants**
//! - `begin` is called under the lock that orders the change it logs, so LSN order is execution order per key.
//! - A record is never longer than the format can express: what would make it so is taken back before anything changes.
//! - Every begun record is committed, every committed record submitted; dropping a `WorkerLog` submits. A record that
//!   is begun and never committed would be a hole that nothing above it can pass: the log fails instead.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::appender::Appender;
use super::chunk::{Chunk, Slot, Splice};
use super::core::Core;
use super::format::{FLAG_BATCH_END, FLAGS_AT, RECORD_COVERED_BYTES, RECORD_HEADER_BYTES, meta_word};
use super::{Fsync, Lsn};
use crate::shared::Piece;

/// Chunks in a slot are joined up to this size.
const CHUNK_BYTES_MAX: usize = 256 << 10;

/// A batch is written in pieces of about this size.
const LONG_BYTES: usize = 64 << 10;

/// A disk whose last sync took longer is waited for by the keeper only.
const SYNC_HERE_US_MAX: u64 = 2_000;

/// A place in a worker's batch, for as long as that is not handed over.
#[derive(Clone, Copy, Debug)]
pub struct LogMark {
    bytes: usize,
    splices: usize,
    spliced_bytes: u64,
}

/// One worker's end of the log; not shared.
pub struct WorkerLog {
    core: Arc<Core>,
    /// `None` where nothing is logged.
    appender: Option<Arc<Appender>>,
    slot: Arc<Slot>,
    chunk: Chunk,
    meta: u64,
    enabled: bool,
    /// The longest payload of a record.
    bytes_max: u64,
    /// A record is begun and not committed.
    open: bool,
    /// Where the open record, or else the last one, begins in the chunk.
    start: usize,
    /// Value of `chunk.spliced_bytes` when the open record began.
    spliced_before: u64,
    /// The highest LSN since the last submit, 0 if none.
    last: Lsn,
}

impl WorkerLog {
    pub(super) fn new(core: Arc<Core>, appender: Option<Arc<Appender>>, slot: Arc<Slot>) -> Self {
        WorkerLog {
            meta: meta_word(0, core.group, core.term),
            enabled: appender.is_some(),
            bytes_max: core.record_bytes_max,
            core,
            appender,
            slot,
            chunk: Chunk::default(),
            open: false,
            start: 0,
            spliced_before: 0,
            last: Lsn::ZERO,
        }
    }

    /// Takes the next LSN and opens its record. Call it under the lock of what the record changes.
    #[inline]
    pub fn begin(&mut self) -> Lsn {
        debug_assert!(!self.open, "a record is open");
        let lsn = Lsn::new(self.core.next.0.fetch_add(1, Ordering::AcqRel));
        self.last = lsn;
        self.open = true;
        if self.enabled {
            self.start = self.chunk.buf.len();
            self.spliced_before = self.chunk.spliced_bytes;
            let words = [0, self.meta, lsn.get(), 0].map(u64::to_le_bytes);
            self.chunk.buf.extend_from_slice(words.as_flattened());
        }
        lsn
    }

    /// Whether records go anywhere; when not, payload need not be built.
    #[inline]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether a record is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Appends payload bytes to the open record.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        debug_assert!(self.open, "no record is open");
        if self.enabled {
            self.chunk.buf.extend_from_slice(bytes);
        }
    }

    /// Appends a large value, or a part of one, to the open record's payload by reference.
    pub fn splice(&mut self, data: Piece) {
        debug_assert!(self.open, "no record is open");
        if self.enabled && !data.is_empty() {
            self.chunk.spliced_bytes += data.len() as u64;
            self.chunk.splices.push(Splice {
                at: self.chunk.buf.len(),
                data,
            });
        }
    }

    /// Appends to the open record's payload what `write` writes, or nothing of it if the record would be too long;
    /// whether it did.
    #[inline]
    pub fn append(&mut self, write: impl FnOnce(&mut Self)) -> bool {
        let (bytes, splices, spliced_bytes) =
            (self.chunk.buf.len(), self.chunk.splices.len(), self.chunk.spliced_bytes);
        write(self);
        let fits = self.payload_bytes() <= self.bytes_max;
        if !fits {
            self.chunk.buf.truncate(bytes);
            self.chunk.splices.truncate(splices);
            self.chunk.spliced_bytes = spliced_bytes;
        }
        fits
    }

    /// Where the open record ends now, or will begin.
    pub fn mark(&self) -> LogMark {
        LogMark {
            bytes: self.chunk.buf.len(),
            splices: self.chunk.splices.len(),
            spliced_bytes: self.chunk.spliced_bytes,
        }
    }

    /// Takes what the open record has got since `mark` out of it again. It keeps its LSN: one that was begun since then
    /// is left without payload.
    pub fn rewind(&mut self, mark: LogMark) {
        if !self.open || !self.enabled {
            return;
        }
        self.chunk
            .buf
            .truncate(mark.bytes.max(self.start + RECORD_HEADER_BYTES));
        self.chunk.splices.truncate(mark.splices);
        self.chunk.spliced_bytes = mark.spliced_bytes;
    }

    /// The longest payload that a record can have.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// The open record's payload so far.
    pub fn payload_bytes(&self) -> u64 {
        let inline = self.chunk.buf.len().saturating_sub(self.start + RECORD_HEADER_BYTES);
        inline as u64 + (self.chunk.spliced_bytes - self.spliced_before)
    }

    /// Closes the open record.
    #[inline]
    pub fn commit(&mut self, wall_ms: u64) {
        debug_assert!(self.open, "no record is open");
        self.open = false;
        if !self.enabled {
            return;
        }
        let payload = self.payload_bytes();
        debug_assert!(payload <= self.bytes_max, "{payload} bytes in a record");
        let inline = (self.chunk.buf.len() - self.start) as u64;
        let prefix = (payload + RECORD_COVERED_BYTES as u64) | inline << 32;
        let record = self.chunk.buf.get_mut(self.start..);
        if let Some(header) = record.and_then(|bytes| bytes.first_chunk_mut::<RECORD_HEADER_BYTES>()) {
            header[..8].copy_from_slice(&prefix.to_le_bytes());
            header[24..].copy_from_slice(&wall_ms.to_le_bytes());
        }
    }

    /// Hands the batch over, and writes what is there; returns its highest LSN, 0 if nothing was logged since the last
    /// submit. Under `always` the keeper syncs.
    pub fn submit(&mut self) -> Lsn {
        let last = self.hand_over();
        if let Some(appender) = self.appender_for(last) {
            appender.write();
            if self.core.policy() == Fsync::Always {
                self.core.nudge();
            }
        }
        last
    }

    /// The same within a batch that has become long, as long as records need only be written: what is written soon is
    /// still in the processor's cache, and what comes next finds it less full.
    #[inline]
    pub fn submit_if_long(&mut self) {
        if self.chunk.buf.len() >= LONG_BYTES && !self.open && self.core.policy() != Fsync::Always {
            self.submit();
        }
    }

    /// The same for one who has nothing else to do: under `always` it makes the batch durable itself, which saves the
    /// keeper's wake-up, unless somebody is at it, or the disk is slow.
    pub fn submit_alone(&mut self) -> Lsn {
        let is_fast = self.core.counters.fsync_last_us.load(Ordering::Relaxed) < SYNC_HERE_US_MAX;
        if self.core.policy() != Fsync::Always || !is_fast {
            return self.submit();
        }
        let last = self.hand_over();
        if let Some(appender) = self.appender_for(last) {
            appender.commit();
            if self.core.stable_lsn() < last {
                self.core.nudge();
            }
        }
        last
    }

    /// Who writes the records up to `last`, if there are any.
    fn appender_for(&self, last: Lsn) -> Option<&Appender> {
        self.appender.as_deref().filter(|_| last > Lsn::ZERO)
    }

    fn hand_over(&mut self) -> Lsn {
        if self.open {
            self.open = false;
            self.core.fail("WAL: a record was begun and not committed", false);
        }
        let last = std::mem::take(&mut self.last);
        if self.appender_for(last).is_none() {
            return last;
        }
        // A log that has failed may go on with these.
        if self.core.is_closed() {
            self.chunk.clear();
            return last;
        }
        if let Some(flags) = self.chunk.buf.get_mut(self.start + FLAGS_AT) {
            *flags |= FLAG_BATCH_END;
        }
        let bytes = self.chunk.bytes();
        self.core.pending.0.fetch_add(bytes, Ordering::AcqRel);
        let mut queue = self.slot.queue.lock();
        match queue.chunks.last_mut() {
            Some(chunk) if chunk.buf.len() + self.chunk.buf.len() <= CHUNK_BYTES_MAX => chunk.join(&mut self.chunk),
            _ => {
                let spare = queue.spare.pop().unwrap_or_default();
                queue.chunks.push(std::mem::replace(&mut self.chunk, spare));
            }
        }
        self.core.queued.0.fetch_add(bytes, Ordering::SeqCst);
        last
    }
}

impl Drop for WorkerLog {
    fn drop(&mut self) {
        self.submit();
        self.slot.queue.lock().closed = true;
    }
}
