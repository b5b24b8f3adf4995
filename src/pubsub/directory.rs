//! Which topics have subscribers, and how many each worker has of them.
//!
//! **Invariant:** a topic is here exactly as long as it has subscribers; an audience lists the workers that have some.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::events::may_be_of_events;
use super::exchange::WorkerNo;
use super::patterns::Patterns;
use super::topic::{ByName, Topic, TopicId, TopicKind};

/// How many subscribers workers have.
pub(super) type Audience = SmallVec<[(WorkerNo, u32); 2]>;

/// One more, of this worker.
pub(super) fn join(audience: &mut Audience, worker: WorkerNo) {
    match audience.iter_mut().find(|(number, _)| *number == worker) {
        Some((_, count)) => *count += 1,
        None => audience.push((worker, 1)),
    }
}

/// One less.
pub(super) fn quit(audience: &mut Audience, worker: WorkerNo) {
    audience.retain(|(number, count)| {
        *count -= u32::from(*number == worker);
        *count > 0
    });
}

/// Topics by name.
pub(super) type Topics = HashMap<ByName, Audience>;

/// See the module.
#[derive(Default)]
pub(super) struct Directory {
    channels: Topics,
    shard_channels: Topics,
    patterns: Patterns,
    last_id: u64,
    /// How many subscriptions may be to keyspace events.
    to_events: usize,
}

impl Directory {
    /// One more subscriber, of this worker; the topic.
    pub fn enter(&mut self, kind: TopicKind, name: &[u8], worker: WorkerNo) -> Arc<Topic> {
        self.to_events += usize::from(may_be_of_events(kind, name));
        self.last_id += 1;
        let id = TopicId(self.last_id);
        let topics = self.group(kind, name);
        let topic = match topics.get_key_value(name) {
            Some((known, _)) => Arc::clone(&known.0),
            None => Arc::new(Topic {
                id,
                kind,
                name: name.into(),
            }),
        };
        let audience = topics.entry(ByName(Arc::clone(&topic))).or_default();
        join(audience, worker);
        topic
    }

    /// One subscriber less.
    pub fn leave(&mut self, topic: &Topic, worker: WorkerNo) {
        let name: &[u8] = &topic.name;
        let topics = self.group(topic.kind, name);
        let Some(audience) = topics.get_mut(name) else { return };
        quit(audience, worker);
        if audience.is_empty() {
            topics.remove(name);
            if topics.is_empty() {
                // Whoever has subscribed to much gives it back.
                topics.shrink_to_fit();
            }
        }
        if topic.kind == TopicKind::Pattern {
            self.patterns.forget_if_empty(name);
        }
        self.to_events -= usize::from(may_be_of_events(topic.kind, name));
    }

    /// Whether somebody may get keyspace events.
    pub fn hears_events(&self) -> bool {
        self.to_events > 0
    }

    /// Visits the topics that a message on `channel` is for.
    pub fn visit_matches<'a>(
        &'a self,
        channel: &[u8],
        is_sharded: bool,
        mut visit: impl FnMut(&'a Arc<Topic>, &'a Audience),
    ) {
        let topics = self.of(is_sharded);
        if let Some((topic, audience)) = topics.get_key_value(channel) {
            visit(&topic.0, audience);
        }
        if !is_sharded {
            self.patterns.visit_matches(channel, visit);
        }
    }

    /// All channels.
    pub fn channels(&self, is_sharded: bool) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.of(is_sharded).keys().map(|topic| &topic.0)
    }

    /// How many have subscribed to a channel.
    pub fn subscribers(&self, is_sharded: bool, channel: &[u8]) -> u64 {
        let audience = self.of(is_sharded).get(channel);
        audience.map_or(0, |audience| audience.iter().map(|(_, count)| u64::from(*count)).sum())
    }

    /// How many patterns there are.
    pub fn pattern_count(&self) -> usize {
        self.patterns.count()
    }

    /// The topics among which this one is, or would be.
    fn group(&mut self, kind: TopicKind, name: &[u8]) -> &mut Topics {
        match kind {
            TopicKind::Channel => &mut self.channels,
            TopicKind::Shard => &mut self.shard_channels,
            TopicKind::Pattern => self.patterns.beginning_like(name),
        }
    }

    fn of(&self, is_sharded: bool) -> &Topics {
        if is_sharded {
            &self.shard_channels
        } else {
            &self.channels
        }
    }
}
