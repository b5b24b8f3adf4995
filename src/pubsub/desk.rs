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

use super::exchange::{Addressee, Addressees, Delivery, News, Tray, WorkerNo};
use super::outlet::Outlet;
use super::topic::TopicId;

/// See the module.
pub struct Desk {
    tray: Tray,
    /// The connections that have subscribed to a topic, each with how much the worker had published then.
    subscribers: RefCell<HashMap<TopicId, HashMap<usize, u64>>>,
    outlet: Arc<Outlet>,
    /// How many of the messages that the worker has published for itself have been delivered.
    delivered: Cell<u64>,
    /// Subscriptions that have ended with messages for them on the way.
    ended: RefCell<Vec<Ended>>,
    /// The connections that MONITOR shows lines to.
    monitors: RefCell<Vec<Monitor>>,
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
    /// Whether a delivery that is for a topic is for it, too. That messages have been lost is: some may have been.
    fn gets(&self, topic: TopicId, delivery: &Delivery) -> bool {
        let is_before = |stamp: u64| stamp <= self.until || matches!(delivery.news, News::Lost);
        self.topic == topic
            && delivery
                .stamp
                .is_some_and(|stamp| stamp > self.since && is_before(stamp))
    }
}

impl Desk {
    pub(super) fn new(tray: Tray) -> Self {
        Self {
            outlet: Arc::new(Outlet::of(tray.worker)),
            tray,
            subscribers: RefCell::default(),
            delivered: Cell::new(0),
            ended: RefCell::default(),
            monitors: RefCell::default(),
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

    /// How the worker publishes.
    #[inline]
    pub fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
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
            .filter(|ended| ended.gets(topic, delivery))
            .for_each(|ended| visit(ended.number, None));
        if self.delivered.get() == self.outlet.published() {
            ended.clear();
        }
    }

    /// A delivery that is shown to nobody counts no longer as waiting.
    pub fn drop_delivery(&self, delivery: &Delivery) {
        self.tray.note_delivered(delivery);
        if let Some(stamp) = delivery.stamp.filter(|_| !delivery.is_of_lines()) {
            // Word of what was lost comes behind what has been published since.
            self.delivered.set(self.delivered.get().max(stamp));
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

    pub(super) fn add_monitor(&self, number: usize) {
        let since = self.outlet.line_batches();
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

    pub(super) fn add(&self, topic: TopicId, number: usize) {
        let mut subscribers = self.subscribers.borrow_mut();
        subscribers
            .entry(topic)
            .or_default()
            .insert(number, self.outlet.published());
    }

    pub(super) fn remove(&self, topic: TopicId, number: usize) {
        let mut subscribers = self.subscribers.borrow_mut();
        let Some(connections) = subscribers.get_mut(&topic) else {
            return;
        };
        let since = connections.remove(&number);
        if let Some(since) =
            since.filter(|since| *since < self.outlet.published() && self.delivered.get() < self.outlet.published())
        {
            self.ended.borrow_mut().push(Ended {
                topic,
                number,
                since,
                until: self.outlet.published(),
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
