//! The locks and atomics of what `models/` checks: it builds the same files with ones that try every order of events.
//!
//! A thread that waits for a lock in here may have something to see to meanwhile ([`set_meanwhile`]).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

pub use parking_lot::{Mutex, MutexGuard};

/// How long a thread waits for a lock before it sees to other things.
const PATIENCE: Duration = Duration::from_millis(5);

/// Atomics.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, Ordering};
}

thread_local! {
    static MEANWHILE: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// What this thread does now and then while it waits. It must not wait for such a lock itself.
pub fn set_meanwhile(act: Rc<dyn Fn()>) {
    MEANWHILE.with(|known| *known.borrow_mut() = Some(act));
}

/// Does what this thread has to do now and then while it waits, or is busy.
pub fn meanwhile() {
    let act = MEANWHILE.with(|known| known.borrow().clone());
    if let Some(act) = act {
        act();
    }
}

/// Locks `mutex`, and sees to other things while that takes long.
#[inline]
pub fn lock_meanwhile<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.try_lock() {
        Some(guard) => guard,
        None => wait_for(mutex),
    }
}

#[cold]
fn wait_for<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    loop {
        if let Some(guard) = mutex.try_lock_for(PATIENCE) {
            return guard;
        }
        meanwhile();
    }
}

/// Locks `mutex`; while that takes long `gives_up` is asked now and then.
#[inline]
pub fn lock_unless<T>(mutex: &Mutex<T>, gives_up: impl Fn() -> bool) -> Option<MutexGuard<'_, T>> {
    loop {
        match mutex.try_lock_for(PATIENCE) {
            Some(guard) => return Some(guard),
            None if gives_up() => return None,
            None => {}
        }
    }
}
