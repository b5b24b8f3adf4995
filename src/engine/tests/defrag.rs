//! Passes of defragmentation beside changes: nothing of the data changes by them, nor what it takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::{Harness, Model};
use crate::engine::defrag::Defrag;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;

const KINDS: [Kind; 3] = [Kind::Hmap, Kind::Bdef, Kind::Bcust];

/// Changes to a database like those to its model.
fn change(harness: &mut Harness, (id, model): (DatabaseId, &mut Model), random: &mut SmallRng) {
    let key = format!("key:{}", random.random_range(0..5_000)).into_bytes();
    if random.random_bool(0.6) {
        let bytes = *[3, 30, 300, 5_000, 40_000].get(random.random_range(0..5)).unwrap();
        let expire_at_ms = random.random_bool(0.3).then_some(harness.now_ms + 1_000_000);
        let value = vec![b'v'; bytes];
        harness.put(id, &key, &value, expire_at_ms);
        model.insert(key, (value, expire_at_ms));
    } else {
        harness.with_keys(id, &[&key], |txn| txn.delete(&key));
        model.remove(&key);
    }
}

#[test]
fn passes_change_nothing() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut harness = Harness::of(&KINDS);
    let (engine, defrag) = (Arc::clone(&harness.engine), Defrag::default());
    let mut models: Vec<_> = KINDS.iter().map(|_| Model::new()).collect();
    let (mut fresh, begun) = (None, Instant::now());
    while defrag.passes() < 5 && begun.elapsed() < Duration::from_secs(60) {
        defrag.begin(100 << 20);
        for _ in 0..200 {
            let at = random.random_range(0..KINDS.len());
            change(&mut harness, (DatabaseId::new(at as u32), &mut models[at]), &mut random);
        }
        let again = defrag.take_part(&engine, &mut harness.worker, &mut fresh);
        assert!(again.is_some());
        assert_eq!(
            engine.meter().used_bytes(),
            harness.held_bytes() + engine.reaper().owed_bytes()
        );
    }
    assert_eq!(defrag.passes(), 5);
    // The system's allocator, of tests, gives old places out again at once.
    assert!(defrag.moved() > 100, "{} entries", defrag.moved());
    let over = defrag.take_part(&engine, &mut harness.worker, &mut fresh);
    assert!(over.is_none() && fresh.is_none());
    for (id, model) in (0..).map(DatabaseId::new).zip(&models) {
        assert!(harness.content(id) == *model);
    }
    harness.exclusive(DatabaseId::DEFAULT, |txn| txn.flush_all()).unwrap();
    harness.wait_for_used(harness.held_bytes());
}
