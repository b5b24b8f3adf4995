//! `lokikv repair`: says what it would drop, drops it only when told to, keeps it aside, and the server starts again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::Server;
use crate::verify::{files, text};

fn repair(dir: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.arg("repair").arg(dir).args(flags);
    command.output().expect("run lokikv repair")
}

/// Runs it and expects an exit code; returns what it said.
pub fn repaired(dir: &Path, flags: &[&str], code: i32) -> String {
    let output = repair(dir, flags);
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{told}");
    told
}

/// All files of the directory with their bytes, the lock apart.
pub fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = files(dir, "").into_iter().filter(|path| !path.ends_with("LOCK"));
    paths
        .map(|path| (path.clone(), fs::read(path).expect("read")))
        .collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("read");
    bytes[at] ^= 4;
    fs::write(path, bytes).expect("write");
}

/// The one quarantine folder.
fn quarantine(dir: &Path) -> PathBuf {
    let entries = fs::read_dir(dir)
        .expect("list")
        .map(|entry| entry.expect("entry").path());
    let mut found = entries.filter(|path| path.to_string_lossy().contains("quarantine-"));
    let one = found.next().expect("a quarantine folder");
    assert!(found.next().is_none());
    one
}

/// 600 keys; checkpoints after 200 and after 400.
fn filled(keep_age_s: u32) -> Server {
    let keep = format!("wal.keep_age_s={keep_age_s}");
    let settings = [
        "wal.fsync=always",
        "wal.segment_bytes=64kb",
        "checkpoint.keep_count=2",
        "checkpoint.on_shutdown=false",
        &keep,
    ];
    let mut server = Server::lokikv(&settings);
    let mut conn = server.connect();
    for key in 0..600 {
        conn.call(&["SET", &format!("key:{key}"), &"v".repeat(400)]);
        if key == 199 || key == 399 {
            conn.call(&["CHECKPOINT"]);
        }
    }
    conn.call(&["COLLECTION", "PERSIST", "default"]);
    drop(conn);
    server.terminate();
    server
}

fn keys(server: &mut Server) -> i64 {
    server.restart();
    let keys = server.connect().call(&["DBSIZE"]).int().expect("a number");
    server.kill9();
    keys
}

fn manifests(server: &Server) -> Vec<PathBuf> {
    files(&server.data_dir().join("checkpoint"), ".lkm")
}

#[test]
fn nothing_to_repair_and_a_torn_tail() {
    let mut server = filled(0);
    let dir = server.data_dir();
    let before = snapshot(&dir);
    assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
    let segment = files(&dir, ".log").pop().expect("a segment");
    let mut bytes = fs::read(&segment).expect("read");
    bytes.extend([7; 100]);
    fs::write(&segment, &bytes).expect("write");
    let told = repaired(&dir, &[], 3);
    assert!(
        told.contains("would cut") && told.contains("100 bytes of a torn record"),
        "{told}"
    );
    assert_eq!(
        fs::read(&segment).expect("read"),
        bytes,
        "without --yes nothing is changed"
    );
    repaired(&dir, &["--yes"], 0);
    let kept = quarantine(&dir).join("wal").join(segment.file_name().expect("a name"));
    assert_eq!(fs::read(kept).expect("read"), bytes);
    let without_copies: Vec<_> = snapshot(&dir)
        .into_iter()
        .filter(|(path, _)| !path.to_string_lossy().contains("quarantine"))
        .collect();
    assert!(without_copies == before, "all else is as it was");
    assert_eq!(keys(&mut server), 600);
    assert_eq!(repair(&dir, &["--yes", "--dry-run"]).status.code(), Some(2));
}

#[test]
fn a_log_ends_before_its_damage_with_consent_only() {
    let mut server = filled(0);
    let dir = server.data_dir();
    let segment = files(&dir, ".log").pop().expect("a segment");
    let middle = fs::metadata(&segment).expect("metadata").len() as usize / 2;
    flip(&segment, middle);
    let before = snapshot(&dir);
    let told = repaired(&dir, &["--yes"], 4);
    assert!(
        told.contains("intact records behind are lost") && told.contains("--accept-loss"),
        "{told}"
    );
    assert!(snapshot(&dir) == before, "without consent nothing is changed");
    repaired(&dir, &["--yes", "--accept-loss"], 0);
    let left = keys(&mut server);
    assert!((400..600).contains(&left), "{left}");
    assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
}

#[test]
fn an_older_checkpoint_is_taken_without_loss_when_the_log_reaches_back() {
    let mut server = filled(3600);
    let dir = server.data_dir();
    let newest = manifests(&server).pop().expect("a manifest");
    flip(&newest, 100);
    assert!(server.try_start().is_err());
    let told = repaired(&dir, &[], 3);
    assert!(told.contains("nothing is lost"), "{told}");
    repaired(&dir, &["--yes"], 0);
    assert_eq!(manifests(&server).len(), 1);
    let aside = quarantine(&dir).join("checkpoint");
    assert!(aside.join(newest.file_name().expect("a name")).exists());
    assert_eq!(keys(&mut server), 600);
}

#[test]
fn without_the_log_an_older_checkpoint_loses_what_came_later() {
    let mut server = filled(0);
    let dir = server.data_dir();
    let newest = manifests(&server).pop().expect("a manifest");
    flip(&newest, 100);
    let told = repaired(&dir, &["--yes"], 4);
    assert!(told.contains("all changes after LSN"), "{told}");
    repaired(&dir, &["--yes", "--accept-loss"], 0);
    assert_eq!(keys(&mut server), 200);
}

#[test]
fn damaged_pages_are_dropped_and_named() {
    let mut server = filled(0);
    let dir = server.data_dir();
    let pages = files(&dir.join("checkpoint"), ".lkp").pop().expect("a page file");
    flip(&pages, fs::metadata(&pages).expect("metadata").len() as usize / 2);
    let persisted = files(&dir.join("persist"), ".lkp").pop().expect("a page file");
    flip(&persisted, 2000);
    let told = repaired(&dir, &["--dry-run"], 4);
    assert!(
        told.contains("without 1 damaged pages") && told.contains("entries as of LSN"),
        "{told}"
    );
    repaired(&dir, &["--yes", "--accept-loss"], 0);
    let left = keys(&mut server);
    assert!((500..600).contains(&left), "{left}");
    assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
    server.restart();
    let loaded = server.connect().call(&["LOAD_HMAP", "default", "AS", "copy"]);
    assert_eq!(loaded.text(), "OK");
    let refused = repaired(&dir, &["--yes"], 1);
    assert!(refused.contains("in use"), "{refused}");
}

#[test]
fn a_damaged_part_of_a_container_takes_its_page_along_and_nothing_else() {
    let mut server = Server::lokikv(&[
        "checkpoint.keep_count=1",
        "checkpoint.on_shutdown=false",
        "wal.fsync=always",
        "wal.keep_age_s=0",
        "wal.segment_bytes=64kb",
    ]);
    let mut conn = server.connect();
    for key in 0..1000 {
        conn.call(&["SET", &format!("key:{key}"), "v"]);
    }
    for from in (0..6000).step_by(100) {
        let pairs = (from..from + 100).flat_map(|field| [format!("field:{field}"), "v".repeat(90)]);
        let words: Vec<String> = ["HSET".to_owned(), "container".to_owned()]
            .into_iter()
            .chain(pairs)
            .collect();
        conn.call(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    conn.call(&["CHECKPOINT"]);
    drop(conn);
    server.terminate();
    let dir = server.data_dir();
    let pages = files(&dir.join("checkpoint"), ".lkp").pop().expect("a page file");
    // Nine tenths of the file are parts.
    flip(&pages, fs::metadata(&pages).expect("metadata").len() as usize / 2);
    let refused = server.try_start().expect_err("a refusal");
    assert!(format!("{refused:?}").contains("checksum"), "{refused:?}");
    let before = snapshot(&dir);
    let told = repaired(&dir, &["--yes"], 4);
    assert!(snapshot(&dir) == before, "without consent nothing is changed");
    assert!(
        told.contains("without 1 damaged pages") && told.contains("entries as of LSN") && told.contains("checksum"),
        "{told}"
    );
    repaired(&dir, &["--yes", "--accept-loss"], 0);
    assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.call(&["EXISTS", "container"]).int(), Some(0));
    let left = conn.call(&["DBSIZE"]).int().expect("a number");
    assert!((600..1000).contains(&left), "{left}");
    // What was repaired goes on.
    conn.call(&["HSET", "container", "field", "value"]);
    assert_eq!(conn.call(&["CHECKPOINT"]).text(), "OK");
    drop(conn);
    server.kill9();
    assert_eq!(keys(&mut server), left + 1);
}

#[test]
fn a_control_file_is_written_anew() {
    let mut server = filled(0);
    let dir = server.data_dir();
    let control = files(&dir, ".lkc").pop().expect("a control file");
    flip(&control, 20);
    assert!(server.try_start().is_err());
    assert!(repaired(&dir, &[], 3).contains("control.lkc anew"));
    repaired(&dir, &["--yes"], 0);
    assert_eq!(keys(&mut server), 600);
    // A committed checkpoint that is gone: what came after the one before it is lost.
    fs::remove_file(manifests(&server).pop().expect("a manifest")).expect("remove");
    assert!(server.try_start().is_err());
    let told = repaired(&dir, &["--yes"], 4);
    assert!(told.contains("whose manifest is missing"), "{told}");
    repaired(&dir, &["--yes", "--accept-loss"], 0);
    assert_eq!(keys(&mut server), 200);
    assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
}

/// A server that was killed with 20 more keys in the log, and the newest segment with the length of what is in it.
fn killed(mut server: Server) -> (Server, PathBuf, u64) {
    server.restart();
    let mut conn = server.connect();
    for key in 600..620 {
        conn.call(&["SET", &format!("key:{key}"), "value"]);
    }
    server.kill9();
    let newest = files(&server.data_dir(), ".log").pop().expect("a segment");
    let bytes = fs::read(&newest).expect("read");
    let len = bytes.iter().rposition(|byte| *byte != 0).expect("records") as u64 + 1;
    (server, newest, len)
}

fn truncate(path: &Path, len: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("open");
    file.set_len(len).expect("truncate");
}

fn note(dir: &Path) -> PathBuf {
    dir.join("checkpoint/log.lkn")
}

/// The LSN that `lokikv verify` last tells behind these words.
fn lsn_behind(dir: &Path, words: &str) -> u64 {
    let output = Command::new(env!("CARGO_BIN_EXE_lokikv"))
        .arg("verify")
        .arg(dir)
        .output();
    let told = text(&output.expect("run lokikv verify").stdout);
    let (_, behind) = told.rsplit_once(words).expect("it is told");
    behind
        .split(',')
        .next()
        .and_then(|lsn| lsn.parse().ok())
        .expect("an LSN")
}

/// The segment of a log with the record of the newest checkpoint, with segments before and behind it.
fn segment_of_the_checkpoint(dir: &Path) -> PathBuf {
    let lsn = lsn_behind(dir, "checkpoint 2: LSN ");
    let segments = files(dir, ".log");
    let first = |path: &PathBuf| -> u64 {
        let name = path.file_stem().expect("a name").to_string_lossy();
        name.trim_start_matches("wal-").parse().expect("an LSN")
    };
    let at = segments.iter().rposition(|path| first(path) <= lsn).expect("a segment");
    assert!(
        at > 0 && at + 1 < segments.len() && first(&segments[at]) < lsn,
        "{segments:?}"
    );
    segments[at].clone()
}

#[test]
fn a_damaged_segment_around_the_checkpoint_is_moved_once_and_whole() {
    for is_emptied in [true, false] {
        let mut server = filled(3600);
        let dir = server.data_dir();
        let segment = segment_of_the_checkpoint(&dir);
        match is_emptied {
            true => truncate(&segment, 0),
            false => flip(&segment, 300),
        }
        let damaged = fs::read(&segment).expect("read");
        repaired(&dir, &["--yes"], 4);
        repaired(&dir, &["--yes", "--accept-loss"], 0);
        let kept = quarantine(&dir).join("wal").join(segment.file_name().expect("a name"));
        assert!(fs::read(kept).expect("read") == damaged, "emptied: {is_emptied}");
        assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
        assert_eq!(keys(&mut server), 400, "emptied: {is_emptied}");
    }
}

fn remove_all(paths: Vec<PathBuf>) {
    for path in paths {
        fs::remove_file(path).expect("remove");
    }
}

#[test]
fn without_any_checkpoint_a_whole_log_is_replayed_from_its_beginning() {
    for is_noted in [true, false] {
        let mut server = filled(3600);
        let dir = server.data_dir();
        remove_all(files(&dir, ".lkc"));
        remove_all(manifests(&server));
        if !is_noted {
            remove_all(vec![note(&dir)]);
            assert!(repaired(&dir, &["--yes"], 4).contains("what it does not have is lost"));
        }
        let log = files(&dir, ".log");
        repaired(
            &dir,
            if is_noted {
                &["--yes"]
            } else {
                &["--yes", "--accept-loss"]
            },
            0,
        );
        assert_eq!(files(&dir.join("wal"), ".log"), log);
        assert!(files(&dir.join("checkpoint"), ".lkp").is_empty());
        assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
        assert_eq!(keys(&mut server), 600, "noted: {is_noted}");
    }
}

#[test]
fn without_any_checkpoint_and_the_beginning_of_the_log_it_says_that_it_cannot() {
    let server = filled(0);
    let dir = server.data_dir();
    remove_all(manifests(&server));
    let before = snapshot(&dir);
    let told = repaired(&dir, &["--yes", "--accept-loss"], 1);
    assert!(
        told.contains("the manifest of checkpoint 2 at LSN") && told.contains("is missing. Put back"),
        "{told}"
    );
    assert!(snapshot(&dir) == before);
    remove_all(files(&dir, ".lkc"));
    let before = snapshot(&dir);
    let told = repaired(&dir, &["--yes", "--accept-loss"], 1);
    assert!(told.contains("neither manifests nor a control file"), "{told}");
    assert!(snapshot(&dir) == before);
}

#[test]
fn an_empty_newest_segment_is_repaired_once() {
    let mut server = filled(0);
    let dir = server.data_dir();
    let next = lsn_behind(&dir, " to ") + 1;
    let empty = dir.join(format!("wal/wal-{next:020}.log"));
    fs::write(&empty, []).expect("write");
    repaired(&dir, &["--yes"], 0);
    assert!(!empty.exists());
    assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
    assert_eq!(keys(&mut server), 600);
}

#[test]
fn a_torn_end_is_a_loss_where_what_would_tell_of_it_is_damaged() {
    type Damage = fn(&Path, &Path);
    let damages: [(Damage, &str); 3] = [
        (|dir, _| flip(&note(dir), 20), "log.lkn"),
        (|dir, _| flip(&dir.join("checkpoint/control.lkc"), 20), "control.lkc"),
        (|_, newest| flip(newest, 100), ".lkm"),
    ];
    for (damage, name) in damages {
        let (mut server, segment, len) = killed(filled(3600));
        let dir = server.data_dir();
        let newest = manifests(&server).pop().expect("a manifest");
        damage(&dir, &newest);
        repaired(&dir, &[], 3);
        truncate(&segment, len - 3);
        let before = snapshot(&dir);
        let told = repaired(&dir, &["--yes"], 4);
        assert!(
            told.contains("may have been acknowledged") && told.contains(name),
            "{told}"
        );
        assert!(snapshot(&dir) == before, "without consent nothing is changed");
        repaired(&dir, &["--yes", "--accept-loss"], 0);
        assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
        assert_eq!(keys(&mut server), 619, "{name}");
    }
    let (_server, segment, _) = killed(filled(3600));
    let dir = segment.parent().and_then(Path::parent).expect("a directory");
    flip(&note(dir), 20);
    truncate(&segment, 0);
    assert!(repaired(dir, &["--yes"], 4).contains("may have been acknowledged"));
}
