//! `WAL READ`: whoever follows the log gets every change once, in order, and ends with the server's data.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::rng::Rng;
use crate::support::{Args, Conn, Server, Value, seed};
use crate::{args, await_that, figure};

const SETTINGS: &[&str] = &[
    "wal.fsync=always",
    "wal.segment_bytes=64kb",
    "checkpoint.interval_s=0",
    "checkpoint.on_shutdown=false",
];

/// A follower that applies what it reads to a model of its own.
struct Follower {
    next: u64,
    data: BTreeMap<(i64, Vec<u8>), Vec<u8>>,
    effects: usize,
}

/// A field of a flattened map.
fn field<'a>(effect: &'a [Value], name: &str) -> Option<&'a Value> {
    let pair = effect.chunks(2).find(|pair| pair[0].text() == name)?;
    Some(&pair[1])
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        other => panic!("no array: {other:?}"),
    }
}

impl Follower {
    fn new() -> Self {
        Self {
            next: 1,
            data: BTreeMap::new(),
            effects: 0,
        }
    }

    /// Takes a reply; whether there was anything in it.
    fn take(&mut self, reply: &Value) -> bool {
        let records = items(reply);
        for record in records {
            let record = items(record);
            assert_eq!(record[0].int(), Some(self.next as i64), "each LSN once, in order");
            assert!(record[1].int().is_some_and(|wall_ms| wall_ms > 1_600_000_000_000));
            self.next += 1;
            items(&record[2]).iter().for_each(|effect| self.apply(items(effect)));
        }
        !records.is_empty()
    }

    fn apply(&mut self, effect: &[Value]) {
        self.effects += 1;
        let id = field(effect, "collection-id").and_then(Value::int).expect("an id");
        let kind = field(effect, "effect").expect("a kind").text();
        let key = field(effect, "key").map(|key| (id, key.bytes().expect("bytes").to_vec()));
        match (kind.as_str(), key) {
            ("put", Some(key)) => {
                let value = items(field(effect, "value").expect("a value"));
                assert_eq!(value[0].text(), "string");
                self.data.insert(key, value[1].bytes().expect("bytes").to_vec());
            }
            ("copy", Some(key)) => {
                let source = field(effect, "source-collection").and_then(Value::int).expect("an id");
                let source_key = field(effect, "source-key").and_then(Value::bytes).expect("bytes");
                let value = self.data.get(&(source, source_key.to_vec())).expect("a source").clone();
                self.data.insert(key, value);
            }
            ("delete", Some(key)) => drop(self.data.remove(&key)),
            ("str-range", Some(key)) => {
                let offset = field(effect, "offset").and_then(Value::int).expect("an offset") as usize;
                let bytes = field(effect, "bytes").and_then(Value::bytes).expect("bytes");
                let text = self.data.get_mut(&key).expect("an existing key");
                let end = offset + bytes.len();
                text.resize(text.len().max(end), 0);
                text[offset..end].copy_from_slice(bytes);
            }
            ("collection-flush", None) => self.data.retain(|(of, _), _| *of != id),
            ("collection-create", None) => {
                assert!(field(effect, "name").is_some() && field(effect, "placement").is_some());
            }
            (other, _) => panic!("an effect this workload does not have: {other}"),
        }
    }

    /// Reads until `last`, in steps of random size, waiting where there is nothing.
    fn follow(&mut self, conn: &mut Conn, rng: &mut Rng, last: u64) {
        while self.next <= last {
            let count = (1 + rng.below(40)).to_string();
            let reply = conn.call(&["WAL", "READ", &self.next.to_string(), "COUNT", &count, "BLOCK", "5000"]);
            assert!(items(&reply).len() <= count.parse().expect("a number"));
            assert!(self.take(&reply), "nothing at {} of {last}", self.next);
        }
    }

    fn check(&self, conn: &mut Conn) {
        let of_default: BTreeMap<_, _> = self.data.iter().filter(|((id, _), _)| *id == 0).collect();
        assert_eq!(conn.call(&["DBSIZE"]).int(), Some(of_default.len() as i64));
        for ((_, key), value) in of_default {
            assert_eq!(conn.call(&[b"GET".as_slice(), key]).bytes(), Some(value.as_slice()));
        }
    }
}

fn command(rng: &mut Rng) -> Args {
    let key = format!("k{}", rng.below(300));
    match rng.below(20) {
        0 => args!["DEL", key],
        1 => args!["APPEND", key, "tail"],
        2 => args!["SETRANGE", key, rng.below(40).to_string(), "mid"],
        3 => args!["MSET", key, "1", format!("k{}", rng.below(300)), "2"],
        4 if rng.one_in(30) => args!["FLUSHDB"],
        // A value too long to lie within its entry.
        5 => {
            let len = 4000 + rng.below(3000);
            args!["SET", key, rng.bytes(len)]
        }
        6 => args!["COPY", key, format!("k{}", rng.below(300)), "REPLACE"],
        7 => args!["RENAME", key, format!("k{}", rng.below(300))],
        _ => {
            let len = rng.below(120);
            args!["SET", key, rng.bytes(len)]
        }
    }
}

#[test]
fn a_follower_sees_every_change_once_across_rotation_and_restarts() {
    let mut server = Server::lokikv(SETTINGS);
    let mut rng = Rng::new(seed());
    let mut follower = Follower::new();
    for round in 0..3 {
        let port = server.port();
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let mut rng = Rng::new(rng.next());
                std::thread::spawn(move || {
                    let mut conn = Conn::connect(port).expect("connect");
                    for _ in 0..40 {
                        let batch: Vec<Args> = (0..20).map(|_| command(&mut rng)).collect();
                        conn.pipeline(&batch).expect("replies");
                    }
                })
            })
            .collect();
        let mut conn = server.connect();
        // While they write, and then to the end.
        follower.follow(&mut conn, &mut rng, (round + 1) * 400);
        writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
        let last = conn.wal_info("last-lsn") as u64;
        follower.follow(&mut conn, &mut rng, last);
        assert_eq!(follower.next, last + 1);
        follower.check(&mut conn);
        if round % 2 == 0 {
            server.kill9();
        } else {
            server.terminate();
        }
        server.restart();
    }
    let mut conn = server.connect();
    assert!(conn.wal_info("segments") > 3);
    // Read again at one go, after restarts, by another client: the same.
    let mut again = Follower::new();
    let last = conn.wal_info("last-lsn") as u64;
    while again.next <= last {
        let reply = conn.call(&["WAL", "READ", &again.next.to_string(), "COUNT", "100000"]);
        assert!(again.take(&reply));
    }
    assert_eq!((again.data, again.effects >= follower.effects), (follower.data, true));
}

#[test]
fn blocking_ends_with_a_record_a_timeout_or_unblock() {
    let server = Server::lokikv(&["wal.fsync=no"]);
    let (mut reader, mut writer) = (server.connect3(), server.connect());
    let next = (writer.wal_info("last-lsn") + 1).to_string();
    let empty = Value::Array(Vec::new());
    assert_eq!(reader.call(&["WAL", "READ", next.as_str()]), empty);
    let started = Instant::now();
    assert_eq!(reader.call(&["WAL", "READ", next.as_str(), "BLOCK", "60"]), empty);
    assert!(started.elapsed() >= Duration::from_millis(60));

    reader.send(&["WAL", "READ", &next, "BLOCK", "0"]).expect("send");
    await_blocked(&server);
    writer.call(&["SET", "k", "v"]);
    let reply = reader.recv().expect("a reply").value;
    let record = items(&items(&reply)[0]);
    assert_eq!(record[0].int().map(|lsn| lsn.to_string()), Some(next));
    // RESP3 has maps.
    let Value::Map(effect) = &items(&record[2])[0] else {
        panic!("no map: {record:?}")
    };
    let names: Vec<String> = effect.iter().map(|(name, _)| name.text()).collect();
    assert_eq!(
        names,
        ["collection", "collection-id", "effect", "expire-at-ms", "key", "value"]
    );

    let next = (writer.wal_info("last-lsn") + 1).to_string();
    let id = reader.call(&["CLIENT", "ID"]).int().expect("a number").to_string();
    for (how, expected) in [
        ("TIMEOUT", ""),
        ("ERROR", "UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        reader.send(&["WAL", "READ", &next, "BLOCK", "0"]).expect("send");
        await_blocked(&server);
        assert_eq!(writer.call(&["CLIENT", "UNBLOCK", id.as_str(), how]), Value::Int(1));
        let value = reader.recv().expect("a reply").value;
        match expected {
            "" => assert_eq!(value, empty),
            expected => assert_eq!(value.text(), expected),
        }
    }
    assert!(
        writer
            .call(&["WAL", "HELP"])
            .items()
            .iter()
            .any(|line| line.text().starts_with("READ from-lsn"))
    );
}

fn await_blocked(server: &Server) {
    await_that("somebody blocks", || {
        figure(&mut server.connect(), "blocked_clients") == 1
    });
}

/// Waits until the log's files have all that was done: no reply waits for that where nothing is synced.
fn await_written(conn: &mut Conn) {
    await_that("all is written", || {
        conn.wal_info("written-lsn") == conn.wal_info("last-lsn")
    });
}

#[test]
fn what_is_trimmed_names_the_oldest_and_without_a_log_there_is_no_feed() {
    let server = Server::lokikv(&["wal.segment_bytes=64kb", "wal.keep_age_s=0"]);
    let mut conn = server.connect();
    for n in 0..300 {
        conn.call(&["SET", &format!("k{n}"), &"v".repeat(1000)]);
    }
    assert_eq!(conn.call(&["CHECKPOINT"]).text(), "OK");
    let oldest = conn.wal_info("oldest-lsn");
    assert!(oldest > 1, "{oldest}");
    let error = conn.call(&["WAL", "READ", "1"]).text();
    assert_eq!(
        error,
        format!("LSNGONE record 1 is not in the log any more, the oldest is {oldest}")
    );
    assert_eq!(
        items(&conn.call(&["WAL", "READ", &oldest.to_string(), "COUNT", "2"])).len(),
        2
    );
    // Bounded by bytes, too: some thousand bytes a record make some hundred records.
    let all = conn.call(&["WAL", "READ", &oldest.to_string(), "COUNT", "100000"]);
    assert!(items(&all).len() >= 2);

    let server = crate::in_memory();
    let error = server.connect().call(&["WAL", "READ", "1"]).text();
    assert!(error.contains("disabled"), "{error}");
}

/// What a follower of one collection's `user:` keys has seen, and where it goes on.
struct Watcher {
    next: u64,
    seen: BTreeMap<Vec<u8>, Vec<u8>>,
    records: usize,
}

impl Watcher {
    fn take(&mut self, reply: &Value) -> bool {
        for record in items(reply) {
            let record = items(record);
            let lsn = record[0].int().expect("an LSN") as u64;
            assert!(lsn >= self.next, "in order");
            self.next = lsn + 1;
            self.records += 1;
            for effect in items(&record[2]) {
                let effect = items(effect);
                assert_eq!(field(effect, "collection").map(Value::text).as_deref(), Some("orders"));
                let Some(key) = field(effect, "key").and_then(Value::bytes).map(<[u8]>::to_vec) else {
                    assert_eq!(
                        field(effect, "effect").map(Value::text).as_deref(),
                        Some("collection-create")
                    );
                    continue;
                };
                assert!(key.starts_with(b"user:"), "{key:?}");
                match field(effect, "effect").expect("a kind").text().as_str() {
                    "put" => {
                        let value = items(field(effect, "value").expect("a value"));
                        self.seen.insert(key, value[1].bytes().expect("bytes").to_vec());
                    }
                    "delete" => drop(self.seen.remove(&key)),
                    other => panic!("{other}"),
                }
            }
        }
        !items(reply).is_empty()
    }

    fn read(&mut self, conn: &mut Conn, count: usize) -> bool {
        let (next, count) = (self.next.to_string(), count.to_string());
        let request = [
            "WAL",
            "READ",
            &next,
            "COUNT",
            &count,
            "COLLECTION",
            "orders",
            "MATCH",
            "user:*",
        ];
        self.take(&conn.call(&request))
    }
}

#[test]
fn a_filter_shows_one_collections_keys_across_restarts() {
    let mut server = Server::lokikv(SETTINGS);
    let mut rng = Rng::new(seed());
    server.connect().call(&["COLLECTION", "CREATE", "orders"]);
    let mut watcher = Watcher {
        next: 1,
        seen: BTreeMap::new(),
        records: 0,
    };
    for round in 0..4 {
        let (mut conn, mut other) = (server.connect(), server.connect());
        conn.call(&["SELECT", "orders"]);
        for n in 0..500 {
            let key = format!("{}:{}", rng.pick(&["user", "item", "x"]), rng.below(50));
            let writer = if rng.one_in(3) { &mut conn } else { &mut other };
            match rng.below(5) {
                0 => writer.call(&["DEL", &key]),
                _ => writer.call(&["SET", &key, &format!("{round}-{n}")]),
            };
            if rng.one_in(50) {
                watcher.read(&mut conn, 1 + rng.below(20));
            }
        }
        if round % 2 == 0 {
            server.kill9();
        } else {
            server.terminate();
        }
        server.restart();
    }
    let mut conn = server.connect();
    while watcher.read(&mut conn, 100) {}
    assert_eq!(
        watcher.next as i64,
        conn.wal_info("last-lsn") + 1,
        "it knows how far it has come"
    );
    assert!(watcher.records < 700, "{} records of some 2000", watcher.records);
    conn.call(&["SELECT", "orders"]);
    let keys = conn.call(&["KEYS", "user:*"]).items();
    assert_eq!(keys.len(), watcher.seen.len());
    for (key, value) in &watcher.seen {
        assert_eq!(conn.call(&[b"GET".as_slice(), key]).bytes(), Some(value.as_slice()));
    }
}

/// The LSN and the number of effects of each record.
fn shape(reply: &Value) -> Vec<(i64, usize)> {
    let records = items(reply).iter().map(|record| {
        let record = items(record);
        (record[0].int().expect("an LSN"), items(&record[2]).len())
    });
    records.collect()
}

#[test]
fn filters_by_kind_and_what_passes_them_all() {
    let server = Server::lokikv(&["wal.fsync=no", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    let first = conn.wal_info("last-lsn") + 1;
    for line in ["SET a 1", "SET b 2", "EXPIRE a 100", "DEL b", "FLUSHDB", "SET c 3"] {
        conn.call(&line.split(' ').collect::<Vec<_>>());
    }
    await_written(&mut conn);
    let from = first.to_string();
    let mut read = |options: &str| {
        let mut words = vec!["WAL", "READ", &from];
        words.extend(options.split(' ').filter(|word| !word.is_empty()));
        conn.call(&words)
    };
    let all = shape(&read(""));
    assert_eq!(all.len(), 6);
    let at = |n: i64| first + n;
    assert_eq!(shape(&read("EFFECT put")), [(at(0), 1), (at(1), 1), (at(5), 1)]);
    assert_eq!(
        shape(&read("effect DELETE effect expire-at")),
        [(at(2), 1), (at(3), 1), (at(5), 0)],
        "the last one says how far it has come"
    );
    assert_eq!(
        shape(&read("MATCH a")),
        [(at(0), 1), (at(2), 1), (at(4), 1), (at(5), 0)],
        "a flush concerns all"
    );
    assert_eq!(
        shape(&read("MATCH a EFFECT put EFFECT delete")),
        [(at(0), 1), (at(5), 0)]
    );
    assert_eq!(shape(&read("COLLECTION nosuch")), [(at(5), 0)]);
    assert_eq!(
        shape(&read("COLLECTION default MATCH [ab] COUNT 2")),
        [(at(0), 1), (at(1), 1)]
    );
    for (options, error) in [
        ("EFFECT nosuch", "ERR WAL READ knows no effect 'nosuch'"),
        ("MATCH", "ERR syntax error"),
        ("FOO x", "ERR syntax error"),
    ] {
        assert_eq!(read(options).text(), error);
    }
}

#[test]
fn a_filtered_reader_waits_for_what_it_wants() {
    let server = Server::lokikv(&["wal.fsync=no", "checkpoint.interval_s=0"]);
    let (mut reader, mut writer) = (server.connect(), server.connect());
    let from = (writer.wal_info("last-lsn") + 1).to_string();
    // Nothing at all.
    let read = |block: &'static str| ["WAL", "READ", from.as_str(), "BLOCK", block, "MATCH", "wanted"];
    assert_eq!(shape(&reader.call(&read("30"))), []);
    // Something, and nothing that it wants: it is told how far it has come.
    (0..10).for_each(|n| drop(writer.call(&["SET", &format!("k{n}"), "v"])));
    await_written(&mut writer);
    let last = writer.wal_info("last-lsn");
    // A look at the log that itself takes long ends early: then once more.
    await_that("it waits for as long as it is told to", || {
        let started = Instant::now();
        let shown = shape(&reader.call(&read("150")));
        let took = started.elapsed();
        assert!(matches!(shown[..], [(passed, 0)] if passed <= last), "{shown:?}");
        assert!(took >= Duration::from_millis(100), "{took:?}");
        shown == [(last, 0)] && took >= Duration::from_millis(150)
    });
    // What it wants, among others.
    reader.send(&read("0")).expect("send");
    await_blocked(&server);
    for n in 0..100 {
        writer.call(&["SET", &format!("k{n}"), "v"]);
        std::thread::sleep(Duration::from_millis(1));
    }
    writer.call(&["SET", "wanted", "v"]);
    let wanted = writer.wal_info("last-lsn");
    let mut shown = shape(&reader.recv().expect("a reply").value);
    while let [(passed, 0)] = shown[..] {
        let from = (passed + 1).to_string();
        let request = ["WAL", "READ", from.as_str(), "BLOCK", "0", "MATCH", "wanted"];
        shown = shape(&reader.call(&request));
    }
    assert_eq!(shown.first(), Some(&(wanted, 1)));
    // It can be told to stop.
    let id = reader.call(&["CLIENT", "ID"]).int().expect("a number").to_string();
    let from = (wanted + 1).to_string();
    reader
        .send(&["WAL", "READ", &from, "BLOCK", "0", "MATCH", "wanted"])
        .expect("send");
    await_blocked(&server);
    assert_eq!(writer.call(&["CLIENT", "UNBLOCK", &id, "ERROR"]), Value::Int(1));
    assert!(reader.recv().expect("a reply").value.text().starts_with("UNBLOCKED"));
}

#[test]
fn a_filtered_reading_is_bounded() {
    let server = Server::lokikv(&["wal.fsync=no", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    let from = conn.wal_info("last-lsn") + 1;
    let value = "x".repeat(1 << 20);
    (0..40).for_each(|n| drop(conn.call(&["SET", &format!("k{n}"), &value])));
    await_written(&mut conn);
    let mut next = from;
    let mut readings = 0;
    while next < from + 40 {
        let shown = shape(&conn.call(&["WAL", "READ", &next.to_string(), "MATCH", "wanted", "BLOCK", "50"]));
        assert!(shown.len() == 1 && shown[0].1 == 0, "{shown:?}");
        next = shown[0].0 + 1;
        readings += 1;
    }
    assert!((3..=40).contains(&readings), "{readings} readings of 40 MiB");
}
