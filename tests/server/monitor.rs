//! MONITOR where no other server is needed: secrets, named collections, several workers, clients that do not read.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::support::conn::encode;
use crate::support::{Conn, Server, Value};
use crate::{await_that, in_memory};

fn watching(server: &Server) -> Conn {
    let mut conn = server.connect();
    assert_eq!(conn.call(&["MONITOR"]), Value::ok());
    conn
}

/// The next line behind its time.
fn line(conn: &mut Conn) -> String {
    let text = conn.recv().expect("a line").value.text();
    let (time, rest) = text.split_once(' ').expect("a time");
    let (seconds, micros) = time.split_once('.').expect("with fractions");
    assert!(seconds.len() >= 10 && micros.len() == 6, "{time}");
    rest.to_owned()
}

/// The same without the address.
fn shown(conn: &mut Conn) -> String {
    let text = line(conn);
    let (head, args) = text.split_once("] ").expect("a head");
    format!(
        "{} {args}",
        head.trim_start_matches('[').split(' ').next().unwrap_or_default()
    )
}

/// Waits until no client is one that MONITOR shows everything to.
fn await_no_monitor(conn: &mut Conn) {
    await_that("it is closed", || {
        !conn.call(&["CLIENT", "LIST"]).text().contains("flags=O")
    });
}

fn used_memory(conn: &mut Conn) -> u64 {
    let text = conn.call(&["INFO", "memory"]).text();
    let value = text.lines().find_map(|line| line.strip_prefix("used_memory:"));
    value.and_then(|value| value.parse().ok()).expect("used_memory")
}

#[test]
fn secrets_are_left_out() {
    let server = in_memory();
    let mut monitor = watching(&server);
    let mut conn = server.connect();
    for (words, wanted) in [
        (
            &["AUTH", "default", "hush"][..],
            r#"0 "AUTH" "(redacted)" "(redacted)""#,
        ),
        (
            &["HELLO", "x", "AUTH", "default", "hush"],
            r#"0 "HELLO" "x" "AUTH" "(redacted)" "(redacted)""#,
        ),
        (
            &["MIGRATE", "127.0.0.1", "x", "none", "0", "10", "AUTH2", "hush", "hush"],
            r#"0 "MIGRATE" "127.0.0.1" "x" "none" "0" "10" "AUTH2" "(redacted)" "(redacted)""#,
        ),
    ] {
        conn.call(words);
        assert_eq!(shown(&mut monitor), wanted);
    }
    conn.call(&["CONFIG", "SET", "requirepass", "hush"]);
    let mut stranger = server.connect();
    assert!(stranger.call(&["GET", "hush"]).text().starts_with("NOAUTH"));
    stranger.call(&["AUTH", "hush"]);
    conn.call(&["ECHO", "end"]);
    assert_eq!(
        shown(&mut monitor),
        r#"0 "AUTH" "(redacted)""#,
        "neither CONFIG nor what was not run"
    );
    assert_eq!(shown(&mut monitor), r#"0 "ECHO" "end""#);
}

#[test]
fn a_named_collection_is_shown_by_its_name() {
    let server = in_memory();
    let mut monitor = watching(&server);
    let mut conn = server.connect();
    conn.call(&["COLLECTION", "CREATE", "orders", "KIND", "bcust"]);
    conn.call(&["SELECT", "orders"]);
    conn.call(&["SET", "k", "v"]);
    conn.call(&["SELECT", "7"]);
    conn.call(&["GET", "k"]);
    let mut lines: Vec<String> = (0..4).map(|_| shown(&mut monitor)).collect();
    if lines[0].contains("COLLECTION") {
        lines.remove(0);
        lines.push(shown(&mut monitor));
    }
    assert_eq!(
        lines,
        [
            r#"orders "SELECT" "orders""#,
            r#"orders "SET" "k" "v""#,
            r#"7 "SELECT" "7""#,
            r#"7 "GET" "k""#
        ]
    );
}

#[test]
fn a_long_request_is_cut() {
    let server = in_memory();
    let mut monitor = watching(&server);
    let long = "x".repeat(3 << 20);
    server.connect().call(&["SET", "k", &long, "EX", "100"]);
    let text = shown(&mut monitor);
    assert!(text.starts_with(r#"0 "SET" "k" "xxxx"#));
    assert!(
        text.ends_with(" more bytes) ... (2 more arguments)"),
        "{}",
        &text[text.len() - 80..]
    );
    assert!(text.len() < (1 << 20) + 200);
}

#[test]
fn what_each_client_does_comes_in_order_from_all_workers() {
    const CLIENTS: usize = 6;
    const REQUESTS: usize = 2_000;
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", "server.workers=3"]);
    let mut monitors: Vec<Conn> = (0..3).map(|_| watching(&server)).collect();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let mut conn = server.connect();
            scope.spawn(move || {
                for from in (0..REQUESTS).step_by(50) {
                    let mut request = Vec::new();
                    (from..from + 50).for_each(|n| encode(&["ECHO", &format!("{client}-{n}")], &mut request));
                    conn.send_raw(&request).unwrap();
                    (0..50).for_each(|_| drop(conn.recv().unwrap()));
                }
            });
        }
        for monitor in &mut monitors {
            scope.spawn(move || {
                let mut next = BTreeMap::new();
                for _ in 0..CLIENTS * REQUESTS {
                    let text = shown(monitor);
                    let (client, n) = text
                        .trim_start_matches(r#"0 "ECHO" ""#)
                        .trim_end_matches('"')
                        .split_once('-')
                        .unwrap();
                    let next = next.entry(client.to_owned()).or_insert(0);
                    assert_eq!(n, next.to_string(), "of client {client}");
                    *next += 1;
                }
            });
        }
    });
    // Who is answered before another begins comes before it, whichever workers they are of.
    let mut conns: Vec<Conn> = (0..CLIENTS).map(|_| server.connect()).collect();
    for n in 0..500 {
        conns[n % CLIENTS].call(&["ECHO", &n.to_string()]);
    }
    for monitor in &mut monitors {
        for n in 0..500 {
            assert_eq!(shown(monitor), format!(r#"0 "ECHO" "{n}""#));
        }
    }
}

#[test]
fn one_that_does_not_read_is_closed_and_holds_nobody_back() {
    const VALUE_BYTES: usize = 1000;
    const REQUESTS: usize = 200_000;
    let server = in_memory();
    let lazy = watching(&server);
    let is_over = AtomicBool::new(false);
    let most = AtomicU64::new(0);
    let before = used_memory(&mut server.connect());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut conn = server.connect();
            while !is_over.load(Ordering::Relaxed) {
                most.fetch_max(used_memory(&mut conn), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut conn = server.connect();
        let value = "x".repeat(VALUE_BYTES);
        for _ in 0..REQUESTS / 100 {
            let mut request = Vec::new();
            (0..100).for_each(|_| encode(&["ECHO", &value], &mut request));
            conn.send_raw(&request).unwrap();
            (0..100).for_each(|_| drop(conn.recv().unwrap()));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    await_no_monitor(&mut server.connect());
    // 32 MiB, its limit, and as much that its worker has not taken.
    let grown = most.load(Ordering::Relaxed).saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes");
    let said = server.stdout();
    // It may be the worker that has too much for it first.
    let reasons = [
        "closing: output buffer hard limit",
        "closing: more lines of MONITOR than the worker can keep",
    ];
    assert!(reasons.iter().any(|reason| said.contains(reason)), "{said}");
    drop(lazy);
}

#[test]
fn its_limit_is_that_of_normal_clients_if_they_have_one() {
    let server = in_memory();
    let mut conn = server.connect();
    let limits = "normal 1mb 0 0 pubsub 0 0 0";
    assert_eq!(
        conn.call(&["CONFIG", "SET", "client-output-buffer-limit", limits]),
        Value::ok()
    );
    let lazy = watching(&server);
    let value = "x".repeat(100_000);
    for _ in 0..200 {
        conn.call(&["ECHO", &value]);
    }
    await_no_monitor(&mut conn);
    drop(lazy);
}

#[test]
fn one_that_comes_and_goes_leaves_nothing() {
    let server = in_memory();
    let mut conn = server.connect();
    for round in 0..200 {
        let mut monitor = watching(&server);
        conn.call(&["ECHO", &round.to_string()]);
        assert_eq!(shown(&mut monitor), format!(r#"0 "ECHO" "{round}""#));
        if round % 2 == 0 {
            monitor.call(&["RESET"]);
        }
    }
    let mut left = String::new();
    for _ in 0..500 {
        left = conn.call(&["CLIENT", "LIST"]).text();
        if !left.contains("flags=O") {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{left}");
}

#[test]
fn a_unix_socket_is_shown_by_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let unixsocket = format!("server.unixsocket={}", path.display());
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0", &unixsocket]);
    let mut monitor = watching(&server);
    let mut socket = UnixStream::connect(&path).expect("connect");
    socket.write_all(b"PING\r\n").expect("send");
    socket.read_exact(&mut [0; 7]).expect("a reply");
    assert_eq!(line(&mut monitor), format!("[0 unix:{}] \"PING\"", path.display()));
}

#[test]
fn it_may_be_idle() {
    let server = in_memory();
    let mut conn = server.connect();
    let mut monitor = watching(&server);
    let mut idle = server.connect();
    assert_eq!(conn.call(&["CONFIG", "SET", "timeout", "1"]), Value::ok());
    assert!(idle.read_to_close().is_ok());
    let lift = |mut conn: Conn| conn.try_call(&["CONFIG", "SET", "timeout", "0"]);
    await_that("clients may be idle again", || {
        lift(server.connect()).is_ok_and(|reply| reply == Value::ok())
    });
    server.connect().call(&["ECHO", "still there"]);
    assert_eq!(shown(&mut monitor), r#"0 "ECHO" "still there""#);
}

#[test]
fn it_is_shown_what_waits_for_the_disk() {
    let server = Server::lokikv(&["wal.fsync=always", "checkpoint.interval_s=0"]);
    let mut monitor = watching(&server);
    let mut subscriber = server.connect();
    subscriber.call(&["SUBSCRIBE", "c"]);
    assert!(shown(&mut monitor).contains("SUBSCRIBE"));
    let mut conn = server.connect();
    for n in 0..100 {
        let n = n.to_string();
        let mut request = Vec::new();
        encode(&["SET", "k", &n], &mut request);
        encode(&["PUBLISH", "c", &n], &mut request);
        conn.send_raw(&request).unwrap();
        (0..2).for_each(|_| drop(conn.recv().unwrap()));
        assert_eq!(shown(&mut monitor), format!(r#"0 "SET" "k" "{n}""#));
        assert_eq!(shown(&mut monitor), format!(r#"0 "PUBLISH" "c" "{n}""#));
        assert_eq!(subscriber.recv().unwrap().value.items()[2].text(), n);
    }
}
