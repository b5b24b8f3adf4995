//! Kills of `lokikv backup`: there is the new backup as a whole or none, and never less than one.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use lokikv::storage::fault_point::BACKUP;

use crate::PASSINGS;
use crate::args;
use crate::data::{History, SETTINGS, state};
use crate::support::server::{die_with_parent, signal};
use crate::support::{Args, Server};

fn lokikv(arguments: &[&str], fault: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(arguments).envs(fault.map(|fault| ("LOKIKV_FAULT", fault)));
    command.output().expect("run lokikv")
}

fn succeeds(arguments: &[&str], what: &str) -> String {
    let output = lokikv(arguments, None);
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&both).into_owned();
    assert!(output.status.success(), "{what}: {said}");
    said
}

#[test]
fn a_backup_is_there_as_a_whole_or_not_at_all() {
    let history = History::new(true);
    let mut server = Server::lokikv_over(&history.server.data_dir(), &SETTINGS);
    server.restart();
    let url = format!("redis://127.0.0.1:{}", server.port());
    for point in BACKUP {
        let home = tempfile::tempdir().expect("a directory");
        let dir = home.path().join("backups").display().to_string();
        let take = ["backup", "--from", &url, "--to", &dir, "--keep", "1"];
        succeeds(&take, point);
        let mut struck = 0;
        for nth in 1..=PASSINGS {
            let fault = format!("{point}:{nth}");
            if lokikv(&take, Some(&fault)).status.success() {
                break;
            }
            struck += 1;
            let list = succeeds(&["backup", "--list", &dir], &fault);
            let whole = list.lines().filter(|line| line.starts_with("backup ")).count();
            assert!((1..=1 + nth as usize).contains(&whole), "{fault}: {list}");
            succeeds(&["backup", "--verify", &dir], &fault);
        }
        assert!(struck > 0, "{point} was never passed");
        // What was cut short is in nobody's way, and goes.
        succeeds(&take, point);
        let names = std::fs::read_dir(&dir).expect("list").count();
        assert_eq!(names, 2, "{point}: the backup and the lock");
        let mut into = Server::lokikv_stopped(&SETTINGS);
        std::fs::remove_dir_all(into.data_dir()).expect("remove");
        let path = into.data_dir().display().to_string();
        succeeds(&["restore", "--from", &dir, "--into", &path], point);
        into.restart();
        assert_eq!(state(&mut into.connect()), history.state, "{point}");
    }
}

/// A server whose log has several segments, and a backup of it that stands still at a point until [`ended`]
/// has it go on.
fn paused_at(point: &str, more: &[&str]) -> (Server, TempDir, Child) {
    let server = Server::lokikv(&[
        "wal.segment_bytes=65536",
        "checkpoint.interval_s=0",
        "checkpoint.keep_count=1",
    ]);
    fill(&server);
    let home = tempfile::tempdir().expect("a directory");
    let (url, dir) = (
        format!("redis://127.0.0.1:{}", server.port()),
        home.path().join("backups"),
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(["backup", "--from", &url, "--to"]).arg(&dir).args(more);
    std::fs::write(stands(&home), "").expect("write");
    command.env("LOKIKV_FAULT_PAUSE", point);
    command.env("LOKIKV_FAULT_PAUSE_WHILE", stands(&home));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    die_with_parent(&mut command);
    let child = command.spawn().expect("start a backup");
    let begun = Instant::now();
    let is_there = || std::fs::read_dir(&dir).is_ok_and(|mut names| names.any(|name| is_backup(&name)));
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no backup is begun");
        std::thread::sleep(Duration::from_millis(1));
    }
    (server, home, child)
}

/// The file that keeps it from going on.
fn stands(home: &TempDir) -> PathBuf {
    home.path().join("stands")
}

fn is_backup(name: &std::io::Result<std::fs::DirEntry>) -> bool {
    name.as_ref()
        .is_ok_and(|name| name.file_name().to_string_lossy().starts_with("backup-"))
}

fn fill(server: &Server) {
    let commands: Vec<Args> = (0..400)
        .map(|key| args!["SET", format!("key:{key}"), "x".repeat(1000)])
        .collect();
    server.connect().pipeline(&commands).expect("replies");
}

fn ended(home: &TempDir, child: Child) -> (Output, String) {
    std::fs::remove_file(stands(home)).expect("remove");
    let output = child.wait_with_output().expect("wait");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, told)
}

#[test]
fn a_backup_whose_server_starts_anew_and_removes_files_says_why_it_fails() {
    let (mut server, home, child) = paused_at("backup.begun", &["--copy"]);
    server.kill9();
    server.restart();
    // Nothing is held any more: segments go.
    server.connect().call(&["CHECKPOINT"]);
    let (output, told) = ended(&home, child);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("/wal/") && told.contains("does not hold its files any more: it was restarted"),
        "{told}"
    );
    let names = std::fs::read_dir(home.path().join("backups")).expect("list").count();
    assert_eq!(names, 1, "the lock");
}

#[test]
fn a_server_that_is_gone_is_not_waited_for_when_all_is_copied() {
    let (mut server, home, child) = paused_at("backup.begun", &[]);
    let since = Instant::now();
    server.kill9();
    let (output, told) = ended(&home, child);
    assert!(
        output.status.success() && since.elapsed() < Duration::from_secs(20),
        "{told} {:?}",
        since.elapsed()
    );
    succeeds(
        &["backup", "--verify", &home.path().join("backups").display().to_string()],
        "verify",
    );
}

#[test]
fn a_backup_that_is_interrupted_holds_nothing_any_more() {
    let (server, home, child) = paused_at("backup.begun", &[]);
    let mut conn = server.connect();
    let mut holds = || conn.call(&["INFO", "lokikv"]).figure("checkpoint_holds");
    assert_eq!(holds(), 1);
    signal(child.id(), libc::SIGTERM);
    // The thread that waits for signals is to have heard of it by then.
    std::thread::sleep(Duration::from_secs(3));
    let (output, told) = ended(&home, child);
    assert_eq!(
        (output.status.code(), told.as_str()),
        (Some(1), "lokikv: interrupted\n")
    );
    assert_eq!(holds(), 0);
}
