//! Futures that wait for the log: for `stable_lsn` or `written_lsn` to pass a record.
//!
//! Waiting for a record is cheap with thousands of waiters: each thread has a hub of its own, ordered by LSN. When
//! `stable_lsn` (or `written_lsn`, with hubs of its own) moves, who moved it wakes *one* future per hub that has
//! any ready (one cross-thread wake-up per worker, not per connection), and that one wakes the others of its hub, on
//! their own thread. A waiter whose LSN was not reached is not touched.
//!
//! **Invariants**
//! - An entry taken out of a hub is woken, and has what it waits for. The one that was woken passes the rest on when it
//!   is polled or dropped.
//! - A future is in its hub at most once, and not at all once it is finished or dropped.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::core::{Core, Progress};
use super::{Lsn, WalError};

/// The waiters of one thread.
struct Hub {
    waiting: Mutex<BTreeMap<(Lsn, u64), Waker>>,
    /// The lowest LSN waited for, `u64::MAX` if none.
    lowest: AtomicU64,
}

impl Default for Hub {
    fn default() -> Self {
        Hub {
            waiting: Mutex::default(),
            lowest: AtomicU64::new(u64::MAX),
        }
    }
}

impl Hub {
    fn change<T>(&self, run: impl FnOnce(&mut BTreeMap<(Lsn, u64), Waker>) -> T) -> T {
        let mut waiting = self.waiting.lock();
        let result = run(&mut waiting);
        let lowest = waiting.first_key_value().map_or(Lsn::MAX, |(key, _)| key.0);
        self.lowest.store(lowest.get(), Ordering::SeqCst);
        result
    }

    /// Wakes up to `count_max` waiters at or below `lsn`.
    fn wake(&self, lsn: Lsn, count_max: usize) {
        if self.lowest.load(Ordering::SeqCst) > lsn.get() {
            return;
        }
        let wakers: SmallVec<[Waker; 8]> = self.change(|waiting| {
            let mut wakers = SmallVec::new();
            while wakers.len() < count_max
                && let Some(first) = waiting.first_entry().filter(|entry| entry.key().0 <= lsn)
            {
                wakers.push(first.remove());
            }
            wakers
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes all to look again. They stay: not all of them have what they wait for.
    fn wake_all(&self) {
        let waiting = self.waiting.lock();
        let wakers: SmallVec<[Waker; 8]> = waiting.values().cloned().collect();
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }
}

thread_local! {
    /// This thread's hubs, by the address of their [`LsnWaiters`].
    static HUBS: RefCell<Vec<(usize, Weak<Hub>)>> = const { RefCell::new(Vec::new()) };
}

/// All hubs of those who wait for the same progress of a log.
#[derive(Default)]
pub(super) struct LsnWaiters {
    hubs: Mutex<Vec<Arc<Hub>>>,
    next_id: AtomicU64,
}

impl LsnWaiters {
    /// The hub of the calling thread.
    fn hub(&self) -> Arc<Hub> {
        let address = std::ptr::from_ref(self).addr();
        HUBS.with_borrow_mut(|known| {
            let found = known
                .iter()
                .find(|(of, _)| *of == address)
                .and_then(|(_, hub)| hub.upgrade());
            found.unwrap_or_else(|| {
                known.retain(|(of, hub)| *of != address && hub.strong_count() > 0);
                let hub = Arc::new(Hub::default());
                known.push((address, Arc::downgrade(&hub)));
                self.hubs.lock().push(hub.clone());
                hub
            })
        })
    }

    /// Wakes one waiter per hub if `reached` has passed it; that one wakes the others.
    pub fn wake_passed(&self, reached: Lsn) {
        self.hubs.lock().iter().for_each(|hub| hub.wake(reached, 1));
    }

    /// Wakes everyone to look again, whether their records have been passed or not.
    pub fn wake_all(&self) {
        self.hubs.lock().iter().for_each(|hub| hub.wake_all());
    }
}

/// Waits until a record is written or stable; see [`Wal::wait_stable`](super::Wal::wait_stable).
#[must_use = "futures do nothing unless polled"]
pub struct WaitLsn {
    core: Arc<Core>,
    lsn: Lsn,
    progress: Progress,
    entry: Option<Entry>,
}

struct Entry {
    hub: Arc<Hub>,
    id: u64,
    waker: Waker,
}

impl WaitLsn {
    pub(super) fn new(core: Arc<Core>, lsn: Lsn, progress: Progress) -> Self {
        WaitLsn {
            core,
            lsn,
            progress,
            entry: None,
        }
    }

    fn outcome(&self) -> Option<Result<(), WalError>> {
        if self.core.reached(self.progress) >= self.lsn {
            return Some(Ok(()));
        }
        // A log that has failed may go on; one that is closed does not.
        let is_over = self.core.is_closed();
        is_over.then(|| Err(self.core.refusal().unwrap_or(WalError::Closed)))
    }

    fn register(&mut self, waker: &Waker) {
        if self.entry.as_ref().is_some_and(|entry| entry.waker.will_wake(waker)) {
            return;
        }
        let (hub, id) = match self.entry.take() {
            Some(entry) => (entry.hub, entry.id),
            None => {
                let waiters = self.core.waiters_of(self.progress);
                (waiters.hub(), waiters.next_id.fetch_add(1, Ordering::Relaxed))
            }
        };
        hub.change(|waiting| waiting.insert((self.lsn, id), waker.clone()));
        self.entry = Some(Entry {
            hub,
            id,
            waker: waker.clone(),
        });
    }

    /// Leaves the hub; if the writer has taken the entry out, this future was the one to wake the others.
    fn leave(&mut self) {
        let Some(entry) = self.entry.take() else { return };
        entry.hub.change(|waiting| waiting.remove(&(self.lsn, entry.id)));
        entry.hub.wake(self.core.reached(self.progress), usize::MAX);
    }
}

impl Future for WaitLsn {
    type Output = Result<(), WalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.outcome().is_none() {
            self.register(context.waker());
        }
        // Asked again after registering: the writer may have passed in between.
        match self.outcome() {
            Some(outcome) => {
                self.leave();
                Poll::Ready(outcome)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for WaitLsn {
    fn drop(&mut self) {
        self.leave();
    }
}
