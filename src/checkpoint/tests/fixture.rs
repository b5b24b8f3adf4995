//! Files as the first program of this format version wrote them are read, and hold what they held; so are those of the
//! versions before. The next checkpoint writes their manifests anew, and pages where their encoding has changed.
//!
//! `UPDATE_FIXTURE=1` writes them anew: right only before a format version has been released.

use std::fs;

use super::*;
use crate::checkpoint::files::catalog::manifest_name;
use crate::checkpoint::files::format::Versions;
use crate::checkpoint::files::manifest::Manifest;
use crate::engine::effect::Effect;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::page::hash::HashOp;
use crate::page::list::ListOp;
use crate::page::packed::pack;
use crate::page::set::SetOp;
use crate::page::stream::{StreamId, StreamOp};
use crate::page::zset::{ZsetOp, pack_pairs};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-4");
/// Of manifests without libraries.
const FIXTURE_PARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-3");
/// Of containers that stand whole in their pages.
pub(super) const FIXTURE_BEFORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-2");
const PERSISTED: &str = "/data/persist/ordered";
const DIRS: [(&str, &str); 3] = [
    (CHECKPOINTS, "checkpoint"),
    (LOG, "wal"),
    (PERSISTED, "persist/ordered"),
];

fn key(i: usize) -> Vec<u8> {
    format!("key:{i:04}").into_bytes()
}

fn fill(server: &mut Server, database: DatabaseId, range: std::ops::Range<usize>, word: &str) {
    for i in range {
        let (key, value) = (key(i), format!("{word} {i} ").repeat(1 + i % 5));
        server.change(database, &key, |txn| {
            put(txn, &key, value.as_bytes());
            if i % 7 == 0 {
                txn.expire_at(&key, Some(4_000_000_000_000 + i as u64));
            }
        });
    }
}

/// Containers of all types, long enough to be in parts, and then a change to each.
pub(super) fn fill_containers(server: &mut Server, numbers: std::ops::Range<u64>) {
    fill_containers_of(server, DatabaseId::DEFAULT, numbers);
}

pub(super) fn fill_containers_of(server: &mut Server, database: DatabaseId, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let name = format!("name-{number:05}").into_bytes();
        let (one, pair) = (pack([name.as_slice()]), pack([name.as_slice(), b"value"]));
        let scored = pack_pairs([(number as f64 / 4.0, name.as_slice())].into_iter());
        let id = StreamId::new(number + 1, 1);
        let effects: [(&[u8], Effect<'_>); 5] = [
            (b"hash", hash_effect(&pair)),
            (
                b"set",
                Effect::Set {
                    key: b"set",
                    op: SetOp::Add { members: &one },
                },
            ),
            (
                b"zset",
                Effect::Zset {
                    key: b"zset",
                    op: ZsetOp::Add { members: &scored },
                },
            ),
            (
                b"list",
                Effect::List {
                    key: b"list",
                    op: ListOp::Push {
                        front: false,
                        elements: &one,
                    },
                },
            ),
            (
                b"stream",
                Effect::Stream {
                    key: b"stream",
                    op: StreamOp::Add { id, fields: &pair },
                },
            ),
        ];
        for (key, effect) in effects {
            server.change(database, key, |txn| txn.apply(&effect));
        }
    }
}

fn hash_effect(pairs: &[u8]) -> Effect<'_> {
    let keeps_expiry = false;
    Effect::Hash {
        key: b"hash",
        op: HashOp::Set { pairs, keeps_expiry },
    }
}

/// What had come to the format by then.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Has {
    Pages,
    Parts,
    Libraries,
}

/// Two checkpoints, the second one packed and building on the first; a persisted collection; a log behind them.
fn write(has: Has) -> (FaultDisk, Dump) {
    let (containers, libraries) = (has >= Has::Parts, has >= Has::Libraries);
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    let settings = Arc::clone(&server.settings);
    server.exclusive(|txn| txn.create(None, "ordered", Kind::Bcust).unwrap());
    server.exclusive(|txn| txn.create(None, "empty", Kind::Bdef).unwrap());
    let ordered = server.engine.registry().by_name("ordered").unwrap().id;
    fill(&mut server, DatabaseId::DEFAULT, 0..300, "first");
    fill(&mut server, ordered, 0..600, "first");
    if containers {
        fill_containers(&mut server, 0..1000);
    }
    if libraries {
        server.put_library("kept", "#!lua name=kept\nfrom the first checkpoint");
        server.put_library("replaced", "#!lua name=replaced\nfrom the first checkpoint");
        server.put_library("deleted", "#!lua name=deleted\nfrom the first checkpoint");
    }
    settings.keep_count.store(2, std::sync::atomic::Ordering::Relaxed);
    server.checkpoints.checkpoint_blocking().unwrap();
    settings.is_lz4.store(true, std::sync::atomic::Ordering::Relaxed);
    fill(&mut server, ordered, 100..120, "second");
    server.set("large", &"x".repeat(3000));
    if containers {
        fill_containers(&mut server, 1000..1001);
    }
    if libraries {
        let code = "from the second checkpoint ".repeat(100);
        server.put_library("replaced", &format!("#!lua name=replaced\n{code}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(server.checkpoints.persist("ordered")).unwrap();
    server.checkpoints.checkpoint_blocking().unwrap();
    fill(&mut server, DatabaseId::DEFAULT, 290..310, "third");
    server.change(DatabaseId::DEFAULT, &key(0), |txn| txn.delete(&key(0)));
    if libraries {
        server.put_library("logged", "#!lua name=logged\nfrom the log");
        server.exclusive(|txn| txn.delete_library(b"deleted").unwrap());
    }
    server.sync();
    let dump = server.dump();
    server.checkpoints.stop();
    (disk, dump)
}

pub(super) fn read(fixture: &str) -> FaultDisk {
    let disk = FaultDisk::new(1);
    for (to, from) in DIRS {
        disk.create_dir_all(Path::new(to)).unwrap();
        for entry in fs::read_dir(Path::new(fixture).join(from)).unwrap() {
            let entry = entry.unwrap();
            disk.put(Path::new(to).join(entry.file_name()), &fs::read(entry.path()).unwrap());
        }
    }
    disk
}

fn update(disk: &FaultDisk) {
    let _ = fs::remove_dir_all(FIXTURE);
    for (from, to) in DIRS {
        let to = Path::new(FIXTURE).join(to);
        fs::create_dir_all(&to).unwrap();
        for path in files(disk, from) {
            fs::write(to.join(path.file_name().unwrap()), disk.read(&path).unwrap()).unwrap();
        }
    }
}

#[test]
fn what_was_written_is_read() {
    let (disk, expected) = write(Has::Libraries);
    assert_eq!(expected[LIBRARIES].1.len(), 3);
    if std::env::var_os("UPDATE_FIXTURE").is_some() {
        update(&disk);
    }
    let server = check(&read(FIXTURE), &expected);
    assert_eq!(server.dump(), expected);
}

#[test]
fn the_version_before_is_read_and_its_pages_stay() {
    let manifest = read_and_go_on(FIXTURE_PARTS, Has::Parts);
    // The two files of the older checkpoints, and what is new since.
    assert_eq!(manifest.head.files.len(), 3, "{:?}", manifest.head.files);
    assert_eq!(manifest.libraries.len(), 1);
}

#[test]
fn the_version_without_parts_is_read_and_written_anew() {
    let manifest = read_and_go_on(FIXTURE_BEFORE, Has::Pages);
    assert_eq!(manifest.head.files, [manifest.head.id]);
}

/// Reads a fixture, puts a library, takes a checkpoint, and reads that.
fn read_and_go_on(fixture: &str, has: Has) -> Manifest {
    let (_, expected) = write(has);
    let disk = read(fixture);
    let mut server = check(&disk, &expected);
    server.put_library("new", "its code");
    let expected = server.dump();
    let done = server.checkpoints.checkpoint_blocking().unwrap();
    drop(server);
    let manifest = Manifest::read(&disk, &Path::new(CHECKPOINTS).join(manifest_name(done.id))).unwrap();
    assert_eq!(manifest.head.versions, Versions::CURRENT);
    let mut found = read_back(&disk).unwrap();
    assert!(
        found
            .checkpoint
            .take()
            .is_some_and(|checkpoint| checkpoint.id == done.id)
    );
    assert_eq!(dump(&found.registry), expected);
    manifest
}

/// Recovers what is there, and loads what is persisted.
fn check(disk: &FaultDisk, expected: &Dump) -> Server {
    let found = read_back(disk).unwrap();
    assert_eq!(found.checkpoint.unwrap().id, 2);
    assert_eq!(dump(&found.registry), *expected);
    assert!(found.effects > 0 && found.torn_tail.is_none());
    let mut server = Server::start(disk);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let load = server.checkpoints.load("ordered", "loaded", Kind::Hmap, false);
    runtime.block_on(load).unwrap();
    assert_eq!(server.dump()["loaded"].1, expected["ordered"].1);
    let loaded = server.engine.registry().by_name("loaded").unwrap().collection.id();
    server.exclusive(|txn| txn.drop_collection(loaded).unwrap());
    server
}
