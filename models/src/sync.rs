//! What the server's `crate::sync` has, by `loom`.

use loom::sync as of_loom;

/// A lock that a panic does not poison.
#[derive(Default)]
pub struct Mutex<T>(of_loom::Mutex<T>);

/// Its guard.
pub type MutexGuard<'a, T> = of_loom::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    /// An unlocked one.
    pub fn new(value: T) -> Self {
        Self(of_loom::Mutex::new(value))
    }

    /// Locks it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a model that panics has ended")
    }

    /// Locks it if nobody else has.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// Locks one: nobody has anything to see to meanwhile.
pub fn lock_meanwhile<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

/// The same.
pub fn lock_unless<T>(mutex: &Mutex<T>, _: impl Fn() -> bool) -> Option<MutexGuard<'_, T>> {
    Some(mutex.lock())
}

/// Atomics.
pub mod atomic {
    pub use loom::sync::atomic::{AtomicBool, Ordering};
}
