//! Start-up errors: one line that says what is wrong, and an exit code that is not zero.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use crate::held::held_port;
use crate::support::Server;
use crate::support::server::{die_with_parent, free_port};

/// Runs the binary until it exits by itself.
fn run(args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["--signal=KILL", "20", env!("CARGO_BIN_EXE_lokikv")])
        .args(args);
    die_with_parent(&mut command);
    command.output().expect("run lokikv")
}

/// It must fail, with one line on standard error that contains every one of `words`.
fn fails(args: &[&str], words: &[&str]) {
    let output = run(args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    assert!(
        code.is_some_and(|c| c != 0 && c < 124),
        "{args:?}: {:?}, stderr: {stderr}",
        output.status
    );
    assert_eq!(stderr.trim_end().lines().count(), 1, "{args:?}: not one line: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{args:?}: no {word:?} in: {stderr}");
    }
}

fn path(dir: &Path) -> &str {
    dir.to_str().expect("a path in UTF-8")
}

#[test]
fn busy_port() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port().to_string();
    let dir = tempfile::tempdir().expect("a directory");
    fails(&["--port", &port, "--data-dir", path(dir.path())], &[&port]);
}

#[test]
fn busy_port_of_http() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("its address").port().to_string();
    let (_held, port) = held_port();
    let (port, setting) = (port.to_string(), format!("http.port={taken}"));
    let dir = tempfile::tempdir().expect("a directory");
    let args = ["--port", &port, "--data-dir", path(dir.path()), "--set", &setting];
    fails(&args, &[&taken, "http.port"]);
}

#[test]
fn data_directory_in_use() {
    let server = Server::lokikv(&[]);
    let (dir, (_held, port)) = (server.data_dir(), held_port());
    fails(&["--port", &port.to_string(), "--data-dir", path(&dir)], &[path(&dir)]);
    assert_eq!(server.connect().call(&["PING"]).text(), "PONG");
}

#[test]
fn data_directory_that_cannot_be() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "x").expect("a file");
    let below = file.join("data");
    let (_held, port) = held_port();
    fails(
        &["--port", &port.to_string(), "--data-dir", path(&below)],
        &[path(&below)],
    );
}

#[test]
fn bad_settings_on_the_command_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let with = |setting: &str, word: &str| {
        let port = free_port().to_string();
        fails(
            &["--port", &port, "--data-dir", path(dir.path()), "--set", setting],
            &[word],
        );
    };
    with("wal.nosuch=1", "wal.nosuch");
    with("nosuch.key=1", "nosuch");
    with("wal.fsync=sometimes", "wal.fsync");
    with("server.workers=many", "server.workers");
    with("wal.segment_bytes=-1", "wal.segment_bytes");
}

#[test]
fn bad_config_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("config.toml");
    let with = |text: &str, words: &[&str]| {
        std::fs::write(&file, text).expect("a config file");
        fails(&["--config", path(&file)], words);
        fails(&["--config", path(&file), "--check-config"], words);
    };
    with("[wal]\nfsync = \"sometimes\"\n", &["fsync"]);
    with("[wal]\nfsnyc = \"always\"\n", &["fsnyc"]);
    with("[server]\nport = \"x\"\n", &["port"]);
    with("[server\n", &[]);
    std::fs::remove_file(&file).expect("remove it");
    fails(&["--config", path(&file)], &[path(&file)]);
}

#[test]
fn check_config_accepts_a_good_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("config.toml");
    std::fs::write(&file, "[server]\nport = 7001\n[wal]\nfsync = \"everysec\"\n").expect("a config file");
    let output = run(&["--config", path(&file), "--check-config"]);
    assert!(output.status.success(), "{output:?}");
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .expect("list")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(left, ["config.toml"], "--check-config must not touch anything");
}

#[test]
fn help_and_version() {
    assert!(run(&["--help"]).status.success());
    let version = run(&["--version"]);
    assert!(String::from_utf8_lossy(&version.stdout).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn unknown_flag() {
    let output = run(&["--nosuch"]);
    assert!(output.status.code().is_some_and(|c| c != 0 && c < 124));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--nosuch"));
}

#[test]
fn password_is_asked_for() {
    let server = Server::lokikv(&[
        "server.requirepass=secret",
        "wal.enabled=false",
        "checkpoint.interval_s=0",
    ]);
    let mut conn = server.connect();
    assert!(conn.call(&["GET", "k"]).text().starts_with("NOAUTH"));
    assert!(conn.call(&["AUTH", "wrong"]).text().starts_with("WRONGPASS"));
    assert_eq!(conn.call(&["AUTH", "secret"]).text(), "OK");
    assert!(conn.call(&["GET", "k"]).is_null());
}
