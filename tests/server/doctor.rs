//! `lokikv doctor`, for a directory and for a running server: what it says, and its exit codes.

use std::path::Path;
use std::process::{Command, Output};

use crate::call;
use crate::support::Server;

fn doctor(args: &[&str]) -> (i32, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_lokikv"))
        .arg("doctor")
        .args(args)
        .output()
        .expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().expect("a code"),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// What is amiss, without what the machine under test may be told by its kernel and its disk.
fn amiss(text: &str) -> Vec<&str> {
    let of_machine = [
        "huge pages",
        "overcommit",
        "somaxconn",
        "files may be open",
        "a sync takes",
        "the disk is slow",
        " are free",
        "in memory (tmpfs)",
    ];
    let lines = text.lines().filter(|line| line.starts_with("AMISS"));
    lines
        .filter(|line| !of_machine.iter().any(|part| line.contains(part)))
        .collect()
}

fn url(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_directory_is_looked_at_beside_its_server_and_without() {
    let mut server = Server::lokikv(&[]);
    let mut conn = server.connect();
    call(&mut conn, "SET k v");
    call(&mut conn, "SAVE");
    let (dir, pid) = (server.data_dir(), server.pid());
    let before = names(&dir);
    let target = dir.to_str().expect("text").to_owned();
    let (code, text) = doctor(&[&target]);
    assert!(
        text.contains(&format!("process {pid} is using the directory")),
        "{text}"
    );
    assert!(
        text.contains("data: a sync takes") && text.contains("the log has"),
        "{text}"
    );
    assert!(text.contains("LSN") && text.contains("are kept"), "{text}");
    assert_eq!(amiss(&text), [""; 0], "{text}");
    assert_eq!(code, i32::from(text.contains("AMISS")), "{text}");
    assert_eq!(names(&dir), before, "nothing is left behind");
    assert_eq!(call(&mut conn, "GET k").text(), "v");
    assert!(server.terminate().success());
    let (_, text) = doctor(&[&target]);
    assert!(text.contains("no server is using") && amiss(&text).is_empty(), "{text}");
    // A checkpoint that is gone, and a log that begins behind it.
    let checkpoints = dir.join("checkpoint");
    let manifest = names(&checkpoints)
        .into_iter()
        .find(|name| name.starts_with("manifest-"))
        .expect("one");
    let page = checkpoints.join(manifest);
    let bytes = std::fs::read(&page).expect("read");
    std::fs::write(&page, &bytes[..20]).expect("written");
    let (code, text) = doctor(&[&target]);
    assert!(amiss(&text).iter().any(|line| line.contains("checkpoints:")), "{text}");
    assert_eq!(code, 1);
    std::fs::write(&page, &bytes).expect("written");
    server.restart();
    assert_eq!(call(&mut server.connect(), "GET k").text(), "v");
}

#[test]
fn a_configuration_is_judged_with_the_directory() {
    let server = Server::lokikv(&[]);
    let target = server.data_dir().to_str().expect("text").to_owned();
    let (code, text) = doctor(&[&target, "--set", "memory.max_bytes=900000gb"]);
    assert!(
        amiss(&text).iter().any(|line| line.contains("is too much for the")),
        "{text}"
    );
    assert_eq!(code, 1);
    for mistake in [
        ["--set", "wal.fsync=sometimes"],
        ["--set", "storage.nope=1"],
        ["--config", "/proc/nonexistent.toml"],
    ] {
        let (code, text) = doctor(&[&target[..], mistake[0], mistake[1]]);
        assert!(
            text.contains("cannot look: the configuration is refused") && amiss(&text).is_empty(),
            "{text}"
        );
        assert_eq!(code, 2, "{text}");
    }
}

#[test]
fn a_server_is_asked() {
    let server = Server::lokikv(&["server.requirepass=secret"]);
    let port = server.port();
    let (code, text) = doctor(&[&format!("redis://:secret@127.0.0.1:{port}")]);
    assert!(
        text.contains(concat!("the server is lokikv ", env!("CARGO_PKG_VERSION"))),
        "{text}"
    );
    let of_log = ["the log is in order", "the disk is slow"];
    assert!(of_log.iter().any(|part| text.contains(part)), "{text}");
    assert!(text.contains("the kernel is Linux"), "{text}");
    assert_eq!(amiss(&text), [""; 0], "{text}");
    assert_eq!(code, i32::from(text.contains("AMISS")), "{text}");
    assert!(!text.contains("secret"));
    let (code, text) = doctor(&[&url(&server)]);
    assert!(
        code == 2 && text.contains("cannot look") && text.contains("NOAUTH"),
        "{text}"
    );
    let (code, text) = doctor(&[&format!("redis://:wrong@127.0.0.1:{port}")]);
    assert!(code == 2 && text.contains("WRONGPASS"), "{text}");
}

#[test]
fn a_server_that_is_full_and_open_is_amiss() {
    let server = Server::lokikv(&[
        "memory.max_bytes=1mb",
        "server.enable_debug_command=yes",
        "wal.enabled=false",
        "checkpoint.interval_s=0",
    ]);
    let mut conn = server.connect();
    for n in 0..40 {
        conn.call(&["SET", &format!("k{n}"), &"x".repeat(30_000)]);
    }
    let (code, text) = doctor(&[&url(&server)]);
    let found = amiss(&text);
    assert!(
        found.iter().any(|line| line.contains("nothing may be evicted")),
        "{text}"
    );
    assert!(
        found
            .iter()
            .any(|line| line.contains("DEBUG is there for every client")),
        "{text}"
    );
    assert!(text.contains("note: nothing is kept on disk"), "{text}");
    assert_eq!(code, 1);
}

#[test]
fn what_is_no_data_directory_is_said_so() {
    let home = tempfile::tempdir().expect("a folder");
    let path = |name: &str| home.path().join(name).display().to_string();
    std::fs::write(path("file"), "x").expect("written");
    std::fs::create_dir(path("empty")).expect("made");
    // What a program of another kind has.
    std::fs::create_dir_all(home.path().join("other/wal")).expect("made");
    std::fs::write(home.path().join("other/LOCK"), "").expect("written");
    std::fs::write(home.path().join("other/wal/00000001"), "x").expect("written");
    for (name, why) in [
        ("none", "there is no such directory"),
        ("file", "it is a file, and not a directory"),
        ("file/x", "Not a directory"),
        ("empty", "it is no data directory"),
        ("other", "it is no data directory"),
    ] {
        let target = path(name);
        let (code, text) = doctor(&[&target]);
        let told = format!("lokikv: cannot look: {target}: {why}");
        assert!(code == 2 && text.contains(&told), "{name}: {code} {text}");
        assert!(!text.contains("nothing is amiss"), "{text}");
    }
    assert_eq!(names(&home.path().join("empty")), [""; 0], "nothing is left behind");
    // A server that has not written anything yet has one, wherever its parts are.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let parts = ["wal", "checkpoint"].map(|part| {
        let folder = elsewhere.path().join(part).display().to_string();
        format!("storage.{part}_dir={folder}")
    });
    let server = Server::lokikv(&[&parts[0], &parts[1], "checkpoint.interval_s=0"]);
    let target = server.data_dir().display().to_string();
    let (code, text) = doctor(&[&target, "--set", &parts[0], "--set", &parts[1]]);
    assert!(code < 2 && text.contains("is using the directory"), "{code} {text}");
}

#[test]
fn what_cannot_be_looked_at_is_said_so() {
    for target in ["/nowhere/at/all", "http://x", "redis://127.0.0.1:1"] {
        let (code, text) = doctor(&[target]);
        assert!(code == 2 && text.contains("lokikv: cannot look: "), "{text}");
    }
    assert_eq!(doctor(&[]).0, 2);
}
