//! What one client has subscribed to.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::desk::Desk;
use super::topic::{ByName, Topic, TopicKind};

/// What a subscription takes beside its name, in the client's set, the desk and the directory together.
const SUBSCRIPTION_BYTES: u64 = 280;

/// See the module.
pub struct Subscriber {
    desk: Rc<Desk>,
    /// Its connection's, at the desk.
    number: usize,
    topics: [HashSet<ByName>; TopicKind::ALL.len()],
    /// Whether there is any of them: each request asks.
    is_any: bool,
    /// MONITOR.
    pub(super) is_monitor: bool,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.desk.forget(self.number);
    }
}

impl Subscriber {
    /// The connection that has this number at the desk, with no subscription yet.
    pub fn new(desk: Rc<Desk>, number: usize) -> Self {
        Self {
            desk,
            number,
            topics: Default::default(),
            is_any: false,
            is_monitor: false,
        }
    }

    /// Its worker's desk.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// How many subscriptions of a kind it has.
    pub fn count(&self, kind: TopicKind) -> usize {
        self.topics.get(kind.index()).map_or(0, HashSet::len)
    }

    /// Whether it has any.
    #[inline]
    pub fn is_any(&self) -> bool {
        self.is_any
    }

    /// Whether it has any, or is in MONITOR: then some requests are refused.
    #[inline]
    pub fn is_restrained(&self) -> bool {
        self.is_any | self.is_monitor
    }

    /// Whether something that its worker has published and not delivered yet may be for it.
    #[inline]
    pub fn may_get_some(&self) -> bool {
        self.is_any() || self.desk.has_ended()
    }

    /// Whether it is shown what the server runs.
    #[inline]
    pub fn is_monitor(&self) -> bool {
        self.is_monitor
    }

    /// Whether it is to be shown something that its worker has just run.
    #[inline]
    pub fn gets_lines(&self) -> bool {
        self.is_monitor && self.desk.outlet().has_lines()
    }

    /// Up to `max` of its topics of a kind.
    pub fn some(&self, kind: TopicKind, max: usize) -> Vec<Arc<Topic>> {
        let topics = self.topics.get(kind.index()).into_iter().flatten();
        topics.take(max).map(|topic| Arc::clone(&topic.0)).collect()
    }

    /// What a subscription by this name takes.
    pub fn bytes_of(name: &[u8]) -> u64 {
        SUBSCRIPTION_BYTES + name.len() as u64
    }

    /// Its connection's number at the desk.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn has(&self, kind: TopicKind, name: &[u8]) -> bool {
        self.topics
            .get(kind.index())
            .is_some_and(|topics| topics.contains(name))
    }

    pub(super) fn add(&mut self, topic: Arc<Topic>) {
        self.desk.add(topic.id, self.number);
        if let Some(topics) = self.topics.get_mut(topic.kind.index()) {
            topics.insert(ByName(topic));
            self.is_any = true;
        }
    }

    pub(super) fn remove(&mut self, kind: TopicKind, name: &[u8]) -> Option<Arc<Topic>> {
        let topics = self.topics.get_mut(kind.index())?;
        let ByName(topic) = topics.take(name)?;
        if topics.is_empty() {
            topics.shrink_to_fit();
            self.is_any = self.topics.iter().any(|topics| !topics.is_empty());
        }
        self.desk.remove(topic.id, self.number);
        Some(topic)
    }
}
