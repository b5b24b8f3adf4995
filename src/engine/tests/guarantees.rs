//! What walks, random picks and changes of collections promise, whatever else happens meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{Harness, START_MS};
use crate::engine::garbage::Garbage;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::wal::Lsn;

fn steady(number: usize) -> Vec<u8> {
    format!("steady:{number}").into_bytes()
}

/// Walks the whole collection, running `between` between the calls.
fn scan_all(harness: &mut Harness, count: usize, mut between: impl FnMut(&mut Harness)) -> BTreeMap<Vec<u8>, usize> {
    let mut seen = BTreeMap::new();
    let mut cursor = 0;
    loop {
        cursor = harness.keyspace(DatabaseId::DEFAULT, |txn| {
            txn.scan(cursor, count, |entry| {
                *seen.entry(entry.key().to_vec()).or_default() += 1
            })
        });
        if cursor == 0 {
            return seen;
        }
        between(harness);
    }
}

#[test]
fn a_scan_sees_what_stays() {
    Kind::ALL.into_iter().for_each(a_scan_sees_what_stays_in);
}

fn a_scan_sees_what_stays_in(kind: Kind) {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    for (keys, churn) in [(10, 3), (1_000, 40), (5_000, 400)] {
        let mut harness = Harness::of(&[kind]);
        (0..keys).for_each(|number| harness.put(DatabaseId::DEFAULT, &steady(number), b"v", None));
        let mut next = 0_u32;
        let count = random.random_range(1..60);
        let seen = scan_all(&mut harness, count, |harness| {
            // Fewer than the walk visits, or it might never come to an end.
            for _ in 0..random.random_range(0..churn.min(count + 1)) {
                // Growth splits pages under the walk; deletions leave holes in them.
                let passing = format!("passing:{next}").into_bytes();
                harness.put(DatabaseId::DEFAULT, &passing, b"v", None);
                let victim = format!("passing:{}", random.random_range(0..=next)).into_bytes();
                harness.with_keys(DatabaseId::DEFAULT, &[&victim], |txn| txn.delete(&victim));
                next += u32::from(random.random_bool(0.8));
            }
        });
        let missed: Vec<_> = (0..keys).map(steady).filter(|key| !seen.contains_key(key)).collect();
        assert!(missed.is_empty(), "{} of {keys} keys missed", missed.len());
    }
}

#[test]
fn a_quiet_scan_sees_each_key_once() {
    Kind::ALL.into_iter().for_each(a_quiet_scan_sees_each_key_once_in);
}

fn a_quiet_scan_sees_each_key_once_in(kind: Kind) {
    let mut harness = Harness::of(&[kind]);
    (0..20_000).for_each(|number| harness.put(DatabaseId::DEFAULT, &steady(number), b"v", None));
    for count in [1_000, 7, 100_000] {
        let seen = scan_all(&mut harness, count, |_| {});
        assert_eq!(seen.len(), 20_000);
        assert!(seen.values().all(|times| *times == 1), "COUNT {count}");
    }
}

#[test]
fn scans_and_walks_skip_the_dead() {
    Kind::ALL.into_iter().for_each(scans_and_walks_skip_the_dead_in);
}

fn scans_and_walks_skip_the_dead_in(kind: Kind) {
    let mut harness = Harness::of(&[kind]);
    for number in 0..1_000 {
        let expire_at_ms = (number % 2 == 0).then_some(START_MS + 5);
        harness.put(DatabaseId::DEFAULT, &steady(number), b"v", expire_at_ms);
    }
    harness.set_clock(START_MS + 5);
    assert_eq!(scan_all(&mut harness, 10, |_| {}).len(), 500);
    assert_eq!(harness.collection(DatabaseId::DEFAULT).key_count(), 500);
}

/// Chi-square of the picks against equal chances, for `keys` keys.
fn chi_square(harness: &mut Harness, keys: usize, picks: usize) -> f64 {
    let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for _ in 0..picks {
        let key = harness.keyspace(DatabaseId::DEFAULT, |txn| txn.random_key()).unwrap();
        *counts.entry(key).or_default() += 1;
    }
    assert!(counts.len() <= keys);
    let expected = picks as f64 / keys as f64;
    let seen: f64 = counts
        .values()
        .map(|count| (*count as f64 - expected).powi(2) / expected)
        .sum();
    seen + (keys - counts.len()) as f64 * expected
}

#[test]
fn random_keys_are_fair() {
    Kind::ALL.into_iter().for_each(random_keys_are_fair_in);
}

fn random_keys_are_fair_in(kind: Kind) {
    for keys in [1, 2, 100, 2_000] {
        let mut harness = Harness::of(&[kind]);
        // Holes, so that pages differ in how full they are.
        (0..3 * keys).for_each(|number| harness.put(DatabaseId::DEFAULT, &steady(number), b"v", None));
        for number in keys..3 * keys {
            let key = steady(number);
            harness.with_keys(DatabaseId::DEFAULT, &[&key], |txn| txn.delete(&key));
        }
        let chi = chi_square(&mut harness, keys, 40 * keys);
        let freedom = (keys - 1) as f64;
        // Six standard deviations above the mean: one false alarm in hundreds of millions of runs.
        let bound = freedom + 6.0 * (2.0 * freedom).sqrt() + 10.0;
        assert!(chi <= bound, "{keys} keys: chi-square {chi:.0}, bound {bound:.0}");
    }
}

#[test]
fn a_random_key_is_never_dead() {
    Kind::ALL.into_iter().for_each(a_random_key_is_never_dead_in);
}

fn a_random_key_is_never_dead_in(kind: Kind) {
    let mut harness = Harness::of(&[kind]);
    (0..200).for_each(|number| harness.put(DatabaseId::DEFAULT, &steady(number), b"v", Some(START_MS + 5)));
    harness.put(DatabaseId::DEFAULT, b"alive", b"v", None);
    harness.set_clock(START_MS + 6);
    assert_eq!(
        harness.keyspace(DatabaseId::DEFAULT, |txn| txn.random_key()).as_deref(),
        Some(&b"alive"[..])
    );
    harness.with_keys(DatabaseId::DEFAULT, &[b"alive"], |txn| txn.delete(b"alive"));
    assert_eq!(harness.keyspace(DatabaseId::DEFAULT, |txn| txn.random_key()), None);
}

#[test]
fn collections_come_and_go() {
    let mut harness = Harness::new(2);
    let users = harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.create(None, "users", Kind::Hmap))
        .unwrap();
    assert_eq!(users.id, DatabaseId::NAMED_FIRST);
    assert!(
        harness
            .exclusive(DatabaseId::DEFAULT, |txn| txn.create(None, "users", Kind::Hmap))
            .is_err()
    );
    harness.put(users.id, b"k", b"users", None);
    harness.put(DatabaseId::DEFAULT, b"k", b"default", None);
    let id = users.collection.id();
    harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.rename(id, "people"))
        .unwrap();
    assert!(harness.engine.registry().by_name("users").is_none());
    harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.swap(DatabaseId::DEFAULT, users.id))
        .unwrap();
    // Names stay with the slots.
    assert_eq!(
        &*harness.engine.registry().slot(users.id).cloned().unwrap().name,
        "people"
    );
    assert_eq!(harness.get(DatabaseId::DEFAULT, b"k").unwrap().0, b"users");
    assert_eq!(harness.get(users.id, b"k").unwrap().0, b"default");
    let id = harness.collection(users.id).id();
    harness
        .exclusive(DatabaseId::DEFAULT, |txn| txn.drop_collection(id))
        .unwrap();
    assert!(harness.engine.registry().slot(users.id).is_none());
    assert!(
        harness
            .exclusive(DatabaseId::DEFAULT, |txn| txn.drop_collection(id))
            .is_err()
    );
    // Neither a dropped collection's identity nor that of a living one is handed out again.
    let ids: BTreeSet<_> = ["a", "b"]
        .map(|name| {
            harness
                .exclusive(DatabaseId::DEFAULT, |txn| txn.create(None, name, Kind::Hmap))
                .unwrap()
                .collection
                .id()
        })
        .into();
    assert!(ids.len() == 2 && !ids.contains(&id) && !ids.contains(&harness.collection(DatabaseId::DEFAULT).id()));
}

/// A reply that shows a flush, or a swap, waits for its record: the pages that would tell of it are gone, or as old as
/// before.
#[test]
fn a_look_at_a_key_depends_on_changes_of_the_registry() {
    let mut harness = Harness::new(2);
    let mut other = harness.engine.worker().unwrap();
    harness.put(DatabaseId::DEFAULT, b"key", b"v", None);
    let id = harness.collection(DatabaseId::DEFAULT).id();
    harness.exclusive(DatabaseId::DEFAULT, |txn| txn.flush(id)).unwrap();
    let flushed = harness.worker.take_dependencies().written;
    std::mem::swap(&mut harness.worker, &mut other);
    assert_eq!(harness.get(DatabaseId::DEFAULT, b"key"), None);
    let owed = harness.worker.take_dependencies();
    assert_eq!((owed.seen, owed.observed), (flushed, flushed));

    let one = DatabaseId::new(1);
    harness.put(one, b"key", b"v", None);
    harness
        .exclusive(one, |txn| txn.swap(DatabaseId::DEFAULT, one))
        .unwrap();
    let swapped = harness.worker.take_dependencies().written;
    std::mem::swap(&mut harness.worker, &mut other);
    assert!(harness.get(DatabaseId::DEFAULT, b"key").is_some());
    assert_eq!(harness.worker.take_dependencies().seen, swapped);
}

#[test]
fn after_a_mass_deletion_walks_and_picks_cost_what_is_left() {
    const KEYS: usize = 60_000;
    let mut harness = Harness::new(1);
    (0..KEYS).for_each(|number| harness.put(DatabaseId::DEFAULT, &steady(number), b"v", None));
    let pages = |harness: &Harness| harness.collection(DatabaseId::DEFAULT).totals(Lsn::ZERO).pages;
    let before = pages(&harness);
    for number in 100..KEYS {
        let key = steady(number);
        harness.with_keys(DatabaseId::DEFAULT, &[&key], |txn| txn.delete(&key));
    }
    let left = pages(&harness);
    assert_eq!(left, 64, "one for each shard, of {before}");
    let mut seen = BTreeSet::new();
    for _ in 0..2_000 {
        seen.insert(harness.keyspace(DatabaseId::DEFAULT, |txn| txn.random_key()).unwrap());
    }
    assert!(seen.len() > 90, "{} of 100 keys drawn", seen.len());
    // A call looks at no more than ten pages for each entry that it was asked for.
    let mut calls = 0;
    scan_all(&mut harness, 1, |_| calls += 1);
    assert!(calls >= 64 / 10, "{calls} calls");
}

#[test]
fn what_pages_and_directories_leave_behind_is_freed_once_all_have_passed() {
    let mut harness = Harness::new(1);
    (0..40_000).for_each(|number| harness.put(DatabaseId::DEFAULT, &steady(number), b"v", None));
    let full = harness.engine.meter().used_bytes();
    (0..40_000).for_each(|number| {
        let key = steady(number);
        harness.with_keys(DatabaseId::DEFAULT, &[&key], |txn| txn.delete(&key));
    });
    let engine = harness.engine.clone();
    let other = engine.worker().unwrap();
    let mut garbage = Garbage::default();
    let collection = harness.collection(DatabaseId::DEFAULT);
    let pass = other.enter(&engine);
    for shard in collection.shards() {
        garbage.gather(&collection, shard);
    }
    let cell = harness.worker.cell();
    let freed: usize = (0..3).map(|_| garbage.free(&engine, cell)).sum();
    assert_eq!(freed, 0);
    let kept = engine.meter().used_bytes() - harness.held_bytes();
    assert!(kept > 100_000, "{kept} bytes wait for a thread that may look at them");
    drop(pass);
    garbage.free(&engine, cell);
    assert_eq!(engine.meter().used_bytes(), harness.held_bytes());
    assert!(engine.meter().used_bytes() < full / 5);
}
