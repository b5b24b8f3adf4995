//! Publish and subscribe: who wants to be told of what, and the way of a message to them.
//!
//! A message goes from the thread that publishes to the workers that have subscribers of it, one tray for each worker
//! (`exchange`); each worker knows which of its connections those are (`desk`). So a message is handed over once for
//! each worker, and encoded once, however many subscribers there are.
//!
//! **Invariants**
//! - All subscribers of a channel, and of a pattern, see the same order: that in which messages came into the trays.
//! - What is published after a subscription was confirmed reaches the subscriber; what was published before does not.
//! - The directory, the desks and the clients' own sets say the same: all change together, under the directory's lock.

mod desk;
mod directory;
mod events;
mod exchange;
mod holding;
mod message;
mod monitors;
mod notice;
mod outlet;
mod patterns;
mod subscriber;
mod topic;
mod tray;

use std::rc::Rc;
use std::sync::Arc;

use parking_lot::RwLock;
use smallvec::SmallVec;

use self::directory::Directory;
use self::events::Publisher;
use self::exchange::Exchange;
use self::holding::Kept;
use self::monitors::Monitors;
use crate::engine::dependencies::Dependencies;
use crate::engine::events::{Events, Herald};
use crate::shared::Shared;

pub use desk::Desk;
pub use exchange::{Addressee, Addressees, Delivery, News, WorkerNo};
pub use message::{put_lines, put_message};
pub use notice::{Notice, keys_notice, put_notice};
pub use outlet::Outlet;
pub use subscriber::Subscriber;
pub use topic::{Topic, TopicId, TopicKind};
pub use tray::DeliveryQueue;

/// So many bytes of messages may wait for a worker before those who publish are held back.
const BACKLOG_BYTES_MAX: u64 = 64 << 20;

/// See the module.
#[derive(Default)]
pub struct PubSub {
    directory: RwLock<Directory>,
    exchange: Exchange,
    monitors: Monitors,
    events: Arc<Events>,
}

impl PubSub {
    /// Where those who tell of `events` learn whether somebody listens.
    pub fn hearing(events: Arc<Events>) -> Self {
        Self {
            events,
            ..Self::default()
        }
    }

    /// Who publishes what happens to keys on a thread that publishes through `outlet`.
    pub fn herald(self: &Arc<Self>, outlet: &Arc<Outlet>) -> Box<dyn Herald> {
        Box::new(Publisher {
            pubsub: Arc::clone(self),
            outlet: Arc::clone(outlet),
        })
    }

    /// A desk for one more worker.
    pub fn open_desk(&self) -> Rc<Desk> {
        Rc::new(Desk::new(self.exchange.add_tray()))
    }

    /// Subscribes to what is called `name`; whether that is new.
    pub fn subscribe(&self, subscriber: &mut Subscriber, kind: TopicKind, name: &[u8]) -> bool {
        if subscriber.has(kind, name) {
            return false;
        }
        let mut directory = self.directory.write();
        let topic = directory.enter(kind, name, subscriber.desk().worker());
        subscriber.add(topic);
        self.events.set_heard(directory.hears_events());
        true
    }

    /// Ends a subscription; whether there was one.
    pub fn unsubscribe(&self, subscriber: &mut Subscriber, kind: TopicKind, name: &[u8]) -> bool {
        let mut directory = self.directory.write();
        let Some(topic) = subscriber.remove(kind, name) else {
            return false;
        };
        directory.leave(&topic, subscriber.desk().worker());
        self.events.set_heard(directory.hears_events());
        true
    }

    /// Hands `payload` to all who have subscribed to `channel`, a shard channel if it `is_sharded`, else also to a
    /// pattern that fits it; how many those are. It is shown to nobody before what it `depends_on` may be.
    pub fn publish(
        &self,
        outlet: &Outlet,
        (channel, is_sharded): (&[u8], bool),
        payload: &[u8],
        depends_on: Dependencies,
    ) -> u64 {
        if outlet.is_holding() {
            return self.keep(outlet, (channel, is_sharded), payload);
        }
        let directory = self.directory.read();
        let mut found: SmallVec<[(Arc<Topic>, &directory::Audience); 4]> = SmallVec::new();
        directory.visit_matches(channel, is_sharded, |topic, audience| {
            found.push((Arc::clone(topic), audience));
        });
        if found.is_empty() {
            return 0;
        }
        let encoded = found.iter().map(|(topic, _)| message::encode(topic, channel, payload));
        let encoded: SmallVec<[Shared; 4]> = encoded.collect();
        outlet.note_posted();
        // What has run before comes first.
        self.hand_over_lines(outlet);
        let mut trays = self.exchange.lock();
        let mut receivers = 0;
        for ((topic, audience), message) in found.iter().zip(encoded) {
            for (worker, count) in audience.iter() {
                receivers += u64::from(*count);
                let delivery = Delivery {
                    to: Addressees::Topic(topic.id),
                    news: News::Message(Arc::clone(&message)),
                    depends_on,
                    stamp: outlet.stamp_for(*worker),
                };
                if trays.put(*worker, delivery) {
                    outlet.wakes_later(*worker);
                }
            }
        }
        receivers
    }

    /// Keeps a message for later; for how many it is now.
    pub(super) fn keep(&self, outlet: &Outlet, (channel, is_sharded): (&[u8], bool), payload: &[u8]) -> u64 {
        let (mut receivers, mut copies) = (0, 0);
        self.directory.read().visit_matches(channel, is_sharded, |_, audience| {
            copies += 1;
            receivers += audience.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        });
        if receivers > 0 {
            outlet.keep(Kept::Message {
                channel: channel.into(),
                is_sharded,
                payload: payload.into(),
                copies,
            });
        }
        receivers
    }

    /// Passes on what `outlet` has kept, unless it goes on keeping.
    pub(super) fn release(&self, outlet: &Outlet, depends_on: Dependencies) {
        let released = outlet.end_hold();
        if released.has_lost_lines {
            self.lose_lines(outlet);
        }
        for kept in released.kept {
            match kept {
                Kept::Message {
                    channel,
                    is_sharded,
                    payload,
                    ..
                } => {
                    self.publish(outlet, (&channel, is_sharded), &payload, depends_on);
                }
                Kept::Line(line) => self.add_line(outlet, |lines| lines.extend_from_slice(&line)),
            }
        }
    }

    /// Hands out notices, each for connections of one worker. `outlet`: that of the thread that does so; without one,
    /// those who get something are woken at once.
    pub fn notify(&self, outlet: Option<&Outlet>, notices: impl IntoIterator<Item = (WorkerNo, Delivery)>) {
        if let Some(outlet) = outlet {
            self.hand_over_lines(outlet);
        }
        let mut woken: SmallVec<[WorkerNo; 4]> = SmallVec::new();
        let mut trays = self.exchange.lock();
        for (worker, delivery) in notices {
            if trays.put(worker, delivery) {
                match outlet {
                    Some(outlet) => outlet.wakes_later(worker),
                    None => woken.push(worker),
                }
            }
        }
        drop(trays);
        if let Some(outlet) = outlet {
            outlet.note_posted();
        }
        woken.into_iter().for_each(|worker| self.exchange.wake(worker));
    }

    /// Wakes the workers that got the first message of a batch from this one.
    pub fn wake_others(&self, outlet: &Outlet) {
        outlet.take_wakes(|worker| self.exchange.wake(worker));
    }

    /// Whether so much waits for some worker that whoever publishes has to wait.
    pub fn is_backed_up(&self) -> bool {
        self.waiting_bytes() > BACKLOG_BYTES_MAX
    }

    /// The channels that have subscribers, of those that `wants` takes.
    pub fn channels(&self, is_sharded: bool, wants: impl Fn(&[u8]) -> bool) -> Vec<Arc<Topic>> {
        let directory = self.directory.read();
        let topics = directory.channels(is_sharded);
        topics.filter(|topic| wants(&topic.name)).map(Arc::clone).collect()
    }

    /// How many have subscribed to a channel.
    pub fn subscribers(&self, is_sharded: bool, channel: &[u8]) -> u64 {
        self.directory.read().subscribers(is_sharded, channel)
    }

    /// What waits for the worker for which most does.
    pub fn waiting_bytes(&self) -> u64 {
        self.exchange.waiting_bytes_max()
    }

    /// How many channels (first: shard channels) have subscribers.
    pub fn channel_count(&self, is_sharded: bool) -> usize {
        self.directory.read().channels(is_sharded).len()
    }

    /// How many different patterns there are.
    pub fn pattern_count(&self) -> usize {
        self.directory.read().pattern_count()
    }
}

#[cfg(test)]
mod tests;
