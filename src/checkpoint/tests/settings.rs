//! Settings of collections are durable, by the log and by checkpoints; a cache is there afterwards, and empty.

use super::*;
use crate::engine::effect::decode_all;
use crate::engine::eviction::Policy;
use crate::engine::ids::DatabaseId;
use crate::engine::settings::{FsyncClass, Settings};
use crate::wal::Reader;

const CACHE: Settings = Settings {
    max_bytes: 1 << 30,
    fsync: FsyncClass::No,
    is_cache: true,
    policy: Some(Policy::VolatileTtl),
};

fn configure(server: &mut Server, database: DatabaseId, settings: Settings) {
    server.exclusive(|txn| {
        let id = txn.slot(database).unwrap().collection.id();
        txn.configure(id, settings).unwrap();
    });
}

fn settings_of(registry: &Registry, database: DatabaseId) -> Settings {
    registry.slot(database).unwrap().collection.settings()
}

fn put_in(server: &mut Server, database: DatabaseId, key: &str) {
    server.change(database, key.as_bytes(), |txn| put(txn, key.as_bytes(), b"v"));
}

fn keys_in(registry: &Registry, database: DatabaseId) -> u64 {
    registry.slot(database).unwrap().collection.key_count()
}

#[test]
fn settings_and_an_empty_cache_come_back() {
    for checkpointed in [false, true] {
        let disk = FaultDisk::new(1);
        let mut server = Server::start(&disk);
        put_in(&mut server, DatabaseId::DEFAULT, "kept");
        put_in(&mut server, DatabaseId::new(1), "before");
        configure(&mut server, DatabaseId::new(1), CACHE);
        put_in(&mut server, DatabaseId::new(1), "unlogged");
        if checkpointed {
            server.checkpoints.checkpoint_blocking().unwrap();
            put_in(&mut server, DatabaseId::new(1), "after");
        }
        server.sync();
        assert_eq!(
            keys_in(&server.engine.registry(), DatabaseId::new(1)),
            if checkpointed { 3 } else { 2 }
        );
        let found = read_back(&disk.crash()).unwrap();
        assert_eq!(settings_of(&found.registry, DatabaseId::new(1)), CACHE);
        assert_eq!(settings_of(&found.registry, DatabaseId::DEFAULT), Settings::default());
        assert_eq!(
            (
                keys_in(&found.registry, DatabaseId::DEFAULT),
                keys_in(&found.registry, DatabaseId::new(1))
            ),
            (1, 0)
        );
        let held: u64 = found.registry.slots().map(|slot| slot.collection.bytes()).sum();
        assert_eq!(found.data_bytes, held);
    }
}

#[test]
fn keys_of_a_cache_are_not_in_the_log() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    configure(&mut server, DatabaseId::new(1), CACHE);
    let before = server.engine.wal().last_lsn();
    for i in 0..100 {
        put_in(&mut server, DatabaseId::new(1), &format!("key {i}"));
    }
    assert_eq!(server.engine.wal().last_lsn(), before);
    put_in(&mut server, DatabaseId::DEFAULT, "kept");
    server.sync();
    let mut reader = Reader::open(Arc::new(disk.clone()), Path::new(LOG), before.next()).unwrap();
    let mut effects = 0;
    while let Some(record) = reader.next().unwrap() {
        effects += decode_all(record.payload).count();
    }
    assert_eq!(effects, 1);
}

#[test]
fn a_cache_that_is_kept_again_begins_empty_on_disk_too() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    put_in(&mut server, DatabaseId::new(1), "logged before");
    configure(&mut server, DatabaseId::new(1), CACHE);
    server.change(DatabaseId::new(1), b"logged before", |txn| txn.delete(b"logged before"));
    configure(&mut server, DatabaseId::new(1), Settings::default());
    put_in(&mut server, DatabaseId::new(1), "logged after");
    server.sync();
    let found = read_back(&disk.fork().crash()).unwrap();
    assert_eq!(dump(&found.registry), server.dump());
    server.checkpoints.checkpoint_blocking().unwrap();
    assert_eq!(dump(&read_back(&disk.crash()).unwrap().registry), server.dump());
}

#[test]
fn a_cache_is_persisted_exactly_when_asked_for_by_name() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    configure(&mut server, DatabaseId::DEFAULT, CACHE);
    for i in 0..500 {
        put_in(&mut server, DatabaseId::DEFAULT, &format!("key {i}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let persisted = runtime.block_on(server.checkpoints.persist("default")).unwrap();
    assert_eq!(persisted.entries, 500);
    runtime
        .block_on(
            server
                .checkpoints
                .load("default", "copy", crate::engine::index::Kind::Hmap, false),
        )
        .unwrap();
    assert_eq!(server.dump()["copy"].1, server.dump()["default"].1);
}

#[test]
fn the_used_bytes_of_a_limit_are_exact() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    put_in(&mut server, DatabaseId::DEFAULT, "one");
    let limit = Settings {
        max_bytes: 1,
        ..Settings::default()
    };
    configure(&mut server, DatabaseId::DEFAULT, limit);
    for i in 0..300 {
        put_in(&mut server, DatabaseId::DEFAULT, &format!("key {}", i % 200));
        if i % 3 == 0 {
            server.change(DatabaseId::DEFAULT, b"key 7", |txn| txn.delete(b"key 7"));
        }
        let collection = Arc::clone(&server.engine.registry().slot(DatabaseId::DEFAULT).unwrap().collection);
        assert_eq!(collection.carried().over_limit(), Some((collection.bytes(), 1)));
    }
    // Also after a restart.
    server.sync();
    let found = read_back(&disk.crash()).unwrap();
    let engine = Engine::new(found.registry, Wal::disabled(found.next_lsn), 1, found.data_bytes).unwrap();
    assert!(engine.is_restricted());
    let collection = Arc::clone(&engine.registry().slot(DatabaseId::DEFAULT).unwrap().collection);
    assert_eq!(collection.carried().over_limit(), Some((collection.bytes(), 1)));
}
