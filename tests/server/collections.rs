//! Collections as things one manages: settings, what INFO tells, names, and clients that have one selected.

use std::collections::BTreeMap;

use crate::in_memory;
use crate::support::{Conn, Server, Value};

fn info(conn: &mut Conn, name: &str) -> BTreeMap<String, String> {
    let pairs = conn.call(&["COLLECTION", "INFO", name]).pairs();
    let text = |value: Value| value.int().map_or_else(|| value.text(), |number| number.to_string());
    pairs
        .into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[test]
fn settings_are_durable_and_a_cache_is_empty_afterwards() {
    let mut server = Server::lokikv(&["wal.fsync=no", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    for name in ["cache", "kept"] {
        assert_eq!(conn.call(&["COLLECTION", "CREATE", name]), Value::ok());
    }
    let set = [
        "COLLECTION",
        "CONFIG",
        "cache",
        "SET",
        "checkpoint",
        "no",
        "max-bytes",
        "1mb",
    ];
    assert_eq!(conn.call(&set), Value::ok());
    assert_eq!(
        conn.call(&["COLLECTION", "CONFIG", "kept", "SET", "fsync", "always"]),
        Value::ok()
    );
    for name in ["cache", "kept"] {
        conn.call(&["SELECT", name]);
        assert_eq!(conn.call(&["SET", "k", "v"]), Value::ok());
    }
    // The reply says that the record is on disk, though the server's policy is `no`.
    let log: BTreeMap<_, _> = conn
        .call(&["WAL", "INFO"])
        .pairs()
        .into_iter()
        .map(|(k, v)| (k.text(), v.int()))
        .collect();
    assert_eq!(log["stable-lsn"], log["last-lsn"]);
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    conn.call(&["SELECT", "kept"]);
    assert_eq!(conn.call(&["GET", "k"]), Value::bulk("v"));
    assert_eq!(
        conn.call(&["COLLECTION", "CONFIG", "kept", "GET", "f*"]).items().len(),
        2
    );
    conn.call(&["SELECT", "cache"]);
    assert_eq!(conn.call(&["DBSIZE"]), Value::Int(0));
    let cache = info(&mut conn, "cache");
    assert_eq!(
        (cache["checkpoint"].as_str(), cache["max-bytes"].as_str()),
        ("no", "1048576")
    );
}

#[test]
fn a_full_collection_refuses_what_needs_memory_and_nothing_else() {
    let server = in_memory();
    let mut conn = server.connect();
    conn.call(&["COLLECTION", "CREATE", "small"]);
    conn.call(&["SET", "elsewhere", "v"]);
    assert_eq!(
        conn.call(&["COLLECTION", "CONFIG", "small", "SET", "max-bytes", "10k"]),
        Value::ok()
    );
    conn.call(&["SELECT", "small"]);
    assert_eq!(conn.call(&["SET", "big", &"x".repeat(20_000)]), Value::ok());
    let refused = conn.call(&["SET", "another", "v"]);
    assert!(refused.is_error(), "{refused:?}");
    let text = refused.text();
    assert!(
        text.starts_with("OOM collection 'small' is over its max-bytes: ") && text.ends_with(", 10000 are allowed"),
        "{text}"
    );
    assert_eq!(conn.call(&["STRLEN", "big"]), Value::Int(20_000));
    // Inside a transaction: when it is queued, and when SELECT leads there.
    conn.call(&["MULTI"]);
    assert!(conn.call(&["SET", "another", "v"]).text().starts_with("OOM collection"));
    assert!(conn.call(&["EXEC"]).text().starts_with("EXECABORT"));
    conn.call(&["SELECT", "0"]);
    for command in [&["MULTI"][..], &["SELECT", "small"], &["SET", "another", "v"]] {
        assert!(!conn.call(command).is_error());
    }
    assert!(conn.call(&["EXEC"]).items()[1].text().starts_with("OOM collection"));
    conn.call(&["SELECT", "0"]);
    assert!(
        conn.call(&["COPY", "elsewhere", "k", "DB", "small"])
            .text()
            .starts_with("OOM collection")
    );
    assert!(
        conn.call(&["MOVE", "elsewhere", "small"])
            .text()
            .starts_with("OOM collection")
    );
    assert_eq!(conn.call(&["SET", "elsewhere", "w"]), Value::ok());
    conn.call(&["SELECT", "small"]);
    assert_eq!(conn.call(&["DEL", "big"]), Value::Int(1));
    assert_eq!(conn.call(&["SET", "another", "v"]), Value::ok());
    assert_eq!(conn.call(&["FLUSHDB"]), Value::ok());
    assert_eq!(info(&mut conn, "small")["max-bytes"], "10000");
}

#[test]
fn info_counts_and_tells_when_it_was_persisted() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    conn.call(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    conn.call(&["SET", "a", "1"]);
    conn.call(&["SET", "b", "2", "PX", "1"]);
    std::thread::sleep(std::time::Duration::from_millis(5));
    for key in ["a", "a", "b", "none"] {
        conn.call(&["GET", key]);
    }
    let before = info(&mut conn, "default");
    let number = |name: &str| before[name].parse::<u64>().expect("a number");
    assert_eq!(
        (number("keys"), number("reads"), number("writes"), number("expired")),
        (1, 4, 2, 1)
    );
    assert_eq!((number("last_persist_ms"), number("last_persist_lsn")), (0, 0));
    assert_eq!(before["state"], "live");
    assert_eq!(conn.call(&["COLLECTION", "PERSIST", "default"]), Value::ok());
    let after = info(&mut conn, "default");
    assert!(after["last_persist_ms"].len() > 10 && after["last_persist_lsn"] != "0");
    server.terminate();
    server.restart();
    let again = info(&mut server.connect(), "default");
    assert_eq!(again["last_persist_ms"], after["last_persist_ms"]);
}

#[test]
fn mistakes_are_told() {
    let server = in_memory();
    let mut conn = server.connect();
    for (command, error) in [
        ("COLLECTION CONFIG nobody GET", "ERR no such collection 'nobody'"),
        ("COLLECTION CONFIG default GIVE", "ERR syntax error"),
        ("COLLECTION CONFIG default SET", "ERR syntax error"),
        ("COLLECTION CONFIG default SET fsync", "ERR syntax error"),
        (
            "COLLECTION CONFIG default SET fsync no size 3",
            "ERR unknown collection setting 'size', known are checkpoint, fsync, max-bytes, policy",
        ),
        (
            "COLLECTION CONFIG default SET fsync no max-bytes x",
            "ERR invalid value 'x' for max-bytes: expected a size such as 100mb, 0 for no limit",
        ),
        (
            "COLLECTION DROP default",
            "ERR collection 'default' is a numbered database and cannot be dropped; FLUSHDB empties it",
        ),
        (
            "COLLECTION RENAME default x",
            "ERR collection 'default' is a numbered database and cannot be renamed",
        ),
        (
            "COLLECTION CREATE 12",
            "ERR invalid collection name: it is a number, and numbers mean numbered databases",
        ),
    ] {
        let command: Vec<&str> = command.split(' ').collect();
        assert_eq!(conn.call(&command).text(), error, "{command:?}");
    }
    // Nothing of a command that fails is set.
    assert_eq!(info(&mut conn, "default")["fsync"], "server");
}

#[test]
fn clients_of_a_collection_that_goes_are_told_and_those_of_a_renamed_one_stay() {
    let server = in_memory();
    let (mut one, mut other) = (server.connect(), server.connect());
    one.call(&["COLLECTION", "CREATE", "users"]);
    assert_eq!(other.call(&["SELECT", "users"]), Value::ok());
    other.call(&["SET", "k", "v"]);
    assert_eq!(one.call(&["COLLECTION", "RENAME", "users", "people"]), Value::ok());
    assert_eq!(other.call(&["GET", "k"]), Value::bulk("v"));
    assert_eq!(other.call(&["COLLECTION", "CURRENT"]), Value::bulk("people"));
    assert_eq!(one.call(&["COLLECTION", "DROP", "people"]), Value::ok());
    let gone = "NOCOLLECTION the selected collection has been dropped, select another one";
    assert_eq!(other.call(&["GET", "k"]).text(), gone);
    assert_eq!(other.call(&["COLLECTION", "CURRENT"]).text(), gone);
    assert_eq!(other.call(&["SELECT", "0"]), Value::ok());
    assert_eq!(other.call(&["GET", "k"]), Value::Null);
}

#[test]
fn a_conversion_keeps_clients_transactions_and_settings() {
    let server = in_memory();
    let (mut one, mut other) = (server.connect(), server.connect());
    one.call(&["COLLECTION", "CREATE", "users"]);
    one.call(&["COLLECTION", "CONFIG", "users", "SET", "max-bytes", "1gb"]);
    assert_eq!(other.call(&["SELECT", "users"]), Value::ok());
    other.call(&["SET", "k", "v"]);
    let before = info(&mut one, "users");
    other.call(&["WATCH", "k"]);
    other.call(&["MULTI"]);
    other.call(&["APPEND", "k", "w"]);
    for kind in ["bcust", "bdef", "hmap", "BCUST"] {
        assert_eq!(one.call(&["COLLECTION", "CONVERT", "users", "KIND", kind]), Value::ok());
    }
    assert_eq!(other.call(&["EXEC"]), Value::Array(vec![Value::Int(2)]));
    let after = info(&mut one, "users");
    assert_eq!(
        (after["kind"].as_str(), after["max-bytes"].as_str()),
        ("bcust", "1073741824")
    );
    assert_eq!(after["database"], before["database"]);
    let numbers = |info: &BTreeMap<String, String>| info["reads"].parse::<u64>().expect("a number");
    assert!(numbers(&after) >= numbers(&before));
    for (command, error) in [
        ("COLLECTION CONVERT nobody KIND hmap", "ERR no such collection 'nobody'"),
        ("COLLECTION CONVERT users AS hmap", "ERR syntax error"),
        (
            "COLLECTION CONVERT users KIND tree",
            "ERR unknown collection kind 'tree', known are hmap, bdef, bcust",
        ),
        (
            "COLLECTION COPY users users",
            "ERR \"users\" cannot be copied to itself",
        ),
        (
            "COLLECTION COPY users a/b",
            "ERR invalid collection name: it contains a slash",
        ),
        ("COLLECTION COPY users x KIND", "ERR syntax error"),
    ] {
        let command: Vec<&str> = command.split(' ').collect();
        assert_eq!(one.call(&command).text(), error, "{command:?}");
    }
    assert_eq!(
        one.call(&["COLLECTION", "COPY", "users", "people", "KIND", "hmap"]),
        Value::ok()
    );
    let taken = one.call(&["COLLECTION", "COPY", "users", "people"]).text();
    assert_eq!(taken, "ERR collection \"people\" exists and has keys; use REPLACE");
    assert_eq!(
        one.call(&["COLLECTION", "COPY", "users", "people", "REPLACE"]),
        Value::ok()
    );
    assert_eq!(one.call(&["COLLECTION", "COPY", "users", "3"]), Value::ok());
    one.call(&["SELECT", "3"]);
    assert_eq!(one.call(&["GET", "k"]), Value::bulk("vw"));
}

#[test]
fn an_attached_snapshot_is_read_and_never_written() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    for command in [
        "SET k then",
        "SET n 1",
        "CHECKPOINT",
        "SET k now",
        "COLLECTION ATTACH 1 default AS old READONLY",
    ] {
        let command: Vec<&str> = command.split(' ').collect();
        assert_eq!(conn.call(&command), Value::ok(), "{command:?}");
    }
    let read_only = "READONLY You can't write against a read only collection: 'old' is attached from a snapshot";
    for command in ["MOVE k old", "COPY k k2 DB old", "SWAPDB 0 old"] {
        let command: Vec<&str> = command.split(' ').collect();
        assert_eq!(conn.call(&command).text(), read_only, "{command:?}");
    }
    assert_eq!(conn.call(&["SELECT", "old"]), Value::ok());
    assert_eq!(conn.call(&["GET", "k"]), Value::bulk("then"));
    for command in [
        "SET k x",
        "DEL k",
        "INCR n",
        "FLUSHDB",
        "EXPIRE k 5",
        "GETDEL k",
        "RENAME k l",
        "MOVE k 1",
    ] {
        let command: Vec<&str> = command.split(' ').collect();
        assert_eq!(conn.call(&command).text(), read_only, "{command:?}");
    }
    conn.call(&["MULTI"]);
    assert_eq!(conn.call(&["SET", "k", "x"]).text(), read_only);
    assert!(conn.call(&["EXEC"]).text().starts_with("EXECABORT"));
    let attached = "ERR collection 'old' is attached from a snapshot, COLLECTION DETACH lets go of it";
    assert_eq!(conn.call(&["COLLECTION", "DROP", "old"]).text(), attached);
    assert_eq!(conn.call(&["COLLECTION", "RENAME", "old", "x"]).text(), attached);
    assert!(
        conn.call(&["COLLECTION", "CONVERT", "old", "KIND", "bdef"])
            .text()
            .contains("attached")
    );
    assert_eq!(info(&mut conn, "old")["state"], "attached");
    assert_eq!(conn.call(&["DBSIZE"]), Value::Int(2));
    assert_eq!(conn.call(&["FLUSHALL"]), Value::ok());
    assert_eq!(conn.call(&["GET", "k"]), Value::bulk("then"));
    // A copy of it is an ordinary collection.
    assert_eq!(conn.call(&["COLLECTION", "COPY", "old", "back"]), Value::ok());
    assert_eq!(conn.call(&["COLLECTION", "DETACH", "old"]), Value::ok());
    assert!(conn.call(&["GET", "k"]).text().starts_with("NOCOLLECTION"));
    assert_eq!(
        conn.call(&["COLLECTION", "DETACH", "old"]).text(),
        "ERR no such collection 'old'"
    );
    let not_attached = "ERR collection 'back' is not attached, COLLECTION DROP removes it";
    assert_eq!(conn.call(&["COLLECTION", "DETACH", "back"]).text(), not_attached);
    assert_eq!(
        conn.call(&["COLLECTION", "ATTACH", "1", "default", "AS", "old", "READONLY"]),
        Value::ok()
    );
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.call(&["SELECT", "back"]), Value::ok());
    assert_eq!(conn.call(&["GET", "k"]), Value::bulk("then"));
    assert!(conn.call(&["SELECT", "old"]).is_error());
}

#[test]
fn restores_by_checkpoint_lsn_and_time() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0", "wal.keep_age_s=3600"]);
    let mut conn = server.connect();
    conn.call(&["SET", "k", "first"]);
    let log = conn.call(&["WAL", "INFO"]).pairs();
    let last = log
        .iter()
        .find_map(|(name, value)| (name.text() == "last-lsn").then(|| value.int()));
    let lsn = last.flatten().expect("a number").to_string();
    std::thread::sleep(std::time::Duration::from_millis(5));
    let time = conn.call(&["TIME"]).items();
    let ms = time[0].text() + &format!("{:03}", time[1].text().parse::<u64>().expect("a number") / 1000);
    std::thread::sleep(std::time::Duration::from_millis(5));
    conn.call(&["SET", "k", "second"]);
    assert_eq!(conn.call(&["CHECKPOINT"]), Value::ok());
    conn.call(&["SET", "k", "third"]);
    conn.call(&["COLLECTION", "CREATE", "later"]);
    for (moment, expected) in [
        (vec!["TO", "LSN", lsn.as_str()], "first"),
        (vec!["1"], "second"),
        (vec!["TO", ms.as_str()], "first"),
        (vec!["1", "COLLECTION", "default"], "second"),
    ] {
        let command: Vec<&str> = ["CHECKPOINT", "RESTORE"].into_iter().chain(moment).collect();
        assert_eq!(conn.call(&command), Value::ok(), "{command:?}");
        assert_eq!(conn.call(&["GET", "k"]), Value::bulk(expected), "{command:?}");
        assert!(conn.call(&["SELECT", "later"]).is_error());
    }
    let as_other = [
        "CHECKPOINT",
        "RESTORE",
        "TO",
        "LSN",
        lsn.as_str(),
        "COLLECTION",
        "default",
        "AS",
        "then",
    ];
    assert_eq!(conn.call(&as_other), Value::ok());
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.call(&["GET", "k"]), Value::bulk("second"));
    conn.call(&["SELECT", "then"]);
    assert_eq!(conn.call(&["GET", "k"]), Value::bulk("first"));
    for (command, error) in [
        (
            "CHECKPOINT RESTORE x",
            "ERR invalid checkpoint id 'x': expected a number, or TO and a moment",
        ),
        ("CHECKPOINT RESTORE 77", "ERR there is no checkpoint 77"),
        ("CHECKPOINT RESTORE 1 COLLECTION", "ERR syntax error"),
        ("CHECKPOINT RESTORE 1 COLLECTION default AS", "ERR syntax error"),
        (
            "CHECKPOINT RESTORE 1 COLLECTION nobody",
            "ERR there was no collection \"nobody\" then",
        ),
        ("CHECKPOINT RESTORE TO", "ERR syntax error"),
        (
            "CHECKPOINT RESTORE TO LSN x",
            "ERR value is not an integer or out of range",
        ),
        (
            "CHECKPOINT RESTORE TO yesterday",
            "ERR invalid moment 'yesterday': expected LSN n, Unix milliseconds, or a time such as 2026-11-25T08:00:00Z",
        ),
        (
            "COLLECTION ATTACH 1 default AS old",
            "ERR wrong number of arguments for 'collection|attach' command",
        ),
        ("COLLECTION ATTACH 1 default AS old WRITABLE", "ERR syntax error"),
    ] {
        let command: Vec<&str> = command.split(' ').collect();
        assert_eq!(conn.call(&command).text(), error, "{command:?}");
    }
}
