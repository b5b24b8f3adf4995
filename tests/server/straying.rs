//! The files of the log are lost under a running server: removed, replaced, cut.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::held::held_port;
use crate::support::server::copy_all;
use crate::support::{Conn, Server, Value};

/// So soon writes are accepted again.
const HEALED_MAX: Duration = Duration::from_secs(30);
/// An answer that comes later waits for the log.
const SOON: Duration = Duration::from_millis(200);
/// How long one may take that does not.
const PATIENT: Duration = Duration::from_secs(20);
const LOSSES: [&str; 7] = [
    "segment removed",
    "segment replaced by a copy",
    "segment cut to nothing",
    "segment cut in the middle",
    "folder removed",
    "folder emptied",
    "data directory replaced by a copy",
];

fn segment(data: &Path) -> PathBuf {
    let entries = fs::read_dir(data.join("wal")).expect("list");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let newest = paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .max();
    newest.expect("a segment")
}

/// The answer to a write now, if it comes within this time: one that was under way when the log failed is answered when
/// that goes on. Each is another client's.
fn probe(server: &Server, time: Duration) -> Option<Value> {
    let mut conn = server.connect();
    conn.send(&["SET", "probe", "v"]).expect("send");
    conn.stream().set_read_timeout(Some(time)).expect("a timeout");
    conn.recv().ok().map(|reply| reply.value)
}

fn cut(path: &Path, bytes: u64) {
    let file = File::options().write(true).open(path).expect("open");
    file.set_len(bytes).expect("cut");
}

fn lose(loss: &str, data: &Path) {
    let (path, folder) = (segment(data), data.join("wal"));
    let beside = path.with_extension("new");
    match loss {
        "segment removed" => fs::remove_file(path).expect("remove"),
        "segment replaced by a copy" => {
            fs::copy(&path, &beside).expect("copy");
            fs::rename(beside, path).expect("rename");
        }
        "segment cut to nothing" => cut(&path, 0),
        "segment cut in the middle" => {
            // What is gone of what has just been written can go unnoticed.
            std::thread::sleep(Duration::from_millis(1500));
            cut(&path, 1000);
        }
        "folder removed" => fs::remove_dir_all(folder).expect("remove"),
        "folder emptied" => {
            fs::remove_dir_all(&folder).expect("remove");
            fs::create_dir(folder).expect("create");
        }
        _ => {
            let copy = data.with_extension("copy");
            copy_all(data, &copy);
            fs::rename(data, data.with_extension("old")).expect("rename");
            fs::rename(copy, data).expect("rename");
        }
    }
}

/// Writes, and tries again what is refused while the log gets over its loss.
fn write(conn: &mut Conn, prefix: &str, count: u32) {
    for n in 0..count {
        let since = Instant::now();
        loop {
            let reply = conn.call(&["SET", &format!("{prefix}{n}"), "v"]);
            if !reply.is_error() {
                break;
            }
            assert!(since.elapsed() < HEALED_MAX, "{reply}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn missing(conn: &mut Conn, prefix: &str, count: u32) -> Vec<u32> {
    let is_missing = |n: &u32| conn.call(&["GET", &format!("{prefix}{n}")]).text() != "v";
    (0..count).filter(is_missing).collect()
}

/// What a second server says that is started over the same data.
fn second(data: &Path) -> String {
    let (_held, port) = held_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    let command = command.args(["--port", &port.to_string(), "--data-dir"]).arg(data);
    let output = command.output().expect("run lokikv");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What is acknowledged before the loss is noticed, and after the log has got over it, is there after a kill.
fn live_through(loss: &str, policy: &str) {
    let mut server = Server::lokikv(&[&format!("wal.fsync={policy}"), "checkpoint.interval_s=0"]);
    let (mut conn, data) = (server.connect(), server.data_dir());
    write(&mut conn, "a", 300);
    lose(loss, &data);
    let (since, mut count, mut refused) = (Instant::now(), 0, 0);
    let goes_on = |conn: &mut Conn| {
        let info = conn.call(&["INFO", "persistence"]).text();
        server.stdout().contains("goes on behind LSN") && info.contains("aof_last_write_status:ok")
    };
    while !goes_on(&mut conn) {
        assert!(
            since.elapsed() < HEALED_MAX,
            "{loss}, {policy}: it is not noticed, or does not go on"
        );
        let reply = conn.call(&["SET", &format!("b{count}"), "v"]);
        if reply.is_error() {
            assert!(reply.text().starts_with("MISCONF"), "{loss}: {reply}");
            refused += 1;
        } else {
            count += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    write(&mut conn, "c", 100);
    assert!(second(&data).contains("is in use by process"));
    assert!(data.join("wal/LOCK").exists());
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    for (prefix, count) in [("a", 300), ("b", count), ("c", 100)] {
        let missing = missing(&mut conn, prefix, count);
        assert!(missing.is_empty(), "{loss}, {policy}: {prefix} of {count}: {missing:?}");
    }
    eprintln!("{loss}, {policy}: {count} accepted, {refused} refused");
    for extension in ["old", "copy"] {
        // Most losses leave none.
        let _ = fs::remove_dir_all(data.with_extension(extension));
    }
}

#[test]
fn a_log_that_is_lost_under_a_running_server_is_begun_anew() {
    for losses in LOSSES.chunks(3) {
        std::thread::scope(|scope| {
            for loss in losses {
                for policy in ["always", "everysec"] {
                    scope.spawn(move || live_through(loss, policy));
                }
            }
        });
    }
}

/// Told to end before it has noticed.
#[test]
fn an_end_in_good_order_loses_nothing_with_the_log() {
    for on_shutdown in ["true", "false"] {
        let on_shutdown = format!("checkpoint.on_shutdown={on_shutdown}");
        for loss in LOSSES {
            let mut server = Server::lokikv(&["wal.fsync=always", "checkpoint.interval_s=0", &on_shutdown]);
            let mut conn = server.connect();
            write(&mut conn, "a", 50);
            lose(loss, &server.data_dir());
            write(&mut conn, "b", 50);
            assert!(server.terminate().success(), "{loss}");
            server.restart();
            let mut conn = server.connect();
            let missing = [missing(&mut conn, "a", 50), missing(&mut conn, "b", 50)];
            assert!(missing.iter().all(Vec::is_empty), "{loss}: {missing:?}");
        }
    }
}

/// A checkpoint that is asked for does not tell of a log that is not there, and gets over its loss.
#[test]
fn a_checkpoint_gets_over_the_loss() {
    for loss in LOSSES {
        let mut server = Server::lokikv(&["wal.fsync=always", "checkpoint.interval_s=0"]);
        let mut conn = server.connect();
        write(&mut conn, "a", 50);
        lose(loss, &server.data_dir());
        let reply = conn.call(&["CHECKPOINT"]);
        assert!(!reply.is_error(), "{loss}: {reply}");
        write(&mut conn, "b", 50);
        server.kill9();
        server.restart();
        let mut conn = server.connect();
        let missing = [missing(&mut conn, "a", 50), missing(&mut conn, "b", 50)];
        assert!(missing.iter().all(Vec::is_empty), "{loss}: {missing:?}");
    }
}

/// All of it is moved away: it may come back.
#[test]
fn a_data_directory_that_is_moved_away_and_back_goes_on() {
    let mut server = Server::lokikv(&["wal.fsync=always", "checkpoint.interval_s=0"]);
    let (mut conn, data) = (server.connect(), server.data_dir());
    write(&mut conn, "a", 50);
    let away = data.with_extension("away");
    fs::rename(&data, &away).expect("rename");
    let since = Instant::now();
    while !probe(&server, SOON).is_some_and(|answer| answer.is_error()) {
        assert!(since.elapsed() < HEALED_MAX, "it is not noticed");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(1200));
    assert!(probe(&server, PATIENT).is_some_and(|answer| answer.is_error()));
    fs::rename(&away, &data).expect("rename");
    let since = Instant::now();
    while probe(&server, SOON).is_none_or(|answer| answer.is_error()) {
        assert!(since.elapsed() < HEALED_MAX, "it does not go on");
        std::thread::sleep(Duration::from_millis(10));
    }
    write(&mut conn, "b", 50);
    server.kill9();
    server.restart();
    let mut conn = server.connect();
    let missing = [missing(&mut conn, "a", 50), missing(&mut conn, "b", 50)];
    assert!(missing.iter().all(Vec::is_empty), "{missing:?}");
}

/// After an end in good order the log is as long as it was, or a start says that it is not.
#[test]
fn a_log_that_has_lost_its_tail_after_a_clean_end_is_not_started_from() {
    let settings = [
        "wal.fsync=always",
        "checkpoint.interval_s=0",
        "checkpoint.on_shutdown=false",
    ];
    let mut server = Server::lokikv(&settings);
    write(&mut server.connect(), "a", 300);
    assert!(server.terminate().success());
    cut(&segment(&server.data_dir()), 1000);
    let refused = server.try_start().unwrap_err();
    assert!(refused.contains("and was durable up to"), "{refused}");
    assert!(refused.contains("lokikv repair"), "{refused}");
}
