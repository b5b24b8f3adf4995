//! Threads whose work can wait: checkpoints, dropping of what is large.
//!
//! With too few cores, a scheduler lets a computing thread run on for some milliseconds before a thread that has just
//! been woken gets its turn. A client would feel that, so these threads give way by themselves.
//!
//! **Invariant:** nothing that a client waits for in the common course runs on such a thread.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long such a thread keeps others from its core, about.
const TURN: Duration = Duration::from_micros(200);

/// About a third of a worker's share where both would have all: a checkpoint under full load still comes to its end.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;
/// Longer than any slice that a scheduler gives by itself: a thread with a shorter one that is woken up takes the core
/// at once (Linux 6.12 and later; before, this says nothing).
#[cfg(target_os = "linux")]
const SLICE: Duration = Duration::from_millis(20);

thread_local! {
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    static IS_URGENT: Cell<bool> = const { Cell::new(false) };
}

/// While it lives the thread that made it gives way to nobody: clients wait for what it does.
pub struct Urgent(());

impl Urgent {
    /// From now on.
    pub fn begin() -> Self {
        IS_URGENT.set(true);
        Self(())
    }
}

impl Drop for Urgent {
    fn drop(&mut self) {
        IS_URGENT.set(false);
    }
}

/// Lets others run, if this thread has run for long enough. To be called between one piece of work and the next, with
/// no lock held.
#[inline]
pub fn give_way() {
    if IS_URGENT.get() {
        return;
    }
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
    // Elsewhere than on Linux a niceness would be the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = set_schedule(NICENESS, SLICE) {
        tracing::debug!(%error, "a background thread keeps its priority");
    }
}

/// The calling thread's share of its core, and for how long it would like to run on at a time.
#[cfg(target_os = "linux")]
fn set_schedule(niceness: i32, slice: Duration) -> std::io::Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: niceness,
        sched_priority: 0,
        sched_runtime: slice.as_nanos() as u64,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of attributes, which outlive the call; thread 0 is the calling one.
    let outcome = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    match outcome {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
