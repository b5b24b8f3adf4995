//! A worker that is between two requests looks for the next one for a moment before it sleeps.
//!
//! To be woken costs the client's core more than a short gap is long. So where there are cores to spare, and gaps have
//! been short of late, a worker goes on asking its sockets for as long as a gap may last. Gaps are short or long for a
//! while, so what the last ones were tells what the next one will be: a short gap earns credit, looking in vain costs it.
//!
//! **Invariants**
//! - Looking goes on for no longer than was asked for, counted from the last work.
//! - A worker without credit does not look; one that has never been asked to pays for nothing of this.
//! - All of it is its thread's own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// More is not saved up: gaps that become long are noticed after a few.
const CREDIT_MAX: u32 = 64;
/// What looking in vain costs.
const VAIN_COST: u32 = 8;

/// A thread's state.
#[derive(Default)]
struct Linger {
    /// How long to look; zero: never.
    gap_max: Cell<Duration>,
    credit: Cell<u32>,
    /// There was work since somebody asked.
    has_worked: Cell<bool>,
    /// Who looks, while it waits for work.
    looker: RefCell<Option<Waker>>,
    slept_at: Cell<Option<Instant>>,
}

thread_local! {
    static LINGER: Rc<Linger> = Rc::default();
}

/// Notes that the calling worker has run requests.
#[inline]
pub fn note_work() {
    LINGER.with(|linger| {
        if linger.gap_max.get().is_zero() {
            return;
        }
        linger.has_worked.set(true);
        if linger.credit.get() > 0
            && let Some(looker) = linger.looker.take()
        {
            looker.wake();
        }
    });
}

/// Notes that the calling thread goes to sleep.
pub fn note_sleep() {
    LINGER.with(|linger| linger.slept_at.set(Some(Instant::now())));
}

/// Notes that it has been woken.
pub fn note_wake() {
    LINGER.with(|linger| {
        let slept = linger.slept_at.take().map(|at| at.elapsed());
        if slept.is_some_and(|slept| slept < linger.gap_max.get()) {
            linger.earn();
        }
    });
}

impl Linger {
    fn earn(&self) {
        self.credit.set(CREDIT_MAX.min(self.credit.get() + 1));
    }

    fn pay(&self) {
        self.credit.set(self.credit.get().saturating_sub(VAIN_COST));
    }

    /// Waits for work that it is worth lingering after.
    async fn work(&self) {
        std::future::poll_fn(|cx| {
            if self.credit.get() > 0 && self.has_worked.take() {
                return Poll::Ready(());
            }
            self.looker.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// Keeps the calling worker's runtime awake in gaps shorter than `gap_max`. Never ends.
pub async fn run(gap_max: Duration) {
    let linger = LINGER.with(Rc::clone);
    linger.gap_max.set(gap_max);
    loop {
        linger.work().await;
        let mut since = Instant::now();
        while since.elapsed() < gap_max {
            // Has the runtime ask its sockets.
            tokio::task::yield_now().await;
            if linger.has_worked.take() {
                linger.earn();
                since = Instant::now();
            }
        }
        linger.pay();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::LocalSet;

    const GAP: Duration = Duration::from_millis(200);

    fn short_sleeps(count: u32) {
        for _ in 0..count {
            note_sleep();
            note_wake();
        }
    }

    fn linger() -> Rc<Linger> {
        LINGER.with(Rc::clone)
    }

    #[test]
    fn short_gaps_earn_what_looking_in_vain_costs() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let tasks = LocalSet::new();
        tasks.spawn_local(run(GAP));
        tasks.block_on(&runtime, async {
            tokio::task::yield_now().await;
            // Without credit work wakes nobody.
            note_work();
            assert!(linger().looker.borrow().is_some());
            short_sleeps(CREDIT_MAX + 5);
            assert_eq!(linger().credit.get(), CREDIT_MAX);
            linger().credit.set(VAIN_COST + 1);
            note_work();
            assert!(linger().looker.borrow().is_none());
            // Work within the gap is a short gap, the end of it a look in vain.
            tokio::task::yield_now().await;
            note_work();
            while linger().looker.borrow().is_none() {
                tokio::task::yield_now().await;
            }
            let credit = linger().credit.get();
            assert!((1..=2).contains(&credit), "{credit}");
            note_work();
            while linger().looker.borrow().is_none() {
                tokio::task::yield_now().await;
            }
            assert_eq!(linger().credit.get(), 0);
        });
    }

    #[test]
    fn a_long_sleep_and_a_worker_that_was_not_asked_earn_nothing() {
        short_sleeps(3);
        note_work();
        assert_eq!((linger().credit.get(), linger().has_worked.get()), (0, false));
        linger().gap_max.set(Duration::from_micros(1));
        note_sleep();
        std::thread::sleep(Duration::from_millis(2));
        note_wake();
        assert_eq!(linger().credit.get(), 0);
    }
}
