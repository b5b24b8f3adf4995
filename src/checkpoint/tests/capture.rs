//! What changes between the instant and the walk is not in the checkpoint, whatever kind of change it is.

use std::sync::atomic::AtomicBool;

use super::super::capture::Capture;
use super::super::files::catalog::Catalog;
use super::super::files::format::ManifestKind;
use super::*;

fn fill(server: &mut Server) {
    for i in 0..3000 {
        server.set(&format!("key:{i}"), &format!("value {i}"));
    }
    server.set("large", &"x".repeat(100_000));
    server.change(DatabaseId::new(1), b"other", |txn| put(txn, b"other", b"1"));
    server.exclusive(|txn| txn.create(None, "named", Kind::Hmap).unwrap());
    let named = server.engine.registry().by_name("named").unwrap().id;
    for i in 0..50 {
        let key = format!("n{i}");
        server.change(named, key.as_bytes(), |txn| put(txn, key.as_bytes(), b"named"));
    }
}

/// Captures, changes with `change`, walks, publishes, reads back: the state before `change`.
fn survives(change: impl Fn(&mut Server)) {
    Kind::ALL.into_iter().for_each(|kind| survives_in(kind, &change));
}

fn survives_in(kind: Kind, change: impl FnOnce(&mut Server)) {
    let disk = FaultDisk::new(1);
    let mut server = Server::start_of(&disk, None, kind);
    fill(&mut server);
    let before = server.dump();
    let engine = Arc::clone(&server.engine);
    let mut catalog = Catalog::open(Arc::new(disk.clone()), CHECKPOINTS.into()).unwrap();
    let id = catalog.take_id();
    let mut file = catalog.create_page_file(id).unwrap();
    let mut walker = engine.worker().unwrap();
    let mut capture = Capture::begin(&engine, &mut walker, None);
    let lsn = capture.lsn;
    change(&mut server);
    capture.walk(&walker, &mut file, &AtomicBool::new(false)).unwrap();
    let mut manifest = capture.into_manifest(ManifestKind::Checkpoint, (id, 0), &file);
    file.finish().unwrap();
    catalog.publish(&mut manifest).unwrap();
    let found = read_back(&disk).unwrap();
    assert_eq!(dump(&found.registry), before);
    assert_eq!(found.next_lsn, lsn.next());
    assert_eq!(found.keys, 3052);
}

#[test]
fn writes_and_splits_during_the_walk() {
    survives(|server| {
        for i in 0..9000 {
            server.set(&format!("key:{i}"), "changed");
        }
        server.change(DatabaseId::DEFAULT, b"large", |txn| {
            txn.write_range(b"large", 50_000, b"changed")
        });
        for i in (0..9000).step_by(2) {
            let key = format!("key:{i}");
            server.change(DatabaseId::DEFAULT, key.as_bytes(), |txn| txn.delete(key.as_bytes()));
        }
    });
}

#[test]
fn flush_during_the_walk() {
    survives(|server| {
        let id = server.default_id();
        server.exclusive(|txn| txn.flush(id).unwrap());
        for i in 0..500 {
            server.set(&format!("key:{i}"), "after the flush");
        }
    });
}

#[test]
fn drop_swap_and_rename_during_the_walk() {
    survives(|server| {
        let named = server.engine.registry().by_name("named").unwrap().collection.id();
        let first = server.default_id();
        server.exclusive(|txn| {
            txn.swap(DatabaseId::DEFAULT, DatabaseId::new(1)).unwrap();
            txn.drop_collection(named).unwrap();
        });
        server.exclusive(|txn| txn.create(None, "named", Kind::Hmap).unwrap());
        for i in 0..500 {
            let key = format!("key:{i}");
            server.change(DatabaseId::new(1), key.as_bytes(), |txn| {
                put(txn, key.as_bytes(), b"swapped")
            });
        }
        server.exclusive(|txn| txn.drop_collection(first).unwrap());
    });
}

#[test]
fn a_stop_gives_up_the_walk_and_the_next_one_is_whole() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start_with(&disk, None);
    fill(&mut server);
    let engine = Arc::clone(&server.engine);
    let mut catalog = Catalog::open(Arc::new(disk.clone()), CHECKPOINTS.into()).unwrap();
    let id = catalog.take_id();
    let mut file = catalog.create_page_file(id).unwrap();
    let mut walker = engine.worker().unwrap();
    let mut capture = Capture::begin(&engine, &mut walker, None);
    assert!(capture.walk(&walker, &mut file, &AtomicBool::new(true)).is_err());
    drop(capture);
    catalog.discard(id);
    server.set("later", "1");
    server.checkpoints.checkpoint_blocking().unwrap();
    assert_eq!(dump(&read_back(&disk).unwrap().registry), server.dump());
}
