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
