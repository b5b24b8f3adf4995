//! `CHECKPOINT LIST | INFO | VERIFY | DELETE | PIN | UNPIN | DIFF` through the real binary.

use std::fs;
use std::path::PathBuf;

use crate::support::{Conn, Server, Value};

fn start() -> Server {
    Server::lokikv(&["wal.fsync=always", "checkpoint.keep_count=2", "checkpoint.interval_s=0"])
}

/// A field of a map, or of the flat array that stands for one in RESP2.
fn field(map: &Value, name: &str) -> Value {
    let items = map.items();
    let at = items.iter().step_by(2).position(|key| key.text() == name);
    let at = at.unwrap_or_else(|| panic!("no {name} in {map}"));
    items[at * 2 + 1].clone()
}

fn number(map: &Value, name: &str) -> i64 {
    field(map, name)
        .int()
        .unwrap_or_else(|| panic!("{name} is no number in {map}"))
}

fn list(conn: &mut Conn) -> Vec<Value> {
    conn.call(&["CHECKPOINT", "LIST"]).items()
}

fn ids(conn: &mut Conn) -> Vec<i64> {
    list(conn).iter().map(|snapshot| number(snapshot, "id")).collect()
}

fn checkpoint(conn: &mut Conn) {
    assert_eq!(conn.call(&["CHECKPOINT", "NOW"]), Value::ok());
}

fn error(conn: &mut Conn, request: &[&str], expected: &str) {
    let reply = conn.call(request);
    assert!(
        reply.is_error() && reply.text().contains(expected),
        "{request:?}: {reply}"
    );
}

fn page_files(server: &Server) -> Vec<PathBuf> {
    let files = fs::read_dir(server.data_dir().join("checkpoint")).expect("list");
    let mut files: Vec<_> = files.map(|entry| entry.expect("entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "lkp"));
    files.sort();
    files
}

#[test]
fn kept_checkpoints_are_listed_pinned_and_deleted_across_restarts() {
    let mut server = start();
    let mut conn = server.connect();
    assert_eq!(ids(&mut conn), [0_i64; 0]);
    error(
        &mut conn,
        &["CHECKPOINT", "INFO", "LATEST"],
        "there is no checkpoint yet",
    );
    for round in 0..3 {
        for key in 0..100 {
            conn.call(&["SET", &format!("key:{round}:{key}"), "value"]);
        }
        checkpoint(&mut conn);
        if round == 0 {
            assert_eq!(conn.call(&["CHECKPOINT", "PIN", "1"]), Value::ok());
        }
    }
    // Nothing has changed since: the first of these compacts what has become sparse, the second has nothing to do.
    checkpoint(&mut conn);
    checkpoint(&mut conn);
    assert_eq!(ids(&mut conn), [1, 4, 5], "two are kept, and the pinned one");
    let all = list(&mut conn);
    assert_eq!([0, 1, 2].map(|at| number(&all[at], "keys")), [100, 300, 300]);
    assert_eq!([0, 1, 2].map(|at| number(&all[at], "pinned")), [1, 0, 0]);
    assert_eq!(number(&all[2], "written-pages"), 0, "nothing had changed");
    assert!(number(&all[0], "lsn") < number(&all[1], "lsn") && number(&all[0], "time-ms") > 0);
    assert!(number(&all[0], "written-bytes") > 0 && number(&all[2], "referenced-bytes") > 0);
    let info = conn.call(&["CHECKPOINT", "INFO", "latest"]);
    assert_eq!(number(&info, "id"), 5);
    let collections = field(&info, "collections").items();
    assert_eq!(field(&collections[0], "name").text(), "default");
    assert_eq!(number(&collections[0], "keys"), 300);

    error(&mut conn, &["CHECKPOINT", "DELETE", "5"], "is the newest one");
    error(&mut conn, &["CHECKPOINT", "DELETE", "1"], "is pinned");
    error(&mut conn, &["CHECKPOINT", "DELETE", "2"], "there is no checkpoint 2");
    error(
        &mut conn,
        &["CHECKPOINT", "PIN", "one"],
        "named by its number or LATEST",
    );
    error(&mut conn, &["CHECKPOINT", "FROB"], "unknown subcommand");
    assert_eq!(conn.call(&["CHECKPOINT", "DELETE", "4"]), Value::ok());
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(ids(&mut conn), [1, 5], "pins and deletions are durable");
    conn.call(&["SET", "more", "value"]);
    checkpoint(&mut conn);
    let newest = list(&mut conn).pop().expect("the newest");
    assert_eq!(
        number(&newest, "written-pages"),
        1,
        "incremental right after the restart"
    );
    assert_eq!(conn.call(&["CHECKPOINT", "UNPIN", "1"]), Value::ok());
    checkpoint(&mut conn);
    assert_eq!(ids(&mut conn).len(), 2);
    assert!(!ids(&mut conn).contains(&1));
    assert!(conn.call(&["CHECKPOINT", "HELP"]).items().len() > 10);
}

#[test]
fn differences_are_counted_by_collection() {
    let server = start();
    let mut conn = server.connect();
    for key in 0..1000 {
        conn.call(&["SET", &format!("key:{key:04}"), "value"]);
    }
    conn.call(&["COLLECTION", "CREATE", "gone", "KIND", "bcust"]);
    conn.call(&["COLLECTION", "CREATE", "same", "KIND", "hmap"]);
    checkpoint(&mut conn);
    conn.call(&["SET", "key:0000", "other"]);
    conn.call(&["EXPIRE", "key:0001", "100000"]);
    conn.call(&["SET", "key:0002", "value"]);
    conn.call(&["DEL", "key:0003", "key:0004"]);
    conn.call(&["SET", "new", "value"]);
    conn.call(&["COLLECTION", "DROP", "gone"]);
    conn.call(&["COLLECTION", "CREATE", "made", "KIND", "bdef"]);
    checkpoint(&mut conn);
    let reply = conn.call(&["CHECKPOINT", "DIFF", "1", "LATEST"]).items();
    let of = |name: &str| reply.iter().find(|entry| field(entry, "name").text() == name);
    let changed = of("default").expect("default");
    let counts = ["keys-changed", "keys-removed", "keys-added"].map(|name| number(changed, name));
    assert_eq!(counts, [2, 2, 1], "a value that was set again is no difference");
    assert!((1..=6).contains(&number(changed, "pages-second")), "{changed}");
    assert_eq!(field(of("gone").expect("gone"), "in").text(), "first");
    assert_eq!(field(of("made").expect("made"), "in").text(), "second");
    assert!(of("same").is_none());
    assert_eq!(conn.call(&["CHECKPOINT", "DIFF", "2", "2"]).items().len(), 0);
}

#[test]
fn verify_names_what_is_damaged() {
    let server = start();
    let mut conn = server.connect();
    for key in 0..100 {
        conn.call(&["SET", &format!("key:{key}"), "value"]);
    }
    checkpoint(&mut conn);
    let whole = conn.call(&["CHECKPOINT", "VERIFY", "LATEST"]);
    assert_eq!(
        (number(&whole, "keys"), field(&whole, "faults").items().len()),
        (100, 0)
    );
    let path = page_files(&server).pop().expect("a page file");
    let mut bytes = fs::read(&path).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).expect("write");
    let faults = field(&conn.call(&["CHECKPOINT", "VERIFY", "1"]), "faults").items();
    assert_eq!(faults.len(), 1);
    let fault = faults[0].text();
    assert!(
        fault.contains(&*path.to_string_lossy()) && fault.contains("at byte"),
        "{fault}"
    );
}
