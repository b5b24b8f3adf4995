//! What waits for a worker: messages, notices and lines in the order in which they came.
//!
//! **Invariant:** beyond [`TRAY_BYTES_MAX`] the messages of the topics are dropped of which most wait, until half of it
//! is left, or nothing that can be dropped. In the place of the last of each there is word of that, for which whoever
//! has subscribed is closed. So a client that is not closed has got all, and one with little is not closed for others'
//! much.

use std::collections::{HashMap, HashSet, VecDeque};

use super::exchange::{Addressees, Delivery, News};
use super::topic::TopicId;
use crate::engine::dependencies::Dependencies;

/// So many bytes may wait, about: a worker may be at one transaction for long, and a log's sync may take long.
const TRAY_BYTES_MAX: u64 = 128 << 20;
/// A worker is not left asleep while so much comes for it.
pub(super) const WAKE_BYTES: u64 = 4 << 20;
/// An empty queue keeps no more room than for so many.
const ROOM_KEPT: usize = 8192;

/// Deliveries, with what they take.
#[derive(Default)]
pub struct DeliveryQueue {
    deliveries: VecDeque<Delivery>,
    bytes: u64,
}

impl DeliveryQueue {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Adds one behind all others.
    pub fn push(&mut self, delivery: Delivery) {
        self.bytes += delivery.bytes();
        self.deliveries.push_back(delivery);
    }

    /// The first one.
    pub fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front();
        match &delivery {
            Some(delivery) => self.bytes -= delivery.bytes(),
            None if self.deliveries.capacity() > ROOM_KEPT => self.deliveries.shrink_to(ROOM_KEPT),
            None => {}
        }
        delivery
    }

    /// Puts one before all others.
    pub fn put_first(&mut self, delivery: Delivery) {
        self.bytes += delivery.bytes();
        self.deliveries.push_front(delivery);
    }

    /// Moves the messages of these topics to `dropped`, but for word of that; `told`: of which there is word behind
    /// these.
    fn lose(&mut self, lost: &HashSet<TopicId>, told: &mut HashSet<(TopicId, bool)>, dropped: &mut Vec<News>) {
        let mut kept = VecDeque::new();
        for mut delivery in std::mem::take(&mut self.deliveries).into_iter().rev() {
            match topic(&delivery).filter(|topic| lost.contains(topic)) {
                // What the worker itself has published is for others than what another one has.
                Some(topic) if told.insert((topic, delivery.stamp.is_some())) => {
                    dropped.push(std::mem::replace(&mut delivery.news, News::Lost));
                    delivery.depends_on = Dependencies::default();
                    kept.push_front(delivery);
                }
                Some(_) => dropped.push(delivery.news),
                None => kept.push_front(delivery),
            }
        }
        self.bytes = kept.iter().map(Delivery::bytes).sum();
        self.deliveries = kept;
    }
}

fn topic(delivery: &Delivery) -> Option<TopicId> {
    match delivery.to {
        Addressees::Topic(topic) => Some(topic),
        Addressees::Monitors | Addressees::These(_) => None,
    }
}

/// What is in a tray.
pub(super) struct Content {
    /// What its worker has put back.
    waiting: DeliveryQueue,
    /// What has come since it has taken all.
    new: DeliveryQueue,
    /// If there is more than that, some is dropped.
    bytes_max: u64,
}

impl Default for Content {
    fn default() -> Self {
        Self {
            waiting: DeliveryQueue::default(),
            new: DeliveryQueue::default(),
            bytes_max: TRAY_BYTES_MAX,
        }
    }
}

impl Content {
    /// What has come since the worker has taken all takes so much.
    pub fn new_bytes(&self) -> u64 {
        self.new.bytes
    }

    pub fn push(&mut self, delivery: Delivery) {
        self.new.push(delivery);
    }

    /// Moves all into two queues that are empty.
    pub fn take(&mut self, waiting: &mut DeliveryQueue, new: &mut DeliveryQueue) {
        std::mem::swap(&mut self.waiting, waiting);
        std::mem::swap(&mut self.new, new);
        self.bytes_max = TRAY_BYTES_MAX;
    }

    /// Takes what waits back, all of it.
    pub fn put_back(&mut self, waiting: &mut DeliveryQueue) {
        std::mem::swap(&mut self.waiting, waiting);
    }

    /// Whether some is to be dropped.
    pub fn is_too_full(&self) -> bool {
        self.bytes() > self.bytes_max
    }

    fn bytes(&self) -> u64 {
        self.waiting.bytes + self.new.bytes
    }

    /// Drops what is too much, to where it is let go; how many bytes that was.
    #[cold]
    pub fn relieve(&mut self, dropped: &mut Vec<News>) -> u64 {
        let before = self.bytes();
        let mut by_topic: HashMap<TopicId, u64> = HashMap::new();
        for delivery in self.waiting.deliveries.iter().chain(&self.new.deliveries) {
            if let Some(topic) = topic(delivery) {
                *by_topic.entry(topic).or_default() += delivery.bytes();
            }
        }
        let mut largest: Vec<(TopicId, u64)> = by_topic.into_iter().collect();
        largest.sort_unstable_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let mut left = before;
        let mut lost = HashSet::new();
        for (topic, bytes) in largest {
            if left <= TRAY_BYTES_MAX / 2 {
                break;
            }
            left = left.saturating_sub(bytes);
            lost.insert(topic);
        }
        let mut told = HashSet::new();
        self.new.lose(&lost, &mut told, dropped);
        self.waiting.lose(&lost, &mut told, dropped);
        // What cannot be dropped is not looked through for each that comes.
        self.bytes_max = TRAY_BYTES_MAX.max(self.bytes() + TRAY_BYTES_MAX / 2);
        before - self.bytes()
    }
}
