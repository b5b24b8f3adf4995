//! How a thread publishes: what it counts, MONITOR's lines that it gathers, and which workers it has to wake.
//!
//! **Invariant:** one thread publishes through it; others only hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::exchange::WorkerNo;
use super::holding::{HELD_BYTES_MAX, Holding, Kept, Released};
use crate::shared::Shared;

/// Lines that are handed over keep no more room than this beside what they take.
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// See the module.
#[derive(Default)]
pub struct Outlet {
    /// The worker that it is of, if it is one that has subscribers.
    worker: Option<WorkerNo>,
    /// How many messages have been published that somebody gets.
    posted: AtomicU64,
    /// How many of them were for connections of the worker itself.
    published: AtomicU64,
    /// Lines of MONITOR that have not been handed over.
    lines: Mutex<Vec<u8>>,
    has_lines: AtomicBool,
    /// How often some were.
    line_batches: AtomicU64,
    /// Workers to wake.
    wakes: Mutex<SmallVec<[WorkerNo; 4]>>,
    has_wakes: AtomicBool,
    /// What is published, and shown, is kept.
    is_holding: AtomicBool,
    /// So much that no more is to come.
    holds_too_much: AtomicBool,
    holding: Mutex<Holding>,
}

/// There is one thread that counts.
fn raise(count: &AtomicU64) -> u64 {
    let raised = count.load(Ordering::Relaxed) + 1;
    count.store(raised, Ordering::Relaxed);
    raised
}

impl Outlet {
    pub(super) fn of(worker: WorkerNo) -> Self {
        Self {
            worker: Some(worker),
            ..Self::default()
        }
    }

    /// How many messages have been published so far that somebody gets.
    #[inline]
    pub fn posted(&self) -> u64 {
        self.posted.load(Ordering::Relaxed)
    }

    /// How many messages the worker has published for its own connections so far.
    #[inline]
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    pub(super) fn note_posted(&self) {
        raise(&self.posted);
    }

    /// The stamp of a message for that worker.
    pub(super) fn stamp_for(&self, worker: WorkerNo) -> Option<u64> {
        (self.worker == Some(worker)).then(|| raise(&self.published))
    }

    /// Whether there are lines that have not been handed over.
    #[inline]
    pub(super) fn has_lines(&self) -> bool {
        self.has_lines.load(Ordering::Relaxed)
    }

    /// Adds a line; how many bytes there are.
    pub(super) fn add_line(&self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let mut lines = self.lines.lock();
        write(&mut lines);
        self.has_lines.store(true, Ordering::Relaxed);
        lines.len()
    }

    /// Takes the lines that are to be handed over, as another batch.
    pub(super) fn take_lines(&self) -> Shared {
        raise(&self.line_batches);
        self.has_lines.store(false, Ordering::Relaxed);
        let mut lines = std::mem::take(&mut *self.lines.lock());
        // Long ones that had to be escaped may have left half of their room empty, and they may wait for long.
        if lines.capacity() - lines.len() > SPARE_BYTES_MAX {
            lines.shrink_to_fit();
        }
        Arc::new(lines)
    }

    /// The number of the last batch.
    pub(super) fn line_batches(&self) -> u64 {
        self.line_batches.load(Ordering::Relaxed)
    }

    /// The same, for that worker.
    pub(super) fn line_stamp_for(&self, worker: WorkerNo) -> Option<u64> {
        (self.worker == Some(worker)).then(|| self.line_batches())
    }

    /// That worker has got the first message of a batch.
    pub(super) fn wakes_later(&self, worker: WorkerNo) {
        if self.worker != Some(worker) {
            self.wakes.lock().push(worker);
            self.has_wakes.store(true, Ordering::Relaxed);
        }
    }

    /// Whether what is published is kept.
    #[inline]
    pub(super) fn is_holding(&self) -> bool {
        self.is_holding.load(Ordering::Relaxed)
    }

    /// Keeps what is published from now on.
    pub(super) fn hold(&self) {
        self.holding.lock().begin();
        self.is_holding.store(true, Ordering::Relaxed);
    }

    /// Whether so much is kept that whoever publishes is to be refused.
    #[inline]
    pub fn holds_too_much(&self) -> bool {
        self.holds_too_much.load(Ordering::Relaxed)
    }

    pub(super) fn keep(&self, kept: Kept) {
        let held_bytes = self.holding.lock().add(kept);
        self.note_held(held_bytes);
    }

    /// What is to be passed on now.
    pub(super) fn end_hold(&self) -> Released {
        let released = self.holding.lock().end();
        if released.is_some() {
            self.is_holding.store(false, Ordering::Relaxed);
            self.note_held(0);
        }
        released.unwrap_or_default()
    }

    /// Forgets what was kept since it was last held.
    pub(super) fn forget(&self) {
        let left_bytes = self.holding.lock().forget();
        self.is_holding.store(left_bytes.is_some(), Ordering::Relaxed);
        self.note_held(left_bytes.unwrap_or(0));
    }

    fn note_held(&self, bytes: usize) {
        self.holds_too_much.store(bytes > HELD_BYTES_MAX, Ordering::Relaxed);
    }

    pub(super) fn take_wakes(&self, wake: impl FnMut(WorkerNo)) {
        if self.has_wakes.load(Ordering::Relaxed) {
            self.has_wakes.store(false, Ordering::Relaxed);
            let wakes = std::mem::take(&mut *self.wakes.lock());
            wakes.into_iter().for_each(wake);
        }
    }
}
