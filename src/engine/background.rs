//! Threads whose work can wait: checkpoints, dropping of what is large.
//!
//! With too few cores, a scheduler lets a computing thread run on for some milliseconds before a thread that has just
//! been woken gets its turn. A client would feel that, so these threads give way by themselves. Where other programs
//! keep all cores busy, giving way means to wait for the slices of all of them, so that nothing would be done: a thread
//! that gets too little of a core gives way less.
//!
//! **Invariant:** nothing that a client waits for in the common course runs on such a thread.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// How long such a thread keeps others from its core, about.
const TURN: Duration = Duration::from_micros(200);

/// What a thread has got of a core is judged over this time.
const WINDOW: Duration = Duration::from_millis(20);
/// A thread that has run for less than this share of the time does not give way.
const STARVED_SHARE: u32 = 2;

/// Some four fifths of a worker's share where both would have all: a checkpoint under full load, of other programs too,
/// still comes to its end.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 1;
/// Longer than any slice that a scheduler gives by itself: a thread with a shorter one that is woken up takes the core
/// at once (Linux 6.12 and later; before, this says nothing).
#[cfg(target_os = "linux")]
const SLICE: Duration = Duration::from_millis(20);

thread_local! {
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    static IS_URGENT: Cell<bool> = const { Cell::new(false) };
    static SHARE: RefCell<Share> = const { RefCell::new(Share::UNKNOWN) };
}

/// How much of a core a thread gets.
struct Share {
    /// When the window began, and how long the thread had run by then.
    window: Option<(Instant, Duration)>,
    is_starved: bool,
}

impl Share {
    const UNKNOWN: Self = Self {
        window: None,
        is_starved: false,
    };

    /// Whether the thread, which by `now` has run for `ran()`, got too little in the last window.
    fn is_starved(&mut self, now: Instant, ran: impl FnOnce() -> Duration) -> bool {
        match self.window {
            Some((since, _)) if now.saturating_duration_since(since) < WINDOW => {}
            Some((since, before)) => {
                let (passed, ran) = (now.saturating_duration_since(since), ran());
                self.is_starved = ran.saturating_sub(before) * STARVED_SHARE < passed;
                self.window = Some((now, ran));
            }
            None => self.window = Some((now, ran())),
        }
        self.is_starved
    }
}

/// For how long the calling thread has had a core.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
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
            if !SHARE.with_borrow_mut(|share| share.is_starved(now, thread_time)) {
                std::thread::yield_now();
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_got_less_than_half_is_starved_for_a_window() {
        let (mut share, start) = (Share::UNKNOWN, Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let ran = Duration::from_millis;
        assert!(!share.is_starved(at(0), || ran(100)));
        assert!(!share.is_starved(at(10), || panic!("not asked within a window")));
        assert!(!share.is_starved(at(30), || ran(115)), "half");
        assert!(share.is_starved(at(60), || ran(129)));
        assert!(share.is_starved(at(70), || panic!("not asked within a window")));
        assert!(!share.is_starved(at(90), || ran(149)));
    }

    #[test]
    fn the_time_of_a_thread_goes_on_while_it_runs() {
        let (before, start) = (thread_time(), Instant::now());
        while start.elapsed() < Duration::from_millis(20) {}
        assert!(thread_time() > before);
    }
}
