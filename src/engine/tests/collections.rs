//! Many collections: none is passed over, nothing takes longer because there are others, and the reaper alone drops
//! them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Harness;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::memory::Margin;
use crate::engine::walker::{Step, Walker};

/// So many collections, one key in each.
fn many(count: usize) -> Harness {
    let mut harness = Harness::new(1);
    for number in 0..count {
        let name = format!("c{number}");
        let slot = harness
            .exclusive(DatabaseId::DEFAULT, |txn| txn.create(None, &name, Kind::Bdef))
            .unwrap();
        harness.put(slot.id, b"k", b"v", None);
    }
    harness
}

#[test]
fn a_walk_that_is_broken_off_all_the_time_comes_to_every_collection() {
    let harness = many(300);
    let mut walker = Walker::default();
    let mut seen = BTreeSet::new();
    let mut stayed = 0;
    for _ in 0..2_000 {
        if let Step::Shard(collection, shard) = walker.next(&harness.engine) {
            seen.insert(collection.id());
            // One has more to do than fits its time, once.
            if stayed == 0 {
                walker.stay(shard);
                stayed += 1;
            }
        }
    }
    // The default database has no shards: nothing was ever written to it.
    assert_eq!(seen.len(), 300);
}

#[test]
fn a_walk_goes_on_behind_a_collection_that_has_gone() {
    let mut harness = many(3);
    let mut walker = Walker::default();
    let Step::Shard(first, _) = walker.next(&harness.engine) else {
        panic!("there are three");
    };
    harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.drop_collection(first.id()))
        .unwrap();
    let mut next = || match walker.next(&harness.engine) {
        Step::Shard(collection, _) => Some(collection.id()),
        Step::Around => None,
    };
    assert!(next() > Some(first.id()) && next() > Some(first.id().next()));
    assert_eq!(next(), None);
    assert!(next() > Some(first.id()));
}

#[test]
fn what_a_thread_still_reads_is_dropped_by_the_reaper_when_it_lets_go() {
    let mut harness = many(1);
    (0..20_000_u32).for_each(|number| harness.put(DatabaseId::DEFAULT, &number.to_le_bytes(), b"v", None));
    let collection = harness.collection(DatabaseId::DEFAULT);
    let (id, used) = (collection.id(), harness.engine.meter().used_bytes());
    harness.exclusive(DatabaseId::DEFAULT, |txn| txn.flush(id)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(harness.engine.meter().used_bytes(), used, "it is still there");
    assert!(
        Arc::strong_count(&collection) > 1,
        "the reaper has it, too: this thread will not be the last"
    );
    drop(collection);
    harness.wait_for_used(harness.held_bytes());
}

#[test]
fn what_is_on_its_way_back_is_no_reason_to_refuse() {
    let mut harness = many(1);
    (0..20_000_u32).for_each(|number| harness.put(DatabaseId::DEFAULT, &number.to_le_bytes(), b"v", None));
    let collection = harness.collection(DatabaseId::DEFAULT);
    let used = harness.engine.meter().used_bytes();
    let (max, engine) = (used / 2, Arc::clone(&harness.engine));
    assert_eq!(engine.margin(max, 0), Margin::None, "all of it is data");
    assert_eq!(
        (engine.margin(0, 0), engine.margin(used, 0)),
        (Margin::Some, Margin::Some)
    );
    harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.flush(collection.id()))
        .unwrap();
    for _ in 0..50 {
        assert_eq!(engine.margin(max, 0), Margin::Soon);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(engine.margin(max, max + 1), Margin::None, "that is not enough");
    drop(collection);
    harness.wait_for_used(harness.held_bytes());
    while engine.reaper().owed_bytes() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(engine.margin(max, 0), Margin::Some);
}

#[test]
fn large_values_on_their_way_back_are_known() {
    let mut harness = many(1);
    for round in 0..20 {
        harness.put(DatabaseId::DEFAULT, b"large", &vec![7; 3 << 20], None);
        assert_ne!(harness.engine.margin(4 << 20, 0), Margin::None, "round {round}");
    }
    harness.wait_for_used(harness.held_bytes());
}

#[test]
fn counts_go_on_when_a_collection_is_emptied() {
    let mut harness = Harness::new(1);
    for round in 1..4 {
        harness.put(DatabaseId::DEFAULT, b"k", b"v", None);
        assert_eq!(harness.collection(DatabaseId::DEFAULT).counts().writes, round);
        harness.exclusive(DatabaseId::DEFAULT, |txn| txn.flush_all()).unwrap();
        assert_eq!(harness.collection(DatabaseId::DEFAULT).counts().writes, round);
    }
}

/// How long it takes to make, write to, empty and drop so many collections.
fn life_of(count: usize) -> Duration {
    let mut harness = many(count);
    let started = Instant::now();
    harness.exclusive(DatabaseId::DEFAULT, |txn| txn.flush_all()).unwrap();
    let ids: Vec<_> = harness
        .engine
        .registry()
        .slots()
        .map(|slot| slot.collection.id())
        .collect();
    assert_eq!(harness.held_bytes(), 0);
    for id in ids.into_iter().skip(1) {
        harness
            .exclusive(DatabaseId::DEFAULT, |txn| txn.rename(id, &format!("r{id}")))
            .unwrap();
        harness
            .exclusive(DatabaseId::DEFAULT, |txn| txn.drop_collection(id))
            .unwrap();
    }
    started.elapsed()
}

#[test]
fn twenty_times_as_many_collections_take_some_twenty_times_as_long() {
    let few = (0..3).map(|_| life_of(200)).min().unwrap_or_default();
    let many = (0..3).map(|_| life_of(4_000)).min().unwrap_or_default();
    // Some 400 times, if each had to be looked for among all.
    assert!(many < few * 100, "200: {few:?}, 4,000: {many:?}");
}

#[test]
fn slots_that_exchange_their_names_are_found_by_them() {
    let mut harness = many(2);
    let ids = ["c0", "c1"].map(|name| harness.engine.registry().by_name(name).unwrap().collection.id());
    for (id, name) in [(ids[0], "c1"), (ids[1], "c0")] {
        harness
            .exclusive(DatabaseId::DEFAULT, |txn| txn.rename(id, name))
            .unwrap();
    }
    for (id, name) in [(ids[0], "c1"), (ids[1], "c0")] {
        assert_eq!(harness.engine.registry().by_name(name).unwrap().collection.id(), id);
    }
}
