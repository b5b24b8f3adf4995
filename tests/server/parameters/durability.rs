//! `wal.*`, `checkpoint.*` and how a server ends.

use std::time::{Duration, Instant};

use super::{Effect, await_that, call, set};
use crate::support::server::signal;
use crate::support::{Conn, Server, Value};

pub const EFFECTS: &[Effect] = &[
    ("wal.fsync", fsync),
    ("wal.segment_bytes", segment_bytes),
    ("wal.keep_age_s", wal_keep_age),
    ("checkpoint.interval_s", interval),
    ("checkpoint.wal_bytes_max", wal_bytes_max),
    ("checkpoint.keep_count", keep_count),
    ("checkpoint.keep_age_s", keep_age),
    ("checkpoint.compression", compression),
    ("checkpoint.on_shutdown", on_shutdown),
    ("checkpoint.stop_writes_on_error", stop_writes),
    ("server.shutdown_timeout_s", shutdown_timeout),
    ("server.shutdown_on_sigterm", on_sigterm),
    ("server.shutdown_on_sigint", on_sigint),
    ("storage.free_bytes_min", free_bytes_min),
];

/// A server that takes no checkpoint by itself.
fn start(settings: &[&str]) -> (Server, Conn) {
    let mut all = vec!["checkpoint.interval_s=0", "checkpoint.wal_bytes_max=0"];
    all.extend(settings);
    let server = Server::lokikv(&all);
    let conn = server.connect();
    (server, conn)
}

/// Writes so many KB.
fn write_kb(conn: &mut Conn, kb: usize) {
    let value = "v".repeat(1000);
    for n in 0..kb {
        assert_eq!(conn.call(&["SET", &format!("key:{n}"), &value]), Value::ok());
    }
}

/// The lengths of the files there, but for the one that locks the folder.
fn files(server: &Server, folder: &str) -> Vec<u64> {
    let files = std::fs::read_dir(server.data_dir().join(folder)).expect("list");
    files
        .map(|file| file.expect("a file"))
        .filter(|file| file.file_name() != "LOCK")
        .map(|file| file.metadata().map_or(0, |meta| meta.len()))
        .collect()
}

fn checkpoints(conn: &mut Conn) -> usize {
    call(conn, "CHECKPOINT LIST").items().len()
}

fn save(conn: &mut Conn, times: usize) {
    for n in 0..times {
        assert_eq!(conn.call(&["SET", "changed", &n.to_string()]), Value::ok());
        assert_eq!(call(conn, "SAVE"), Value::ok());
    }
}

fn fsync() {
    let (_server, mut conn) = start(&["wal.fsync=no"]);
    let mut fsyncs_of_20 = || {
        let fsyncs = |conn: &mut Conn| call(conn, "INFO lokikv").figure("wal_fsyncs");
        let before = fsyncs(&mut conn);
        write_kb(&mut conn, 20);
        let after = fsyncs(&mut conn);
        set(&mut conn, "appendfsync", "always");
        after - before
    };
    assert!(fsyncs_of_20() < 10);
    assert!(fsyncs_of_20() >= 20);
}

fn segment_bytes() {
    let (server, mut conn) = start(&[]);
    write_kb(&mut conn, 300);
    assert_eq!(files(&server, "wal").len(), 1);
    set(&mut conn, "wal.segment_bytes", "64kb");
    write_kb(&mut conn, 1000);
    await_that("many segments", || files(&server, "wal").len() >= 10);
    set(&mut conn, "wal.segment_bytes", "64mb");
    write_kb(&mut conn, 100);
    let count = files(&server, "wal").len();
    write_kb(&mut conn, 500);
    assert_eq!(files(&server, "wal").len(), count);
}

fn wal_keep_age() {
    let (server, mut conn) = start(&["wal.segment_bytes=64kb"]);
    let mut kept = || {
        write_kb(&mut conn, 500);
        save(&mut conn, 2);
        let count = files(&server, "wal").len();
        set(&mut conn, "wal.keep_age_s", "3600");
        count
    };
    assert!(kept() < 4);
    assert!(kept() >= 6);
}

fn interval() {
    let (_server, mut conn) = start(&[]);
    write_kb(&mut conn, 1);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(checkpoints(&mut conn), 0);
    set(&mut conn, "save", "1 1");
    await_that("a checkpoint", || checkpoints(&mut conn) > 0);
}

fn wal_bytes_max() {
    let (_server, mut conn) = start(&[]);
    write_kb(&mut conn, 300);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(checkpoints(&mut conn), 0);
    set(&mut conn, "checkpoint.wal_bytes_max", "100kb");
    await_that("a checkpoint", || checkpoints(&mut conn) > 0);
}

fn keep_count() {
    let (_server, mut conn) = start(&["checkpoint.keep_count=2"]);
    save(&mut conn, 5);
    assert_eq!(checkpoints(&mut conn), 2);
    set(&mut conn, "checkpoint.keep_count", "4");
    save(&mut conn, 5);
    assert_eq!(checkpoints(&mut conn), 4);
}

fn keep_age() {
    let (_server, mut conn) = start(&["checkpoint.keep_count=1"]);
    save(&mut conn, 3);
    assert_eq!(checkpoints(&mut conn), 1);
    set(&mut conn, "checkpoint.keep_age_s", "3600");
    save(&mut conn, 3);
    assert_eq!(checkpoints(&mut conn), 4);
}

fn compression() {
    let bytes = |setting: &str| {
        let (server, mut conn) = start(&[]);
        set(&mut conn, "checkpoint.compression", setting);
        write_kb(&mut conn, 300);
        save(&mut conn, 1);
        files(&server, "checkpoint").iter().sum::<u64>()
    };
    assert!(bytes("lz4") < bytes("none") / 2);
}

fn on_shutdown() {
    let (mut server, mut conn) = start(&[]);
    set(&mut conn, "checkpoint.on_shutdown", "no");
    write_kb(&mut conn, 1);
    assert!(server.terminate().success());
    assert!(!server.stdout().contains("final checkpoint"));
    server.restart();
    write_kb(&mut server.connect(), 1);
    assert!(server.terminate().success());
    assert!(server.stdout().contains("final checkpoint"));
}

fn shutdown_timeout() {
    let (mut server, mut conn) = start(&["server.enable_debug_command=yes", "server.shutdown_timeout_s=100"]);
    set(&mut conn, "shutdown-timeout", "1");
    conn.send(&["DEBUG", "SLEEP", "100"]).expect("send");
    std::thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    server.terminate();
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

fn stop_writes() {
    let (server, mut conn) = start(&["wal.enabled=no"]);
    write_kb(&mut conn, 1000);
    server.limit_files(Some(100_000));
    set(&mut conn, "checkpoint.interval_s", "1");
    await_that("a refusal", || call(&mut conn, "SET k v").text().starts_with("MISCONF"));
    set(&mut conn, "checkpoint.stop_writes_on_error", "no");
    assert_eq!(call(&mut conn, "SET k v"), Value::ok());
}

/// Whether a server that is ended by `number` takes a last checkpoint.
fn saves(parameter: &str, words: &str, number: i32) -> bool {
    let (mut server, mut conn) = start(&[]);
    set(&mut conn, parameter, words);
    write_kb(&mut conn, 1);
    signal(server.pid(), number);
    assert!(server.wait().success());
    server.stdout().contains("final checkpoint")
}

fn on_sigterm() {
    let saves = |words| saves("server.shutdown_on_sigterm", words, libc::SIGTERM);
    assert!(saves("default") && !saves("nosave"));
}

fn on_sigint() {
    let saves = |words| saves("shutdown-on-sigint", words, libc::SIGINT);
    assert!(saves("save") && !saves("nosave now"));
}

fn free_bytes_min() {
    let (_server, mut conn) = start(&[]);
    set(&mut conn, "storage.free_bytes_min", "1000000gb");
    await_that("a refusal", || call(&mut conn, "SET k v").text().starts_with("MISCONF"));
    set(&mut conn, "storage.free_bytes_min", "0");
    await_that("an end of it", || call(&mut conn, "SET k v") == Value::ok());
}
