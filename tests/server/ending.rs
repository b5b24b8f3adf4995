//! A shutdown that would lose something is refused, and never claims otherwise: each case of ARCHITECTURE.md's table.
//!
//! The disk is "full" through the limit on the length of files: data of three megabytes, files of one.

use std::time::{Duration, Instant};

use crate::await_that;
use crate::support::server::signal;
use crate::support::{Conn, Server, Value};

const ERROR: &str = "ERR Errors trying to SHUTDOWN. Check logs.";
const FULL: Option<u64> = Some(1 << 20);

/// A server with more data than fits into a file from now on.
fn full(settings: &[&str]) -> (Server, Conn) {
    let server = Server::lokikv(settings);
    let mut conn = server.connect();
    fill(&mut conn);
    server.limit_files(FULL);
    (server, conn)
}

fn fill(conn: &mut Conn) {
    let value = "v".repeat(100_000);
    for n in 0..30 {
        assert_eq!(conn.call(&["SET", &format!("key:{n}"), &value]), Value::ok());
    }
}

fn has_all(server: &Server) {
    let mut conn = server.connect();
    for n in 0..30 {
        assert_eq!(conn.call(&["STRLEN", &format!("key:{n}")]), Value::Int(100_000), "{n}");
    }
}

/// It goes on, and serves.
fn goes_on(server: &mut Server, conn: &mut Conn) {
    assert!(server.is_running());
    assert_eq!(conn.call(&["STRLEN", "key:0"]), Value::Int(100_000));
}

/// Every way to ask for an end that may not lose anything is refused.
fn is_refused(server: &mut Server, conn: &mut Conn) {
    for words in [&["SHUTDOWN"][..], &["SHUTDOWN", "SAVE"], &["SHUTDOWN", "NOW"]] {
        assert_eq!(conn.call(words).text(), ERROR, "{words:?}");
    }
    for number in [libc::SIGTERM, libc::SIGINT] {
        let before = refusals(server);
        signal(server.pid(), number);
        let started = Instant::now();
        while refusals(server) == before {
            assert!(started.elapsed() < Duration::from_secs(20), "signal {number}");
            std::thread::sleep(Duration::from_millis(10));
        }
        goes_on(server, conn);
    }
    assert!(
        !server.stdout().contains("the log has everything, and"),
        "a false claim"
    );
    assert_eq!(conn.call(&["SHUTDOWN", "ABORT"]).text(), "ERR No shutdown in progress.");
}

fn refusals(server: &Server) -> usize {
    server.stdout().matches("the server does not end").count()
}

/// The exit code after `words`, which close the connection.
fn exit_code(server: &mut Server, conn: &mut Conn, words: &[&str]) -> Option<i32> {
    conn.send(words).expect("send");
    assert_eq!(conn.read_to_close().expect("it is closed"), b"", "{words:?}");
    server.wait().code()
}

const NO_LOG: &[&str] = &["wal.enabled=false", "checkpoint.interval_s=3600"];

#[test]
fn without_a_log_a_checkpoint_that_fails_refuses_the_end() {
    let (mut server, mut conn) = full(NO_LOG);
    is_refused(&mut server, &mut conn);
    server.limit_files(None);
    assert_eq!(exit_code(&mut server, &mut conn, &["SHUTDOWN"]), Some(0));
    server.restart();
    has_all(&server);
}

#[test]
fn without_a_log_an_end_by_force_tells_what_is_lost() {
    let (mut server, mut conn) = full(NO_LOG);
    assert_eq!(exit_code(&mut server, &mut conn, &["SHUTDOWN", "FORCE"]), Some(1));
    assert!(
        server.stderr().contains("ended although 30 changes are on no disk"),
        "{}",
        server.stderr()
    );
    assert!(!server.stdout().contains("ended cleanly"));
}

#[test]
fn a_signal_can_be_told_to_force() {
    let (mut server, mut conn) = full(NO_LOG);
    let set = conn.call(&["CONFIG", "SET", "shutdown-on-sigterm", "force now"]);
    assert_eq!(set, Value::ok());
    assert_eq!(server.terminate().code(), Some(1));
}

#[test]
fn without_a_log_what_is_not_asked_for_is_let_go() {
    let (mut server, mut conn) = full(NO_LOG);
    assert_eq!(exit_code(&mut server, &mut conn, &["SHUTDOWN", "NOSAVE"]), Some(0));
    assert!(
        server
            .stdout()
            .contains("30 changes since the last checkpoint are let go")
    );
    let (mut server, _conn) = full(&[NO_LOG[0], NO_LOG[1], "checkpoint.on_shutdown=no"]);
    assert_eq!(server.terminate().code(), Some(0));
    assert!(
        server
            .stdout()
            .contains("30 changes since the last checkpoint are let go")
    );
}

/// What a cache has is nobody's loss, and neither is what has not changed.
#[test]
fn without_a_log_there_may_be_nothing_to_lose() {
    let mut server = Server::lokikv(NO_LOG);
    let mut conn = server.connect();
    fill(&mut conn);
    assert_eq!(conn.call(&["SAVE"]), Value::ok());
    let create = conn.call(&["COLLECTION", "CREATE", "cache"]);
    assert_eq!(create, Value::ok());
    assert_eq!(
        conn.call(&["COLLECTION", "CONFIG", "cache", "SET", "checkpoint", "no"]),
        Value::ok()
    );
    assert_eq!(conn.call(&["SAVE"]), Value::ok());
    assert_eq!(conn.call(&["COLLECTION", "USE", "cache"]), Value::ok());
    fill(&mut conn);
    server.limit_files(Some(1000));
    assert_eq!(server.terminate().code(), Some(0));
    server.restart();
    has_all(&server);
}

#[test]
fn with_a_log_a_last_checkpoint_may_fail() {
    let (mut server, mut conn) = full(&["wal.fsync=everysec", "wal.segment_bytes=64kb"]);
    // The log goes on: its segments are short.
    assert_eq!(conn.call(&["SET", "after", "1"]), Value::ok());
    assert_eq!(
        conn.call(&["SHUTDOWN", "SAVE"]).text(),
        ERROR,
        "as asked, or not at all"
    );
    assert_eq!(server.terminate().code(), Some(0));
    assert!(
        server
            .stdout()
            .contains("the final checkpoint failed; the log has everything")
    );
    server.restart();
    has_all(&server);
}

fn await_failed_write(conn: &mut Conn) {
    await_that("the log cannot be written to", || {
        conn.call(&["INFO", "persistence"])
            .text()
            .contains("aof_last_write_status:err")
    });
}

fn with_a_log_that_has_failed(fsync: &str) {
    let (mut server, mut conn) = full(&[fsync]);
    // Neither acknowledged nor refused, as long as the log cannot go on.
    let mut waiting = server.connect();
    waiting.send(&["SET", "in doubt", "1"]).expect("send");
    await_failed_write(&mut conn);
    is_refused(&mut server, &mut conn);
    server.limit_files(None);
    assert_eq!(waiting.recv().expect("it goes on").value, Value::ok());
    assert_eq!(server.terminate().code(), Some(0));
    server.restart();
    has_all(&server);
    assert_eq!(server.connect().call(&["GET", "in doubt"]).text(), "1");
}

#[test]
fn with_a_log_that_has_failed_always() {
    with_a_log_that_has_failed("wal.fsync=always");
}

#[test]
fn with_a_log_that_has_failed_everysec() {
    with_a_log_that_has_failed("wal.fsync=everysec");
}

#[test]
fn with_a_log_that_has_failed_an_end_by_force_is_a_failure() {
    for (words, told) in [
        (&["SHUTDOWN", "FORCE"][..], "changes are on no disk"),
        (&["SHUTDOWN", "NOSAVE"], "the last writes may be lost"),
    ] {
        let (mut server, mut conn) = full(&["server.shutdown_timeout_s=8"]);
        server.connect().send(&["SET", "in doubt", "1"]).expect("send");
        await_failed_write(&mut conn);
        assert_eq!(exit_code(&mut server, &mut conn, words), Some(1), "{words:?}");
        assert!(server.stderr().contains(told), "{}", server.stderr());
        server.restart();
        has_all(&server);
    }
}
