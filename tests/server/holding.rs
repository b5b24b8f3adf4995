//! What clients hold that watch, wait or queue: it counts, it is limited, and it is given back.

use std::time::{Duration, Instant};

use crate::support::conn::encode;
use crate::support::{Conn, Server, Value};
use crate::{await_that, in_memory};

/// A field of a client's line.
fn field(conn: &mut Conn, id: &str, name: &str) -> u64 {
    let line = conn.call(&["CLIENT", "LIST", "ID", id]).text();
    let mut fields = line.split_whitespace();
    let value = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {line}"))
}

fn id(conn: &mut Conn) -> String {
    conn.call(&["CLIENT", "ID"]).int().expect("a number").to_string()
}

fn is_waiting(conn: &mut Conn) -> bool {
    conn.call(&["INFO", "clients"]).text().contains("blocked_clients:1")
}

fn with_keys(command: &str, count: usize, last: &[&str]) -> Vec<Vec<u8>> {
    let mut words = vec![command.as_bytes().to_vec()];
    words.extend((0..count).map(|n| format!("some-key-to-wait-for:{n}").into_bytes()));
    words.extend(last.iter().map(|word| word.as_bytes().to_vec()));
    words
}

#[test]
fn watching_one_key_more_costs_the_same_however_many_there_are() {
    const STEP: usize = 4_000;
    let server = in_memory();
    let mut conn = server.connect();
    let mut watch = |from: usize| {
        let mut batch = Vec::new();
        (from..from + STEP).for_each(|n| encode(&["WATCH", &format!("key:{n}")], &mut batch));
        let started = Instant::now();
        conn.send_raw(&batch).expect("send");
        (0..STEP).for_each(|_| drop(conn.recv().expect("OK")));
        started.elapsed()
    };
    let times: Vec<Duration> = (0..20).map(|step| watch(step * STEP)).collect();
    // Any of them may have been held up by something else.
    let fastest = |steps: &[Duration]| steps.iter().min().copied().expect("steps");
    let (first, last) = (fastest(&times[..6]), fastest(&times[14..]));
    assert!(last < first * 5 + Duration::from_millis(20), "{times:?}");
    assert_eq!(conn.call(&["UNWATCH"]), Value::ok());
}

#[test]
fn watched_keys_count() {
    const KEYS: usize = 20_000;
    let server = in_memory();
    let (mut conn, mut watching) = (server.connect(), server.connect());
    let watcher = id(&mut watching);
    let before = field(&mut conn, &watcher, "tot-mem");
    assert_eq!(watching.call(&with_keys("WATCH", KEYS, &[])), Value::ok());
    // Again: they are watched already.
    assert_eq!(watching.call(&with_keys("WATCH", KEYS, &[])), Value::ok());
    let held = field(&mut conn, &watcher, "tot-mem") - before;
    assert!(
        (50..300).contains(&(held as usize / KEYS)),
        "{held} bytes for {KEYS} keys"
    );
    assert_eq!(watching.call(&["MULTI"]), Value::ok());
    assert_eq!(watching.call(&["EXEC"]), Value::Array(Vec::new()));
    await_that("they are forgotten", || {
        field(&mut conn, &watcher, "tot-mem") < before + 10_000
    });

    conn.call(&["CONFIG", "SET", "client-query-buffer-limit", "2mb"]);
    let mut batch = Vec::new();
    for from in 0..200 {
        let mut watch = vec!["WATCH".to_owned()];
        watch.extend((0..100).map(|n| format!("key:{from}:{n}")));
        encode(&watch, &mut batch);
    }
    let _ = watching.send_raw(&batch);
    let replies = watching.read_to_close().expect("it is closed");
    assert!(replies.len() < 200 * 5, "{} bytes", replies.len());
}

#[test]
fn who_waits_for_many_keys_holds_them_and_no_more() {
    const KEYS: usize = 20_000;
    let server = in_memory();
    let (mut conn, mut waiting) = (server.connect(), server.connect());
    let waiter = id(&mut waiting);
    let before = field(&mut conn, &waiter, "tot-mem");
    waiting.send(&with_keys("BLPOP", KEYS, &["0"])).expect("send");
    await_that("it waits", || is_waiting(&mut conn));
    await_that("what has run is let go of", || {
        field(&mut conn, &waiter, "qbuf") + field(&mut conn, &waiter, "qbuf-free") < 1_000
    });
    assert!(field(&mut conn, &waiter, "tot-mem") > before + 1_000_000);
    assert_eq!(conn.call(&["CLIENT", "UNBLOCK", &waiter]), Value::Int(1));
    assert_eq!(waiting.recv().expect("a reply").value, Value::NullArray);
    await_that("all is given back", || {
        field(&mut conn, &waiter, "tot-mem") < before + 10_000
    });

    conn.call(&["CONFIG", "SET", "client-query-buffer-limit", "1mb"]);
    let _ = waiting.send(&with_keys("BLPOP", KEYS, &["0"]));
    assert_eq!(waiting.read_to_close().expect("it is closed"), b"");
}

#[test]
fn what_has_not_run_is_kept_while_something_before_it_waits() {
    let server = in_memory();
    let (mut conn, mut waiting) = (server.connect(), server.connect());
    let waiter = id(&mut waiting);
    let big = "v".repeat(300_000);
    let small = "w".repeat(900);
    let mut batch = Vec::new();
    (0..20).for_each(|_| encode(&["APPEND", "small", &small], &mut batch));
    encode(&["SET", "big", &big], &mut batch);
    encode(&["BLPOP", "list", "0"], &mut batch);
    (0..20).for_each(|_| encode(&["APPEND", "small", &small], &mut batch));
    encode(&["BLPOP", "list", "0"], &mut batch);
    encode(&["STRLEN", "small"], &mut batch);
    encode(&["STRLEN", "big"], &mut batch);
    waiting.send_raw(&batch).expect("send");
    for left in [24_000, 3_000] {
        await_that("it waits", || is_waiting(&mut conn));
        await_that("little is kept", || {
            field(&mut conn, &waiter, "qbuf") + field(&mut conn, &waiter, "qbuf-free") < left
        });
        conn.call(&["RPUSH", "list", "v"]);
        std::thread::sleep(Duration::from_millis(50));
    }
    let replies: Vec<Value> = (0..45).map(|_| waiting.recv().expect("a reply").value).collect();
    assert_eq!(replies[43..], [Value::Int(40 * 900), Value::Int(300_000)]);

    conn.call(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    let mut batch = Vec::new();
    (0..100).for_each(|_| encode(&["APPEND", "big", &small], &mut batch));
    waiting.send_raw(&batch).expect("send");
    await_that("it is held", || field(&mut conn, &waiter, "qbuf") > 50_000);
    assert_eq!(conn.call(&["CLIENT", "UNPAUSE"]), Value::ok());
    let last = (0..100).map(|_| waiting.recv().expect("a length").value).last();
    assert_eq!(last, Some(Value::Int(390_000)));
}

/// How many clients are accepted while the worker is busy; `None`: it may not have been so to the end.
fn accepted_while_busy() -> Option<usize> {
    const CLIENTS: usize = 300;
    let server = Server::lokikv(&[
        "wal.enabled=false",
        "checkpoint.interval_s=0",
        "server.workers=1",
        "server.enable_debug_command=yes",
    ]);
    let mut busy = server.connect();
    // Within a transaction it takes the worker's time, however fast the machine is.
    busy.call(&["MULTI"]);
    busy.call(&["DEBUG", "SLEEP", "6"]);
    let open_files = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid()));
        files.expect("its files").count()
    };
    let before = open_files();
    let began = Instant::now();
    busy.send(&["EXEC"]).expect("send");
    std::thread::sleep(Duration::from_millis(20));
    let mut waiting: Vec<Conn> = (0..CLIENTS).map(|_| server.connect()).collect();
    std::thread::sleep(Duration::from_millis(20));
    let accepted = open_files().saturating_sub(before);
    if began.elapsed() > Duration::from_secs(5) {
        return None;
    }
    for conn in &mut waiting {
        assert_eq!(conn.call(&["PING"]).text(), "PONG");
    }
    Some(accepted)
}

#[test]
fn nobody_is_accepted_whom_no_worker_has_time_for() {
    let accepted = (0..5).find_map(|_| accepted_while_busy()).expect("a try in time");
    assert!(
        accepted <= 150,
        "{accepted} have been accepted while the worker was busy"
    );
}
