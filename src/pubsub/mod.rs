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
        let mut receivers = 0;
        self.directory.read().visit_matches(channel, is_sharded, |_, audience| {
            receivers += audience.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        });
        if receivers > 0 {
            outlet.keep(Kept::Message {
                channel: channel.into(),
                is_sharded,
                payload: payload.into(),
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
                } => {
                    self.publish(outlet, (&channel, is_sharded), &payload, depends_on);
                }
                Kept::Line(line) => self.add_line(outlet, |lines| lines.extend_from_slice(&line)),
            }
        }
    }

    /// Hands out notices, each for connections of one worker. `outlet`: that of the thread that does so; without one, those
    /// who get something are woken at once.
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
mod tests {
    use super::*;
    use crate::resp::{Proto, Reply};

    /// A worker with a few clients, each of which keeps what it has been told.
    struct Office {
        desk: Rc<Desk>,
        clients: Vec<(Subscriber, Vec<String>)>,
    }

    impl Office {
        fn new(pubsub: &PubSub, clients: usize) -> Self {
            let desk = pubsub.open_desk();
            let client = |number| (Subscriber::new(Rc::clone(&desk), number), Vec::new());
            Self {
                clients: (0..clients).map(client).collect(),
                desk,
            }
        }

        fn deliver(&mut self) {
            let mut deliveries = Vec::new();
            self.desk.take(&mut deliveries);
            for delivery in deliveries {
                let clients = &mut self.clients;
                self.desk.visit_addressees(&delivery, |number, _| {
                    let News::Message(message) = &delivery.news else { return };
                    let mut reply = Reply::new(Proto::Resp2);
                    put_message(&mut reply, message);
                    let text = String::from_utf8(reply.to_vec()).unwrap().replace("\r\n", " ");
                    clients[number].1.push(text);
                });
            }
        }
    }

    fn publish(pubsub: &PubSub, desk: &Desk, channel: &str, payload: &str) -> u64 {
        let channel = (channel.as_bytes(), false);
        pubsub.publish(desk.outlet(), channel, payload.as_bytes(), Dependencies::default())
    }

    #[test]
    fn messages_reach_subscribers_of_all_workers_in_order() {
        let pubsub = PubSub::default();
        let mut offices = [Office::new(&pubsub, 2), Office::new(&pubsub, 1)];
        for (office, client) in [(0, 0), (0, 1), (1, 0)] {
            let subscriber = &mut offices[office].clients[client].0;
            assert!(pubsub.subscribe(subscriber, TopicKind::Channel, b"news"));
            assert!(!pubsub.subscribe(subscriber, TopicKind::Channel, b"news"));
        }
        pubsub.subscribe(&mut offices[1].clients[0].0, TopicKind::Pattern, b"n?ws");
        assert_eq!(publish(&pubsub, &offices[0].desk, "news", "a"), 4);
        assert_eq!(publish(&pubsub, &offices[1].desk, "news", "b"), 4);
        assert_eq!(publish(&pubsub, &offices[1].desk, "other", "c"), 0);
        offices.iter_mut().for_each(Office::deliver);
        let [a, b] = ["a", "b"].map(|text| format!("*3 $7 message $4 news $1 {text} "));
        assert_eq!(offices[0].clients[0].1, [a.clone(), b.clone()]);
        assert_eq!(offices[0].clients[1].1, [a.clone(), b.clone()]);
        let [pa, pb] = ["a", "b"].map(|text| format!("*4 $8 pmessage $4 n?ws $4 news $1 {text} "));
        assert_eq!(offices[1].clients[0].1, [a, pa, b, pb]);
    }

    #[test]
    fn what_a_worker_published_before_a_subscription_is_not_for_it() {
        let pubsub = PubSub::default();
        let mut office = Office::new(&pubsub, 2);
        pubsub.subscribe(&mut office.clients[0].0, TopicKind::Channel, b"c");
        assert_eq!(publish(&pubsub, &office.desk, "c", "1"), 1);
        pubsub.subscribe(&mut office.clients[1].0, TopicKind::Channel, b"c");
        assert_eq!(publish(&pubsub, &office.desk, "c", "2"), 2);
        office.deliver();
        assert_eq!(office.clients[0].1.len(), 2);
        assert_eq!(office.clients[1].1, ["*3 $7 message $1 c $1 2 "]);
    }

    #[test]
    fn what_a_worker_published_before_a_subscription_ended_is_for_it() {
        let pubsub = PubSub::default();
        let mut office = Office::new(&pubsub, 2);
        for at in [0, 1] {
            pubsub.subscribe(&mut office.clients[at].0, TopicKind::Channel, b"c");
        }
        publish(&pubsub, &office.desk, "c", "1");
        for at in [0, 1] {
            pubsub.unsubscribe(&mut office.clients[at].0, TopicKind::Channel, b"c");
        }
        publish(&pubsub, &office.desk, "c", "2");
        pubsub.subscribe(&mut office.clients[0].0, TopicKind::Channel, b"c");
        publish(&pubsub, &office.desk, "c", "3");
        // Another connection gets the number of the one that goes.
        let gone = Subscriber::new(Rc::clone(&office.desk), 1);
        office.clients[1].0 = gone;
        office.deliver();
        let text = |n| format!("*3 $7 message $1 c $1 {n} ");
        assert_eq!(office.clients[0].1, [text(1), text(3)]);
        assert!(office.clients[1].1.is_empty());
    }

    #[test]
    fn what_nobody_wants_any_more_is_forgotten() {
        let pubsub = PubSub::default();
        let mut office = Office::new(&pubsub, 1);
        for kind in TopicKind::ALL {
            let subscriber = &mut office.clients[0].0;
            pubsub.subscribe(subscriber, kind, b"c*");
            assert_eq!(subscriber.count(kind), 1);
        }
        let counts = |pubsub: &PubSub| {
            (
                pubsub.channel_count(false),
                pubsub.channel_count(true),
                pubsub.pattern_count(),
            )
        };
        assert_eq!(counts(&pubsub), (1, 1, 1));
        assert_eq!(pubsub.subscribers(true, b"c*"), 1);
        assert_eq!(publish(&pubsub, &office.desk, "c*", "1"), 2);
        for kind in TopicKind::ALL {
            assert!(pubsub.unsubscribe(&mut office.clients[0].0, kind, b"c*"));
            assert!(!pubsub.unsubscribe(&mut office.clients[0].0, kind, b"c*"));
        }
        office.deliver();
        assert_eq!(office.clients[0].1.len(), 2, "what came before the end");
        assert_eq!(counts(&pubsub), (0, 0, 0));
        assert_eq!(publish(&pubsub, &office.desk, "c*", "1"), 0);
    }

    /// What each client has been told, and which are closed.
    fn lost(office: &mut Office) -> Vec<usize> {
        let (mut deliveries, mut lost) = (Vec::new(), Vec::new());
        office.desk.take(&mut deliveries);
        for delivery in deliveries {
            let is_lost = matches!(delivery.news, News::Lost);
            office.desk.visit_addressees(&delivery, |number, _| match is_lost {
                true => lost.push(number),
                false => office.clients[number].1.push(String::new()),
            });
        }
        lost
    }

    #[test]
    fn a_worker_without_time_keeps_some_messages_and_those_of_others() {
        let pubsub = PubSub::default();
        // The worker publishes itself, and another one does.
        for publisher in [0, 1] {
            let mut offices = [Office::new(&pubsub, 4), Office::new(&pubsub, 0)];
            for (client, topic) in [(0, "much"), (1, "little"), (3, "much")] {
                pubsub.subscribe(&mut offices[0].clients[client].0, TopicKind::Channel, topic.as_bytes());
            }
            let from = Rc::clone(&offices[publisher].desk);
            let payload = "x".repeat(1 << 20);
            publish(&pubsub, &from, "little", "1");
            for n in 0..400 {
                assert!(publish(&pubsub, &from, "much", &payload) > 0);
                assert!(pubsub.waiting_bytes() < 130 << 20, "{n}");
                if n == 0 {
                    pubsub.unsubscribe(&mut offices[0].clients[3].0, TopicKind::Channel, b"much");
                }
            }
            publish(&pubsub, &from, "little", "2");
            let mut lost = lost(&mut offices[0]);
            lost.sort_unstable();
            lost.dedup();
            // Who is not subscribed any more had a message on the way if its own worker had published it.
            let expected: &[usize] = if publisher == 0 { &[0, 3] } else { &[0] };
            assert_eq!(lost, expected);
            assert_eq!(offices[0].clients[1].1.len(), 2);
            assert_eq!(pubsub.waiting_bytes(), 0);
            // There is room again, and nobody is lost for nothing.
            publish(&pubsub, &from, "much", &payload);
            let told = offices[0].clients[0].1.len();
            assert!(super::tests::lost(&mut offices[0]).is_empty());
            assert_eq!(offices[0].clients[0].1.len(), told + 1);
            let desk = Rc::clone(&offices[0].desk);
            offices[0].clients.iter_mut().for_each(|(subscriber, _)| {
                for topic in [&b"much"[..], b"little"] {
                    pubsub.unsubscribe(subscriber, TopicKind::Channel, topic);
                }
            });
            assert!(!desk.has_ended());
        }
    }

    #[test]
    fn what_is_held_is_counted() {
        let pubsub = PubSub::default();
        let mut office = Office::new(&pubsub, 1);
        pubsub.subscribe(&mut office.clients[0].0, TopicKind::Channel, b"c");
        let outlet = Arc::clone(office.desk.outlet());
        let payload = "x".repeat(1 << 20);
        let publish = |times: usize| (0..times).all(|_| publish(&pubsub, &office.desk, "c", &payload) == 1);
        outlet.hold();
        assert!(publish(40));
        outlet.hold();
        assert!(!outlet.holds_too_much());
        assert!(publish(40));
        assert!(outlet.holds_too_much());
        outlet.forget();
        assert!(!outlet.holds_too_much() && outlet.is_holding());
        assert!(publish(40));
        assert!(outlet.holds_too_much());
        pubsub.release(&outlet, Dependencies::default());
        assert!(!outlet.holds_too_much() && !outlet.is_holding());
        office.deliver();
        assert_eq!(office.clients[0].1.len(), 80);
    }

    #[test]
    fn two_workers_see_one_order_while_both_publish() {
        const MESSAGES: usize = 3_000;
        let pubsub = PubSub::default();
        let seen = std::thread::scope(|scope| {
            let publishes = |name: char| {
                let pubsub = &pubsub;
                scope.spawn(move || {
                    let mut office = Office::new(pubsub, 1);
                    pubsub.subscribe(&mut office.clients[0].0, TopicKind::Channel, b"c");
                    while pubsub.subscribers(false, b"c") < 2 {
                        std::thread::yield_now();
                    }
                    for n in 0..MESSAGES {
                        publish(pubsub, &office.desk, "c", &format!("{name}{n}"));
                        office.deliver();
                    }
                    while office.clients[0].1.len() < 2 * MESSAGES {
                        office.deliver();
                    }
                    office.clients.remove(0).1
                })
            };
            let threads = ['a', 'b'].map(publishes);
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(seen[0] == seen[1]);
    }
}
