//! All collections emptied at once: what was looked at stays so, what was not touched stays what it is, and all of it
//! can be taken back.

use std::path::Path;
use std::sync::Arc;

use super::Harness;
use super::blocked::{self, Taken};
use crate::engine::collection::Collection;
use crate::engine::effect::{Effect, Placement, decode_all};
use crate::engine::error::CollectionError;
use crate::engine::ids::{CollectionId, DatabaseId};
use crate::engine::index::Kind;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::scope::Scope;
use crate::engine::tap::Change;
use crate::engine::watch::WatchFlag;
use crate::page::StrRef;
use crate::storage::fault::FaultDisk;
use crate::wal::{Lsn, Reader, Wal, WalOptions};

/// Collections of these kinds in databases of their own, and nothing in the first one.
const KINDS: [Kind; 5] = [Kind::Hmap, Kind::Hmap, Kind::Bdef, Kind::Bcust, Kind::Hmap];

fn database(number: u32) -> DatabaseId {
    DatabaseId::new(number)
}

/// A key in all but the first database, and in the last one only a watched key that is not there.
fn harness(wal: Wal) -> Harness {
    let mut harness = Harness::over(wal, &KINDS);
    (1..5).for_each(|number| harness.put(database(number), b"k", b"v", None));
    harness
}

fn watch(harness: &mut Harness, number: u32, key: &[u8]) -> WatchFlag {
    let flag = WatchFlag::default();
    let collection = harness.collection(database(number));
    let _pass = harness.worker.enter(&harness.engine);
    let mut scope = Scope::for_key(&harness.engine, &mut harness.worker, &collection, collection.key(key));
    scope.watch(&collection, key, &flag);
    flag
}

fn flush_all(harness: &mut Harness) {
    harness.exclusive(DatabaseId::DEFAULT, |txn| txn.flush_all()).unwrap();
}

/// A collection that is no data of this server, shown as `name`, with one key.
fn attach(harness: &mut Harness, name: &str) -> DatabaseId {
    let id = harness.engine.registry().next_collection_id().next();
    let placement = Placement {
        kind: Kind::Hmap,
        seed: 7,
        shard_bits: 1,
    };
    let attached = Arc::new(Collection::new(id, placement));
    harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.attach(name, &attached))
        .unwrap();
    let slot = harness.engine.registry().by_name(name).cloned();
    let id = slot.unwrap().id;
    harness.put(id, b"k", b"v", None);
    attached.carried().set_read_only();
    id
}

#[test]
fn those_who_watch_and_wait_in_several_stay() {
    let mut harness = harness(Wal::disabled(Lsn::FIRST));
    let taken = Taken::default();
    let present: Vec<_> = (1..4).map(|number| watch(&mut harness, number, b"k")).collect();
    let missing: Vec<_> = (1..4).map(|number| watch(&mut harness, number, b"new")).collect();
    for (number, name) in [(1, "one"), (2, "two"), (3, "three")] {
        blocked::enter(&mut harness, &taken, name, database(number), None);
    }
    flush_all(&mut harness);
    assert!(present.iter().all(WatchFlag::is_raised));
    assert!(!missing.iter().any(WatchFlag::is_raised));
    (1..5).for_each(|number| assert_eq!(harness.get(database(number), b"k"), None));
    // They are still there, also after the next one.
    flush_all(&mut harness);
    for number in 1..4 {
        harness.put(database(number), b"new", b"v", None);
        blocked::put(&mut harness, database(number), b"served");
    }
    assert!(missing.iter().all(WatchFlag::is_raised));
    let expected = ["one", "two", "three"].map(|name| (name, b"served".to_vec()));
    assert_eq!(*taken.lock(), expected);
}

#[test]
fn what_is_not_written_or_not_ours_stays_the_same() {
    let mut harness = harness(Wal::disabled(Lsn::FIRST));
    let attached = attach(&mut harness, "attached");
    let same = |harness: &Harness, id| Arc::downgrade(&harness.collection(id));
    let (unwritten, theirs) = (same(&harness, database(0)), same(&harness, attached));
    let ours = same(&harness, database(2));
    let changes = harness.engine.count(|all| all.changes.get());
    flush_all(&mut harness);
    assert!(unwritten.ptr_eq(&same(&harness, database(0))) && theirs.ptr_eq(&same(&harness, attached)));
    assert!(!ours.ptr_eq(&same(&harness, database(2))));
    assert!(harness.get(attached, b"k").is_some());
    assert_eq!(harness.engine.count(|all| all.changes.get()), changes + 4);
    // Each is found where it was, by its identity, too.
    for number in 1..5 {
        let collection = harness.collection(database(number));
        let registry = harness.engine.registry();
        let slot = registry.by_collection(collection.id()).unwrap();
        assert_eq!(
            (slot.id, collection.placement().kind),
            (database(number), KINDS[number as usize])
        );
    }
    let generation = harness.engine.generation();
    flush_all(&mut harness);
    assert_eq!(
        harness.engine.count(|all| all.changes.get()),
        changes + 4,
        "nothing to empty"
    );
    assert!(harness.engine.generation() >= generation);
    harness.wait_for_used(harness.held_bytes());
}

#[test]
fn counts_and_page_identities_go_on_in_each() {
    let mut harness = harness(Wal::disabled(Lsn::FIRST));
    for round in 1..4 {
        let pages: Vec<_> = (1..5)
            .map(|number| harness.collection(database(number)).page_ids().peek())
            .collect();
        flush_all(&mut harness);
        for (number, page) in (1..5).zip(pages) {
            let collection = harness.collection(database(number));
            assert_eq!(
                (collection.counts().writes, collection.page_ids().peek()),
                (round, page)
            );
            harness.put(database(number), b"k", b"v", None);
        }
    }
}

#[test]
fn one_that_is_emptied_over_and_over_is_no_chain() {
    const TIMES: u64 = 100_000;
    let mut harness = harness(Wal::disabled(Lsn::FIRST));
    let counts = |harness: &Harness| harness.collection(database(1)).counts().writes;
    let before = counts(&harness);
    // Within one command, so that the reaper has none of them before the end.
    let engine = Arc::clone(&harness.engine);
    harness.worker.with_exclusive(&engine, |kit, pass| {
        let mut scope = Scope::exclusive(&engine, kit, pass);
        let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
        for _ in 0..TIMES {
            let slot = txn.slot(database(1)).unwrap();
            txn.keys(&slot.collection).put_str(b"k", StrRef::Inline(b"v"), None);
            txn.flush_all().unwrap();
        }
        let counted = txn.slot(database(1)).unwrap().collection.counts();
        assert_eq!(counted.writes, before + TIMES);
    });
    assert_eq!(counts(&harness), before + TIMES);
    harness.wait_for_used(harness.held_bytes());
}

#[test]
fn what_is_kept_to_be_taken_back_has_a_limit() {
    let mut harness = harness(Wal::disabled(Lsn::FIRST));
    let used = harness.engine.meter().used_bytes();
    let engine = Arc::clone(&harness.engine);
    harness.worker.with_exclusive(&engine, |kit, pass| {
        let mut scope = Scope::exclusive(&engine, kit, pass);
        let failed = scope.attempt(|scope| {
            let mut txn = ExclusiveTxn::new(scope, DatabaseId::DEFAULT);
            for _ in 0..1_000_000 {
                let slot = txn.slot(database(1)).unwrap();
                txn.keys(&slot.collection).put_str(b"k", StrRef::Inline(b"w"), None);
                txn.flush_all()?;
            }
            Ok(())
        });
        assert!(
            matches!(failed, Err(CollectionError::TooMuchKept(256_000_000..300_000_000))),
            "{failed:?}"
        );
    });
    (1..5).for_each(|number| assert!(harness.get(database(number), b"k").is_some()));
    harness.wait_for_used(used);
    // Nothing is kept where nothing can be taken back.
    flush_all(&mut harness);
    harness.wait_for_used(harness.held_bytes());
}

/// Data of before is not counted: it would be there anyway.
#[test]
fn what_was_put_into_what_is_gone_is_kept_and_has_the_same_limit() {
    let mut harness = harness(Wal::disabled(Lsn::FIRST));
    let used = harness.engine.meter().used_bytes();
    let (engine, value) = (Arc::clone(&harness.engine), vec![b'x'; 20 << 20]);
    harness.worker.with_exclusive(&engine, |kit, pass| {
        let mut scope = Scope::exclusive(&engine, kit, pass);
        for name in [None, Some("made")] {
            let mut rounds = 0;
            let failed = scope.attempt(|scope| {
                let mut txn = ExclusiveTxn::new(scope, DatabaseId::DEFAULT);
                while rounds < 100 {
                    let slot = match name {
                        None => txn.slot(database(1)).unwrap(),
                        Some(name) => txn.create(None, name, Kind::Hmap)?,
                    };
                    txn.keys(&slot.collection).put_str(b"k", StrRef::Inline(&value), None);
                    match name {
                        None => txn.flush_all()?,
                        Some(_) => txn.drop_collection(slot.collection.id())?,
                    }
                    rounds += 1;
                }
                Ok(())
            });
            assert!(matches!(failed, Err(CollectionError::TooMuchKept(_))), "{failed:?}");
            assert!((10..16).contains(&rounds), "{name:?}: {rounds}");
        }
    });
    harness.wait_for_used(used);
}

#[test]
fn a_conversion_follows_the_one_it_has() {
    let mut harness = harness(Wal::disabled(Lsn::FIRST));
    let (followed, other) = (harness.collection(database(2)), harness.collection(database(3)));
    harness.engine.open_tap(&followed);
    harness.put(database(2), b"more", b"v", None);
    drop((followed, other));
    flush_all(&mut harness);
    let changes = harness.engine.tap().take().unwrap();
    assert!(matches!(changes.as_slice(), [Change::Flushed]), "{changes:?}");
    assert!(harness.collection(database(2)).traits().is_tapped());
    assert!(!harness.collection(database(3)).traits().is_tapped());
    harness.put(database(2), b"after", b"v", None);
    assert!(matches!(
        harness.engine.tap().take().unwrap().as_slice(),
        [Change::Keys(_)]
    ));
}

/// What a log has, but for changes of keys: in which record, and of which collection.
fn flushes_in(disk: &FaultDisk) -> Vec<(Lsn, CollectionId)> {
    let mut reader = Reader::open(Arc::new(disk.clone()), Path::new("log"), Lsn::FIRST).unwrap();
    let mut flushes = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        for decoded in decode_all(record.payload) {
            let (id, effect) = decoded.unwrap();
            if matches!(effect, Effect::CollectionFlush) {
                flushes.push((record.lsn, id));
            }
        }
    }
    flushes
}

#[test]
fn all_are_one_record_and_what_is_taken_back_is_in_none() {
    let disk = FaultDisk::new(1);
    let wal = Wal::open(Arc::new(disk.clone()), WalOptions::new("log"), Lsn::FIRST).unwrap();
    let mut harness = harness(wal.clone());
    attach(&mut harness, "attached");
    let ids: Vec<_> = (1..5).map(|number| harness.collection(database(number)).id()).collect();
    let (raised, missing) = (watch(&mut harness, 1, b"k"), watch(&mut harness, 2, b"new"));
    let (used, changes) = (
        harness.engine.meter().used_bytes(),
        harness.engine.count(|all| all.changes.get()),
    );
    let engine = Arc::clone(&harness.engine);
    harness.worker.with_exclusive(&engine, |kit, pass| {
        let mut scope = Scope::exclusive(&engine, kit, pass);
        let failed = scope.attempt(|scope| {
            let mut txn = ExclusiveTxn::new(scope, DatabaseId::DEFAULT);
            txn.flush_all().unwrap();
            let slot = txn.slot(database(1)).unwrap();
            txn.keys(&slot.collection).put_str(b"other", StrRef::Inline(b"w"), None);
            // Empties the one that was written meanwhile once more.
            txn.flush_all().unwrap();
            Err::<(), ()>(())
        });
        assert!(failed.is_err());
    });
    assert!(!raised.is_raised() && !missing.is_raised());
    assert_eq!(harness.engine.count(|all| all.changes.get()), changes);
    (1..5).for_each(|number| assert!(harness.get(database(number), b"k").is_some()));
    assert_eq!(harness.get(database(1), b"other"), None);
    harness.wait_for_used(used);
    let before = wal.last_lsn();
    flush_all(&mut harness);
    assert!(raised.is_raised() && !missing.is_raised());
    let flushed = wal.last_lsn();
    assert_eq!(flushed, before.next());
    drop((harness, engine));
    wal.close().unwrap();
    let expected: Vec<_> = ids.into_iter().map(|id| (flushed, id)).collect();
    assert_eq!(flushes_in(&disk), expected);
}

/// What an attempt changed is told when it stays, whatever became of another one within it, which knew who watches
/// that.
#[test]
fn who_watches_is_told_although_an_inner_attempt_was_taken_back() {
    let mut harness = harness(Wal::disabled(Lsn::FIRST));
    let [changed, flushed, kept] =
        [(1, b"k"), (2, b"k"), (3, b"k")].map(|(number, key)| watch(&mut harness, number, key));
    let engine = Arc::clone(&harness.engine);
    let put = |scope: &mut Scope<'_>, number, value: &[u8]| {
        let mut txn = ExclusiveTxn::new(scope, DatabaseId::DEFAULT);
        let slot = txn.slot(database(number)).unwrap();
        txn.keys(&slot.collection).put_str(b"k", StrRef::Inline(value), None);
    };
    harness.worker.with_exclusive(&engine, |kit, pass| {
        let mut scope = Scope::exclusive(&engine, kit, pass);
        let stayed = scope.attempt(|scope| {
            put(scope, 1, b"changed");
            let failed = scope.attempt(|scope| {
                put(scope, 3, b"changed");
                ExclusiveTxn::new(scope, DatabaseId::DEFAULT).flush_all().unwrap();
                Err::<(), ()>(())
            });
            assert!(failed.is_err());
            scope.attempt(|scope| {
                let mut txn = ExclusiveTxn::new(scope, DatabaseId::DEFAULT);
                let id = txn.slot(database(2)).unwrap().collection.id();
                txn.flush(id).unwrap();
                Ok::<(), ()>(())
            })
        });
        assert!(stayed.is_ok());
    });
    assert!(changed.is_raised() && flushed.is_raised() && !kept.is_raised());
}
