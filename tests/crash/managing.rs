//! Kills while whole collections are copied, converted, loaded and restored: afterwards it is before or after.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{Args, Conn, Rng, Server, Value, seed};
use crate::{args, rounds, start_lokikv};

const KEYS: usize = 6000;
const KINDS: [&str; 3] = ["hmap", "bdef", "bcust"];

type Content = BTreeMap<Vec<u8>, Vec<u8>>;

fn fill(conn: &mut Conn) {
    let commands: Vec<Args> = (0..KEYS)
        .map(|i| args!["SET", format!("k:{i}"), format!("value {i}")])
        .collect();
    for chunk in commands.chunks(500) {
        conn.pipeline(chunk).unwrap();
    }
}

/// Everything in collection `name`; `None` if there is no such collection.
fn content(conn: &mut Conn, name: &str) -> Option<Content> {
    if conn.call(&["SELECT", name]).is_error() {
        return None;
    }
    let keys: Vec<Vec<u8>> = conn
        .call(&["KEYS", "*"])
        .items()
        .iter()
        .filter_map(|key| key.bytes().map(<[u8]>::to_vec))
        .collect();
    let mut content = Content::new();
    for chunk in keys.chunks(1000) {
        let mut command = vec![b"MGET".to_vec()];
        command.extend(chunk.iter().cloned());
        let values = conn.call(&command).items();
        content.extend(
            chunk
                .iter()
                .cloned()
                .zip(values.iter().map(|value| value.bytes().unwrap().to_vec())),
        );
    }
    Some(content)
}

fn kind_of(conn: &mut Conn, name: &str) -> String {
    let pairs = conn.call(&["COLLECTION", "INFO", name]).pairs();
    pairs
        .into_iter()
        .find(|(field, _)| field.text() == "kind")
        .expect("a kind")
        .1
        .text()
}

/// Takes the filler and the marks `w:0`, `w:1` … apart; the marks must have no gap. Returns their number.
fn marks(content: &Content, what: &str) -> u64 {
    let filler = content.iter().filter(|(key, _)| key.starts_with(b"k:"));
    assert_eq!(filler.clone().count(), KEYS, "{what}");
    for (key, value) in filler {
        let number = String::from_utf8_lossy(&key[2..]).into_owned();
        assert_eq!(value, format!("value {number}").as_bytes(), "{what}");
    }
    let count = (content.len() - KEYS) as u64;
    for n in 0..count {
        assert!(
            content.contains_key(format!("w:{n}").as_bytes()),
            "{what}: {n} of {count} is missing"
        );
    }
    count
}

/// Writes marks until the server is gone; the number of those acknowledged is in `acknowledged` at every moment.
fn write_marks(port: u16, from: u64, acknowledged: &AtomicU64) {
    let Ok(mut conn) = Conn::connect(port) else { return };
    for n in from.. {
        match conn.try_call(&["SET", &format!("w:{n}"), "x"]) {
            Ok(reply) => assert_eq!(reply, Value::ok()),
            Err(_) => return,
        }
        acknowledged.store(n + 1, Ordering::SeqCst);
    }
}

/// Has `command` run while marks are written, and the server killed at a random moment. Returns how many marks were
/// acknowledged before the command, how many at the end, and whether the command was.
fn kill_during(server: &mut Server, command: &[&str], from: u64, rng: &mut Rng) -> (u64, u64, bool) {
    let port = server.port();
    let (acknowledged, done) = (AtomicU64::new(from), AtomicBool::new(false));
    let mut before = from;
    std::thread::scope(|scope| {
        scope.spawn(|| write_marks(port, from, &acknowledged));
        std::thread::sleep(Duration::from_millis(5));
        let mut conn = Conn::connect(port).expect("connect");
        before = acknowledged.load(Ordering::SeqCst);
        let (done, command) = (&done, command.to_vec());
        scope.spawn(move || {
            if let Ok(reply) = conn.try_call(&command) {
                assert_eq!(reply, Value::ok(), "{command:?}");
                done.store(true, Ordering::SeqCst);
            }
        });
        std::thread::sleep(Duration::from_micros(rng.range(0, 120_000) as u64));
        server.kill9();
    });
    (before, acknowledged.load(Ordering::SeqCst), done.load(Ordering::SeqCst))
}

#[test]
fn copies_conversions_and_loads() {
    let mut rng = Rng::new(seed());
    let mut server = start_lokikv("always");
    let mut conn = server.connect();
    fill(&mut conn);
    assert_eq!(conn.call(&["COLLECTION", "PERSIST", "default"]), Value::ok());
    let (mut written, mut outcomes) = (0, BTreeMap::new());
    for round in 0..rounds() * 3 {
        let mut conn = server.connect();
        let before = (
            content(&mut conn, "copy"),
            content(&mut conn, "loaded"),
            kind_of(&mut conn, "default"),
        );
        let kind = *rng.pick(&KINDS);
        let load = format!("LOAD_{kind}");
        let verb = round % 3;
        let command = match verb {
            0 => vec!["COLLECTION", "COPY", "default", "copy", "KIND", kind, "REPLACE"],
            1 => vec!["COLLECTION", "CONVERT", "default", "KIND", kind],
            _ => vec![load.as_str(), "default", "AS", "loaded", "REPLACE"],
        };
        let (at_start, acknowledged, done) = kill_during(&mut server, &command, written, &mut rng);
        server.restart();
        let mut conn = server.connect();
        let what = format!("round {round}, {command:?}, done: {done}");
        written = marks(&content(&mut conn, "default").expect("the default collection"), &what);
        assert!(written >= acknowledged, "{what}: {written} of {acknowledged} marks");
        let (copy, loaded) = (content(&mut conn, "copy"), content(&mut conn, "loaded"));
        let now = kind_of(&mut conn, "default");
        let is_after = match verb {
            0 if copy == before.0 => false,
            0 => marks(&copy.clone().expect("a copy"), &what) >= at_start,
            1 => now == kind && now != before.2,
            _ if loaded == before.1 => false,
            _ => marks(&loaded.clone().expect("what was loaded"), &what) == 0,
        };
        // Loading the same again, or converting to what it is, shows no difference.
        let shows = (verb == 0) || (verb == 1 && kind != before.2) || (verb == 2 && before.1.is_none());
        assert!(is_after || !done || !shows, "{what}");
        assert!(verb == 0 || copy == before.0, "{what}");
        assert!(verb == 2 || loaded == before.1, "{what}");
        assert!(now == before.2 || (verb == 1 && now == kind), "{what}: {now}");
        *outcomes.entry((verb, is_after)).or_insert(0) += 1;
    }
    println!("(verb, after): rounds: {outcomes:?}");
}

#[test]
fn restores() {
    let mut rng = Rng::new(seed());
    let mut server = start_lokikv("always");
    let mut conn = server.connect();
    fill(&mut conn);
    assert_eq!(conn.call(&["COLLECTION", "CREATE", "then"]), Value::ok());
    assert_eq!(conn.call(&["CHECKPOINT"]), Value::ok());
    let snapshot = content(&mut conn, "default").expect("the default collection");
    let (mut olds, mut news) = (0, 0);
    for round in 0..rounds() * 2 {
        let mut conn = server.connect();
        conn.call(&["SELECT", "default"]);
        conn.call(&["SET", "k:1", &format!("round {round}")]);
        conn.call(&["DEL", "k:2"]);
        conn.call(&["COLLECTION", "DROP", "then"]);
        conn.call(&["COLLECTION", "CREATE", "now"]);
        let changed = content(&mut conn, "default").expect("the default collection");
        let port = server.port();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mut conn = Conn::connect(port).expect("connect");
            let done = &done;
            scope.spawn(move || {
                if let Ok(reply) = conn.try_call(&["CHECKPOINT", "RESTORE", "1"]) {
                    assert_eq!(reply, Value::ok());
                    done.store(true, Ordering::SeqCst);
                }
            });
            std::thread::sleep(Duration::from_micros(rng.range(0, 120_000) as u64));
            server.kill9();
        });
        server.restart();
        let mut conn = server.connect();
        let found = content(&mut conn, "default").expect("the default collection");
        let there = (
            content(&mut conn, "then").is_some(),
            content(&mut conn, "now").is_some(),
        );
        if found == snapshot {
            assert_eq!(there, (true, false), "round {round}");
            news += 1;
        } else {
            assert!(found == changed && !done.load(Ordering::SeqCst), "round {round}");
            assert_eq!(there, (false, true), "round {round}");
            olds += 1;
        }
    }
    println!("{olds} before, {news} after");
}
