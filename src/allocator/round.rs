//! Rounds in which threads give back what they have no use for.
//!
//! A block that another thread frees waits on a list of its page until the thread that it was allocated by looks there,
//! and what is free goes back to the system when that thread next has to do with it. A thread that is idle, or has
//! other things to do, keeps all of it. So each thread that owns data is a [`Follower`]: asked by whoever has freed a
//! lot, it looks. That takes some nanoseconds for each page that it owns, and some for each block that others have
//! freed (a cold one each, unless neighbours were freed together): who frees much asks in between.
//!
//! **Invariant:** a follower has followed a round when it has looked since the round began.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::give_back;

/// How often who waits for a round looks whether it is over.
const LOOK: Duration = Duration::from_micros(100);

static ROUNDS: AtomicU64 = AtomicU64::new(0);
static FOLLOWERS: Mutex<Vec<Arc<Part>>> = Mutex::new(Vec::new());

/// A follower as others see it.
struct Part {
    /// Wakes it; `None` = it looks by itself now and then, and nobody waits for it.
    waker: Option<Waker>,
    /// The last round that it has followed.
    followed: AtomicU64,
}

/// A thread that is asked, for as long as this lives; it stays on its thread.
pub struct Follower {
    part: Arc<Part>,
    on_thread: PhantomData<*const ()>,
}

impl Follower {
    /// The calling thread, which `waker` wakes up to [`Follower::follow`]. Without one it is to do that now and then.
    pub fn new(waker: Option<Waker>) -> Self {
        let part = Arc::new(Part {
            waker,
            followed: AtomicU64::new(ROUNDS.load(Ordering::Relaxed)),
        });
        FOLLOWERS.lock().push(Arc::clone(&part));
        Self {
            part,
            on_thread: PhantomData,
        }
    }

    /// Gives back what this thread has no use for, if somebody has asked for that since it last did.
    pub fn follow(&self) {
        let asked = ROUNDS.load(Ordering::Acquire);
        if self.part.followed.load(Ordering::Relaxed) != asked {
            give_back();
            self.part.followed.store(asked, Ordering::Release);
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        FOLLOWERS.lock().retain(|part| !Arc::ptr_eq(part, &self.part));
    }
}

/// A round that somebody has asked for.
pub struct Round(u64);

impl Round {
    /// Asks all followers, and has the calling thread give back what it has, too.
    pub fn begin() -> Self {
        let round = ROUNDS.fetch_add(1, Ordering::AcqRel) + 1;
        for part in &*FOLLOWERS.lock() {
            part.waker.iter().for_each(Waker::wake_by_ref);
        }
        give_back();
        Self(round)
    }

    /// Waits until all have followed that are woken up, or for as long as `patience` lasts.
    pub fn wait(&self, patience: Duration) {
        let begun = Instant::now();
        while self.is_open() && begun.elapsed() < patience {
            std::thread::sleep(LOOK);
        }
    }

    fn is_open(&self) -> bool {
        let parts = FOLLOWERS.lock();
        let mut awaited = parts.iter().filter(|part| part.waker.is_some());
        awaited.any(|part| part.followed.load(Ordering::Acquire) < self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::task::Wake;
    use std::thread::{Thread, current, park_timeout};

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    #[test]
    fn a_round_is_over_when_all_that_are_woken_have_followed() {
        let (ready, is_ready) = channel();
        let (end, is_to_end) = channel::<()>();
        let follower = std::thread::spawn(move || {
            let follower = Follower::new(Some(Waker::from(Arc::new(Unpark(current())))));
            ready.send(()).unwrap();
            while is_to_end.try_recv().is_err() {
                park_timeout(Duration::from_secs(60));
                follower.follow();
            }
        });
        is_ready.recv().unwrap();
        let idle = Follower::new(None);
        let begun = Instant::now();
        let round = Round::begin();
        round.wait(Duration::from_secs(30));
        assert!(!round.is_open(), "woken up, it has followed");
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "nobody waits for who is not woken"
        );
        idle.follow();
        end.send(()).unwrap();
        Round::begin().wait(Duration::from_secs(30));
        follower.join().unwrap();

        let silent = Follower::new(Some(Waker::noop().clone()));
        let round = Round::begin();
        round.wait(Duration::from_millis(1));
        assert!(round.is_open(), "it has not looked");
        drop(silent);
        assert!(!round.is_open(), "who has gone is waited for no more");
    }
}
