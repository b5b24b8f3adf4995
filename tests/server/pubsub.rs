//! Publish and subscribe over several workers: order, slow and vanishing subscribers, memory, durability.
//! `LOKIKV_SUBSCRIBERS` and `LOKIKV_SUBSCRIPTIONS` say how many come and go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::conn::encode;
use crate::support::{Conn, Rng, Server, Value, env_number, seed};
use crate::{await_that, in_memory};

fn subscribed(server: &Server, words: &[&str]) -> Conn {
    let mut conn = server.connect();
    conn.send(words).unwrap();
    words[1..].iter().for_each(|_| drop(conn.recv().unwrap()));
    conn
}

/// The payload of the next message.
fn payload(conn: &mut Conn) -> String {
    let items = conn.recv().expect("a message").value.items();
    assert_eq!(items.first().map(Value::text).as_deref(), Some("message"), "{items:?}");
    items[2].text()
}

fn info(conn: &mut Conn, name: &str) -> u64 {
    let text = conn.call(&["INFO", "everything"]).text();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn all_subscribers_see_one_order_of_several_publishers() {
    const PUBLISHERS: usize = 4;
    const MESSAGES: usize = 2_000;
    let server = in_memory();
    let mut subscribers: Vec<Conn> = (0..6).map(|_| subscribed(&server, &["SUBSCRIBE", "c"])).collect();
    let seen: Vec<Vec<String>> = std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut conn = server.connect();
            scope.spawn(move || {
                for batch in 0..MESSAGES / 50 {
                    let mut request = Vec::new();
                    for n in 0..50 {
                        encode(
                            &["PUBLISH", "c", &format!("{publisher} {}", batch * 50 + n)],
                            &mut request,
                        );
                    }
                    conn.send_raw(&request).unwrap();
                    (0..50).for_each(|_| assert_eq!(conn.recv().unwrap().value, Value::Int(6)));
                }
            });
        }
        let readers = subscribers
            .iter_mut()
            .map(|conn| scope.spawn(|| (0..PUBLISHERS * MESSAGES).map(|_| payload(conn)).collect::<Vec<_>>()));
        let readers: Vec<_> = readers.collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    assert!(seen.iter().all(|messages| *messages == seen[0]));
    let mut next = [0; PUBLISHERS];
    for message in &seen[0] {
        let (publisher, number) = message.split_once(' ').unwrap();
        let publisher: usize = publisher.parse().unwrap();
        assert_eq!(number, next[publisher].to_string(), "in a publisher's order, each once");
        next[publisher] += 1;
    }
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_and_holds_nobody_back() {
    const MESSAGE_BYTES: usize = 1000;
    const MESSAGES: u64 = 60_000;
    let server = in_memory();
    let mut conn = server.connect();
    let limit = "pubsub 4mb 0 0";
    assert_eq!(
        conn.call(&["CONFIG", "SET", "client-output-buffer-limit", limit]),
        Value::ok()
    );
    let lazy = subscribed(&server, &["SUBSCRIBE", "c"]);
    let mut eager: Vec<Conn> = (0..2).map(|_| subscribed(&server, &["SUBSCRIBE", "c"])).collect();
    let most = AtomicU64::new(0);
    let read: Vec<AtomicU64> = eager.iter().map(|_| AtomicU64::new(0)).collect();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (reader, read) in eager.iter_mut().zip(&read) {
            scope.spawn(move || {
                for n in 0..MESSAGES {
                    let text = payload(reader);
                    assert!(text.starts_with(&format!("{n} ")), "{n} is missing: {}", &text[..20]);
                    read.store(n + 1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            let mut watcher = server.connect();
            while !is_over.load(Ordering::Relaxed) {
                most.fetch_max(info(&mut watcher, "used_memory"), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let padding = "x".repeat(MESSAGE_BYTES);
        for from in (0..MESSAGES).step_by(20) {
            // As fast as those go who read.
            while read.iter().any(|read| read.load(Ordering::Relaxed) + 1000 < from) {
                std::thread::yield_now();
            }
            let mut request = Vec::new();
            (from..from + 20).for_each(|n| encode(&["PUBLISH", "c", &format!("{n} {padding}")], &mut request));
            conn.send_raw(&request).unwrap();
            (0..20).for_each(|_| drop(conn.recv().unwrap()));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    await_that("the lazy one is closed", || {
        conn.call(&["PUBSUB", "NUMSUB", "c"]).items()[1] == Value::Int(2)
    });
    let most = most.load(Ordering::Relaxed);
    assert!(most < 100 << 20, "{most} bytes");
    drop(lazy);
}

#[test]
fn a_message_that_tells_of_a_write_leaves_when_that_is_on_disk() {
    let mut server = Server::lokikv(&["wal.fsync=always", "checkpoint.interval_s=0"]);
    for round in 0..10 {
        let mut subscriber = subscribed(&server, &["SUBSCRIBE", "c"]);
        let port = server.port();
        let publisher = std::thread::spawn(move || {
            let Ok(mut conn) = Conn::connect(port) else { return };
            for n in 0.. {
                let text = format!("{round}-{n}");
                let transaction: [&[&str]; 4] = [&["MULTI"], &["SET", "k", &text], &["PUBLISH", "c", &text], &["EXEC"]];
                let one = [&["SET", "k", text.as_str()][..], &["PUBLISH", "c", &text]];
                let mut request = Vec::new();
                let commands = if n % 2 == 0 { &transaction[..] } else { &one[..] };
                commands.iter().for_each(|args| encode(args, &mut request));
                if conn.send_raw(&request).is_err() || commands.iter().any(|_| conn.recv().is_err()) {
                    return;
                }
            }
        });
        let mut last = String::new();
        for _ in 0..20 + round {
            last = payload(&mut subscriber);
        }
        server.kill9();
        publisher.join().unwrap();
        server.restart();
        let found = server.connect().call(&["GET", "k"]).text();
        let number = |text: &str| text.split_once('-').unwrap().1.parse::<u64>().unwrap();
        assert!(
            found.starts_with(&format!("{round}-")) && number(&found) >= number(&last),
            "told of {last}, found {found}"
        );
    }
}

/// What a subscriber that comes and goes has to see: each message once, none missing while it is there.
struct Listener {
    conn: Conn,
    /// By channel: the last number seen.
    last: BTreeMap<String, u64>,
}

impl Listener {
    fn new(server: &Server, channel: &str) -> Self {
        Self {
            conn: subscribed(server, &["SUBSCRIBE", channel]),
            last: BTreeMap::new(),
        }
    }

    /// Reads up to what was published last.
    fn catch_up(&mut self, channel: &str, until: u64) {
        while self.last.get(channel).copied().unwrap_or(0) < until {
            let items = self.conn.recv().expect("a message").value.items();
            assert_eq!(items[1].text(), channel, "a message of somebody else's channel");
            let number: u64 = items[2].text().parse().unwrap();
            if let Some(last) = self.last.insert(channel.to_owned(), number) {
                assert_eq!(number, last + 1, "{channel}: each once, none lost");
            }
        }
    }
}

#[test]
fn subscribers_that_come_and_go_get_each_message_once() {
    const CHANNELS: usize = 7;
    const ROUNDS: u64 = 150;
    let count = env_number("LOKIKV_SUBSCRIBERS", 100) as usize;
    let server = in_memory();
    let mut rng = Rng::new(seed());
    let mut publisher = server.connect();
    let channel = |at: usize| format!("channel {}", at % CHANNELS);
    let mut listeners: Vec<Listener> = (0..count).map(|at| Listener::new(&server, &channel(at))).collect();
    for round in 1..=ROUNDS {
        for _ in 0..count / 20 {
            let at = rng.below(count);
            if rng.one_in(2) {
                let id = rng.below(count * 2).to_string();
                // Whoever has this number, one of them or long gone.
                publisher.call(&["CLIENT", "KILL", "ID", &id, "SKIPME", "yes"]);
            }
            listeners[at] = Listener::new(&server, &channel(at));
        }
        for at in 0..CHANNELS {
            publisher.call(&["PUBLISH", &channel(at), &round.to_string()]);
        }
        for (at, listener) in listeners.iter_mut().enumerate() {
            if listener.conn.send(&["PING"]).is_err() || !is_alive(&mut listener.conn) {
                *listener = Listener::new(&server, &channel(at));
                continue;
            }
            listener.catch_up(&channel(at), round);
            assert_eq!(listener.conn.recv().unwrap().value.items()[0], Value::bulk("pong"));
        }
    }
    drop(listeners);
    let since = Instant::now();
    while info(&mut publisher, "pubsub_channels") > 0 {
        assert!(since.elapsed() < Duration::from_secs(20), "subscriptions stay");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether something can be read, without reading it.
fn is_alive(conn: &mut Conn) -> bool {
    matches!(conn.stream().peek(&mut [0]), Ok(1..))
}

#[test]
fn many_subscriptions_count_are_limited_and_given_back() {
    const BATCH: usize = 1000;
    let count = env_number("LOKIKV_SUBSCRIPTIONS", 200_000) as usize;
    let server = in_memory();
    let (mut conn, mut subscriber) = (server.connect(), server.connect());
    let before = info(&mut conn, "used_memory");
    let act = |subscriber: &mut Conn, word: &str| {
        for from in (0..count).step_by(BATCH) {
            let mut words = vec![word.to_owned()];
            words.extend((from..from + BATCH).map(|n| format!("some channel {n}")));
            subscriber.send(&words).unwrap();
            (0..BATCH).for_each(|_| drop(subscriber.recv().unwrap()));
        }
    };
    for _ in 0..2 {
        act(&mut subscriber, "SUBSCRIBE");
        let each = (info(&mut conn, "used_memory") - before) as usize / count;
        assert!((150..500).contains(&each), "{each} bytes for a subscription");
        act(&mut subscriber, "UNSUBSCRIBE");
        assert_eq!(info(&mut conn, "pubsub_channels"), 0);
    }
    assert_eq!(
        conn.call(&["CONFIG", "SET", "client-query-buffer-limit", "1mb"]),
        Value::ok()
    );
    let mut words = vec!["SUBSCRIBE".to_owned()];
    words.extend((0..2 * BATCH).map(|n| format!("{n}{}", "x".repeat(400))));
    let mut greedy = server.connect();
    greedy.send(&words).unwrap();
    assert!(greedy.read_to_close().is_ok(), "closed for what it holds");
    let since = Instant::now();
    while info(&mut conn, "pubsub_channels") > 0 {
        assert!(since.elapsed() < Duration::from_secs(20), "subscriptions stay");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_subscriber_may_be_idle() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut subscriber = subscribed(&server, &["SUBSCRIBE", "c"]);
    let mut idle = server.connect();
    assert_eq!(conn.call(&["CONFIG", "SET", "timeout", "1"]), Value::ok());
    assert!(idle.read_to_close().is_ok());
    let lift = |mut conn: Conn| conn.try_call(&["CONFIG", "SET", "timeout", "0"]);
    await_that("clients may be idle again", || {
        lift(server.connect()).is_ok_and(|reply| reply == Value::ok())
    });
    server.connect().call(&["PUBLISH", "c", "still there"]);
    assert_eq!(payload(&mut subscriber), "still there");
}

#[test]
fn an_answer_does_not_wait_behind_a_message_of_the_same_sync() {
    let server = Server::lokikv(&["wal.fsync=always", "checkpoint.interval_s=0", "server.workers=2"]);
    // Connections go to the workers in turn: who waits is served by one, who writes by the other.
    let mut listener = subscribed(&server, &["SUBSCRIBE", "c"]);
    let mut publisher = server.connect();
    let mut waiter = server.connect();
    let mut pusher = server.connect();
    let mut slowest = Duration::ZERO;
    for n in 0..300 {
        let n = n.to_string();
        waiter.send(&["BLPOP", "l", "20"]).unwrap();
        while info(&mut pusher, "blocked_clients") == 0 {}
        let begun = Instant::now();
        let mut request = Vec::new();
        encode(&["SET", "k", &n], &mut request);
        encode(&["PUBLISH", "c", &n], &mut request);
        publisher.send_raw(&request).unwrap();
        pusher.send(&["RPUSH", "l", &n]).unwrap();
        assert_eq!(waiter.recv().unwrap().value.items()[1], Value::bulk(&n));
        slowest = slowest.max(begun.elapsed());
        assert_eq!(payload(&mut listener), n);
        assert_eq!(publisher.recv().unwrap().value, Value::ok());
        assert_eq!(publisher.recv().unwrap().value, Value::Int(1));
        assert_eq!(pusher.recv().unwrap().value, Value::Int(1));
    }
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
}
