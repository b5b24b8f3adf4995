//! The folders of a server: each belongs to one process, and a start with a log that is not the right one is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repair::{repaired, snapshot};
use crate::support::Server;
use crate::verify::{files, text};

const FOLDERS: [(&str, &str); 3] = [
    ("checkpoint_dir", "checkpoint"),
    ("persist_dir", "persist"),
    ("wal_dir", "wal"),
];

fn setting(name: &str, dir: &Path) -> String {
    format!("storage.{name}={}", dir.display())
}

/// A server over a copy of `data`, which is not started.
fn copy_of(data: &Path) -> Server {
    Server::lokikv_over(data, &[])
}

#[test]
fn a_folder_that_two_servers_share_is_in_use() {
    let first = Server::lokikv(&[]);
    for (name, folder) in FOLDERS {
        let shared = first.data_dir().join(folder);
        let home = tempfile::tempdir().expect("a directory");
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&shared, &link).expect("a link");
        for dir in [shared, link] {
            let mut second = copy_of(home.path());
            second.set_settings(&[&setting(name, &dir)]);
            let why = second.try_start().expect_err("one folder has two servers");
            let holder = format!("in use by process {}", first.pid());
            assert!(
                why.contains(&dir.display().to_string()) && why.contains(&holder),
                "{why}"
            );
        }
    }
    assert_eq!(first.connect().call(&["SET", "k", "v"]).text(), "OK");
}

#[test]
fn two_folders_that_are_one_by_a_link_are_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let dirs: Vec<PathBuf> = ["one", "two"].iter().map(|name| home.path().join(name)).collect();
    fs::create_dir(&dirs[0]).expect("a directory");
    std::os::unix::fs::symlink(&dirs[0], &dirs[1]).expect("a link");
    let mut server = copy_of(home.path());
    server.set_settings(&[&setting("wal_dir", &dirs[0]), &setting("checkpoint_dir", &dirs[1])]);
    let why = server.try_start().expect_err("a folder of its own for each");
    assert!(why.contains("it is the checkpoint directory as well"), "{why}");
}

#[test]
fn copies_of_a_data_directory_run_side_by_side() {
    let mut first = Server::lokikv(&[]);
    let mut conn = first.connect();
    conn.call(&["SET", "both", "1"]);
    conn.call(&["SAVE"]);
    conn.call(&["SET", "both", "2"]);
    first.kill9();
    let mut servers = [copy_of(&first.data_dir()), copy_of(&first.data_dir())];
    for round in 0..2 {
        for (number, server) in servers.iter_mut().enumerate() {
            server.try_start().expect("each is on its own");
            let mut conn = server.connect();
            assert_eq!(conn.call(&["GET", "both"]).text(), "2");
            conn.call(&["SET", &format!("{number}:{round}"), "x"]);
            assert_eq!(conn.call(&["DBSIZE"]).int(), Some(round + 2));
        }
        servers.iter_mut().for_each(Server::kill9);
    }
}

const LOGGING: [&str; 3] = [
    "wal.fsync=always",
    "wal.segment_bytes=64kb",
    "checkpoint.on_shutdown=false",
];

/// Several segments, a checkpoint that some of them are behind, killed: 600 keys.
fn killed() -> Server {
    let mut server = Server::lokikv(&LOGGING);
    let mut conn = server.connect();
    for key in 0..600 {
        conn.call(&["SET", &format!("key{key}"), &"x".repeat(500)]);
        if key == 300 {
            conn.call(&["SAVE"]);
        }
    }
    server.kill9();
    server
}

/// The segments of a data directory, in order.
fn segments(data: &Path) -> Vec<PathBuf> {
    files(&data.join("wal"), ".log")
}

fn keys(server: &Server) -> Option<i64> {
    server.connect().call(&["DBSIZE"]).int()
}

fn copy_with(data: &Path, settings: &[&str]) -> Server {
    Server::lokikv_over(data, settings)
}

/// What the folder says before and after a start, which is refused; then a repair, after which it starts.
fn refused(mut server: Server, words: &str) {
    let data = server.data_dir();
    let before = snapshot(&data);
    let why = server.try_start().expect_err(words);
    assert!(why.contains(words) && why.contains("lokikv repair"), "{why}");
    assert!(snapshot(&data) == before, "{words}: something was changed");
    let verify = Command::new(env!("CARGO_BIN_EXE_lokikv"))
        .arg("verify")
        .arg(&data)
        .output();
    let told = text(&verify.expect("run lokikv verify").stderr);
    assert!(told.contains(words), "verify: {told}");
    let told = repaired(&data, &["--yes"], 4);
    assert!(told.contains("LOSS: "), "{told}");
    assert!(snapshot(&data) == before, "{words}: changed without consent");
    repaired(&data, &["--yes", "--accept-loss"], 0);
    server.try_start().expect("what is left");
    assert!(keys(&server) >= Some(301), "{words}: what the checkpoint has");
    server.connect().call(&["SET", "after", "1"]);
    server.kill9();
    server.try_start().expect("again");
    assert_eq!(server.connect().call(&["GET", "after"]).text(), "1");
}

#[test]
fn a_log_that_is_missing_or_empty_is_refused() {
    let first = killed();
    let server = copy_with(&first.data_dir(), &LOGGING);
    fs::remove_dir_all(server.data_dir().join("wal")).expect("remove");
    refused(server, "the log's newest segment is missing");
    let server = copy_with(&first.data_dir(), &LOGGING);
    for path in segments(&server.data_dir()) {
        fs::remove_file(path).expect("remove");
    }
    refused(server, "the log's newest segment is missing");
}

#[test]
fn a_lost_newest_segment_is_refused() {
    let first = killed();
    let server = copy_with(&first.data_dir(), &LOGGING);
    let newest = segments(&server.data_dir()).pop().expect("a segment");
    fs::remove_file(&newest).expect("remove");
    refused(server, &newest.display().to_string());
}

#[test]
fn a_log_that_ends_before_the_checkpoint_is_refused() {
    let mut first = Server::lokikv(&LOGGING);
    let mut conn = first.connect();
    for key in 0..301 {
        conn.call(&["SET", &format!("key{key}"), "1"]);
    }
    conn.call(&["SAVE"]);
    first.kill9();
    let newest = segments(&first.data_dir()).pop().expect("a segment");
    let file = fs::OpenOptions::new().write(true).open(newest).expect("open");
    file.set_len(32).expect("cut");
    refused(copy_with(&first.data_dir(), &LOGGING), "was durable up to");
}

#[test]
fn the_log_of_another_server_is_refused() {
    let (first, other) = (killed(), killed());
    let server = copy_with(&first.data_dir(), &LOGGING);
    let log = server.data_dir().join("wal");
    fs::remove_dir_all(&log).expect("remove");
    fs::create_dir(&log).expect("a folder");
    for path in segments(&other.data_dir()) {
        fs::copy(&path, log.join(path.file_name().expect("a name"))).expect("copy");
    }
    refused(server, "is of another log");
    let mut whole = copy_with(&first.data_dir(), &LOGGING);
    whole.try_start().expect("its own log");
    assert_eq!(keys(&whole), Some(600));
}

#[test]
fn a_damaged_note_is_refused_and_written_anew() {
    let mut server = killed();
    let note = server.data_dir().join("checkpoint/log.lkn");
    let mut bytes = fs::read(&note).expect("read");
    bytes[20] ^= 1;
    fs::write(&note, bytes).expect("write");
    let why = server.try_start().expect_err("damage");
    assert!(why.contains("log.lkn is damaged"), "{why}");
    repaired(&server.data_dir(), &["--yes"], 0);
    server.try_start().expect("nothing is lost");
    assert_eq!(keys(&server), Some(600));
}

#[test]
fn a_log_that_no_checkpoint_needs_may_go() {
    let first = killed();
    // Of a program that noted nothing.
    let mut server = copy_with(&first.data_dir(), &LOGGING);
    fs::remove_file(server.data_dir().join("checkpoint/log.lkn")).expect("remove");
    server.try_start().expect("nothing is asked for");
    assert_eq!(keys(&server), Some(600));
    // Switched off, and on again after a checkpoint, with the old log or without it.
    for keeps in [true, false] {
        let mut server = copy_with(&first.data_dir(), &["wal.enabled=false"]);
        server.try_start().expect("without a log");
        server.connect().call(&["SET", "unlogged", "1"]);
        server.connect().call(&["SAVE"]);
        server.kill9();
        if !keeps {
            fs::remove_dir_all(server.data_dir().join("wal")).expect("remove");
        }
        server.set_settings(&LOGGING);
        for _ in 0..2 {
            server.try_start().expect("with a log again");
            assert_eq!(keys(&server), Some(601));
            server.kill9();
        }
    }
}
