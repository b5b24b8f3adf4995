//! Writes that could not be kept are refused, early, with the reason, and accepted again by themselves.

use std::time::{Duration, Instant};

use crate::probes::patiently;
use crate::set;
use crate::support::{Conn, Server, Value};

/// Redis 8.2's text.
const CHECKPOINTS_FAIL: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist \
     to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors \
     during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for \
     details about the RDB error.";

/// How soon writes are accepted again.
const HEALED: Duration = Duration::from_secs(30);

fn fill(conn: &mut Conn) {
    let value = "v".repeat(100_000);
    for n in 0..30 {
        assert_eq!(conn.call(&["SET", &format!("key:{n}"), &value]), Value::ok());
    }
}

fn info(conn: &mut Conn, line: &str) -> bool {
    conn.call(&["INFO", "everything"]).text().contains(line)
}

fn await_that(what: &str, time_max: Duration, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < time_max, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_accepted(conn: &mut Conn) -> bool {
    conn.call(&["SET", "k", "v"]) == Value::ok()
}

/// `ulimit -f` raises a signal; to the log it is a full disk.
#[test]
fn a_limit_on_files_is_a_full_disk() {
    let mut server = Server::lokikv(&["wal.fsync=no", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    fill(&mut conn);
    server.limit_files(Some(1 << 20));
    let mut in_doubt = server.connect();
    in_doubt.send(&["SET", "in doubt", "1"]).expect("send");
    await_that("a failure", HEALED, || info(&mut conn, "aof_last_write_status:err"));
    assert!(server.is_running());
    let refusal = conn.call(&["SET", "k", "v"]).text();
    assert!(
        refusal.starts_with("MISCONF Errors writing to the AOF file: "),
        "{refusal}"
    );
    assert!(conn.call(&["PING"]).text().starts_with("MISCONF "), "as in Redis");
    let (code, said) = patiently(&["ping", "--port", &server.port().to_string()]);
    assert!(code == 1 && said.contains("MISCONF "), "{code}: {said}");
    // Reads go on, but for those of the shard that what is in doubt is in.
    let reads = |n: u32| {
        let mut conn = server.connect();
        conn.stream()
            .set_read_timeout(Some(Duration::from_secs(1)))
            .expect("a timeout");
        conn.send(&["STRLEN", &format!("key:{n}")]).expect("send");
        conn.recv().is_ok_and(|reply| reply.value == Value::Int(100_000))
    };
    assert!((0..10).any(reads));
    server.limit_files(None);
    await_that("healed", HEALED, || is_accepted(&mut conn));
    assert_eq!(in_doubt.recv().expect("it goes on").value, Value::ok());
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.call(&["GET", "in doubt"]).text(), "1");
    for n in 0..30 {
        assert_eq!(conn.call(&["STRLEN", &format!("key:{n}")]), Value::Int(100_000), "{n}");
    }
}

#[test]
fn without_a_log_failing_checkpoints_refuse_writes() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    fill(&mut conn);
    server.limit_files(Some(1 << 20));
    // Not before: one that comes while keys are written would leave less to write for this one.
    set(&mut conn, "checkpoint.interval_s", "1");
    conn.call(&["SET", "changed", "1"]);
    let refused = |conn: &mut Conn, words: &[&str]| conn.call(words).text() == CHECKPOINTS_FAIL;
    await_that("refused", HEALED, || refused(&mut conn, &["SET", "k", "v"]));
    for words in [
        &["PING"][..],
        &["DEL", "key:0"],
        &["FLUSHALL"],
        &["EXPIRE", "key:0", "9"],
        &["PING", "x"],
    ] {
        assert!(refused(&mut conn, words), "{words:?}");
    }
    for words in [
        &["GET", "none"][..],
        &["ECHO", "x"],
        &["CONFIG", "GET", "save"],
        &["DBSIZE"],
    ] {
        assert!(!conn.call(words).text().starts_with("MISCONF"), "{words:?}");
    }
    conn.call(&["MULTI"]);
    assert!(refused(&mut conn, &["SET", "k", "v"]));
    assert!(conn.call(&["EXEC"]).text().starts_with("EXECABORT "));
    assert!(info(&mut conn, "rdb_last_bgsave_status:err") && info(&mut conn, "checkpoint_stops_writes:1"));
    assert_eq!(
        conn.call(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]),
        Value::ok()
    );
    assert!(is_accepted(&mut conn), "as configured");
    assert_eq!(
        conn.call(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"]),
        Value::ok()
    );
    assert!(refused(&mut conn, &["SET", "k", "v"]));
    server.limit_files(None);
    await_that("healed", HEALED, || is_accepted(&mut conn));
    assert!(info(&mut conn, "rdb_last_bgsave_status:ok") && info(&mut conn, "checkpoint_stops_writes:0"));
}

/// Redis refuses only where snapshots are to be taken by time.
#[test]
fn what_is_in_memory_only_is_not_refused() {
    let server = Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    fill(&mut conn);
    server.limit_files(Some(1 << 20));
    assert!(conn.call(&["SAVE"]).is_error());
    assert!(is_accepted(&mut conn) && conn.call(&["PING"]).text() == "PONG");
}

#[test]
fn with_a_log_failing_checkpoints_refuse_nothing() {
    let server = Server::lokikv(&["checkpoint.interval_s=0", "wal.segment_bytes=64kb"]);
    let mut conn = server.connect();
    fill(&mut conn);
    server.limit_files(Some(1 << 20));
    set(&mut conn, "checkpoint.interval_s", "1");
    await_that("a failure", HEALED, || {
        assert!(is_accepted(&mut conn));
        info(&mut conn, "rdb_last_bgsave_status:err")
    });
    await_that("it is said", HEALED, || {
        server.stdout().contains("the log has everything since then, and grows")
    });
    assert!(is_accepted(&mut conn) && conn.call(&["PING"]).text() == "PONG");
}

#[test]
fn writes_are_refused_before_the_disk_is_full() {
    let server = Server::lokikv(&["storage.free_bytes_min=1000000gb"]);
    let mut conn = server.connect();
    // It starts all the same.
    let refusal = |conn: &mut Conn, words: &[&str]| {
        let text = conn.call(words).text();
        text.starts_with("MISCONF Only ") && text.contains("/wal, where storage.free_bytes_min = ")
    };
    await_that("refused", HEALED, || refusal(&mut conn, &["SET", "k", "v"]));
    for words in [
        &["LPUSH", "l", "x"][..],
        &["APPEND", "k", "v"],
        &["COLLECTION", "CREATE", "c"],
    ] {
        assert!(refusal(&mut conn, words), "{words:?}");
    }
    conn.call(&["MULTI"]);
    assert!(refusal(&mut conn, &["SET", "k", "v"]));
    assert!(conn.call(&["EXEC"]).text().starts_with("EXECABORT "));
    let persisted = conn.call(&["COLLECTION", "PERSIST", "default"]).text();
    assert!(
        persisted.contains("/persist, where storage.free_bytes_min"),
        "{persisted}"
    );
    for words in [
        &["DEL", "k"][..],
        &["EXPIRE", "k", "9"],
        &["GET", "k"],
        &["PING"],
        &["SAVE"],
        &["FLUSHALL"],
    ] {
        assert!(!conn.call(words).text().starts_with("MISCONF"), "{words:?}");
    }
    assert!(info(&mut conn, "storage_refuses_writes:1") && !info(&mut conn, "storage_wal_free_bytes:0\r"));
    assert_eq!(
        conn.call(&["CONFIG", "SET", "storage.free_bytes_min", "1mb"]),
        Value::ok()
    );
    await_that("healed", HEALED, || is_accepted(&mut conn));
    assert!(info(&mut conn, "storage_refuses_writes:0"));
    assert_eq!(
        conn.call(&["CONFIG", "SET", "storage.free_bytes_min", "1000000gb"]),
        Value::ok()
    );
    await_that("refused again", HEALED, || !is_accepted(&mut conn));
    assert_eq!(
        conn.call(&["CONFIG", "SET", "storage.free_bytes_min", "0"]),
        Value::ok()
    );
    await_that("switched off", HEALED, || is_accepted(&mut conn));
}

/// Nothing that is needed lies there.
#[test]
fn without_log_and_checkpoints_no_disk_is_needed() {
    let settings = [
        "wal.enabled=false",
        "checkpoint.interval_s=0",
        "storage.free_bytes_min=1000000gb",
    ];
    let server = Server::lokikv(&settings);
    let mut conn = server.connect();
    await_that("looked at", HEALED, || info(&mut conn, "storage_wal_free_bytes:"));
    assert!(is_accepted(&mut conn));
}
