//! `lokikv inspect`: shows what is in a directory and in its files, damaged ones as far as they go, and changes
//! nothing.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::Server;
use crate::verify::{files, filled, text};

fn inspect(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.arg("inspect").args(args);
    command.output().expect("run lokikv inspect")
}

/// The documents of a run with `--json`, and its exit code.
fn documents(args: &[&str]) -> (Vec<Value>, i32) {
    let output = inspect(&[args, &["--json"]].concat());
    let lines = text(&output.stdout);
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (
        lines.lines().map(parse).collect(),
        output.status.code().expect("a code"),
    )
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents
        .iter()
        .filter(|document| document["document"] == kind)
        .collect()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_directory_is_overseen() {
    let server = filled();
    let dir = server.data_dir();
    let (found, code) = documents(&[path(&dir)]);
    assert_eq!(code, 0, "{found:?}");
    let manifests = of_kind(&found, "manifest");
    assert_eq!(manifests.len(), files(&dir, ".lkm").len());
    assert!(manifests.iter().any(|manifest| manifest["kind"] == "persisted"
        && manifest["entries"] == 600
        && manifest["lsn"].as_u64() > Some(0)));
    assert_eq!(of_kind(&found, "page-file").len(), files(&dir, ".lkp").len());
    let segments = of_kind(&found, "segment");
    assert_eq!(segments.len(), files(&dir, ".log").len());
    let note = of_kind(&found, "log-note")[0];
    let newest = segments.iter().map(|segment| segment["first-lsn"].as_u64()).max();
    assert_eq!(newest, Some(note["newest-segment"].as_u64()));
    assert!(segments.iter().all(|segment| segment["identity"] == note["identity"]));
    assert!(note["identity"].as_u64() > Some(0));
    let (alone, code) = documents(&[path(&dir.join("checkpoint/log.lkn"))]);
    assert_eq!((code, &alone[0]["durable-lsn"]), (0, &note["durable-lsn"]));
    let output = inspect(&[path(&dir), "--limit", "1"]);
    assert!(text(&output.stdout).contains("more are not shown, see --limit"));
    assert_eq!(inspect(&[]).status.code(), Some(2));
    assert_eq!(inspect(&["/proc/nonexistent"]).status.code(), Some(1));
}

#[test]
fn a_segments_records_are_shown_with_their_effects() {
    let server = filled();
    let segment = files(&server.data_dir(), ".log").pop().expect("a segment");
    let (found, code) = documents(&[path(&segment), "--limit", "0"]);
    assert_eq!(code, 0);
    let records = of_kind(&found, "record");
    let first = of_kind(&found, "segment")[0]["first-lsn"].as_u64().expect("an LSN");
    assert!(records.len() >= 200);
    for (record, lsn) in records.iter().zip(first..) {
        assert_eq!(record["lsn"], lsn);
    }
    let last = records.last().expect("a record");
    assert_eq!(last["effects"][0]["effect"], "put");
    assert_eq!(last["effects"][0]["key"], "key:2:199");
    assert_eq!(last["effects"][0]["value"]["string"], "v".repeat(199));
    let lsn = last["lsn"].to_string();
    let (one, _) = documents(&[path(&segment), "--lsn", &lsn]);
    assert_eq!(of_kind(&one, "record"), [*last]);
    let lines = text(&inspect(&[path(&segment), "--lsn", &lsn]).stdout);
    assert!(
        lines.contains("effect=put") && lines.contains("key=key:2:199"),
        "{lines}"
    );
}

#[test]
fn a_pages_entries_are_shown() {
    let server = filled();
    let manifest = files(&server.data_dir().join("checkpoint"), ".lkm")
        .pop()
        .expect("a manifest");
    let (rows, code) = documents(&[path(&manifest), "--limit", "0"]);
    assert_eq!(code, 0);
    let rows = of_kind(&rows, "page-row");
    let entries: u64 = rows.iter().map(|row| row["entries"].as_u64().expect("a number")).sum();
    assert_eq!(entries, 400);
    let row = rows
        .iter()
        .find(|row| row["entries"].as_u64() > Some(0))
        .expect("a page");
    let (id, file) = (row["page-id"].to_string(), row["file-id"].as_u64().expect("an id"));
    let file = manifest.with_file_name(format!("pages-{file:020}.lkp"));
    let (found, code) = documents(&[path(&file), "--page", &id, "--limit", "0"]);
    assert_eq!(code, 0);
    assert!(
        of_kind(&found, "page")
            .iter()
            .any(|page| page["offset"] == row["offset"])
    );
    let entries = of_kind(&found, "entry");
    assert!(entries.len() as u64 >= row["entries"].as_u64().expect("a number"));
    assert!(
        entries
            .iter()
            .all(|entry| entry["key"].as_str().is_some_and(|key| key.starts_with("key:")))
    );
}

#[test]
fn damaged_files_are_shown_around_the_fault() {
    let server: Server = filled();
    let dir = server.data_dir();
    for suffix in [".lkp", ".log"] {
        let file = files(&dir, suffix).pop().expect("a file");
        let whole = fs::read(&file).expect("read");
        let (before, _) = documents(&[path(&file), "--limit", "0"]);
        // Zeroes may have been written ahead of a log's end.
        let used = whole.iter().rposition(|byte| *byte != 0).expect("more than zeroes");
        let mut flipped = whole.clone();
        flipped[used / 2] ^= 8;
        fs::write(&file, &flipped).expect("write");
        let (found, code) = documents(&[path(&file), "--limit", "0"]);
        assert_eq!(code, 1, "{suffix}");
        let faults = of_kind(&found, "fault");
        let offset = faults[0]["offset"].as_u64().expect("an offset") as usize;
        assert!(
            offset <= used / 2 && faults[0]["resumes-at"].as_u64().is_some(),
            "{faults:?}"
        );
        assert!(found.len() + 8 > before.len(), "what is behind the fault is shown, too");
        assert_eq!(fs::read(&file).expect("read"), flipped, "nothing is changed");
        fs::write(&file, &whole).expect("restore");
    }
    // Without its first bytes a file is still known by its name.
    let manifest = files(&dir, ".lkm").pop().expect("a manifest");
    fs::write(&manifest, b"nonsense").expect("write");
    let (found, code) = documents(&[path(&dir)]);
    let faults = of_kind(&found, "fault");
    assert_eq!((code, faults.len()), (1, 1), "{faults:?}");
    assert!(
        faults[0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("manifest")),
        "{faults:?}"
    );
}

#[test]
fn what_a_crash_leaves_is_no_fault() {
    let mut server = filled();
    let dir = server.data_dir();
    let log = files(&dir, ".log").pop().expect("a segment");
    server.restart();
    assert!(server.terminate().success());
    let (found, _) = documents(&[path(&dir)]);
    let next = of_kind(&found, "control")[0]["lsn"].as_u64().expect("a number") + 1;
    let pages = files(&dir, ".lkp");
    let pages = pages
        .iter()
        .max_by_key(|path| fs::metadata(path).map_or(0, |file| file.len()));
    let whole = fs::read(pages.expect("a page file")).expect("read");
    let checkpoints = dir.join("checkpoint");
    let left = [
        // Killed within a checkpoint, and before it had written anything.
        (
            checkpoints.join(format!("pages-{:020}.lkp", 998)),
            &whole[..whole.len() * 3 / 5],
        ),
        (checkpoints.join(format!("pages-{:020}.lkp", 999)), &[]),
        (checkpoints.join(format!("manifest-{:020}.lkm.tmp", 999)), &whole[..40]),
        (checkpoints.join("control.lkc.tmp"), &[]),
        (checkpoints.join("log.lkn.tmp"), &[]),
        // Begun and never used.
        (log.with_file_name(format!("wal-{next:020}.log")), &[]),
    ];
    for (path, bytes) in &left {
        fs::write(path, bytes).expect("write");
    }
    let (found, code) = documents(&[path(&dir)]);
    assert_eq!(code, 0, "{found:?}");
    let told = of_kind(&found, "left-over");
    for (left, _) in &left {
        assert!(told.iter().any(|told| told["path"] == path(left)), "{left:?}: {told:?}");
        let (alone, code) = documents(&[path(left)]);
        assert_eq!(
            (code, &alone[0]["document"]),
            (0, &Value::from("left-over")),
            "{alone:?}"
        );
    }
    assert_eq!(told.len(), left.len());
    let (torn, _) = documents(&[path(&left[0].0), "--limit", "0"]);
    assert_eq!(of_kind(&torn, "page-file").len(), 1, "it is shown as far as it goes");
    assert!(crate::verify::verify(&dir).status.success());
    server.restart();
    let mut conn = server.connect();
    assert_eq!(conn.call(&["DBSIZE"]), crate::support::Value::Int(600));
    conn.call(&["CHECKPOINT"]);
    server.kill9();
    for (left, _) in &left[..5] {
        assert!(!left.exists() || left.ends_with("log.lkn.tmp"), "{left:?}");
    }
}

#[test]
fn what_a_manifest_names_is_not_left_over() {
    let server: Server = filled();
    let dir = server.data_dir();
    let pages = files(&dir.join("checkpoint"), ".lkp");
    for file in pages {
        let whole = fs::read(&file).expect("read");
        fs::write(&file, &whole[..20]).expect("write");
        assert_eq!(documents(&[path(&dir)]).1, 1, "{file:?}");
        assert_eq!(documents(&[path(&file)]).1, 1, "{file:?}");
        fs::write(&file, &whole).expect("restore");
    }
    // A segment that is cut short, and not the last one.
    let log = files(&dir, ".log").pop().expect("a segment");
    fs::write(log.with_file_name(format!("wal-{:020}.log", 9999)), b"").expect("write");
    assert_eq!(documents(&[path(&dir)]).1, 0);
    fs::write(&log, b"LOKIWAL").expect("write");
    assert_eq!(documents(&[path(&dir)]).1, 1);
}

#[test]
fn a_log_that_ends_torn_is_no_fault() {
    let server: Server = filled();
    let log = files(&server.data_dir(), ".log").pop().expect("a segment");
    let whole = fs::read(&log).expect("read");
    let used = whole.iter().rposition(|byte| *byte != 0).expect("more than zeroes");
    fs::write(&log, &whole[..used - 20]).expect("write");
    let (found, code) = documents(&[path(&log), "--limit", "0"]);
    assert_eq!((code, of_kind(&found, "torn-end").len()), (0, 1), "{:?}", found.last());
}
