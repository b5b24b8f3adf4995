//! Keyspace events as messages: on `__keyspace@collection__:key` the event's name, on `__keyevent@collection__:event`
//! the key. A numbered database is called by its number.
//!
//! **Invariant:** whether anybody listens follows from what is subscribed to: a channel or pattern that may be one of
//! these.

use std::sync::Arc;

use super::PubSub;
use super::outlet::Outlet;
use super::patterns::literal_beginning;
use super::topic::TopicKind;
use crate::engine::dependencies::Dependencies;
use crate::engine::events::{Classes, Event, Herald};
use crate::engine::ids::DatabaseId;

const OF_KEY: &[u8] = b"__keyspace@";
const OF_EVENT: &[u8] = b"__keyevent@";
const END_OF_PREFIX: &[u8] = b"__:";

/// Whether who has subscribed to this may get events.
pub(super) fn may_be_of_events(kind: TopicKind, name: &[u8]) -> bool {
    let beginnings = [OF_KEY, OF_EVENT];
    match kind {
        TopicKind::Channel => beginnings.iter().any(|beginning| name.starts_with(beginning)),
        TopicKind::Pattern => {
            let literal = literal_beginning(name);
            let fits = |beginning: &&[u8]| beginning.starts_with(literal) || literal.starts_with(beginning);
            beginnings.iter().any(fits)
        }
        TopicKind::Shard => false,
    }
}

/// Publishes the events of a thread.
pub(super) struct Publisher {
    pub pubsub: Arc<PubSub>,
    pub outlet: Arc<Outlet>,
}

impl Herald for Publisher {
    fn tell(&self, event: Event<'_>, wanted: Classes, depends_on: Dependencies) {
        let publish = |channel: Vec<u8>, payload: &[u8]| {
            self.pubsub
                .publish(&self.outlet, (&channel, false), payload, depends_on);
        };
        if wanted.has(Classes::ON_KEYS) {
            publish(channel(OF_KEY, &event, event.key), event.name.as_bytes());
        }
        if wanted.has(Classes::ON_EVENTS) {
            publish(channel(OF_EVENT, &event, event.name.as_bytes()), event.key);
        }
    }

    fn hold(&self) {
        self.outlet.hold();
    }

    fn release(&self, depends_on: Dependencies) {
        self.pubsub.release(&self.outlet, depends_on);
    }

    fn forget(&self) {
        self.outlet.forget();
    }
}

fn channel(beginning: &[u8], event: &Event<'_>, end: &[u8]) -> Vec<u8> {
    let mut digits = itoa::Buffer::new();
    let collection = called(event.database, event.collection, &mut digits);
    [beginning, collection.as_bytes(), END_OF_PREFIX, end].concat()
}

/// What a collection is called in channels.
fn called<'a>(database: DatabaseId, name: &'a str, digits: &'a mut itoa::Buffer) -> &'a str {
    if database.is_numbered() {
        digits.format(database.get())
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_get_events() {
        for (kind, name, may) in [
            (TopicKind::Channel, "__keyspace@0__:k", true),
            (TopicKind::Channel, "__keyevent@orders__:set", true),
            (TopicKind::Channel, "news", false),
            (TopicKind::Channel, "__key*", false),
            (TopicKind::Shard, "__keyspace@0__:k", false),
            (TopicKind::Pattern, "*", true),
            (TopicKind::Pattern, "__key*__:*", true),
            (TopicKind::Pattern, "_?keyevent*", true),
            (TopicKind::Pattern, "__keyevent@0__:expired", true),
            (TopicKind::Pattern, "__keyspace@a collection with a long name__:*", true),
            (TopicKind::Pattern, "__keys", true),
            (TopicKind::Pattern, "__keyx*", false),
            (TopicKind::Pattern, "news.*", false),
        ] {
            assert_eq!(may_be_of_events(kind, name.as_bytes()), may, "{name}");
        }
    }
}
