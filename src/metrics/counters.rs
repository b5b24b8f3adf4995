//! Counters that one thread writes and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};

use super::activity::Activity;

/// A count with a single writer.
#[derive(Default, Debug)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`. Only the owning thread calls this, so no locked instruction is needed.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0
            .store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Takes `n` of what was added back; the same thread does.
    pub fn take_back(&self, n: u64) {
        self.add(n.wrapping_neg());
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Back to zero (`CONFIG RESETSTAT`); an addition at the same instant may win.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What one thread counts.
#[derive(Default, Debug)]
#[repr(align(128))]
pub struct Counters {
    /// Lookups that found a key.
    pub hits: Count,
    /// Lookups that did not.
    pub misses: Count,
    /// Keys removed because their time had come.
    pub expired: Count,
    /// Keys removed for want of memory.
    pub evicted: Count,
    /// Changes to data since start.
    pub changes: Count,
    /// Commands executed.
    pub commands: Count,
    /// Bytes read from clients.
    pub net_input_bytes: Count,
    /// Bytes written to clients.
    pub net_output_bytes: Count,
    /// Error replies.
    pub errors: Count,
    /// What the thread is at, if it is a worker.
    pub activity: Activity,
}
