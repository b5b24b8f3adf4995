//! Libraries of functions in a data directory, where the binary meets them: imported, started with, killed with, shown,
//! damaged and repaired.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::repair::repaired;
use crate::support::{Server, Value};
use crate::verify::{files, text};

/// An RDB file with these libraries and a key; a checksum of zero is none.
fn rdb(libraries: &[&str]) -> Vec<u8> {
    let mut file = b"REDIS0010".to_vec();
    for code in libraries {
        file.push(0xf5);
        file.extend((code.len() as u16 | 0x4000).to_be_bytes());
        file.extend(code.as_bytes());
    }
    file.extend(b"\xfe\x00\x00\x03key\x05value\xff");
    file.extend([0; 8]);
    file
}

fn lokikv(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lokikv"));
    let done = command.args(arguments).current_dir(dir).output().expect("run lokikv");
    let told = format!("{}{}", text(&done.stdout), text(&done.stderr));
    (done.status.code().unwrap_or(-1), told)
}

/// A server that was killed, with two libraries in its data directory.
fn imported() -> Server {
    let mut server = Server::lokikv(&["wal.fsync=always", "checkpoint.on_shutdown=false"]);
    server.kill9();
    let dir = server.data_dir();
    let one = "#!lua name=one\nredis.register_function('f', function() return 1 end)";
    let two = "#!lua name=two\nredis.register_function('g', function() return 2 end)";
    fs::write(dir.join("dump.rdb"), rdb(&[one, two])).expect("write the file");
    let (code, told) = lokikv(&dir, &["import", "dump.rdb", "--merge", "--data-dir", "."]);
    assert!(
        code == 0 && told.contains("1 keys and 2 libraries of functions"),
        "{told}"
    );
    server
}

/// How many an export has.
fn exported(server: &Server) -> String {
    let dir = server.data_dir();
    let (code, told) = lokikv(&dir, &["export", "--force", "--data-dir", ".", "out.rdb"]);
    assert_eq!(code, 0, "{told}");
    told
}

#[test]
fn they_survive_kills_and_checkpoints() {
    let mut server = imported();
    for round in 0..3 {
        server.restart();
        let mut conn = server.connect();
        assert_eq!(conn.call(&["SET", "key", &round.to_string()]), Value::ok());
        assert_eq!(conn.call(&["FLUSHALL"]), Value::ok());
        assert_eq!(conn.call(&["SET", "key", &round.to_string()]), Value::ok());
        if round == 1 {
            assert_eq!(conn.call(&["SAVE"]), Value::ok());
        }
        let info = conn.call(&["CHECKPOINT", "INFO", "LATEST"]).to_string();
        assert!(
            info.contains("libraries") && info.contains("one") && info.contains("two"),
            "{info}"
        );
        server.kill9();
        assert!(exported(&server).contains("1 keys and 2 libraries of functions"));
    }
    let newest = files(&server.data_dir().join("checkpoint"), ".lkm")
        .pop()
        .expect("a manifest");
    let (code, told) = lokikv(&server.data_dir(), &["inspect", newest.to_str().expect("a path")]);
    assert!(
        code == 0 && told.contains("library  name=one  ") && told.contains("library  name=two  "),
        "{told}"
    );
}

#[test]
fn a_damaged_one_is_dropped_and_named() {
    let mut server = imported();
    let dir = server.data_dir();
    let newest = files(&dir.join("checkpoint"), ".lkp").pop().expect("a page file");
    let mut bytes = fs::read(&newest).expect("read");
    let code = b"return 2";
    let at = bytes
        .windows(code.len())
        .position(|part| part == code)
        .expect("the code");
    bytes[at] ^= 4;
    fs::write(&newest, bytes).expect("write");
    assert!(server.try_start().is_err());
    let (code, told) = lokikv(&dir, &["verify", "."]);
    assert!(code != 0 && told.contains("its checksum is"), "{told}");
    let told = repaired(&dir, &["--dry-run"], 4);
    assert!(
        told.contains("1 libraries of functions") && told.contains("library two ("),
        "{told}"
    );
    repaired(&dir, &["--yes", "--accept-loss"], 0);
    assert!(repaired(&dir, &[], 0).contains("nothing to repair"));
    assert!(exported(&server).contains("1 keys and 1 libraries of functions"));
    server.restart();
    assert_eq!(server.connect().call(&["GET", "key"]), Value::bulk("value"));
}
