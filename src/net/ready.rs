//! The connections of a worker that have something to do: wakers put their numbers on a list, and one turn serves all.
//!
//! Each connection has a [`Slot`], and so has each other source of work (arrivals, the clock, …). Waking a slot
//! notes its number and wakes the worker. The worker takes the whole list and serves it in one turn.
//!
//! **Invariants**
//! - A number may belong to another source later, a [`Ticket`] to one for ever: what an old slot notes late is
//!   nobody's.
//! - A slot is on the list at most once. It is free to be noted again from the moment its owner, who has taken it from
//!   the list, begins to serve it ([`Slot::rest`]), so no wake-up is lost. An owner that looks at a source because of
//!   something else does not rest: what comes then has the source served once more at most.
//! - The worker is woken when the list gets its first number, from whichever thread.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// A slot's number, and which of those that have had it this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The number.
    pub number: usize,
    generation: u64,
}

#[derive(Default)]
struct Noted {
    tickets: Vec<Ticket>,
    /// Slots made so far.
    generations: u64,
    /// The worker's task, which waits for the first number; `None` before its first turn.
    worker: Option<Waker>,
}

/// The numbers of a worker's slots that have something to do.
#[derive(Clone, Default)]
pub struct ReadyList(Arc<Mutex<Noted>>);

impl ReadyList {
    /// A slot with this number.
    pub fn slot(&self, number: usize) -> Arc<Slot> {
        let mut noted = self.0.lock();
        noted.generations += 1;
        let generation = noted.generations;
        drop(noted);
        Arc::new(Slot {
            ticket: Ticket { number, generation },
            is_noted: AtomicBool::new(false),
            list: self.clone(),
        })
    }

    /// Who is woken when there is something to do.
    pub fn set_worker(&self, worker: &Waker) {
        let mut noted = self.0.lock();
        match &mut noted.worker {
            Some(known) => known.clone_from(worker),
            None => noted.worker = Some(worker.clone()),
        }
    }

    /// Moves the tickets noted so far into `tickets`, which is empty.
    pub fn take(&self, tickets: &mut Vec<Ticket>) {
        std::mem::swap(&mut self.0.lock().tickets, tickets);
    }

    /// Whether nothing has been noted since.
    pub fn is_empty(&self) -> bool {
        self.0.lock().tickets.is_empty()
    }

    fn note(&self, ticket: Ticket) {
        let mut noted = self.0.lock();
        noted.tickets.push(ticket);
        // The thread that noted the first one has woken the worker, which takes all of them.
        if let ([_], Some(worker)) = (noted.tickets.as_slice(), &noted.worker) {
            let worker = worker.clone();
            drop(noted);
            worker.wake();
        }
    }
}

/// One source of work; see the module.
pub struct Slot {
    ticket: Ticket,
    is_noted: AtomicBool,
    list: ReadyList,
}

impl Slot {
    /// What it notes.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Its owner has taken it from the list, and is about to see what there is to do: what comes from here on is noted
    /// anew.
    pub fn rest(&self) {
        // A swap, not a store: what came with a wake-up that noted nothing is seen from here on.
        self.is_noted.swap(false, Ordering::SeqCst);
    }
}

impl Wake for Slot {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_noted.swap(true, Ordering::SeqCst) {
            self.list.note(self.ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn slots_are_noted_once_and_the_worker_is_woken_for_the_first() {
        let (list, count) = (ReadyList::default(), Arc::new(Count::default()));
        let (one, two) = (list.slot(1), list.slot(2));
        list.set_worker(&Waker::from(Arc::clone(&count)));
        one.wake_by_ref();
        two.wake_by_ref();
        one.wake_by_ref();
        let take = || {
            let mut tickets = Vec::new();
            list.take(&mut tickets);
            tickets
        };
        assert_eq!(take(), [one.ticket(), two.ticket()]);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        // Taken, but not served yet: it will see what came.
        one.wake_by_ref();
        assert_eq!(take(), []);
        one.rest();
        one.wake_by_ref();
        assert_eq!(take(), [one.ticket()]);
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_number_that_has_another_owner_is_told_apart() {
        let list = ReadyList::default();
        let (old, new) = (list.slot(7), list.slot(7));
        old.wake_by_ref();
        new.wake_by_ref();
        let mut tickets = Vec::new();
        list.take(&mut tickets);
        assert_eq!(tickets, [old.ticket(), new.ticket()]);
        assert_ne!(old.ticket(), new.ticket());
    }

    #[test]
    fn no_wake_up_from_another_thread_is_lost() {
        let list = ReadyList::default();
        let slot = list.slot(7);
        let sent = Arc::new(AtomicUsize::new(0));
        let waker = {
            let (slot, sent) = (Arc::clone(&slot), Arc::clone(&sent));
            std::thread::spawn(move || {
                for _ in 0..20_000 {
                    sent.fetch_add(1, Ordering::SeqCst);
                    slot.wake_by_ref();
                }
            })
        };
        let (mut seen, mut tickets) = (0, Vec::new());
        while seen < 20_000 {
            list.take(&mut tickets);
            for ticket in tickets.drain(..) {
                assert_eq!(ticket, slot.ticket());
                slot.rest();
                seen = sent.load(Ordering::SeqCst);
            }
        }
        waker.join().unwrap();
    }
}
