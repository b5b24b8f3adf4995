//! A worker that is between two turns looks for the next one for a moment before it sleeps.
//!
//! Waking a sleeping thread costs the client's core more than a short gap lasts. So where there are cores to spare, and
//! gaps have been short of late, a worker goes on asking its sockets for as long as a gap may last. Gaps stay short or
//! long for a while, so the last ones predict the next: a short gap earns credit, looking in vain costs it.
//!
//! **Invariants**
//! - Looking goes on for no longer than was asked for, counted from the last work.
//! - A worker without credit does not look; one that has never been asked to pays for nothing of this.
//! - All of it is its thread's own.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// More is not saved up: gaps that become long are noticed after a few.
const CREDIT_MAX: u32 = 64;
/// What looking in vain costs.
const VAIN_COST: u32 = 8;

thread_local! {
    /// How long a gap is short; zero: nobody asks.
    static GAP_MAX: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static SLEPT_AT: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Short sleeps that no [`Linger`] has seen yet.
    static SHORT_SLEEPS: Cell<u32> = const { Cell::new(0) };
}

/// Notes that the calling thread goes to sleep.
pub fn note_sleep() {
    SLEPT_AT.set(Some(Instant::now()));
}

/// Notes that it has been woken.
pub fn note_wake() {
    let slept = SLEPT_AT.take().map(|at| at.elapsed());
    if slept.is_some_and(|slept| slept < GAP_MAX.get()) {
        SHORT_SLEEPS.set(SHORT_SLEEPS.get().saturating_add(1));
    }
}

/// See the module.
pub struct Linger {
    gap_max: Duration,
    credit: u32,
    /// Since when it looks.
    since: Option<Instant>,
}

impl Linger {
    /// The calling thread's, for gaps shorter than `gap_max`; zero: it never looks.
    pub fn new(gap_max: Duration) -> Self {
        GAP_MAX.set(gap_max);
        Self {
            gap_max,
            credit: 0,
            since: None,
        }
    }

    /// After a turn, in which requests ran or not: whether to look for the next one at once.
    pub fn looks_on(&mut self, has_worked: bool) -> bool {
        if self.gap_max.is_zero() {
            return false;
        }
        let sleeps = SHORT_SLEEPS.take();
        let Some(since) = self.since else {
            self.earn(sleeps);
            if has_worked && self.credit > 0 {
                self.since = Some(Instant::now());
            }
            return self.since.is_some();
        };
        // While it looks the thread does not sleep, though it seems to.
        if has_worked {
            self.earn(1);
            self.since = Some(Instant::now());
        } else if since.elapsed() >= self.gap_max {
            self.credit = self.credit.saturating_sub(VAIN_COST);
            self.since = None;
        }
        self.since.is_some()
    }

    fn earn(&mut self, credit: u32) {
        self.credit = CREDIT_MAX.min(self.credit.saturating_add(credit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(10);

    fn short_sleeps(count: u32) {
        for _ in 0..count {
            note_sleep();
            note_wake();
        }
    }

    #[test]
    fn short_gaps_earn_what_looking_in_vain_costs() {
        let mut linger = Linger::new(GAP);
        // Without credit it does not look.
        assert!(!linger.looks_on(true));
        short_sleeps(CREDIT_MAX + 5);
        assert!(!linger.looks_on(false));
        assert_eq!(linger.credit, CREDIT_MAX);
        linger.credit = VAIN_COST + 1;
        // Work within the gap is a short gap, the end of it a look in vain.
        assert!(linger.looks_on(true) && linger.looks_on(true));
        assert_eq!(linger.credit, VAIN_COST + 2);
        short_sleeps(3);
        assert!(linger.looks_on(false));
        // It is as if the gap were over.
        linger.since = linger.since.and_then(|since| since.checked_sub(GAP));
        assert!(!linger.looks_on(false));
        assert_eq!(linger.credit, 2);
    }

    #[test]
    fn a_long_sleep_and_a_worker_that_was_not_asked_earn_nothing() {
        let mut never = Linger::new(Duration::ZERO);
        short_sleeps(3);
        assert!(!never.looks_on(true));
        let mut linger = Linger::new(Duration::from_micros(1));
        note_sleep();
        std::thread::sleep(Duration::from_millis(2));
        note_wake();
        assert!(!linger.looks_on(true));
        assert_eq!(linger.credit, 0);
    }
}
