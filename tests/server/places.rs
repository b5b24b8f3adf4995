//! How many clients come in: no more than are allowed, whatever the workers do, and never so many that the log and the
//! checkpoints have no file left to open.

use std::time::Duration;

use crate::await_that;
use crate::held::held_port;
use crate::support::conn::encode;
use crate::support::{Conn, Server, Value};

const REFUSAL: &str = "ERR max number of clients reached";

/// What a client hears that asks for a sign of life.
fn answer(conn: &mut Conn) -> String {
    // One that is refused may be closed before its request is there: the refusal came first.
    let _ = conn.send(&["PING"]);
    conn.recv()
        .map_or_else(|error| format!("closed: {error}"), |reply| reply.value.text())
}

/// Opens so many connections, and tells those that are served from those that are not.
fn open(server: &Server, count: usize) -> (Vec<Conn>, Vec<String>) {
    let mut conns: Vec<Conn> = (0..count).map(|_| server.connect()).collect();
    let answers: Vec<String> = conns.iter_mut().map(answer).collect();
    let mut served = answers.iter().map(|answer| answer == "PONG");
    conns.retain(|_| served.next().unwrap_or_default());
    (conns, answers.into_iter().filter(|answer| answer != "PONG").collect())
}

fn number(conn: &mut Conn, parameter: &str) -> usize {
    let pair = conn.call(&["CONFIG", "GET", parameter]).items();
    pair[1].text().parse().expect("a number")
}

/// Keeps the only worker busy with one batch.
fn keep_busy(conn: &mut Conn) {
    assert_eq!(conn.call(&["SETRANGE", "bits", "4000000", "x"]), Value::Int(4_000_001));
    let mut batch = Vec::new();
    (0..500).for_each(|_| encode(&["BITCOUNT", "bits"], &mut batch));
    conn.send_raw(&batch).expect("send");
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_burst_beside_a_busy_worker() {
    const CLIENTS: usize = 50;
    let server = Server::lokikv(&[
        "wal.enabled=false",
        "checkpoint.interval_s=0",
        "server.workers=1",
        "server.maxclients=50",
    ]);
    let mut busy = server.connect();
    keep_busy(&mut busy);
    let (served, refused) = open(&server, 500);
    assert_eq!(served.len(), CLIENTS - 1, "{refused:?}");
    assert!(refused.iter().all(|answer| answer == REFUSAL), "{refused:?}");
    (0..500).for_each(|_| drop(busy.recv().expect("a count")));
    let stats = busy.call(&["INFO", "stats"]).text();
    assert!(stats.contains("rejected_connections:451\r\n"), "{stats}");

    // Who leaves makes room, at once for whoever has seen that it was let go.
    drop(served);
    await_that("places are given back", || {
        open(&server, CLIENTS - 1).0.len() == CLIENTS - 1
    });
    assert_eq!(busy.call(&["CONFIG", "SET", "maxclients", "2"]), Value::ok());
    for _ in 0..100 {
        let mut other = wait_for_place(&server);
        assert_eq!(other.call(&["QUIT"]), Value::ok());
        assert_eq!(other.read_to_close().expect("closed"), b"");
        assert_eq!(answer(&mut server.connect()), "PONG");
    }
}

fn wait_for_place(server: &Server) -> Conn {
    let mut place = None;
    await_that("a place", || {
        let mut conn = server.connect();
        place = (answer(&mut conn) == "PONG").then_some(conn);
        place.is_some()
    });
    place.expect("a place")
}

#[test]
fn the_log_and_checkpoints_have_files_left() {
    let server = Server::lokikv_with_open_files(200, &["wal.segment_bytes=65536", "wal.fsync=always"]);
    let mut conn = server.connect();
    let allowed = number(&mut conn, "maxclients");
    assert!((50..180).contains(&allowed), "maxclients {allowed} of 200 files");
    assert!(server.stdout().contains("limit on open files"), "{}", server.stdout());
    let (mut served, refused) = open(&server, 300);
    assert_eq!(served.len(), allowed - 1);
    assert!(refused.iter().all(|answer| answer == REFUSAL), "{refused:?}");

    let value = "x".repeat(10_000);
    for round in 0..3 {
        for n in 0..60 {
            let key = format!("key:{round}:{n}");
            assert_eq!(served[n % 50].call(&["SET", &key, &value]), Value::ok());
        }
        assert_eq!(conn.call(&["SAVE"]), Value::ok());
        assert_eq!(conn.call(&["COLLECTION", "PERSIST", "default"]), Value::ok());
    }
    assert!(!conn.call(&["INFO"]).text().is_empty());
    // While all are there nobody else comes in, and nothing is said of a want of files.
    assert!(!server.stdout().contains("Too many open files"), "{}", server.stdout());
}

/// Those who look at figures have places of their own.
#[test]
fn connections_by_http_take_no_files_of_the_log() {
    let allowed = |settings: &[&str]| {
        let server = Server::lokikv_with_open_files(400, settings);
        number(&mut server.connect(), "maxclients")
    };
    let (_held, port) = held_port();
    let port = format!("http.port={port}");
    let (without, with) = (allowed(&["http.port=0"]), allowed(&[&port]));
    assert!(
        without - with >= 64 && with >= 100,
        "maxclients {with}, without HTTP {without}"
    );
}

#[test]
fn no_more_clients_than_there_can_be_files() {
    let server = Server::lokikv_with_open_files(200, &["wal.enabled=false"]);
    let mut conn = server.connect();
    let allowed = number(&mut conn, "maxclients");
    let refusal = |name: &str| {
        format!(
            "ERR CONFIG SET failed (possibly related to argument '{name}') - The operating system is not able to \
             handle the specified number of clients, try with {allowed}"
        )
    };
    let more = (allowed + 1).to_string();
    let error = conn.call(&["CONFIG", "SET", "maxclients", &more]).text();
    assert_eq!(error, refusal("maxclients"));
    let error = conn
        .call(&["CONFIG", "SET", "timeout", "7", "server.maxclients", "5000"])
        .text();
    assert_eq!(error, refusal("server.maxclients"));
    assert_eq!(
        (number(&mut conn, "maxclients"), number(&mut conn, "timeout")),
        (allowed, 0)
    );
    for fewer in [20, allowed] {
        assert_eq!(
            conn.call(&["CONFIG", "SET", "maxclients", &fewer.to_string()]),
            Value::ok()
        );
        let info = conn.call(&["INFO", "clients"]).text();
        assert!(info.contains(&format!("maxclients:{fewer}\r\n")), "{info}");
    }
}
