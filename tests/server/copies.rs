//! RENAME, COPY and MOVE of large values: the log grows by the change, not by the value, and has it all the same.

use std::time::{Duration, Instant};

use crate::args;
use crate::support::{Args, Conn, Server, Value};

const SETTINGS: &[&str] = &[
    "wal.fsync=no",
    "checkpoint.interval_s=0",
    "checkpoint.on_shutdown=false",
];
const ELEMENTS: usize = 20_000;
/// What one change may add to the log.
const CHANGE_BYTES_MAX: i64 = 1_000;

/// Database, key, value and expiry.
type Held = (String, String, Value, Value);

/// What a key has, in an order that does not depend on how it came to be.
fn value(conn: &mut Conn, key: &str) -> Value {
    match conn.call(&["TYPE", key]).text().as_str() {
        "set" => conn.call(&["SMEMBERS", key]).sorted(),
        "hash" => {
            let pairs = conn.call(&["HGETALL", key]).pairs().into_iter();
            Value::Array(pairs.map(|(field, value)| Value::Array(vec![field, value])).collect()).sorted()
        }
        _ => conn.call(&["DUMP", key]),
    }
}

/// A large value of each type at `type:<name>`.
fn fill(conn: &mut Conn) {
    let mut commands: Vec<Args> = vec![args!["SET", "type:string", "s".repeat(1 << 20)]];
    for chunk in (0..ELEMENTS).collect::<Vec<_>>().chunks(1000) {
        let (mut list, mut set) = (args!["RPUSH", "type:list"], args!["SADD", "type:set"]);
        let (mut zset, mut hash) = (args!["ZADD", "type:zset"], args!["HSET", "type:hash"]);
        for n in chunk {
            let element = format!("element {n}").into_bytes();
            list.push(element.clone());
            set.push(element.clone());
            zset.extend([n.to_string().into_bytes(), element.clone()]);
            hash.extend([element.clone(), n.to_string().into_bytes()]);
            commands.push(args!["XADD", "type:stream", format!("{}-1", n + 1), "field", element]);
        }
        commands.extend([list, set, zset, hash]);
    }
    commands.push(args!["XGROUP", "CREATE", "type:stream", "group", "0"]);
    commands.push(args![
        "XREADGROUP",
        "GROUP",
        "group",
        "me",
        "COUNT",
        "5",
        "STREAMS",
        "type:stream",
        ">"
    ]);
    for reply in conn.pipeline(&commands).expect("replies") {
        assert!(!reply.is_error(), "{reply:?}");
    }
}

/// Bytes of the log with all that was done.
fn log_bytes(conn: &mut Conn) -> i64 {
    let started = Instant::now();
    loop {
        if conn.wal_info("written-lsn") == conn.wal_info("last-lsn") {
            return conn.wal_info("bytes");
        }
        assert!(started.elapsed() < Duration::from_secs(20), "the log is not written");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Everything in these databases, with the expiries.
fn content(conn: &mut Conn) -> Vec<Held> {
    let mut all = Vec::new();
    for database in ["0", "3", "cache", "ordered"] {
        assert_eq!(conn.call(&["SELECT", database]), Value::ok());
        for key in conn.call(&["KEYS", "*"]).items() {
            let key = key.text();
            let (value, expiry) = (value(conn, &key), conn.call(&["PEXPIRETIME", &key]));
            all.push((database.to_owned(), key, value, expiry));
        }
    }
    assert_eq!(conn.call(&["SELECT", "0"]), Value::ok());
    all.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    all
}

fn assert_same(found: &[Held], expected: &[Held]) {
    let names = |all: &[Held]| {
        all.iter()
            .map(|held| (held.0.clone(), held.1.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(found), names(expected));
    for (found, expected) in found.iter().zip(expected) {
        assert!(found == expected, "{} of {} differs", found.1, found.0);
    }
}

fn collections(conn: &mut Conn) {
    for create in [["COLLECTION", "CREATE", "cache"], ["COLLECTION", "CREATE", "ordered"]] {
        assert_eq!(conn.call(&create), Value::ok());
    }
    let as_cache = ["COLLECTION", "CONFIG", "cache", "SET", "checkpoint", "no"];
    assert_eq!(conn.call(&as_cache), Value::ok());
}

#[test]
fn large_values_get_to_other_keys_without_being_logged_again() {
    let mut server = Server::lokikv(SETTINGS);
    let mut conn = server.connect();
    collections(&mut conn);
    fill(&mut conn);
    for name in ["string", "list", "set", "zset", "hash", "stream"] {
        let (key, copy) = (format!("type:{name}"), format!("copy:{name}"));
        let elsewhere = format!("elsewhere:{name}");
        let changes: [&[&str]; 5] = [
            &["EXPIREAT", &key, "4000000000"],
            &["COPY", &key, &copy],
            &["COPY", &key, &elsewhere, "DB", "ordered"],
            &["RENAME", &key, "passing"],
            &["RENAME", "passing", &key],
        ];
        for change in changes {
            let before = log_bytes(&mut conn);
            assert!(!conn.call(change).is_error());
            let grown = log_bytes(&mut conn) - before;
            assert!((1..CHANGE_BYTES_MAX).contains(&grown), "{change:?} logs {grown} bytes");
        }
    }
    // The original changes, and goes; copies of copies; from one database to another and back within one record.
    let more = [
        args!["RPUSH", "type:list", "behind"],
        args!["HDEL", "copy:hash", "element 7"],
        args!["DEL", "type:set"],
        args!["MULTI"],
        args!["SADD", "copy:set", "new"],
        args!["RENAME", "copy:set", "type:set"],
        args!["COPY", "type:set", "copy:set", "DB", "3"],
        args!["SREM", "type:set", "element 1"],
        args!["MOVE", "copy:zset", "3"],
        args!["SELECT", "3"],
        args!["ZADD", "copy:zset", "-1", "first"],
        args!["MOVE", "copy:zset", "0"],
        args!["SELECT", "0"],
        args!["EXEC"],
        args!["SETRANGE", "copy:string", "10", "changed"],
        args!["COPY", "copy:string", "type:string", "REPLACE"],
        args!["SELECT", "cache"],
        args!["SET", "text", "t".repeat(100_000)],
        args!["COPY", "text", "from:cache", "DB", "0"],
        args!["SELECT", "0"],
        args!["COPY", "type:list", "there", "DB", "cache"],
        args!["XACK", "copy:stream", "group", "1-1"],
    ];
    for reply in conn.pipeline(&more).expect("replies") {
        assert!(!reply.is_error(), "{reply:?}");
    }
    let there = content(&mut conn);
    assert!(there.len() > 18);
    let kept: Vec<_> = there.into_iter().filter(|(database, ..)| database != "cache").collect();
    log_bytes(&mut conn);
    for _ in 0..2 {
        server.kill9();
        server.restart();
        let mut conn = server.connect();
        assert_same(&content(&mut conn), &kept);
    }
    // From a checkpoint of a converted collection, and the log behind it.
    let mut conn = server.connect();
    assert_eq!(
        conn.call(&["COLLECTION", "CONVERT", "ordered", "KIND", "bcust"]),
        Value::ok()
    );
    assert!(!conn.call(&["CHECKPOINT", "NOW"]).is_error());
    assert!(!conn.call(&["RENAME", "type:hash", "renamed"]).is_error());
    let there = content(&mut conn);
    log_bytes(&mut conn);
    server.kill9();
    server.restart();
    assert_same(&content(&mut server.connect()), &there);
}
