//! The list of what a worker has to do: no wake-up is lost, and nothing is on it twice.

#[allow(dead_code, reason = "the hub uses more of it than a model")]
#[path = "../../../src/net/ready.rs"]
mod ready;

use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::sync::Notify;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use self::ready::{ReadyList, Slot};

/// The worker's sleep.
struct Sleep(Notify);

impl Wake for Sleep {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

/// A worker with slots, and what came for each.
struct Worker {
    list: ReadyList,
    sleep: Arc<Sleep>,
    slots: Vec<Arc<Slot>>,
    arrived: Vec<AtomicUsize>,
}

impl Worker {
    fn new(slots: usize) -> Arc<Self> {
        let (list, sleep) = (ReadyList::default(), Arc::new(Sleep(Notify::new())));
        list.set_worker(&Waker::from(Arc::clone(&sleep)));
        Arc::new(Self {
            slots: (0..slots).map(|number| list.slot(number)).collect(),
            arrived: (0..slots).map(|_| AtomicUsize::new(0)).collect(),
            list,
            sleep,
        })
    }

    /// Something comes for a slot, from another thread.
    fn arrive(&self, slot: usize) {
        self.arrived[slot].fetch_add(1, Ordering::Relaxed);
        self.slots[slot].wake_by_ref();
    }

    /// Serves, and sleeps where there is nothing to do, until so much has come for each.
    fn serve_until(&self, expected: &[usize]) {
        let mut seen = vec![0; self.slots.len()];
        while seen != expected {
            let mut tickets = Vec::new();
            self.list.take(&mut tickets);
            if tickets.is_empty() {
                self.sleep.0.wait();
            }
            for (at, ticket) in tickets.iter().enumerate() {
                assert!(!tickets[..at].contains(ticket), "it would be served twice in a turn");
                self.slots[ticket.number].rest();
                seen[ticket.number] = self.arrived[ticket.number].load(Ordering::Relaxed);
            }
        }
    }
}

/// Runs these arrivals, each on a thread of its own, beside a worker that serves them.
fn arrivals(slots: usize, of_threads: &'static [&'static [usize]]) {
    crate::check(move || {
        let worker = Worker::new(slots);
        let threads: Vec<_> = of_threads
            .iter()
            .map(|slots| {
                let worker = Arc::clone(&worker);
                thread::spawn(move || slots.iter().for_each(|slot| worker.arrive(*slot)))
            })
            .collect();
        let mut expected = vec![0; slots];
        of_threads.iter().copied().flatten().for_each(|slot| expected[*slot] += 1);
        worker.serve_until(&expected);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// For one slot, from two threads.
pub fn for_one_slot_from_two_threads() {
    arrivals(1, &[&[0], &[0]]);
}

/// For one slot again and again.
pub fn for_one_slot_again() {
    arrivals(1, &[&[0, 0]]);
}

/// For two slots, from two threads.
pub fn for_two_slots() {
    arrivals(2, &[&[0], &[1]]);
}
