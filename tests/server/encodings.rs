//! Encoding thresholds are data: what was changed under them is the same after a crash, whatever they are by then.

use crate::support::{Conn, Server, Value};

/// Everything small, so that a few elements show where they matter.
const SMALL: &[&str] = &[
    "encoding.zset_entries_max=1",
    "encoding.hash_entries_max=2",
    "encoding.intset_entries_max=2",
    "encoding.stream_node_entries_max=3",
    "checkpoint.interval_s=0",
];
/// What is set back to the defaults at a later start.
const DEFAULTS: &[&str] = &[
    "encoding.zset_entries_max=128",
    "encoding.hash_entries_max=128",
    "encoding.intset_entries_max=512",
    "encoding.stream_node_entries_max=100",
];

fn run(conn: &mut Conn, lines: &[&str]) {
    for line in lines {
        let reply = conn.call(&line.split(' ').collect::<Vec<_>>());
        assert!(!reply.is_error(), "{line}: {reply}");
    }
}

fn say(conn: &mut Conn, line: &str) -> String {
    conn.call(&line.split(' ').collect::<Vec<_>>()).to_string()
}

fn fill(conn: &mut Conn) {
    run(
        conn,
        &[
            "ZADD z 1 a 2 b 3 c",
            "ZADD signs 1 n 2 o -0 m",
            "HSET h a 1 b 2 c 3",
            "SADD s 1 2 3",
        ],
    );
    for number in 1..=10 {
        run(conn, &[&format!("XADD x {number}-0 f v")]);
    }
}

const SHOWN: &[&str] = &[
    "OBJECT ENCODING z",
    "OBJECT ENCODING h",
    "OBJECT ENCODING s",
    "ZSCORE signs m",
    "ZRANGE signs 0 -1 WITHSCORES",
];

/// What can be seen of them, and then what a trim to whole nodes leaves, which cannot be seen twice.
fn shown(conn: &mut Conn) -> Vec<String> {
    let mut shown: Vec<String> = SHOWN.iter().map(|line| say(conn, line)).collect();
    shown.extend(["XTRIM x MAXLEN ~ 5", "XRANGE x - +"].map(|line| say(conn, line)));
    shown
}

/// What a server shows that is never restarted, after the same.
fn expected(settings: &[&str], fill: impl Fn(&mut Conn)) -> Vec<String> {
    let server = Server::lokikv(settings);
    let mut conn = server.connect();
    fill(&mut conn);
    shown(&mut conn)
}

#[test]
fn what_was_made_under_other_thresholds_is_the_same_after_a_crash() {
    let expected = expected(SMALL, fill);
    assert!(
        expected[0].contains("skiplist") && expected[1].contains("hashtable"),
        "{expected:?}"
    );
    assert!(expected[3].contains("-0"), "{expected:?}");
    for (checkpoints, settings) in [(false, SMALL), (true, SMALL), (false, DEFAULTS), (true, DEFAULTS)] {
        let mut server = Server::lokikv(SMALL);
        let mut conn = server.connect();
        fill(&mut conn);
        if checkpoints {
            run(&mut conn, &["CHECKPOINT NOW"]);
        }
        server.kill9();
        server.set_settings(&[settings, &["checkpoint.interval_s=0"]].concat());
        server.restart();
        let found = shown(&mut server.connect());
        assert_eq!(found, expected, "checkpoint: {checkpoints}, started with {settings:?}");
    }
}

#[test]
fn config_set_between_two_writes_is_replayed_between_them() {
    let changes = |conn: &mut Conn| {
        fill(conn);
        run(
            conn,
            &[
                "CONFIG SET zset-max-listpack-entries 2 stream-node-max-entries 4",
                "ZADD z2 1 a 2 b",
                "ZADD z3 1 a 2 b 3 c",
                "XADD x 11-0 f v",
                "XADD x 12-0 f v",
                // Within a transaction, in order with what it does.
                "MULTI",
                "ZADD z4 1 a 2 b",
                "CONFIG SET zset-max-listpack-entries 1",
                "ZADD z5 1 a 2 b",
                "EXEC",
                "CONFIG SET zset-max-listpack-entries 128 stream-node-max-entries 100",
                "ZADD z6 1 a 2 b 3 c",
                "XADD x 13-0 f v",
            ],
        );
    };
    let names = ["z2", "z3", "z4", "z5", "z6"].map(|key| format!("OBJECT ENCODING {key}"));
    let encodings = |conn: &mut Conn| names.each_ref().map(|line| say(conn, line));
    let all = |conn: &mut Conn| (encodings(conn), shown(conn));
    let settings = &["checkpoint.interval_s=0"];
    let twin = Server::lokikv(settings);
    let mut conn = twin.connect();
    changes(&mut conn);
    let expected = all(&mut conn);
    let kinds = ["listpack", "skiplist", "listpack", "skiplist", "listpack"];
    for (shown, kind) in expected.0.iter().zip(kinds) {
        assert!(shown.contains(kind), "{:?}", expected.0);
    }
    for checkpoints in [false, true] {
        let mut server = Server::lokikv(settings);
        let mut conn = server.connect();
        if checkpoints {
            // The manifest has other thresholds than the defaults, and the log goes on from there.
            run(&mut conn, &["CONFIG SET hash-max-listpack-entries 7", "CHECKPOINT NOW"]);
            run(&mut conn, &["CONFIG SET hash-max-listpack-entries 512"]);
        }
        changes(&mut conn);
        server.kill9();
        server.restart();
        assert_eq!(all(&mut server.connect()), expected, "checkpoint: {checkpoints}");
    }
}

#[test]
fn the_log_and_the_manifest_tell_of_thresholds() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    let first = conn.wal_info("last-lsn");
    run(
        &mut conn,
        &[
            "CONFIG SET zset-max-listpack-entries 9",
            "CONFIG SET zset-max-listpack-entries 9",
        ],
    );
    assert_eq!(
        conn.wal_info("last-lsn"),
        first + 1,
        "a change is one record, and no change is none"
    );
    let read = conn.call(&["WAL", "READ", &(first + 1).to_string()]);
    let text = read.to_string();
    for part in ["encoding-changed", "zset-entries-max", "hash-value-bytes-max"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    run(&mut conn, &["CHECKPOINT NOW"]);
    server.kill9();
    // The configuration's are brought back, and the log says so.
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.wal_info("last-lsn"), first + 2);
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.wal_info("last-lsn"), first + 2, "nothing is left to tell");
    run(&mut conn, &["ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h 9 i 10 j"]);
    assert!(matches!(conn.call(&["OBJECT", "ENCODING", "z"]), Value::Bulk(name) if name == b"listpack"));
}

#[test]
fn a_moment_of_the_past_is_what_it_was() {
    let server = Server::lokikv(&["checkpoint.interval_s=0", "encoding.zset_entries_max=1"]);
    let mut conn = server.connect();
    fill(&mut conn);
    assert!(say(&mut conn, "ZSCORE signs m").contains("-0"));
    let moment = conn.wal_info("last-lsn").to_string();
    run(
        &mut conn,
        &["CONFIG SET zset-max-listpack-entries 128", "DEL z", "ZADD z 1 a 2 b"],
    );
    assert!(say(&mut conn, "OBJECT ENCODING z").contains("listpack"));
    run(&mut conn, &[&format!("CHECKPOINT RESTORE TO LSN {moment}")]);
    assert!(say(&mut conn, "OBJECT ENCODING z").contains("skiplist"));
    assert!(say(&mut conn, "ZSCORE signs m").contains("-0"));
}

/// Strings that Redis 8.2 calls `raw`, and what it calls them when it has read them from its RDB file.
const CHANGED: &[(&[&str], &str, &str)] = &[
    (&["PFADD hll a b c"], "hll", "embstr"),
    (&["PFADD one a", "PFMERGE merged one"], "merged", "embstr"),
    (&["SET number 1", "APPEND number 2"], "number", "int"),
    (&["APPEND text ab", "APPEND text cd"], "text", "embstr"),
    (&["SETRANGE range 1 x"], "range", "embstr"),
    (&["SETBIT bit 7 1"], "bit", "embstr"),
    (&["BITFIELD field SET u8 0 65"], "field", "embstr"),
    (
        &["APPEND timed 1", "SETRANGE timed 0 2", "EXPIRE timed 100000"],
        "timed",
        "int",
    ),
    (
        &["APPEND source 1", "SETRANGE source 0 2", "COPY source copied"],
        "copied",
        "int",
    ),
    (
        &["APPEND old 1", "SETRANGE old 0 2", "RENAME old renamed"],
        "renamed",
        "int",
    ),
];

fn encodings_of_changed(conn: &mut Conn) -> Vec<String> {
    let encoding = |(_, key, _): &(_, &str, _)| conn.call(&["OBJECT", "ENCODING", key]).text();
    CHANGED.iter().map(encoding).collect()
}

#[test]
fn the_log_keeps_that_a_string_was_changed_and_a_checkpoint_does_not() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    CHANGED.iter().for_each(|(lines, ..)| run(&mut conn, lines));
    let raw = vec!["raw"; CHANGED.len()];
    let afresh: Vec<_> = CHANGED.iter().map(|(_, _, afresh)| *afresh).collect();
    assert_eq!(encodings_of_changed(&mut conn), raw);
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(encodings_of_changed(&mut conn), raw, "replayed");
    run(&mut conn, &["CHECKPOINT"]);
    assert_eq!(encodings_of_changed(&mut conn), raw, "the checkpoint is only taken");
    run(&mut conn, &["SET late 1", "APPEND late 2"]);
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(encodings_of_changed(&mut conn), afresh, "loaded");
    assert_eq!(say(&mut conn, "OBJECT ENCODING late"), "raw", "replayed behind it");
}
