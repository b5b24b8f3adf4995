//! `PERSIST` and `LOAD`: there and back, replaced as a whole or not at all.

use super::*;
use crate::checkpoint::{LoadDone, PersistDone};

const PERSISTED: &str = "/data/persist/default";

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn persist(server: &Server, name: &str) -> Result<PersistDone, String> {
    block(server.checkpoints.persist(name)).map_err(|error| error.to_string())
}

fn load(server: &Server, name: &str, as_name: &str, replace: bool) -> Result<LoadDone, String> {
    block(server.checkpoints.load(name, as_name, Kind::Hmap, replace)).map_err(|error| error.to_string())
}

fn filled(disk: &FaultDisk) -> Server {
    let mut server = Server::start(disk);
    for i in 0..700 {
        server.set(&format!("key:{i}"), &format!("value {i}"));
    }
    server.set("large", &"x".repeat(70_000));
    server.change(DatabaseId::DEFAULT, b"key:1", |txn| {
        txn.expire_at(b"key:1", Some(u64::MAX / 4))
    });
    server
}

#[test]
fn a_collection_goes_there_and_back_and_is_in_the_log() {
    let disk = FaultDisk::new(1);
    let mut server = filled(&disk);
    let before = server.dump()["default"].1.clone();
    let done = persist(&server, "default").unwrap();
    assert_eq!(done.entries, 701);
    server.set("key:0", "changed");
    server.change(DatabaseId::DEFAULT, b"key:2", |txn| txn.delete(b"key:2"));
    assert_eq!(load(&server, "default", "copy", false).unwrap().entries, 701);
    assert_eq!(server.dump()["copy"].1, before);
    let refused = load(&server, "default", "default", false).unwrap_err();
    assert!(refused.contains("REPLACE"), "{refused}");
    load(&server, "default", "default", true).unwrap();
    assert_eq!(server.dump()["default"], (0, before));
    // Durable when it returns, and part of checkpoints.
    let found = read_back(&disk.fork().crash()).unwrap();
    assert_eq!(dump(&found.registry), server.dump());
    server.checkpoints.checkpoint_blocking().unwrap();
    assert_eq!(dump(&read_back(&disk.crash()).unwrap().registry), server.dump());
}

#[test]
fn what_was_persisted_loads_into_every_kind() {
    let disk = FaultDisk::new(1);
    let mut server = filled(&disk);
    let before = server.dump()["default"].1.clone();
    for from in Kind::ALL {
        let name = if from == Kind::Hmap { "default" } else { from.name() };
        persist(&server, name).unwrap();
        for into in Kind::ALL {
            block(server.checkpoints.load(name, into.name(), into, true)).unwrap();
            assert!(server.dump()[into.name()].1 == before, "{from:?} into {into:?}");
            let slot = server.engine.registry().by_name(into.name()).cloned().unwrap();
            assert_eq!(slot.collection.placement().kind, into);
        }
    }
    // Replayed from the log, then read from a checkpoint.
    assert!(dump(&read_back(&disk.fork().crash()).unwrap().registry) == server.dump());
    for kind in Kind::ALL {
        let slot = server.engine.registry().by_name(kind.name()).cloned().unwrap();
        server.change(slot.id, b"key:3", |txn| txn.delete(b"key:3"));
    }
    server.checkpoints.checkpoint_blocking().unwrap();
    assert!(dump(&read_back(&disk.crash()).unwrap().registry) == server.dump());
}

#[test]
fn memory_figures_stay_exact_through_loads() {
    let disk = FaultDisk::new(1);
    let server = filled(&disk);
    persist(&server, "default").unwrap();
    for _ in 0..3 {
        load(&server, "default", "default", true).unwrap();
    }
    server.engine.reaper().stop();
    let slots: u64 = server
        .engine
        .registry()
        .slots()
        .map(|slot| slot.collection.totals(Lsn::ZERO).bytes)
        .sum();
    assert_eq!(server.engine.meter().used_bytes(), slots);
}

#[test]
fn names_and_missing_things_are_refused() {
    let disk = FaultDisk::new(1);
    let mut server = filled(&disk);
    for bad in ["", ".", "..", "a/b", "../x", "a\0b"] {
        assert!(
            persist(&server, bad).is_err() && load(&server, bad, "x", false).is_err(),
            "{bad:?}"
        );
    }
    assert!(persist(&server, "nobody").unwrap_err().contains("nobody"));
    assert!(load(&server, "nobody", "x", false).unwrap_err().contains("nobody"));
    server.exclusive(|txn| txn.create(None, "empty", Kind::Hmap).unwrap());
    assert_eq!(persist(&server, "empty").unwrap().entries, 0);
    assert_eq!(load(&server, "empty", "also empty", false).unwrap().entries, 0);
}

#[test]
fn a_power_cut_while_persisting_leaves_the_old_or_the_new_version() {
    let base = FaultDisk::new(3);
    let mut server = filled(&base);
    persist(&server, "default").unwrap();
    let old = server.dump()["default"].1.clone();
    server.set("key:0", "changed");
    server.sync();
    let new = server.dump()["default"].1.clone();
    server.checkpoints.stop();
    for nth in 0..24 {
        let disk = base.fork().kill();
        let server = Server::start(&disk);
        server.sync();
        disk.stop_at(nth);
        let acknowledged = persist(&server, "default").is_ok();
        let after = Server::start(&disk.crash());
        load(&after, "default", "back", false).unwrap_or_else(|error| panic!("operation {nth}: {error}"));
        let back = after.dump()["back"].1.clone();
        assert!(back == new || back == old && !acknowledged, "operation {nth}");
        persist(&after, "default").unwrap();
        assert_eq!(files_of_persisted(&after), 2, "operation {nth}");
    }
}

fn files_of_persisted(server: &Server) -> usize {
    server.checkpoints.shared.disk.list(Path::new(PERSISTED)).unwrap().len()
}

#[test]
fn a_power_cut_while_loading_leaves_what_was_there_or_all_of_it() {
    let base = FaultDisk::new(3);
    let mut server = filled(&base);
    persist(&server, "default").unwrap();
    server.set("key:0", "changed");
    server.sync();
    let before = server.dump();
    load(&server, "default", "default", true).unwrap();
    let after = server.dump();
    server.checkpoints.stop();
    let base = {
        // The same state, before the load.
        let disk = FaultDisk::new(3);
        let mut server = filled(&disk);
        persist(&server, "default").unwrap();
        server.set("key:0", "changed");
        server.sync();
        server.checkpoints.stop();
        disk
    };
    cut_everywhere(|nth| {
        let disk = base.fork().kill();
        let server = Server::start(&disk);
        server.sync();
        disk.stop_at(nth);
        let acknowledged = load(&server, "default", "default", true).is_ok();
        let disk = disk.crash();
        let found = dump(&read_back(&disk).unwrap().registry);
        assert!(found == after || found == before && !acknowledged, "operation {nth}");
        // Twice: the unfinished load is still in the log.
        let mut again = Server::start(&disk);
        again.set("x", "y");
        again.sync();
        assert_eq!(
            dump(&read_back(&disk.crash()).unwrap().registry),
            again.dump(),
            "operation {nth}"
        );
        found == after
    });
}

#[test]
fn damage_in_a_persisted_collection_is_refused_and_changes_nothing() {
    let disk = FaultDisk::new(3);
    let server = filled(&disk);
    persist(&server, "default").unwrap();
    let before = server.dump();
    for path in files(&disk, PERSISTED) {
        let len = disk.len(&path).unwrap();
        for offset in (0..len).step_by(1 + len as usize / 40) {
            disk.flip(&path, offset as usize, 4).unwrap();
            let error = load(&server, "default", "default", true).unwrap_err();
            assert!(
                error.contains(path.to_str().unwrap()) && error.contains("at byte"),
                "{error}"
            );
            disk.flip(&path, offset as usize, 4).unwrap();
        }
    }
    assert_eq!(server.dump(), before);
}
