//! The locks and atomics of what `models/` checks: it builds the same files with ones that try every order of events.

pub use parking_lot::{Mutex, MutexGuard};

/// Atomics.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, Ordering};
}
