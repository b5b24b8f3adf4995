//! Kills of what is done without a server: `lokikv restore`, into a new directory and in place, and `lokikv import`.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use lokikv::storage::fault_point::{CHECKPOINTS, EXCHANGE, RESTORE};

use crate::data::{History, SETTINGS, State, state};
use crate::support::Server;
use crate::{PASSINGS, verify_checkpoints};

fn lokikv(arguments: &[&str], fault: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.args(arguments).envs(fault.map(|fault| ("LOKIKV_FAULT", fault)));
    command.output().expect("run lokikv")
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn was_killed(output: &Output) -> bool {
    let killed = output.status.signal() == Some(libc::SIGKILL);
    assert!(killed || output.status.success(), "{}", said(output));
    killed
}

/// Runs `body` with each passing of each of `points` until it is not killed there; all of `needed` must be struck.
fn go_through(points: &[&str], needed: &[&str], body: impl Fn(&str) -> bool) {
    for point in points {
        let struck = (1..=PASSINGS).take_while(|nth| body(&format!("{point}:{nth}"))).count();
        println!("{point}: struck {struck} times");
        assert!(struck > 0 || !needed.contains(point), "{point} was never passed");
    }
}

/// Points of every checkpoint, be it the first.
const OF_A_CHECKPOINT: [&str; 9] = [
    "checkpoint.page_file_created",
    "checkpoint.after_instant",
    "checkpoint.within_walk",
    "checkpoint.page_file_durable",
    "checkpoint.before_manifest_rename",
    "checkpoint.after_manifest_rename",
    "checkpoint.manifest_durable",
    "control.before_rename",
    "control.after_rename",
];

fn state_of(server: &mut Server, what: &str) -> State {
    if let Err(why) = server.try_start() {
        panic!("{what}: {why}");
    }
    let mut conn = server.connect();
    verify_checkpoints(&mut conn, what);
    let found = state(&mut conn);
    drop(conn);
    server.kill9();
    found
}

#[test]
fn a_restore_into_a_new_directory_makes_all_of_it_or_one_that_nobody_uses() {
    let history = History::new(true);
    let from = history.server.data_dir().display().to_string();
    let to = format!("lsn {}", history.lsn);
    let empty = tempfile::tempdir().expect("a directory");
    let needed = [&OF_A_CHECKPOINT, RESTORE].concat();
    go_through(&[CHECKPOINTS, RESTORE].concat(), &needed, |point| {
        let mut into = Server::lokikv_over(empty.path(), &SETTINGS);
        let dir = into.data_dir().display().to_string();
        let restore = ["restore", "--to", &to, "--from", &from, "--into", &dir];
        let killed = was_killed(&lokikv(&restore, Some(point)));
        if into.data_dir().join("checkpoint.unfinished").exists() {
            assert!(killed, "{point}");
            is_refused_everywhere(&mut into, point);
            let again = lokikv(&restore, None);
            assert!(again.status.success(), "{point}: again: {}", said(&again));
        }
        assert_eq!(state_of(&mut into, point), history.then, "{point}");
        killed
    });
    let mut server = history.server;
    assert_eq!(state_of(&mut server, "the source"), history.state);
}

/// A server does not start over what was to be filled and is not, and no tool takes it for data.
fn is_refused_everywhere(server: &mut Server, point: &str) {
    let why = server.try_start().expect_err(point);
    assert!(why.contains("a restore into it was interrupted"), "{point}: {why}");
    let output = lokikv(&["verify", &server.data_dir().display().to_string()], None);
    let told = said(&output);
    assert!(
        !output.status.success() && told.contains("a restore into it was interrupted"),
        "{point}: {told}"
    );
}

fn in_place(history: &History, settings: &[&str]) {
    let to = format!("lsn {}", history.lsn);
    let needed = [&OF_A_CHECKPOINT, EXCHANGE].concat();
    go_through(&[CHECKPOINTS, EXCHANGE].concat(), &needed, |point| {
        let mut server = Server::lokikv_over(&history.server.data_dir(), settings);
        let dir = server.data_dir();
        let text = dir.display().to_string();
        let restore = ["restore", "--to", &to, "--from", &text, "--in-place"];
        let killed = was_killed(&lokikv(&restore, Some(point)));
        is_verified_or_refused(&dir, point);
        let again = Server::lokikv_over(&dir, settings);
        let found = state_of(&mut server, point);
        assert_eq!(
            built_in(&dir),
            0,
            "{point}: a start removes what was built and not committed"
        );
        let is_before = found == history.state;
        assert!(found == history.then || (killed && is_before), "{point}: {found:?}");
        restore_again(again, history, point);
        killed
    });
}

/// Tools that only look take what is half done for no data directory.
fn is_verified_or_refused(dir: &Path, point: &str) {
    let pending = dir.join("restore.lkj").exists();
    let output = lokikv(&["verify", &dir.display().to_string()], None);
    let told = said(&output);
    assert_eq!(output.status.success(), !pending, "{point}: {told}");
    assert_eq!(told.contains("was interrupted"), pending, "{point}: {told}");
}

/// The same restore again, instead of a start, leaves what it should.
fn restore_again(mut server: Server, history: &History, point: &str) {
    let (dir, to) = (server.data_dir().display().to_string(), format!("lsn {}", history.lsn));
    let output = lokikv(&["restore", "--to", &to, "--from", &dir, "--in-place"], None);
    assert!(output.status.success(), "{point}: again: {}", said(&output));
    assert_eq!(built_in(&server.data_dir()), 0, "{point}: again");
    assert_eq!(state_of(&mut server, point), history.then, "{point}: again");
}

/// How many restored checkpoints are there that are not in place.
fn built_in(dir: &Path) -> usize {
    let names = std::fs::read_dir(dir).expect("list").flatten();
    let is_built = |name: &std::ffi::OsString| name.to_string_lossy().contains(".restored-");
    names.filter(|entry| is_built(&entry.file_name())).count()
}

#[test]
fn a_restore_in_place_is_done_or_not_begun() {
    in_place(&History::new(true), &SETTINGS);
}

#[test]
fn a_restore_in_place_is_done_or_not_begun_without_a_log() {
    let without = [&SETTINGS[..], &["wal.enabled=false"]].concat();
    in_place(&History::new(false), &without);
}

#[test]
fn an_import_is_there_as_a_whole_or_not_at_all() {
    let history = History::new(true);
    let dump = history
        .server
        .data_dir()
        .with_file_name("dump.rdb")
        .display()
        .to_string();
    let mut source = Server::lokikv_over(&history.server.data_dir(), &SETTINGS);
    source.restart();
    source.connect().call(&["SET", "only here", "imported"]);
    assert!(source.terminate().success());
    let dir = source.data_dir().display().to_string();
    let exported = lokikv(&["export", "--data-dir", &dir, "--skip-named", &dump], None);
    assert!(exported.status.success(), "{}", said(&exported));
    let mut after = history.state.clone();
    let (_, default) = after.get_mut("default").expect("the default collection");
    default.insert(b"only here".to_vec(), b"imported".to_vec());
    go_through(CHECKPOINTS, &OF_A_CHECKPOINT, |point| {
        let mut server = Server::lokikv_over(&history.server.data_dir(), &SETTINGS);
        let dir = server.data_dir().display().to_string();
        let killed = was_killed(&lokikv(
            &["import", &dump, "--data-dir", &dir, "--replace"],
            Some(point),
        ));
        let found = state_of(&mut server, point);
        assert!(
            found == after || (killed && found == history.state),
            "{point}: {found:?}"
        );
        killed
    });
}
