//! Messages between workers: who gets what, in which order, and what becomes of too much.

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
        for delivery in self.desk.take_all() {
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

/// Counts what clients are told; those that are closed, once for each reason.
fn lost_by(office: &mut Office) -> Vec<usize> {
    let mut lost = Vec::new();
    for delivery in office.desk.take_all() {
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
        let mut lost = lost_by(&mut offices[0]);
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
        assert!(lost_by(&mut offices[0]).is_empty());
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

#[test]
fn what_a_worker_may_not_deliver_yet_counts_and_small_ones_stay() {
    let pubsub = PubSub::default();
    let mut offices = [Office::new(&pubsub, 2), Office::new(&pubsub, 0)];
    pubsub.subscribe(&mut offices[0].clients[0].0, TopicKind::Channel, b"much");
    pubsub.subscribe(&mut offices[0].clients[1].0, TopicKind::Channel, b"little");
    let payload = "x".repeat(100 << 10);
    let [mut waiting, mut new] = [DeliveryQueue::default(), DeliveryQueue::default()];
    for n in 0..4_000 {
        publish(&pubsub, &offices[1].desk, "much", &payload);
        offices[0].desk.take(&mut waiting, &mut new);
        while let Some(delivery) = new.pop() {
            waiting.push(delivery);
        }
        offices[0].desk.put_back(&mut waiting);
        assert!(waiting.is_empty() && pubsub.waiting_bytes() < 130 << 20, "{n}");
        if n % 1_000 == 0 {
            publish(&pubsub, &offices[1].desk, "little", "1");
        }
    }
    assert_eq!(lost_by(&mut offices[0]), [0]);
    assert_eq!(offices[0].clients[1].1.len(), 4);
    assert_eq!(pubsub.waiting_bytes(), 0);
}

#[test]
fn who_has_lost_only_what_others_published_is_closed_too() {
    let pubsub = PubSub::default();
    let mut offices = [Office::new(&pubsub, 2), Office::new(&pubsub, 0)];
    let [own, other] = [0, 1].map(|office| Rc::clone(&offices[office].desk));
    let payload = "x".repeat(1 << 20);
    pubsub.subscribe(&mut offices[0].clients[0].0, TopicKind::Channel, b"c");
    publish(&pubsub, &own, "c", &payload);
    pubsub.subscribe(&mut offices[0].clients[1].0, TopicKind::Channel, b"c");
    (0..130).for_each(|_| assert_eq!(publish(&pubsub, &other, "c", &payload), 2));
    let mut lost = lost_by(&mut offices[0]);
    lost.sort_unstable();
    lost.dedup();
    assert_eq!(lost, [0, 1]);
}

#[test]
fn who_has_lost_some_before_it_left_is_closed_too() {
    let pubsub = PubSub::default();
    let mut office = Office::new(&pubsub, 2);
    let desk = Rc::clone(&office.desk);
    let payload = "x".repeat(1 << 20);
    for (client, topic) in [(0, &b"left"[..]), (1, b"kept")] {
        pubsub.subscribe(&mut office.clients[client].0, TopicKind::Channel, topic);
    }
    (0..127).for_each(|_| assert_eq!(publish(&pubsub, &desk, "left", &payload), 1));
    pubsub.unsubscribe(&mut office.clients[0].0, TopicKind::Channel, b"left");
    (0..2).for_each(|_| assert_eq!(publish(&pubsub, &desk, "kept", &payload), 1));
    assert_eq!(lost_by(&mut office), [0]);
    assert_eq!(office.clients[1].1.len(), 2);
    assert!(!desk.has_ended());
}

#[test]
fn a_worker_is_woken_before_too_much_waits_for_it() {
    struct Counter(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let pubsub = PubSub::default();
    let mut offices = [Office::new(&pubsub, 1), Office::new(&pubsub, 0)];
    let counter = Arc::new(Counter(Default::default()));
    offices[0].desk.set_waker(Arc::clone(&counter).into());
    pubsub.subscribe(&mut offices[0].clients[0].0, TopicKind::Channel, b"c");
    let payload = "x".repeat(1 << 20);
    let woken = |counter: &Counter| counter.0.load(std::sync::atomic::Ordering::Relaxed);
    for round in 0..3 {
        publish(&pubsub, &offices[1].desk, "c", "small");
        assert_eq!(woken(&counter), round);
        // The turn of the one that publishes is not over.
        (0..20).for_each(|_| assert_eq!(publish(&pubsub, &offices[1].desk, "c", &payload), 1));
        assert_eq!(woken(&counter), round + 1);
        offices[0].deliver();
    }
}

#[test]
fn many_subscriptions_that_have_ended_get_what_was_for_each() {
    const TIMES: usize = 30_000;
    let pubsub = PubSub::default();
    let mut office = Office::new(&pubsub, 2);
    let desk = Rc::clone(&office.desk);
    pubsub.subscribe(&mut office.clients[1].0, TopicKind::Channel, b"c");
    for n in 0..TIMES {
        pubsub.subscribe(&mut office.clients[0].0, TopicKind::Channel, b"c");
        assert_eq!(publish(&pubsub, &desk, "c", &n.to_string()), 2);
        pubsub.unsubscribe(&mut office.clients[0].0, TopicKind::Channel, b"c");
        publish(&pubsub, &desk, "c", "between");
    }
    office.deliver();
    assert_eq!(office.clients[0].1.len(), TIMES);
    assert!(office.clients[0].1[TIMES - 1].ends_with("$5 29999 "));
    assert!(!desk.has_ended());
}

#[test]
fn many_small_messages_that_are_held_are_all_passed_on() {
    let pubsub = PubSub::default();
    let mut office = Office::new(&pubsub, 1);
    pubsub.subscribe(&mut office.clients[0].0, TopicKind::Channel, b"c");
    pubsub.subscribe(&mut office.clients[0].0, TopicKind::Pattern, b"c*");
    let outlet = Arc::clone(office.desk.outlet());
    outlet.hold();
    let mut held = 0;
    while !outlet.holds_too_much() {
        held += 1;
        publish(&pubsub, &office.desk, "c", "1");
    }
    pubsub.release(&outlet, Dependencies::default());
    assert!(lost_by(&mut office).is_empty());
    assert_eq!(office.clients[0].1.len(), 2 * held);
}
