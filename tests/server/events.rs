//! Keyspace events where Redis is no measure: named collections, several workers, the log, what expires by itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::held::hold;
use crate::in_memory;
use crate::support::conn::encode;
use crate::support::{Conn, Rng, Server, seed};

/// A connection that gets what fits `pattern`.
fn listening(server: &Server, pattern: &str) -> Conn {
    let mut conn = server.connect();
    conn.call(&["PSUBSCRIBE", pattern]);
    conn
}

fn ask_for(server: &Server, classes: &str) {
    let set = server
        .connect()
        .call(&["CONFIG", "SET", "notify-keyspace-events", classes]);
    assert_eq!(set.text(), "OK");
}

/// The next event: channel and payload.
fn next(conn: &mut Conn) -> (String, String) {
    let items = conn.recv().expect("an event").value.items();
    assert_eq!(items[0].text(), "pmessage", "{items:?}");
    (items[2].text(), items[3].text())
}

/// All events so far, as `channel payload`.
fn all(conn: &mut Conn) -> Vec<String> {
    conn.send(&["PING", "end"]).unwrap();
    let mut events = Vec::new();
    loop {
        let items = conn.recv().expect("an event or the end").value.items();
        if items[0].text() == "pong" {
            return events;
        }
        events.push(format!("{} {}", items[2].text(), items[3].text()));
    }
}

#[test]
fn events_come_under_the_names_of_collections() {
    let server = in_memory();
    ask_for(&server, "KEA");
    let mut listener = listening(&server, "__key*");
    let mut conn = server.connect();
    for (words, events) in [
        (&["COLLECTION", "CREATE", "orders"][..], &[][..]),
        (&["SELECT", "orders"], &[]),
        (
            &["SET", "k", "v"],
            &["__keyspace@orders__:k set", "__keyevent@orders__:set k"],
        ),
        (
            &["MOVE", "k", "3"],
            &[
                "__keyspace@orders__:k move_from",
                "__keyevent@orders__:move_from k",
                "__keyspace@3__:k move_to",
                "__keyevent@3__:move_to k",
            ],
        ),
        (
            &["RPUSH", "l", "v"],
            &["__keyspace@orders__:l rpush", "__keyevent@orders__:rpush l"],
        ),
        (
            &["COPY", "l", "l", "DB", "0"],
            &["__keyspace@0__:l copy_to", "__keyevent@0__:copy_to l"],
        ),
        (&["COLLECTION", "RENAME", "orders", "bills"], &[]),
        (&["DEL", "l"], &["__keyspace@bills__:l del", "__keyevent@bills__:del l"]),
        (&["FLUSHDB"], &[]),
        (&["SELECT", "0"], &[]),
        (&["DEL", "l"], &["__keyspace@0__:l del", "__keyevent@0__:del l"]),
    ] {
        let reply = conn.call(words);
        assert!(!reply.is_error(), "{words:?}: {reply:?}");
        assert_eq!(all(&mut listener), events, "{words:?}");
    }
}

#[test]
fn keys_and_fields_that_die_by_themselves() {
    let server = in_memory();
    ask_for(&server, "Exhg");
    let mut conn = server.connect();
    conn.call(&["HSET", "h", "a", "1", "b", "2"]);
    conn.call(&["COLLECTION", "CREATE", "orders"]);
    let mut listener = listening(&server, "__keyevent@*");
    conn.call(&["SET", "k", "v", "PX", "30"]);
    assert_eq!(next(&mut listener).0, "__keyevent@0__:expire");
    assert_eq!(next(&mut listener), ("__keyevent@0__:expired".into(), "k".into()));
    conn.call(&["HPEXPIRE", "h", "30", "FIELDS", "1", "a"]);
    assert_eq!(next(&mut listener).0, "__keyevent@0__:hexpire");
    assert_eq!(next(&mut listener), ("__keyevent@0__:hexpired".into(), "h".into()));
    conn.call(&["HPEXPIRE", "h", "30", "FIELDS", "1", "b"]);
    assert_eq!(next(&mut listener).0, "__keyevent@0__:hexpire");
    assert_eq!(next(&mut listener), ("__keyevent@0__:hexpired".into(), "h".into()));
    assert_eq!(next(&mut listener), ("__keyevent@0__:del".into(), "h".into()));
    conn.call(&["SELECT", "orders"]);
    conn.call(&["SET", "k", "v", "PX", "30"]);
    assert_eq!(next(&mut listener).0, "__keyevent@orders__:expire");
    assert_eq!(next(&mut listener), ("__keyevent@orders__:expired".into(), "k".into()));
}

#[test]
fn what_is_set_to_die_in_the_past_comes_and_goes() {
    let server = in_memory();
    ask_for(&server, "EAnoc");
    let mut listener = listening(&server, "__keyevent@*");
    let mut conn = server.connect();
    let names = |events: Vec<String>| -> Vec<String> {
        let name = |event: &String| event.split([':', ' ']).nth(1).unwrap().to_owned();
        events.iter().map(name).collect()
    };
    conn.call(&["SET", "k", "v", "EXAT", "1"]);
    assert_eq!(names(all(&mut listener)), ["new", "set", "expire", "expired"]);
    conn.call(&["RPUSH", "k", "v"]);
    conn.call(&["SET", "k", "v", "PXAT", "1"]);
    let expected = [
        "new",
        "rpush",
        "overwritten",
        "type_changed",
        "set",
        "expire",
        "expired",
    ];
    assert_eq!(names(all(&mut listener)), expected);
}

#[test]
fn a_range_of_keys_tells_of_each() {
    let server = in_memory();
    ask_for(&server, "Eg");
    let mut conn = server.connect();
    conn.call(&["COLLECTION", "CREATE", "ordered", "KIND", "bcust"]);
    conn.call(&["SELECT", "ordered"]);
    conn.call(&["MSET", "a", "1", "b", "2", "c", "3"]);
    let mut listener = listening(&server, "__keyevent@*");
    let deleted = conn.call(&["KDELRANGE", "[a", "(c"]);
    assert_eq!(deleted.int(), Some(2), "{deleted:?}");
    let expected = ["__keyevent@ordered__:del a", "__keyevent@ordered__:del b"];
    assert_eq!(all(&mut listener), expected);
}

/// Whether a key exists, as its events tell.
fn follow(exists: &mut bool, name: &str, before: &str) {
    match name {
        "new" => assert!(!std::mem::replace(exists, true), "new after {before}"),
        "overwritten" | "set" | "incrby" => assert!(*exists, "{name} after {before}"),
        "del" => assert!(std::mem::replace(exists, false), "del after {before}"),
        other => panic!("{other}"),
    }
}

#[test]
fn events_of_a_key_come_in_the_order_of_its_changes_whoever_makes_them() {
    const WRITERS: usize = 6;
    const COMMANDS: usize = 3_000;
    let server = Server::lokikv(&["wal.enabled=false", "server.workers=3"]);
    ask_for(&server, "KAno");
    let mut listener = listening(&server, "__keyspace@0__:*");
    let seed = seed();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let mut conn = server.connect();
            scope.spawn(move || {
                let mut rng = Rng::new(seed.wrapping_add(writer as u64));
                for _ in 0..COMMANDS / 30 {
                    let mut request = Vec::new();
                    for _ in 0..30 {
                        let key = rng.pick(&["a", "b"]);
                        match rng.below(3) {
                            0 => encode(&["SET", key, "1"], &mut request),
                            1 => encode(&["INCR", key], &mut request),
                            _ => encode(&["DEL", key], &mut request),
                        }
                    }
                    conn.send_raw(&request).unwrap();
                    (0..30).for_each(|_| drop(conn.recv().unwrap()));
                }
            });
        }
    });
    let mut seen: BTreeMap<String, (bool, String)> = BTreeMap::new();
    let events = all(&mut listener);
    assert!(events.len() > WRITERS * COMMANDS / 2);
    for event in events {
        let (key, name) = event.split_once(' ').unwrap();
        let (exists, before) = seen.entry(key.to_owned()).or_default();
        follow(exists, name, before);
        *before = name.to_owned();
    }
}

#[test]
fn an_event_leaves_when_what_it_tells_of_is_on_disk() {
    let mut server = Server::lokikv(&[
        "wal.fsync=always",
        "checkpoint.interval_s=0",
        "notifications.keyspace_events=E$x",
    ]);
    for round in 0..8 {
        let mut listener = listening(&server, "__keyevent@0__:*");
        let port = server.port();
        let writer = std::thread::spawn(move || {
            let Ok(mut conn) = Conn::connect(port) else { return };
            for n in 0.. {
                let key = format!("{round}-{n}");
                let transaction = [&["MULTI"][..], &["SET", &key, "v"], &["INCR", "n"], &["EXEC"]];
                let one = [&["SET", key.as_str(), "v"][..]];
                let commands = if n % 2 == 0 { &transaction[..] } else { &one };
                let mut request = Vec::new();
                commands.iter().for_each(|args| encode(args, &mut request));
                if conn.send_raw(&request).is_err() || commands.iter().any(|_| conn.recv().is_err()) {
                    return;
                }
            }
        });
        let mut told = Vec::new();
        while told.len() < 20 + round {
            let (channel, key) = next(&mut listener);
            if channel.ends_with(":set") {
                told.push(key);
            }
        }
        server.kill9();
        writer.join().unwrap();
        server.restart();
        let mut conn = server.connect();
        for key in told {
            assert_eq!(conn.call(&["EXISTS", &key]).int(), Some(1), "told of {key}");
        }
    }
}

#[test]
fn an_expiry_is_told_when_it_is_on_disk_and_stays_told() {
    let mut server = Server::lokikv(&[
        "wal.fsync=always",
        "checkpoint.interval_s=0",
        "notifications.keyspace_events=Ex",
    ]);
    let mut listener = listening(&server, "__keyevent@0__:*");
    let mut conn = server.connect();
    for n in 0..50 {
        conn.call(&["SET", &format!("k{n}"), "v", "PX", "20"]);
    }
    for _ in 0..50 {
        assert_eq!(next(&mut listener).0, "__keyevent@0__:expired");
    }
    server.kill9();
    server.restart();
    let mut listener = listening(&server, "*");
    assert_eq!(server.connect().call(&["DBSIZE"]).int(), Some(0));
    std::thread::sleep(Duration::from_millis(300));
    assert!(all(&mut listener).is_empty());
}

#[test]
fn what_is_read_back_or_brought_in_tells_of_nothing() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0", "notifications.keyspace_events=KEAnocm"]);
    let mut conn = server.connect();
    let mut request = Vec::new();
    for n in 0..100_000 {
        encode(&["SET", &format!("k{n}"), "v"], &mut request);
    }
    encode(&["HSET", "h", "f", "v"], &mut request);
    conn.send_raw(&request).unwrap();
    (0..100_001).for_each(|_| drop(conn.recv().unwrap()));
    server.kill9();
    let _port = hold(server.port());
    server.launch();
    let mut listener = server.connect_early();
    listener.call(&["PSUBSCRIBE", "*"]);
    let started = Instant::now();
    while server
        .connect_early()
        .call(&["GET", "k1"])
        .text()
        .starts_with("LOADING")
    {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut conn = server.connect();
    for words in [
        &["COLLECTION", "COPY", "default", "copy"][..],
        &["COLLECTION", "CONVERT", "copy", "KIND", "bcust"],
        &["COLLECTION", "PERSIST", "copy"],
        &["LOAD_HMAP", "copy", "AS", "loaded"],
        &["CHECKPOINT"],
    ] {
        let reply = conn.call(words);
        assert!(!reply.is_error(), "{words:?}: {reply:?}");
    }
    assert_eq!(all(&mut listener), Vec::<String>::new());
    conn.call(&["DEL", "k1"]);
    assert_eq!(all(&mut listener).len(), 2);
}

#[test]
fn classes_are_asked_for_by_either_name_and_kept() {
    let mut server = Server::lokikv(&["notifications.keyspace_events=ocnAKE"]);
    let mut conn = server.connect();
    let mut shown = |name: &str| conn.call(&["CONFIG", "GET", name]).items()[1].text();
    assert_eq!(shown("notify-keyspace-events"), "AKE");
    assert_eq!(shown("notifications.keyspace_events"), "AnocKE");
    let mut listener = listening(&server, "__keyevent*");
    server.connect().call(&["SET", "k", "v"]);
    assert_eq!(all(&mut listener), ["__keyevent@0__:new k", "__keyevent@0__:set k"]);
    let mut conn = server.connect();
    let set = conn.call(&["CONFIG", "SET", "notifications.keyspace_events", "Ex"]);
    assert_eq!(set.text(), "OK");
    let refused = conn.call(&["CONFIG", "SET", "notify-keyspace-events", "KEy"]);
    assert!(refused.text().contains("Invalid event class character"), "{refused:?}");
    conn.call(&["SET", "k", "v"]);
    assert!(all(&mut listener).is_empty());
    server.terminate();
}
