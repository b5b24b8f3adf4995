//! A dataset of every type in every encoding, made by commands.

use std::fmt::Display;

use crate::args;
use crate::support::{Args, Conn};

/// A time that tests do not reach, in Unix milliseconds.
const FAR_MS: &str = "4000000000123";

/// Fills a server; what it then holds does not depend on when.
pub fn fill(conn: &mut Conn) {
    let mut commands = Vec::new();
    strings(&mut commands);
    lists(&mut commands);
    sets(&mut commands);
    zsets(&mut commands);
    hashes(&mut commands);
    streams(&mut commands);
    for (index, reply) in conn.pipeline(&commands).expect("fill").iter().enumerate() {
        assert!(
            !reply.is_error(),
            "{}: {reply}",
            crate::support::text::join(&commands[index])
        );
    }
}

/// `name key` and what `element` gives for each number.
fn many<T: AsRef<[u8]>>(name: &str, key: &str, count: usize, element: impl Fn(usize) -> Vec<T>) -> Args {
    let mut command = args![name, key];
    for n in 0..count {
        command.extend(element(n).iter().map(|part| part.as_ref().to_vec()));
    }
    command
}

fn word(prefix: &str, n: impl Display) -> String {
    format!("{prefix}{n}")
}

fn strings(commands: &mut Vec<Args>) {
    for (n, value) in [
        "",
        "x",
        "0",
        "-1",
        "127",
        "-128",
        "128",
        "32767",
        "-32769",
        "2147483647",
        "-2147483649",
        "007",
    ]
    .iter()
    .enumerate()
    {
        commands.push(args!["SET", word("string:", n), value]);
    }
    commands.push(args!["SET", "string:repeats", "abc".repeat(9_000)]);
    commands.push(args![
        "SET",
        "string:text",
        (0..3_000).map(|n| word("line ", n)).collect::<String>()
    ]);
    commands.push(args!["SET", "string:bytes", (0..=255_u8).collect::<Vec<u8>>()]);
    commands.push(args!["SET", "string:large", vec![b'z'; 300_000]]);
    commands.push(args!["SET", b"\x00\xff binary key", "value", "PXAT", FAR_MS]);
    commands.push(args!["SET", "17", "a key that is a number"]);
    commands.push(args!["SELECT", "5"]);
    commands.push(args!["SET", "elsewhere", "5", "PXAT", FAR_MS]);
    commands.push(args!["SELECT", "0"]);
}

fn lists(commands: &mut Vec<Args>) {
    commands.push(many("RPUSH", "list:small", 5, |n| vec![word("item", n)]));
    commands.push(many("RPUSH", "list:numbers", 300, |n| {
        vec![(n as i64 * n as i64 * 7_000 - 1_000).to_string()]
    }));
    commands.push(many("RPUSH", "list:nodes", 4_000, |n| vec![word("element number ", n)]));
    commands.push(many("RPUSH", "list:wide", 30, |n| vec![word("w", n).repeat(n * 60)]));
    commands.push(args!["RPUSH", "list:huge", "a", vec![b'h'; 100_000], "", "b"]);
    commands.push(args!["PEXPIREAT", "list:small", FAR_MS]);
}

fn sets(commands: &mut Vec<Args>) {
    commands.push(many("SADD", "set:i16", 100, |n| vec![(n as i64 * 3 - 150).to_string()]));
    commands.push(args!["SADD", "set:i32", "1", "70000", "-70000"]);
    commands.push(args![
        "SADD",
        "set:i64",
        "1",
        i64::MAX.to_string(),
        i64::MIN.to_string()
    ]);
    commands.push(many("SADD", "set:many", 3_000, |n| vec![n.to_string()]));
    commands.push(args!["SADD", "set:words", "", "one", "2", "three".repeat(100)]);
}

fn zsets(commands: &mut Vec<Args>) {
    let mut small = args!["ZADD", "zset:small"];
    for score in [
        "0",
        "-0.0",
        "1",
        "-3",
        "0.1",
        "1e300",
        "-1e-300",
        "inf",
        "-inf",
        "9007199254740993",
        "3.0000000000000004",
    ] {
        small.extend(args![score, word("at ", score)]);
    }
    small.extend(args!["5", "77", "6", ""]);
    commands.push(small);
    commands.push(many("ZADD", "zset:many", 2_000, |n| {
        vec![(n as f64 / 7.0).to_string(), word("member", n)]
    }));
    commands.push(args!["ZADD", "zset:wide", "1.5", "w".repeat(100), "2", "x"]);
}

fn hashes(commands: &mut Vec<Args>) {
    commands.push(many("HSET", "hash:small", 20, |n| {
        vec![word("f", n), word("", n * 1_000)]
    }));
    commands.push(args![
        "HSET",
        "hash:odd",
        "",
        "empty field",
        "empty value",
        "",
        "12",
        "-12"
    ]);
    commands.push(args!["HSET", "hash:wide", "field", "v".repeat(65)]);
    commands.push(many("HSET", "hash:many", 1_500, |n| {
        vec![word("field", n), word("value", n)]
    }));
    commands.push(args!["PEXPIREAT", "hash:many", FAR_MS]);
}

fn streams(commands: &mut Vec<Args>) {
    let add = |key: &str, id: String, pairs: &[&str]| {
        let mut command = args!["XADD", key, id];
        command.extend(pairs.iter().map(|part| part.as_bytes().to_vec()));
        command
    };
    for n in 1..=250 {
        let (ms, value) = (1_000_000 + n / 4, "v".repeat(n % 50));
        let pairs: &[&str] = if n % 9 == 0 {
            &["other", "1"]
        } else {
            &["temperature", "-5", "note", &value]
        };
        commands.push(add("stream:many", format!("{ms}-{}", n % 4 + 1), pairs));
    }
    for n in [3, 17, 250] {
        commands.push(args![
            "XDEL",
            "stream:many",
            format!("{}-{}", 1_000_000 + n / 4, n % 4 + 1)
        ]);
    }
    commands.push(args!["XTRIM", "stream:many", "MAXLEN", "230"]);
    commands.push(add("stream:plain", "1-1".into(), &["a", "b"]));
    commands.push(add(
        "stream:late",
        format!("{}-{}", u64::MAX - 1, u64::MAX),
        &["a", "b"],
    ));
    commands.push(args!["XGROUP", "CREATE", "stream:void", "group", "$", "MKSTREAM"]);
    commands.push(add("stream:emptied", "5-5".into(), &["a", "b"]));
    commands.push(args!["XDEL", "stream:emptied", "5-5"]);
    commands.push(args!["XGROUP", "CREATE", "stream:many", "readers", "0"]);
    commands.push(args!["XGROUP", "CREATE", "stream:many", "new", "$"]);
    commands.push(args![
        "XGROUP",
        "CREATE",
        "stream:many",
        "counted",
        "0",
        "ENTRIESREAD",
        "3"
    ]);
    commands.push(args!["XGROUP", "CREATECONSUMER", "stream:many", "readers", "idle"]);
    for (consumer, count) in [("alice", "10"), ("bob", "30"), ("alice", "5")] {
        commands.push(args![
            "XREADGROUP",
            "GROUP",
            "readers",
            consumer,
            "COUNT",
            count,
            "STREAMS",
            "stream:many",
            ">"
        ]);
    }
    commands.push(args![
        "XREADGROUP",
        "GROUP",
        "counted",
        "7",
        "COUNT",
        "2",
        "STREAMS",
        "stream:many",
        ">"
    ]);
    commands.push(args!["XACK", "stream:many", "readers", "1000005-3", "1000006-1"]);
    commands.push(args!["XDEL", "stream:many", "1000008-2"]);
    commands.push(args![
        "XCLAIM",
        "stream:many",
        "readers",
        "bob",
        "0",
        "1000007-1",
        "RETRYCOUNT",
        "12"
    ]);
}

/// Takes the streams out again.
pub fn drop_streams(conn: &mut Conn) {
    for key in conn.call(&["KEYS", "stream:*"]).items() {
        assert_eq!(conn.call(&args!["DEL", key.bytes().unwrap_or_default()]).int(), Some(1));
    }
}
