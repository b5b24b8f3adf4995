//! Exact accounting of what the data takes: every heap byte the engine asked for, by thread.
//!
//! Each thread adds to a cell of its own, so that accounting costs no shared cache line; the sum is exact whenever
//! nothing is running, and at most a batch behind otherwise.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// The longest wait for memory that is about to be free: a checkpoint may have to write what was flushed before that
/// goes.
pub const WAIT_MAX: Duration = Duration::from_secs(10);

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Margin {
    /// There is something.
    Some,
    /// There is when the reaper has dropped what it has.
    Soon,
    /// Nothing.
    None,
}

#[repr(align(128))]
#[derive(Default)]
struct Cell(AtomicI64);

/// See the module.
pub struct Meter {
    cells: Box<[Cell]>,
    peak_bytes: AtomicU64,
}

impl Meter {
    /// A meter for `cells` threads.
    pub fn new(cells: usize) -> Self {
        Self {
            cells: (0..cells).map(|_| Cell::default()).collect(),
            peak_bytes: AtomicU64::new(0),
        }
    }

    /// Adds to `cell`, which only its thread does.
    #[inline]
    pub fn add(&self, cell: usize, bytes: i64) {
        if let Some(cell) = self.cells.get(cell) {
            cell.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Bytes in use.
    #[inline]
    pub fn used_bytes(&self) -> u64 {
        let sum: i64 = self.cells.iter().map(|cell| cell.0.load(Ordering::Relaxed)).sum();
        sum.max(0) as u64
    }

    /// The highest figure [`Meter::note_peak`] has seen.
    pub fn peak_bytes(&self) -> u64 {
        self.note_peak();
        self.peak_bytes.load(Ordering::Relaxed)
    }

    /// Keeps the peak; called now and then.
    pub fn note_peak(&self) {
        self.peak_bytes.fetch_max(self.used_bytes(), Ordering::Relaxed);
    }
}
