//! A worker's end of publish and subscribe: which of its connections want what.
//!
//! **Invariants**
//! - It belongs to its worker's thread, and knows connections by their numbers there.
//! - What the worker itself has published reaches those that were subscribed at that moment, also if they are not any
//!   more when it is delivered: a transaction may publish and then unsubscribe.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use smallvec::SmallVec;

use super::exchange::{Addressee, Addressees, Delivery, Tray, WorkerNo};
use super::topic::TopicId;
use crate::shared::Shared;

/// See the module.
pub struct Desk {
    tray: Tray,
    /// The connections that have subscribed to a topic, each with how much the worker had published then.
    subscribers: RefCell<HashMap<TopicId, HashMap<usize, u64>>>,
    /// How many messages the worker has published that somebody gets.
    posted: Cell<u64>,
    /// How many of them were for itself.
    published: Cell<u64>,
    /// How many of those have been delivered.
    delivered: Cell<u64>,
    /// Subscriptions that have ended with messages for them on the way.
    ended: RefCell<Vec<Ended>>,
    /// Workers to wake.
    wakes: RefCell<SmallVec<[WorkerNo; 4]>>,
    /// The connections that MONITOR shows lines to.
    monitors: RefCell<Vec<Monitor>>,
    /// Lines that have not been handed over.
    lines: RefCell<Vec<u8>>,
    /// How often some were.
    line_batches: Cell<u64>,
}

/// A connection that is shown lines.
struct Monitor {
    number: usize,
    /// Of those that the worker itself wrote it gets what came behind so many batches.
    since: u64,
}

/// A subscription that has ended.
struct Ended {
    topic: TopicId,
    number: usize,
    /// How much the worker had published when it began, and when it ended.
    since: u64,
    until: u64,
}

impl Ended {
    fn gets(&self, topic: TopicId, stamp: Option<u64>) -> bool {
        self.topic == topic && stamp.is_some_and(|stamp| stamp > self.since && stamp <= self.until)
    }
}

impl Desk {
    pub(super) fn new(tray: Tray) -> Self {
        Self {
            tray,
            subscribers: RefCell::default(),
            posted: Cell::new(0),
            published: Cell::new(0),
            delivered: Cell::new(0),
            ended: RefCell::default(),
            wakes: RefCell::default(),
            monitors: RefCell::default(),
            lines: RefCell::default(),
            line_batches: Cell::new(0),
        }
    }

    /// Whose it is.
    pub fn worker(&self) -> WorkerNo {
        self.tray.worker
    }

    /// Who is woken when another worker has published something for this one.
    pub fn set_waker(&self, waker: Waker) {
        self.tray.set_waker(waker);
    }

    /// How many messages the worker has published so far that somebody gets.
    #[inline]
    pub fn posted(&self) -> u64 {
        self.posted.get()
    }

    pub(super) fn note_posted(&self) {
        self.posted.set(self.posted.get() + 1);
    }

    /// How many messages the worker has published for its own connections so far.
    #[inline]
    pub fn published(&self) -> u64 {
        self.published.get()
    }

    /// Whether there is something to deliver.
    #[inline]
    pub fn has_some(&self) -> bool {
        self.tray.has_some()
    }

    /// Moves what is to be delivered into `deliveries`, which is empty.
    pub fn take(&self, deliveries: &mut Vec<Delivery>) {
        self.tray.take(deliveries);
    }

    /// Visits the connections that a delivery is for, which counts no longer as waiting; one that it is for in particular
    /// as such.
    pub fn visit_addressees(&self, delivery: &Delivery, mut visit: impl FnMut(usize, Option<&Addressee>)) {
        self.drop_delivery(delivery);
        let topic = match &delivery.to {
            Addressees::Topic(topic) => *topic,
            Addressees::Monitors => {
                let monitors = self.monitors.borrow();
                let gets = |monitor: &&Monitor| delivery.stamp.is_none_or(|stamp| stamp > monitor.since);
                return monitors
                    .iter()
                    .filter(gets)
                    .for_each(|monitor| visit(monitor.number, None));
            }
            Addressees::These(these) => {
                return these
                    .iter()
                    .for_each(|addressee| visit(addressee.number, Some(addressee)));
            }
        };
        let subscribers = self.subscribers.borrow();
        for (number, since) in subscribers.get(&topic).into_iter().flatten() {
            if delivery.stamp.is_none_or(|stamp| stamp > *since) {
                visit(*number, None);
            }
        }
        let mut ended = self.ended.borrow_mut();
        ended
            .iter()
            .filter(|ended| ended.gets(topic, delivery.stamp))
            .for_each(|ended| visit(ended.number, None));
        if self.delivered.get() == self.published() {
            ended.clear();
        }
    }

    /// A delivery that is shown to nobody counts no longer as waiting.
    pub fn drop_delivery(&self, delivery: &Delivery) {
        self.tray.note_delivered(delivery);
        if let Some(stamp) = delivery.stamp.filter(|_| !delivery.is_of_lines()) {
            self.delivered.set(stamp);
        }
    }

    /// Visits the connections in MONITOR, if lines for them have been dropped.
    pub fn visit_who_lost_lines(&self, visit: impl FnMut(usize)) {
        if self.tray.has_lost_lines() {
            self.monitors
                .borrow()
                .iter()
                .map(|monitor| monitor.number)
                .for_each(visit);
        }
    }

    /// Whether there are lines that have not been handed over.
    #[inline]
    pub(super) fn has_lines(&self) -> bool {
        !self.lines.borrow().is_empty()
    }

    /// Adds a line; how many bytes there are.
    pub(super) fn add_line(&self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let mut lines = self.lines.borrow_mut();
        write(&mut lines);
        lines.len()
    }

    /// Takes the lines that are to be handed over, as another batch.
    pub(super) fn take_lines(&self) -> Shared {
        self.line_batches.set(self.line_batches.get() + 1);
        Arc::new(std::mem::take(&mut *self.lines.borrow_mut()))
    }

    /// The number of the last batch, for that worker.
    pub(super) fn line_stamp_for(&self, worker: WorkerNo) -> Option<u64> {
        (worker == self.worker()).then(|| self.line_batches.get())
    }

    pub(super) fn add_monitor(&self, number: usize) {
        let since = self.line_batches.get();
        self.monitors.borrow_mut().push(Monitor { number, since });
    }

    pub(super) fn remove_monitor(&self, number: usize) {
        self.monitors.borrow_mut().retain(|monitor| monitor.number != number);
    }

    /// Whether subscriptions have ended with messages for them on the way.
    pub(super) fn has_ended(&self) -> bool {
        !self.ended.borrow().is_empty()
    }

    /// Nobody is to get anything under this number any more.
    pub(super) fn forget(&self, number: usize) {
        self.ended.borrow_mut().retain(|ended| ended.number != number);
    }

    /// The stamp of a message for that worker.
    pub(super) fn stamp_for(&self, worker: WorkerNo) -> Option<u64> {
        (worker == self.worker()).then(|| {
            self.published.set(self.published.get() + 1);
            self.published.get()
        })
    }

    /// That worker has got the first message of a batch.
    pub(super) fn wakes_later(&self, worker: WorkerNo) {
        if worker != self.worker() {
            self.wakes.borrow_mut().push(worker);
        }
    }

    pub(super) fn take_wakes(&self, wake: impl FnMut(WorkerNo)) {
        if self.wakes.borrow().is_empty() {
            return;
        }
        let wakes = std::mem::take(&mut *self.wakes.borrow_mut());
        wakes.into_iter().for_each(wake);
    }

    pub(super) fn add(&self, topic: TopicId, number: usize) {
        let mut subscribers = self.subscribers.borrow_mut();
        subscribers.entry(topic).or_default().insert(number, self.published());
    }

    pub(super) fn remove(&self, topic: TopicId, number: usize) {
        let mut subscribers = self.subscribers.borrow_mut();
        let Some(connections) = subscribers.get_mut(&topic) else {
            return;
        };
        let since = connections.remove(&number);
        if let Some(since) = since.filter(|since| *since < self.published() && self.delivered.get() < self.published())
        {
            self.ended.borrow_mut().push(Ended {
                topic,
                number,
                since,
                until: self.published(),
            });
        }
        if connections.is_empty() {
            subscribers.remove(&topic);
            if subscribers.is_empty() {
                subscribers.shrink_to_fit();
            }
        }
    }
}
