//! Client-side caching over several workers: named collections, the bound of the table, clients that go, what is cached
//! while others write.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::conn::encode;
use crate::support::{Conn, Reply, Rng, Server, Value, seed};
use crate::{await_that, figure, in_memory};

pub fn tracking(server: &Server, options: &[&str]) -> Conn {
    let mut conn = server.connect3();
    let words = [&["CLIENT", "TRACKING", "ON"], options].concat();
    assert_eq!(conn.call(&words), Value::ok());
    conn
}

/// What a client is told up to the answer to a PING: the keys, `*` for all.
pub fn told(conn: &mut Conn) -> Vec<String> {
    conn.send(&["PING", "the end"]).unwrap();
    let mut told = Vec::new();
    loop {
        let value = conn.recv().unwrap().value;
        match notice(&value) {
            Some(keys) => told.extend(keys),
            None => {
                assert_eq!(value, Value::bulk("the end"));
                return told;
            }
        }
    }
}

/// The keys of a notice.
fn notice(value: &Value) -> Option<Vec<String>> {
    let Value::Push(items) = value else { return None };
    assert_eq!(items[0], Value::bulk("invalidate"), "{items:?}");
    Some(match &items[1] {
        Value::Null => vec!["*".to_owned()],
        keys => keys.items().iter().map(Value::text).collect(),
    })
}

#[test]
fn a_named_collection_is_a_space_of_its_own() {
    let server = in_memory();
    let mut writer = server.connect();
    writer.call(&["COLLECTION", "CREATE", "one"]);
    writer.call(&["COLLECTION", "CREATE", "two"]);
    let mut readers: Vec<Conn> = ["0", "5", "one", "two"]
        .iter()
        .map(|database| {
            let mut conn = tracking(&server, &[]);
            conn.call(&["SELECT", database]);
            conn.call(&["GET", "k"]);
            conn
        })
        .collect();
    let mut broadcasts: Vec<Conn> = ["0", "one"]
        .iter()
        .map(|database| {
            let mut conn = tracking(&server, &["BCAST"]);
            conn.call(&["SELECT", database]);
            conn
        })
        .collect();
    for (database, expected) in [
        ("one", [0, 0, 1, 0, 0, 1]),
        ("7", [1, 1, 0, 0, 1, 0]),
        ("two", [0, 0, 0, 1, 0, 0]),
    ] {
        writer.call(&["SELECT", database]);
        writer.call(&["SET", "k", "v"]);
        let all = readers.iter_mut().chain(&mut broadcasts);
        let counts: Vec<usize> = all.map(|conn| told(conn).len()).collect();
        assert_eq!(counts, expected, "{database}");
    }
}

#[test]
fn all_forget_everything_when_a_collection_is_emptied_replaced_or_dropped() {
    let server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    conn.call(&["COLLECTION", "CREATE", "one"]);
    conn.call(&["SELECT", "one"]);
    conn.call(&["SET", "k", "v"]);
    conn.call(&["COLLECTION", "PERSIST", "one"]);
    conn.call(&["CHECKPOINT"]);
    conn.call(&["SELECT", "0"]);
    let mut readers = [tracking(&server, &[]), tracking(&server, &["BCAST", "PREFIX", "z"])];
    for words in [
        &["SWAPDB", "0", "1"][..],
        &["LOAD_HMAP", "one", "AS", "two"],
        &["COLLECTION", "COPY", "one", "three"],
        &["CHECKPOINT", "RESTORE", "1"],
        &["COLLECTION", "DROP", "one"],
        &["FLUSHDB"],
        &["FLUSHALL"],
    ] {
        let reply = conn.call(words);
        assert!(!reply.is_error(), "{words:?}: {reply}");
        for reader in &mut readers {
            assert_eq!(told(reader), ["*"], "{words:?}");
        }
    }
    conn.call(&["COLLECTION", "CREATE", "four"]);
    conn.call(&["COLLECTION", "RENAME", "four", "five"]);
    conn.call(&["COLLECTION", "CONVERT", "five", "BDEF"]);
    readers.iter_mut().for_each(|reader| assert!(told(reader).is_empty()));
}

#[test]
fn the_walker_tells_of_what_dies() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut readers = [tracking(&server, &[]), tracking(&server, &["BCAST", "NOLOOP"])];
    conn.call(&["SET", "k", "v", "PX", "3000"]);
    assert_eq!(told(&mut readers[1]), ["k"]);
    readers[0].call(&["GET", "k"]);
    for reader in &mut readers {
        let value = reader.recv().unwrap().value;
        assert_eq!(notice(&value), Some(vec!["k".to_owned()]));
    }
}

#[test]
fn the_table_has_no_more_keys_than_it_may() {
    let server = Server::lokikv(&["wal.enabled=false", "limits.tracking_keys_max=100"]);
    let mut conn = server.connect();
    let mut reader = tracking(&server, &[]);
    let mut cached = std::collections::BTreeSet::new();
    for n in 0..1000 {
        let key = format!("key:{n}");
        reader.call(&["EXISTS", &key]);
        cached.insert(key);
        for key in told(&mut reader) {
            assert!(cached.remove(&key), "{key} is told of twice");
        }
        let keys = figure(&mut conn, "tracking_total_keys");
        assert!(keys <= 100, "{keys}");
        assert_eq!(keys, cached.len() as u64, "who forgets a key is told");
    }
    conn.call(&["CONFIG", "SET", "tracking-table-max-keys", "10"]);
    await_that("all but ten are forgotten", || {
        figure(&mut conn, "tracking_total_keys") <= 10
    });
    await_that("it is told of all but ten", || {
        for key in told(&mut reader) {
            assert!(cached.remove(&key));
        }
        cached.len() == 10
    });
    // Those that are left are still tracked.
    for key in &cached {
        conn.call(&["SET", key, "v"]);
    }
    assert_eq!(told(&mut reader).len(), 10);
}

#[test]
fn clients_that_go_leave_nothing() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut keeper = tracking(&server, &[]);
    keeper.call(&["GET", "other"]);
    for round in 0..200 {
        let mut reader = tracking(&server, &[]);
        reader.call(&["MGET", "a", "b", "c"]);
        let mut broadcast = tracking(&server, &["BCAST", "PREFIX", &format!("p{round}"), "PREFIX", "q"]);
        if round % 2 == 0 {
            let id = broadcast.call(&["CLIENT", "ID"]).int().unwrap().to_string();
            conn.call(&["CLIENT", "KILL", "ID", &id]);
        }
    }
    await_that("they are gone", || figure(&mut conn, "connected_clients") <= 2);
    await_that("one is left that is told of keys", || {
        figure(&mut conn, "tracking_clients") == 1
    });
    await_that("no prefix is left", || {
        figure(&mut conn, "tracking_total_prefixes") == 0
    });
    let items = figure(&mut conn, "tracking_total_items");
    assert!(items < 40, "{items}");
    conn.call(&["MSET", "a", "1", "b", "1", "c", "1"]);
    assert_eq!(figure(&mut conn, "tracking_total_items"), 1);
    drop(keeper);
    await_that("nothing is left", || {
        figure(&mut conn, "tracking_clients") == 0 && figure(&mut conn, "tracking_total_keys") == 0
    });
}

#[test]
fn a_client_that_reads_nothing_of_what_it_is_told_is_closed() {
    let server = Server::lokikv(&["wal.enabled=false", "limits.output_buffer_normal_hard_bytes=1mb"]);
    let mut conn = server.connect();
    let mut deaf = tracking(&server, &["BCAST"]);
    let id = deaf.call(&["CLIENT", "ID"]).int().unwrap();
    let mut request = Vec::new();
    for n in 0..200 {
        encode(&["SET", &format!("{n}{}", "k".repeat(1000)), "v"], &mut request);
    }
    let begun = Instant::now();
    while conn
        .call(&["CLIENT", "LIST", "ID", &id.to_string()])
        .text()
        .contains("id=")
    {
        assert!(begun.elapsed() < Duration::from_secs(60));
        conn.send_raw(&request).unwrap();
        (0..200).for_each(|_| assert_eq!(conn.recv().unwrap().value, Value::ok()));
    }
    assert!(server.stdout().contains("output buffer hard limit"));
}

/// Each of these tells of 50 MB of keys if each change is told of: too much to be kept until the script is over.
#[test]
fn a_script_that_means_too_much_means_everything() {
    let server = in_memory();
    let mut own = tracking(&server, &[]);
    let again_and_again = "local key = string.rep('k', 100000)
        for _ = 1, 500 do redis.call('GET', key) redis.call('SET', key, 1) end return 'done'";
    own.send(&["EVAL", again_and_again, "0"]).unwrap();
    assert_eq!(own.recv().unwrap().value, Value::bulk("done"));
    assert_eq!(told(&mut own), ["*"]);
    // The next one is told of as ever.
    own.call(&["GET", "key"]);
    own.send(&["SET", "key", "1"]).unwrap();
    assert_eq!(own.recv().unwrap().value, Value::ok());
    assert_eq!(told(&mut own), ["key"]);

    let mut of_all = tracking(&server, &["BCAST"]);
    let mut of_some = tracking(&server, &["BCAST", "PREFIX", "other"]);
    let many = "for i = 1, 500 do redis.call('SET', string.rep('k', 100000) .. i, 1) end return 'done'";
    let mut writer = server.connect();
    assert_eq!(writer.call(&["EVAL", many, "0"]), Value::bulk("done"));
    assert_eq!(told(&mut of_all), ["*"]);
    assert_eq!(told(&mut of_some), ["*"], "which keys it were is not known any more");
    writer.call(&["SET", "other", "1"]);
    assert_eq!(told(&mut of_all), ["other"]);
    assert_eq!(told(&mut of_some), ["other"]);
}

#[test]
fn two_prefixes_that_overlap_are_one_error() {
    let server = in_memory();
    let mut conn = server.connect();
    let words = [
        "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b", "PREFIX", "bc",
    ];
    assert_eq!(
        conn.call(&words).text(),
        "ERR Prefix 'b' overlaps with another provided prefix 'bc'. Prefixes for a single client must not overlap."
    );
    let info = conn.call(&["CLIENT", "TRACKINGINFO"]).items();
    assert_eq!(info[1].items(), [Value::bulk("off")]);
}

/// A client that keeps what it reads until it is told to forget it.
struct Cache {
    conn: Conn,
    values: HashMap<String, Value>,
}

impl Cache {
    fn heed(&mut self, value: &Value) -> bool {
        let Some(keys) = notice(value) else { return false };
        for key in keys {
            match key.as_str() {
                "*" => self.values.clear(),
                key => drop(self.values.remove(key)),
            }
        }
        true
    }

    fn reply(&mut self) -> Value {
        loop {
            let Reply { value, .. } = self.conn.recv().unwrap();
            if !self.heed(&value) {
                return value;
            }
        }
    }

    fn read(&mut self, keys: &[String]) {
        for key in keys {
            self.conn.send(&["GET", key]).unwrap();
        }
        for key in keys {
            // What came before the answer is older than it.
            let value = self.reply();
            self.values.insert(key.clone(), value);
        }
    }

    fn write(&mut self, key: &str, value: &str) {
        self.conn.send(&["SET", key, value]).unwrap();
        assert_eq!(self.reply(), Value::ok());
    }

    /// A key that it has another value of than the server: both values. What it has been told up to now is heeded.
    fn difference(&mut self, conn: &mut Conn) -> Option<(String, Value, Value)> {
        self.conn.send(&["PING"]).unwrap();
        assert_eq!(self.reply().text(), "PONG");
        self.values.iter().find_map(|(key, value)| {
            let now = conn.call(&["GET", key]);
            (*value != now).then(|| (key.clone(), value.clone(), now))
        })
    }
}

fn cached_values_are_those_of_the_server(settings: &[&str], options: &[&str]) {
    const KEYS: usize = 40;
    let server = Server::lokikv(settings);
    let (seed, stop) = (seed(), AtomicBool::new(false));
    let key = |rng: &mut Rng| format!("key:{}", rng.below(KEYS));
    let caches: Vec<Cache> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4_u64)
            .map(|number| {
                let (server, stop) = (&server, &stop);
                scope.spawn(move || {
                    let mut rng = Rng::new(seed.wrapping_add(number));
                    let conn = tracking(server, options);
                    let mut cache = Cache {
                        conn,
                        values: HashMap::new(),
                    };
                    while !stop.load(Ordering::Relaxed) {
                        let keys: Vec<String> = (0..rng.below(5)).map(|_| key(&mut rng)).collect();
                        cache.read(&keys);
                        if !options.contains(&"NOLOOP") && rng.one_in(8) {
                            let key = key(&mut rng);
                            cache.write(&key, &format!("{number} {}", rng.next()));
                        }
                    }
                    cache
                })
            })
            .collect();
        for number in 0..3_u64 {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || {
                let mut rng = Rng::new(seed.wrapping_add(100 + number));
                let mut conn = server.connect();
                while !stop.load(Ordering::Relaxed) {
                    let (one, other) = (key(&mut rng), key(&mut rng));
                    let value = rng.next().to_string();
                    match rng.below(12) {
                        0 => drop(conn.call(&["DEL", &one, &other])),
                        1 => drop(conn.call(&["RENAME", &one, &other])),
                        2 => drop(conn.call(&["SET", &one, &value, "PX", "3"])),
                        3 => drop(conn.pipeline(&[
                            crate::args!["MULTI"],
                            crate::args!["SET", one, value],
                            crate::args!["APPEND", other, "x"],
                            crate::args!["EXEC"],
                        ])),
                        4 if rng.one_in(50) => drop(conn.call(&["FLUSHALL"])),
                        5 => drop(conn.call(&["MSET", &one, &value, &other, &value])),
                        _ => drop(conn.call(&["SET", &one, &value])),
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    agree_in_the_end(caches, &mut server.connect3(), seed);
}

/// What is set to die does so, and is told of, if not at once.
fn agree_in_the_end(caches: Vec<Cache>, conn: &mut Conn, seed: u64) {
    for mut cache in caches {
        let begun = Instant::now();
        while let Some((key, value, now)) = cache.difference(conn) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{key}: {value} and {now}, LOKIKV_SEED={seed}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn what_is_cached_is_what_is_there() {
    cached_values_are_those_of_the_server(&["wal.enabled=false", "server.workers=3"], &[]);
}

#[test]
fn what_is_cached_is_what_is_there_when_replies_wait_for_the_disk() {
    cached_values_are_those_of_the_server(&["wal.fsync=always", "server.workers=3"], &[]);
}

#[test]
fn what_is_cached_is_what_is_there_with_broadcasts() {
    cached_values_are_those_of_the_server(&["wal.fsync=no", "server.workers=3"], &["BCAST", "PREFIX", "key:"]);
}
