//! Pieces of the log on their way from the reader to those who apply them.
//!
//! **Invariant:** the bytes of all pieces under way stay below [`UNDER_WAY_BYTES_MAX`], one longer record apart.

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::wal::{Lsn, Record};

/// A chunk is sent once it has this many bytes: few enough for a core's cache.
const CHUNK_BYTES: usize = 256 << 10;
/// Bytes of records that may wait to be applied.
const UNDER_WAY_BYTES_MAX: usize = 64 << 20;

/// Emptied buffers that are kept: fresh memory has to be cleared by the kernel first, which costs as much as the
/// reading.
const SPARE_MAX: usize = 32;

/// Lets only so many bytes be under way.
#[derive(Default)]
pub(super) struct Budget {
    taken: Mutex<usize>,
    spare: Mutex<Vec<Vec<u8>>>,
    given: Condvar,
}

impl Budget {
    fn take(&self, bytes: usize) {
        let mut taken = self.taken.lock();
        while *taken > 0 && *taken + bytes > UNDER_WAY_BYTES_MAX {
            self.given.wait(&mut taken);
        }
        *taken += bytes;
    }

    fn give(&self, bytes: usize) {
        *self.taken.lock() -= bytes;
        self.given.notify_one();
    }
}

/// Where a record ends in its chunk, and where it begins in its file.
struct RecordAt {
    end: usize,
    offset: u64,
}

/// Records that follow each other in one file.
pub(super) struct Chunk {
    first: Lsn,
    bytes: Vec<u8>,
    records: Vec<RecordAt>,
    /// The file they are from.
    pub file: Arc<Path>,
    budget: Arc<Budget>,
    /// What of the budget it holds.
    taken: usize,
}

impl Chunk {
    /// An empty one, for records of `file` from `first` on.
    pub fn new(budget: &Arc<Budget>, file: Arc<Path>, first: Lsn) -> Self {
        Self {
            first,
            bytes: Vec::new(),
            records: Vec::new(),
            file,
            budget: Arc::clone(budget),
            taken: 0,
        }
    }

    /// Appends the next record.
    pub fn push(&mut self, record: &Record<'_>) {
        if self.bytes.is_empty() {
            self.bytes = self.budget.spare.lock().pop().unwrap_or_default();
            self.bytes.reserve(CHUNK_BYTES.max(record.payload.len()));
        }
        self.bytes.extend_from_slice(record.payload);
        self.records.push(RecordAt {
            end: self.bytes.len(),
            offset: record.offset,
        });
    }

    /// Whether it is to be sent.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes its part of the budget, waiting for it.
    pub fn take_budget(&mut self) {
        self.taken = self.bytes.len();
        self.budget.take(self.taken);
    }

    /// Its records in order: LSN, place in the file, payload.
    pub fn records(&self) -> impl Iterator<Item = (Lsn, u64, &[u8])> {
        let mut start = 0;
        let mut next = self.first;
        self.records.iter().map(move |record| {
            let payload = self.bytes.get(start..record.end).unwrap_or_default();
            start = record.end;
            let lsn = next;
            next = lsn.next();
            (lsn, record.offset, payload)
        })
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.budget.give(self.taken);
        let mut spare = self.budget.spare.lock();
        if spare.len() < SPARE_MAX && (1..=2 * CHUNK_BYTES).contains(&self.bytes.capacity()) {
            self.bytes.clear();
            spare.push(std::mem::take(&mut self.bytes));
        }
    }
}
