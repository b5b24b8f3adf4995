//! A disk that does not answer: the end of the server is decided, and told, within `server.shutdown_timeout_s`.

use std::time::{Duration, Instant};

use crate::control::{ALWAYS, Control, Rule, SYNC};
use crate::support::server::signal;
use crate::support::{Conn, Server, Value};

const ERROR: &str = "ERR Errors trying to SHUTDOWN. Check logs.";
/// Longer than anybody waits here.
const HANG: Duration = Duration::from_secs(30);
/// Two seconds, and what a busy machine takes; less than waiting for the disk would.
const DECIDED: Duration = Duration::from_secs(20);

fn server(control: &Control, settings: &[&str]) -> (Server, Conn) {
    let timeout = ["server.shutdown_timeout_s=2", "checkpoint.interval_s=3600"];
    let mut server = Server::lokikv_stopped(&[settings, &timeout].concat());
    for (name, value) in control.env() {
        server.set_env(name, Some(&value));
    }
    control.set_root(&server.data_dir());
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.call(&["SET", "k", "v"]), Value::ok());
    (server, conn)
}

/// Each sync hangs whose path contains `part`.
fn hang(control: &mut Control, part: &'static str) {
    control.set(&[Rule {
        operations: SYNC,
        part,
        error: 0,
        times: ALWAYS,
        delay: HANG,
        follows: false,
    }]);
}

fn is_refused(server: &mut Server, conn: &mut Conn) {
    let started = Instant::now();
    assert_eq!(conn.call(&["SHUTDOWN"]).text(), ERROR);
    assert!(started.elapsed() < DECIDED, "{:?}", started.elapsed());
    signal(server.pid(), libc::SIGTERM);
    let started = Instant::now();
    while server.stdout().matches("the server does not end").count() < 2 {
        assert!(started.elapsed() < DECIDED);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(server.is_running());
    assert_eq!(conn.call(&["GET", "k"]).text(), "v");
}

#[test]
fn without_a_log_the_end_is_refused() {
    let mut control = Control::new();
    let (mut server, mut conn) = server(&control, &["wal.enabled=false"]);
    hang(&mut control, "");
    is_refused(&mut server, &mut conn);
    control.clear();
    assert_eq!(server.terminate().code(), Some(0));
    server.restart();
    assert_eq!(server.connect().call(&["GET", "k"]).text(), "v");
}

#[test]
fn an_end_that_waits_can_be_called_off() {
    let mut control = Control::new();
    let (mut server, mut conn) = server(&control, &["wal.enabled=false"]);
    assert_eq!(conn.call(&["CONFIG", "SET", "shutdown-timeout", "30"]), Value::ok());
    hang(&mut control, "");
    conn.send(&["SHUTDOWN"]).expect("send");
    let (mut other, mut writer) = (server.connect(), server.connect());
    let sent = Instant::now();
    while control.hits(0) == 0 {
        assert!(sent.elapsed() < HANG, "the last checkpoint never syncs");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Nothing is acknowledged that the checkpoint does not have.
    writer.send(&["SET", "later", "1"]).expect("send");
    assert_eq!(other.call(&["GET", "later"]), Value::Null, "it waits");
    while other.call(&["SHUTDOWN", "ABORT"]) != Value::ok() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(conn.recv().expect("told").value.text(), ERROR);
    assert_eq!(writer.recv().expect("it goes on").value, Value::ok());
    control.clear();
    assert_eq!(server.terminate().code(), Some(0));
    server.restart();
    assert_eq!(server.connect().call(&["GET", "later"]).text(), "1");
}

#[test]
fn with_a_log_that_cannot_be_synced_the_end_is_refused() {
    let mut control = Control::new();
    let (mut server, mut conn) = server(&control, &["wal.fsync=no"]);
    hang(&mut control, "/wal/");
    is_refused(&mut server, &mut conn);
    control.clear();
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn with_a_log_that_is_well_a_checkpoint_is_not_waited_for() {
    let mut control = Control::new();
    let (mut server, _conn) = server(&control, &["wal.fsync=everysec"]);
    hang(&mut control, "/checkpoint/");
    let started = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(started.elapsed() < DECIDED, "{:?}", started.elapsed());
    control.clear();
    server.restart();
    assert_eq!(server.connect().call(&["GET", "k"]).text(), "v");
}
