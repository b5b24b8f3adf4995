//! Files: redis-server's, read and written anew, are loaded by redis-server as what they were.

use std::fs;
use std::path::{Path, PathBuf};

use lokikv::rdb::{Entry, Event, Reader, Writer};

use crate::fill::fill;
use crate::look::{Dataset, assert_same, dataset};
use crate::support::{Conn, Server, Value};

/// A redis-server that starts with this file.
pub fn redis_with(file: &[u8], settings: &[&str]) -> Server {
    started_with(Server::redis(settings), file)
}

/// The server, started again with this file.
pub fn started_with(mut server: Server, file: &[u8]) -> Server {
    server.kill9();
    fs::write(server.data_dir().join("dump.rdb"), file).expect("write the file");
    server.restart();
    server
}

fn entries(file: &[u8]) -> Vec<Entry> {
    let mut reader = Reader::new(file).expect("a header");
    let mut entries = Vec::new();
    while let Some(event) = reader.next().expect("a whole file") {
        if let Event::Entry(entry) = event {
            entries.push(entry);
        }
    }
    entries
}

/// The file of these entries.
fn write(entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), lokikv::rdb::Version::USUAL).expect("begin");
    let mut db = None;
    for entry in entries {
        if db != Some(entry.db) {
            db = Some(entry.db);
            writer.database(entry.db, 1, 0).expect("database");
        }
        writer
            .entry(&entry.key, entry.expires_at_ms, &entry.object)
            .expect("entry");
    }
    writer.finish().expect("finish")
}

/// Everything, and the server's own digest of it.
pub fn look(conn: &mut Conn) -> (Dataset, Value) {
    (dataset(conn), conn.call(&["DEBUG", "DIGEST"]))
}

#[test]
fn what_redis_saves_is_read_and_what_is_written_redis_loads() {
    for settings in [
        &[][..],
        &["--rdbcompression", "no", "--rdbchecksum", "no"],
        &[
            "--hash-max-listpack-entries",
            "0",
            "--zset-max-listpack-entries",
            "0",
            "--set-max-intset-entries",
            "0",
        ],
        &["--list-max-listpack-size", "7", "--stream-node-max-entries", "3"],
    ] {
        let redis = Server::redis(settings);
        let mut conn = redis.connect();
        if settings.is_empty() {
            assert_eq!(conn.call(&["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "300b"]), Value::ok());
            let library = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)";
            assert_eq!(conn.call(&["FUNCTION", "LOAD", library]).text(), "mylib");
        }
        fill(&mut conn);
        assert_eq!(conn.call(&["SAVE"]), Value::ok());
        let file = fs::read(redis.data_dir().join("dump.rdb")).expect("what redis-server saved");
        let written = redis_with(&write(&entries(&file)), settings);
        let (expected, found) = (look(&mut conn), look(&mut written.connect()));
        assert_same(&expected.0, &found.0);
        assert_eq!(expected.1, found.1);
    }
}

#[test]
fn what_older_servers_saved_is_read_as_redis_reads_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/rdb");
    let listed = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<PathBuf> = listed.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rdb"));
    assert!(files.len() >= 4, "{files:?}");
    for path in files {
        let file = fs::read(&path).expect("the file");
        let (theirs, ours) = (redis_with(&file, &[]), redis_with(&write(&entries(&file)), &[]));
        let (theirs, ours) = (look(&mut theirs.connect()), look(&mut ours.connect()));
        assert!(!theirs.0.is_empty(), "{}", path.display());
        assert_same(&theirs.0, &ours.0);
        assert_eq!(theirs.1, ours.1, "{}", path.display());
    }
}
