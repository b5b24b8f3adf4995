//! The server's own log: its forms, levels of parts, its file, and what it tells of a start.

use std::path::PathBuf;

use crate::support::{Conn, Server, Value};
use crate::{await_that, call};

/// A file beside a server's data.
fn log_file(server: &Server, name: &str) -> PathBuf {
    server.data_dir().with_file_name(name)
}

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn lines_are_json_and_a_start_tells_all_one_needs() {
    let server = Server::lokikv(&[
        "log.format=json",
        "memory.max_bytes=64mb",
        "wal.fsync=always",
        "server.workers=1",
    ]);
    call(&mut server.connect(), "CONFIG SET timeout 77");
    await_that("a line", || server.stdout().contains("server.timeout_s = 77"));
    let log = server.stdout();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "{name}: {line}");
        }
    }
    let started = lines
        .iter()
        .find(|line| line["message"] == "ready for clients")
        .expect("a line");
    assert_eq!(started["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(started["pid"], server.pid());
    assert_eq!(started["data_dir"], server.data_dir().display().to_string());
    assert_eq!(started["port"], server.port());
    assert_eq!(
        (&started["workers"], &started["maxmemory"]),
        (&1.into(), &67_108_864.into())
    );
    assert_eq!(started["log"], "always");
    assert!(
        started["collections"]
            .as_str()
            .is_some_and(|kinds| kinds.ends_with(":16")),
        "{started}"
    );
}

fn got(conn: &mut Conn, name: &str) -> String {
    call(conn, &format!("CONFIG GET {name}")).items()[1].text()
}

#[test]
fn parts_have_levels_of_their_own() {
    let server = Server::lokikv(&["log.level=warning,lokikv::commands=info"]);
    let mut conn = server.connect();
    call(&mut conn, "CONFIG SET timeout 70");
    await_that("a line", || server.stdout().contains("server.timeout_s = 70"));
    assert!(!server.stdout().contains("ready for clients"), "{}", server.stdout());
    assert_eq!(got(&mut conn, "loglevel"), "warning");
    assert_eq!(got(&mut conn, "log.level"), "warning,lokikv::commands=notice");
    assert_eq!(call(&mut conn, "CONFIG SET loglevel warning"), Value::ok());
    assert_eq!(got(&mut conn, "log.level"), "warning");
    call(&mut conn, "CONFIG SET timeout 71");
    assert_eq!(
        call(&mut conn, "CONFIG SET log.level nothing,lokikv::commands=debug"),
        Value::ok()
    );
    call(&mut conn, "CONFIG SET timeout 72");
    await_that("a line", || server.stdout().contains("server.timeout_s = 72"));
    assert!(!server.stdout().contains("server.timeout_s = 71"));
    for wrong in [
        "loud",
        "notice,lokikv::wal",
        "notice,lokikv::wal=loud",
        "notice,lokikv-wal=debug",
    ] {
        assert!(
            call(&mut conn, &format!("CONFIG SET log.level {wrong}")).is_error(),
            "{wrong}"
        );
    }
}

#[test]
fn a_hangup_has_the_file_opened_again() {
    let mut server = Server::lokikv_stopped(&[]);
    let (path, old) = (log_file(&server, "own.log"), log_file(&server, "own.log.1"));
    server.set_settings(&[&format!("log.file={}", path.display())]);
    server.restart();
    await_that("a start", || read(&path).contains("ready for clients"));
    std::fs::rename(&path, &old).expect("renamed");
    let mut conn = server.connect();
    call(&mut conn, "CONFIG SET timeout 70");
    await_that("a line in the old file", || {
        read(&old).contains("server.timeout_s = 70")
    });
    crate::support::server::signal(server.pid(), libc::SIGHUP);
    await_that("another file", || read(&path).contains("opened again"));
    call(&mut conn, "CONFIG SET timeout 71");
    await_that("a line in it", || read(&path).contains("server.timeout_s = 71"));
    assert!(!read(&old).contains("server.timeout_s = 71"));
    // Where it cannot be opened the log goes on.
    std::fs::rename(&path, &old).expect("renamed");
    std::fs::create_dir(&path).expect("made");
    crate::support::server::signal(server.pid(), libc::SIGHUP);
    await_that("a line that says so", || {
        read(&old).contains("SIGHUP: log.file: cannot open")
    });
    // A pipe that nobody reads is not waited for: clients are still let in.
    std::fs::remove_dir(&path).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()));
    crate::support::server::signal(server.pid(), libc::SIGHUP);
    await_that("a line of the pipe", || read(&old).contains("it is a named pipe"));
    assert_eq!(call(&mut server.connect(), "PING").text(), "PONG");
}
