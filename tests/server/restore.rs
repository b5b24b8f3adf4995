//! `lokikv restore`: a directory of an earlier moment, whose next start gives exactly that; nothing is lost by it.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Server, Value};

fn restore(flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.arg("restore").args(flags);
    command.output().expect("run lokikv restore")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A stopped server's directory with states `0` to `5` of key `k`, checkpoints between them; the LSN of each state.
fn history() -> (Server, Vec<i64>) {
    let mut server = Server::lokikv(&[
        "wal.keep_age_s=3600",
        "checkpoint.interval_s=0",
        "checkpoint.keep_count=9",
    ]);
    let mut conn = server.connect();
    let mut lsns = Vec::new();
    for state in 0..6 {
        conn.call(&["SET", &format!("only:{state}"), "v"]);
        conn.call(&["SET", "k", &state.to_string()]);
        lsns.push(conn.wal_info("last-lsn"));
        if state % 2 == 1 {
            assert_eq!(conn.call(&["CHECKPOINT"]), Value::ok());
        }
    }
    server.terminate();
    (server, lsns)
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() && !path.ends_with("LOCK") {
            found.push((path.display().to_string(), std::fs::read(&path).expect("read")));
        }
    }
    found.sort();
    found
}

#[test]
fn into_a_new_directory_at_every_lsn() {
    let (server, lsns) = history();
    let from = server.data_dir();
    let before = files(&from);
    for (state, lsn) in lsns.iter().enumerate() {
        let mut other = Server::lokikv(&["checkpoint.interval_s=0", "wal.fsync=always"]);
        other.kill9();
        std::fs::remove_dir_all(other.data_dir()).expect("remove");
        let (from, into) = (from.display().to_string(), other.data_dir().display().to_string());
        let to = format!("lsn {lsn}");
        let flags = ["--to", &to, "--from", &from, "--into", &into];
        let output = restore(&flags);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let again = restore(&flags);
        assert!(!again.status.success() && text(&again.stderr).contains("is not empty"));
        other.restart();
        let mut conn = other.connect();
        assert_eq!(conn.call(&["GET", "k"]), Value::bulk(state.to_string()));
        assert_eq!(conn.call(&["DBSIZE"]), Value::Int(state as i64 + 2));
        assert_eq!(conn.wal_info("last-lsn"), *lsn);
        // It is a server's directory like any other.
        conn.call(&["SET", "k", "on"]);
        other.kill9();
        other.restart();
        assert_eq!(other.connect().call(&["GET", "k"]), Value::bulk("on"));
    }
    assert_eq!(files(&from), before);
}

#[test]
fn in_place_sets_what_was_there_aside() {
    let (mut server, lsns) = history();
    let from = server.data_dir().display().to_string();
    let to = format!("lsn {}", lsns[2]);
    let output = restore(&["--to", &to, "--from", &from, "--in-place"]);
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}{}", text(&output.stderr));
    assert_eq!(
        told.lines().filter(|line| line.starts_with("set aside: ")).count(),
        2,
        "{told}"
    );
    server.restart();
    assert_eq!(server.connect().call(&["GET", "k"]), Value::bulk("2"));
    server.terminate();
    // Put back, it is what it was.
    let dir = server.data_dir();
    for line in told.lines().filter_map(|line| line.strip_prefix("set aside: ")) {
        let aside = Path::new(line);
        let name = aside.file_name().and_then(|name| name.to_str()).expect("a name");
        let place = dir.join(name.split('.').next().expect("a part"));
        std::fs::remove_dir_all(&place).expect("remove");
        std::fs::rename(aside, &place).expect("rename");
    }
    server.restart();
    assert_eq!(server.connect().call(&["GET", "k"]), Value::bulk("5"));
}

#[test]
fn mistakes_are_told_and_change_nothing() {
    let (server, lsns) = history();
    let dir = server.data_dir();
    let from = dir.display().to_string();
    let into = dir.with_file_name("new").display().to_string();
    let before = files(&dir);
    let beyond = format!("lsn {}", lsns[5] + 100);
    let within = dir.join("checkpoint").join("x").display().to_string();
    for (flags, code, why) in [
        (
            vec!["--to", beyond.as_str(), "--from", &from, "--into", &into],
            1,
            "is out of reach",
        ),
        (
            vec!["--to", "5", "--from", &from, "--in-place"],
            1,
            "1970-01-01T00:00:00.005Z is out of reach",
        ),
        (
            vec!["--to", "soon", "--from", &from, "--into", &into],
            2,
            "expected \"lsn N\"",
        ),
        (
            vec!["--to", "lsn 3", "--from", "/nowhere", "--into", &into],
            1,
            "no such directory",
        ),
        (vec!["--to", "lsn 3", "--from", &from], 2, "--into"),
        (vec!["--from", "/nowhere", "--into", &into], 1, "no such directory"),
        (
            vec!["--to", "lsn 3", "--from", &from, "--into", &within],
            1,
            "where the server has its data",
        ),
    ] {
        let output = restore(&flags);
        let told = text(&output.stderr);
        assert!(
            output.status.code() == Some(code) && told.contains(why),
            "{flags:?}: {told}"
        );
    }
    assert_eq!(files(&dir), before);
}

/// As on a full disk: what has been written goes again, so that another attempt finds the place empty and has room.
#[test]
fn one_that_fails_leaves_nothing() {
    let mut server = Server::lokikv(&["checkpoint.interval_s=0"]);
    let mut conn = server.connect();
    conn.call(&["SET", "k", &"v".repeat(400_000)]);
    conn.call(&["SAVE"]);
    let lsn = conn.wal_info("last-lsn");
    server.terminate();
    let (from, to) = (server.data_dir().display().to_string(), format!("lsn {lsn}"));
    let place = tempfile::tempdir().expect("a directory");
    let into = |name: &str| place.path().join(name);
    std::fs::create_dir(into("there")).expect("a directory");
    let count_in = |dir: &Path| std::fs::read_dir(dir).expect("a directory").count();
    let there = count_in(&server.data_dir());
    for name in ["new", "there", "in-place"] {
        let path = into(name).display().to_string();
        let target: &[&str] = if name == "in-place" {
            &["--in-place"]
        } else {
            &["--into", &path]
        };
        let before = files(&server.data_dir());
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -f 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_lokikv")]);
        limited.args(["restore", "--from", &from, "--to", &to]).args(target);
        let done = limited.output().expect("run lokikv restore");
        assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
        assert!(text(&done.stderr).contains("File too large"), "{}", text(&done.stderr));
        assert_eq!(files(&server.data_dir()), before, "{name}");
        assert_eq!(into(name).exists(), name == "there", "{name}");
    }
    assert_eq!(count_in(&into("there")), 0);
    assert_eq!(count_in(&server.data_dir()), there);
    let done = restore(&[
        "--from",
        &from,
        "--to",
        &to,
        "--into",
        &into("new").display().to_string(),
    ]);
    assert!(done.status.success(), "{}", text(&done.stderr));
}
