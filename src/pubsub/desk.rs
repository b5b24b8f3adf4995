//! A worker's end of publish and subscribe: which of its connections want what.
//!
//! **Invariants**
//! - It belongs to its worker's thread, and knows connections by their numbers there.
//! - What the worker itself has published reaches those that were subscribed at that moment, also if they are not any
//!   more when it is delivered: a transaction may publish and then unsubscribe.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::Waker;

use super::exchange::{Addressee, Addressees, Delivery, News, Tray, WorkerNo};
use super::outlet::Outlet;
use super::topic::TopicId;
use super::tray::DeliveryQueue;

/// See the module.
pub struct Desk {
    tray: Tray,
    /// The connections that have subscribed to a topic, each with how much the worker had published then.
    subscribers: RefCell<HashMap<TopicId, HashMap<usize, u64>>>,
    outlet: Arc<Outlet>,
    /// How many of the messages that the worker has published for itself have been delivered.
    delivered: Cell<u64>,
    /// Subscriptions that have ended with messages for them on the way.
    ended: RefCell<HashMap<TopicId, Ended>>,
    /// The connections that MONITOR shows lines to.
    monitors: RefCell<Vec<Monitor>>,
}

/// A connection that is shown lines.
struct Monitor {
    number: usize,
    /// Of those that the worker itself wrote it gets what came behind so many batches.
    since: u64,
}

/// Subscriptions to a topic that have ended: how much the worker had published when each began, and whose it was; and
/// how much when it ended.
type Ended = BTreeMap<(u64, usize), u64>;

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

    /// Takes what was put back, and what has come since; both are empty before.
    pub fn take(&self, waiting: &mut DeliveryQueue, new: &mut DeliveryQueue) {
        self.tray.take(waiting, new);
    }

    /// Puts back what may not be delivered yet; nothing is left of it.
    pub fn put_back(&self, waiting: &mut DeliveryQueue) {
        self.tray.put_back(waiting);
    }

    /// Visits the connections that a delivery is for, which counts no longer as waiting; one that it is for in
    /// particular as such.
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
        if let (Some(of_topic), Some(stamp)) = (ended.get_mut(&topic), delivery.stamp) {
            // Some of what was lost may have been for those that had ended before.
            let is_lost = matches!(delivery.news, News::Lost);
            let mut over = Vec::new();
            for (subscription @ (_, number), until) in of_topic.range(..(stamp, 0)) {
                if *until >= stamp || is_lost {
                    visit(*number, None);
                }
                if *until <= stamp {
                    over.push(*subscription);
                }
            }
            for subscription in over {
                of_topic.remove(&subscription);
            }
        }
        if self.delivered.get() == self.outlet.published() {
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
        for ended in self.ended.borrow_mut().values_mut() {
            ended.retain(|(_, of), _| *of != number);
        }
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
            let mut ended = self.ended.borrow_mut();
            ended
                .entry(topic)
                .or_default()
                .insert((since, number), self.outlet.published());
        }
        if connections.is_empty() {
            subscribers.remove(&topic);
            if subscribers.is_empty() {
                subscribers.shrink_to_fit();
            }
        }
    }
}

#[cfg(test)]
impl Desk {
    /// All that is to be delivered.
    pub fn take_all(&self) -> Vec<Delivery> {
        let [mut waiting, mut new] = [DeliveryQueue::default(), DeliveryQueue::default()];
        self.take(&mut waiting, &mut new);
        std::iter::from_fn(|| waiting.pop().or_else(|| new.pop())).collect()
    }
}
