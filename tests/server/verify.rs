//! `lokikv verify`: what is whole is said to be, every flipped byte is found and named, nothing is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::rng::Rng;
use crate::support::{Server, seed};

/// Flips tried in each kind of file.
const FLIPS: usize = 12;

pub fn verify(dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    command.arg("verify").arg(dir);
    command.output().expect("run lokikv verify")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The files under `dir` that end with `suffix`.
pub fn files(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path, suffix));
        } else if path.is_file() && path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A stopped server's directory with two checkpoints, a persisted collection and records behind them.
pub fn filled() -> Server {
    let mut server = Server::lokikv(&["wal.fsync=always", "checkpoint.keep_count=2"]);
    let mut conn = server.connect();
    for round in 0..3 {
        for key in 0..200 {
            conn.call(&["SET", &format!("key:{round}:{key}"), &"v".repeat(key)]);
        }
        if round < 2 {
            conn.call(&["CHECKPOINT"]);
        }
    }
    conn.call(&["COLLECTION", "PERSIST", "default"]);
    server.kill9();
    server
}

#[test]
fn a_killed_servers_data_is_whole() {
    let server = filled();
    let output = verify(&server.data_dir());
    let (told, faults) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{told}{faults}");
    for part in [
        "control file: checkpoint 2 ",
        "checkpoint 1: ",
        "checkpoint 2: ",
        "persisted collection \"default\": ",
        "log: ",
    ] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    assert!(told.contains("400 entries") && told.contains("600 entries"), "{told}");
}

#[test]
fn every_flipped_byte_is_found_and_named() {
    let server = filled();
    let mut rng = Rng::new(seed());
    // Two checkpoints, of which no page is superseded, and a persisted collection.
    for (suffix, count) in [(".lkm", 3), (".lkp", 3), (".lkc", 1)] {
        let files = files(&server.data_dir(), suffix);
        assert!(files.len() >= count, "{files:?}");
        for _ in 0..FLIPS {
            let path = rng.pick(&files);
            let whole = fs::read(path).expect("read");
            let (at, bit) = (rng.below(whole.len()), rng.below(8));
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            fs::write(path, &flipped).expect("write");
            let output = verify(&server.data_dir());
            fs::write(path, &whole).expect("restore");
            let faults = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "byte {at} of {path:?}: {faults}");
            let name = path.file_name().expect("a name").to_string_lossy();
            assert!(
                faults.contains(&*name) && faults.contains("byte"),
                "byte {at} of {path:?}: {faults}"
            );
        }
    }
    assert!(verify(&server.data_dir()).status.success());
}

#[test]
fn damage_within_the_log_is_found() {
    let server = filled();
    let path = files(&server.data_dir(), ".log").pop().expect("a segment");
    let whole = fs::read(&path).expect("read");
    // Zeroes may have been written ahead of its end.
    let used = whole.iter().rposition(|byte| *byte != 0).expect("more than zeroes");
    let mut rng = Rng::new(seed());
    for _ in 0..FLIPS {
        // Behind the header, and well before the last record, where damage and a torn write look the same.
        let at = rng.range(64, used as i64 - 2000) as usize;
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << rng.below(8);
        fs::write(&path, &flipped).expect("write");
        let output = verify(&server.data_dir());
        let faults = text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(1),
            "byte {at}: {faults}{}",
            text(&output.stdout)
        );
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(faults.contains(&*name), "byte {at}: {faults}");
        assert_eq!(fs::read(&path).expect("read"), flipped, "verify changes nothing");
    }
}

#[test]
fn a_missing_page_file_and_a_directory_in_use_are_told() {
    let mut server = filled();
    let path = files(&server.data_dir(), ".lkp").pop().expect("a page file");
    let moved = path.with_extension("away");
    fs::rename(&path, &moved).expect("rename");
    let output = verify(&server.data_dir());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(&*path.to_string_lossy()));
    fs::rename(&moved, &path).expect("rename back");
    server.restart();
    let output = verify(&server.data_dir());
    assert_eq!(output.status.code(), Some(1), "a server has it");
    assert!(text(&output.stderr).contains("in use"), "{}", text(&output.stderr));
}
