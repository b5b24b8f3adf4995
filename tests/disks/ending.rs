//! A server that is told to end while its disk does not answer ends in time, and its exit code tells whether what was
//! acknowledged is synced.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::control::{ALWAYS, Control, Rule, SYNC, WRITE};
use crate::support::{Conn, Server, Value};
use crate::writers::server_on;

/// A server that has synced what it acknowledged, and whose disk then hangs at these operations of the log.
fn on_a_hanging_disk(operations: u32) -> (Server, Conn, Control) {
    let mut control = Control::new();
    let mut server = server_on(&control, "everysec", 64 << 20);
    server.set_settings(&[
        "wal.fsync=everysec",
        "checkpoint.interval_s=0",
        "server.shutdown_timeout_s=3",
        // Without it, the end is refused as long as the disk hangs.
        "server.shutdown_on_sigterm=nosave",
        "server.enable_debug_command=yes",
    ]);
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.call(&["SET", "before", "1"]), Value::ok());
    while conn.wal_info("stable-lsn") < conn.wal_info("last-lsn") {
        std::thread::sleep(Duration::from_millis(20));
    }
    // The mark that tells of that sync is to be out before the disk hangs.
    std::thread::sleep(Duration::from_secs(3));
    control.set(&[Rule {
        operations,
        part: "/wal/",
        error: 0,
        times: ALWAYS,
        delay: Duration::from_secs(600),
        follows: false,
    }]);
    (server, conn, control)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Tells it to end, with a worker that hangs.
fn end(server: &mut Server) -> ExitStatus {
    let asked = Instant::now();
    let status = server.terminate();
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let said = server.stdout();
    assert!(said.contains("not waited for workers and their clients"), "{said}");
    status
}

#[test]
fn a_write_that_hangs_is_left_behind() {
    let (mut server, mut conn, mut control) = on_a_hanging_disk(WRITE);
    conn.send(&["SET", "hangs", "1"]).expect("send");
    wait_until("the write hangs", || control.hits(0) > 0);
    assert_eq!(end(&mut server).code(), Some(0));
    control.clear();
    server.restart();
    assert_eq!(server.connect().call(&["GET", "before"]).text(), "1");
}

#[test]
fn what_is_not_synced_then_is_told() {
    let (mut server, mut conn, mut control) = on_a_hanging_disk(SYNC);
    assert_eq!(conn.call(&["SET", "acknowledged", "1"]), Value::ok());
    for line in [&["MULTI"][..], &["DEBUG", "SLEEP", "100"], &["EXEC"]] {
        conn.send(line).expect("send");
    }
    wait_until("it executes", || server.stdout().contains("at=\"EXEC\""));
    assert_eq!(end(&mut server).code(), Some(1));
    let said = server.stderr();
    assert!(
        said.contains("1 records are written to the log, but not synced"),
        "{said}"
    );
    control.clear();
    server.restart();
    assert_eq!(server.connect().call(&["GET", "acknowledged"]).text(), "1");
}
