//! Threads whose work can wait: checkpoints, dropping of what is large.
//!
//! Where there are not cores enough for all, a scheduler lets a thread that computes run on for some milliseconds before
//! one that has just been woken gets its turn. A client would feel that; so these threads give way by themselves.
//!
//! **Invariant:** nothing that a client waits for in the common course runs on such a thread.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long such a thread keeps others from its core, about.
const TURN: Duration = Duration::from_micros(200);

/// About a third of a worker's share where both would have all: a checkpoint under full load still comes to its end.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

thread_local! {
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets others run, if this thread has run for long enough. To be called between one piece of work and the next, with
/// no lock held.
#[inline]
pub fn give_way() {
    let now = Instant::now();
    match BEGUN.get() {
        Some(begun) if now.duration_since(begun) < TURN => {}
        Some(_) => {
            std::thread::yield_now();
            BEGUN.set(Some(Instant::now()));
        }
        None => BEGUN.set(Some(now)),
    }
}

/// Lets the calling thread give way to workers where there are not cores enough for all.
pub fn step_back() {
    // A thread's own niceness is Linux's: elsewhere this would be the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a background thread keeps its priority");
    }
}
