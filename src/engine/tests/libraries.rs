//! Libraries through scopes: what they count, what is taken back, what does not fit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Harness;
use crate::engine::CollectionError;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::libraries::{Libraries, Library};
use crate::engine::reaper::LARGE_BYTES;
use crate::engine::scope::Scope;

fn exclusive<R>(harness: &mut Harness, body: impl FnOnce(&mut ExclusiveTxn<'_, '_>) -> R) -> R {
    harness.exclusive(DatabaseId::DEFAULT, body)
}

fn now(harness: &Harness) -> Arc<Libraries> {
    Arc::clone(harness.engine.registry().libraries())
}

fn codes(libraries: &Libraries) -> Vec<(&[u8], &[u8])> {
    libraries
        .iter()
        .map(|library| (&*library.name, &*library.code))
        .collect()
}

/// Runs `body` and takes back what it has done.
fn attempt(harness: &mut Harness, body: impl FnOnce(&mut ExclusiveTxn<'_, '_>)) {
    let engine = Arc::clone(&harness.engine);
    harness.worker.with_exclusive(&engine, |kit, gate| {
        let failed = Scope::exclusive(&engine, kit, gate).attempt(|scope| {
            body(&mut ExclusiveTxn::new(scope, DatabaseId::DEFAULT));
            Err::<(), ()>(())
        });
        assert!(failed.is_err());
    });
}

#[test]
fn they_count_as_used_memory_and_as_changes() {
    let mut harness = Harness::new(1);
    let (used, changes) = (
        harness.engine.meter().used_bytes(),
        harness.engine.count(|all| all.changes.get()),
    );
    let large = vec![b'-'; LARGE_BYTES + 1];
    exclusive(&mut harness, |txn| {
        txn.put_library(b"one", b"code").unwrap();
        txn.put_library(b"two", &large).unwrap();
        txn.put_library(b"two", b"short").unwrap();
        txn.put_library(b"three", &large).unwrap();
    });
    assert_eq!(harness.engine.count(|all| all.changes.get()), changes + 4);
    assert_eq!(harness.engine.meter().used_bytes(), used + now(&harness).bytes());
    assert!(now(&harness).bytes() > large.len() as u64 && now(&harness).bytes() < 2 * large.len() as u64);
    let gone = exclusive(&mut harness, |txn| txn.delete_library(b"four"));
    assert_eq!(gone, Err(CollectionError::NoLibrary((*b"four").into())));
    exclusive(&mut harness, |txn| {
        txn.delete_library(b"three").unwrap();
        txn.flush_libraries().unwrap();
        txn.flush_libraries().unwrap();
    });
    assert_eq!(harness.engine.count(|all| all.changes.get()), changes + 6);
    assert!(now(&harness).is_empty());
    assert_eq!(harness.engine.meter().used_bytes(), used);
}

#[test]
fn whoever_keeps_them_has_them_as_they_were_and_the_reaper_drops_what_is_flushed() {
    let mut harness = Harness::new(1);
    exclusive(&mut harness, |txn| txn.put_library(b"a", b"1").unwrap());
    let before = now(&harness);
    exclusive(&mut harness, |txn| txn.put_library(b"a", b"2").unwrap());
    assert_eq!(codes(&before), [(&b"a"[..], &b"1"[..])]);
    assert_ne!(before.changes(), now(&harness).changes());
    let library = Arc::downgrade(now(&harness).get(b"a").unwrap());
    exclusive(&mut harness, |txn| txn.flush_libraries().unwrap());
    let since = Instant::now();
    while library.upgrade().is_some() {
        assert!(since.elapsed() < Duration::from_secs(60), "it is kept");
        std::thread::yield_now();
    }
}

#[test]
fn a_flush_of_all_keys_leaves_them() {
    let mut harness = Harness::new(2);
    harness.put(DatabaseId::new(1), b"k", b"v", None);
    exclusive(&mut harness, |txn| txn.put_library(b"a", b"1").unwrap());
    let before = now(&harness).changes();
    exclusive(&mut harness, |txn| {
        txn.flush_all().unwrap();
        txn.swap(DatabaseId::new(0), DatabaseId::new(1)).unwrap();
    });
    assert_eq!(now(&harness).changes(), before);
    assert_eq!(now(&harness).len(), 1);
}

#[test]
fn what_is_done_to_them_is_taken_back() {
    let mut harness = Harness::new(1);
    exclusive(&mut harness, |txn| {
        txn.put_library(b"kept", b"kept").unwrap();
        txn.put_library(b"replaced", b"old").unwrap();
    });
    let bodies: [fn(&mut ExclusiveTxn<'_, '_>); 5] = [
        |txn| txn.put_library(b"replaced", b"new code").unwrap(),
        |txn| txn.put_library(b"new", b"new code").unwrap(),
        |txn| txn.delete_library(b"kept").unwrap(),
        |txn| txn.flush_libraries().unwrap(),
        |txn| {
            let restored = [Library::new(b"kept", b"other"), Library::new(b"x", b"y")].map(Arc::new);
            txn.put_libraries(&restored, true).unwrap();
            txn.flush_all().unwrap();
            txn.delete_library(b"x").unwrap();
        },
    ];
    for body in bodies {
        let (before, used) = (now(&harness), harness.engine.meter().used_bytes());
        let changes = harness.engine.count(|all| all.changes.get());
        let mut seen = 0;
        attempt(&mut harness, |txn| {
            body(txn);
            seen = txn.libraries().changes();
        });
        assert_ne!(
            seen,
            before.changes(),
            "a state that was there for a moment has a number of its own"
        );
        assert_eq!(codes(&now(&harness)), codes(&before));
        assert_eq!(now(&harness).changes(), before.changes());
        assert_eq!(now(&harness).next_number(), before.next_number());
        assert_eq!(harness.engine.count(|all| all.changes.get()), changes);
        assert_eq!(harness.engine.meter().used_bytes(), used);
        exclusive(&mut harness, |txn| txn.put_library(b"kept", b"kept").unwrap());
        assert_ne!(now(&harness).changes(), seen);
    }
}
