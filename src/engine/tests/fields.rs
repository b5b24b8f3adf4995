//! Elements that die: found by the sweep, removed by effects, whatever form their container has; not seen where they
//! stay.

use super::Harness;
use crate::engine::effect::Effect;
use crate::engine::elements::expiry;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::KeyspaceTxn;
use crate::engine::scope::Scope;
use crate::page::container::Kind;
use crate::page::hash::HashOp;
use crate::page::mortal::Mortal;
use crate::page::packed::pack;
use crate::page::set::SetOp;
use crate::page::zset::{ZsetOp, pack_pairs};
use crate::wal::Lsn;

const KINDS: [Kind; 3] = [Kind::Hash, Kind::Set, Kind::Zset];

fn sweep(harness: &mut Harness) {
    let collection = harness.collection(DatabaseId::DEFAULT);
    for shard in collection.shards() {
        let (mut cursor, now_ms) = (0, harness.now_ms);
        loop {
            let mut dead = Vec::new();
            let next = shard.lock().index.sweep(cursor, 1, now_ms, &mut dead);
            let _pass = harness.worker.enter(&harness.engine);
            let mut scope = Scope::visiting(&harness.engine, &mut harness.worker);
            KeyspaceTxn::new(&mut scope, &collection).expire(&dead);
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
    }
}

/// How many elements there are by the entry itself, dead ones included.
fn elements_left(harness: &Harness) -> Option<u64> {
    let collection = harness.collection(DatabaseId::DEFAULT);
    let key = collection.key(b"k");
    let shard = collection.shard(collection.shard_of(key.hash)).lock();
    shard.index.get(key).map(|entry| entry.value().len())
}

/// How many elements a command sees.
fn elements_seen(harness: &mut Harness) -> Option<u64> {
    harness.with_keys(DatabaseId::DEFAULT, &[b"k"], |txn| {
        txn.peek(b"k").map(|entry| entry.value().len())
    })
}

/// A container of so many elements; the first of them die at a time.
fn fill(harness: &mut Harness, kind: Kind, count: u64, mortal: u64, dies_at_ms: u64) {
    let names: Vec<Vec<u8>> = (0..count).map(|n| format!("f{n}").into_bytes()).collect();
    let items: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let pairs = pack(items.iter().flat_map(|name| [*name, b"v"]));
    let members = pack(items.iter().copied());
    let scored = pack_pairs(items.iter().enumerate().map(|(score, name)| (score as f64, *name)));
    let timed = pack(items.iter().copied().take(mortal as usize));
    let key = b"k".as_slice();
    let made = match kind {
        Kind::Set => Effect::Set {
            key,
            op: SetOp::Add { members: &members },
        },
        Kind::Zset => Effect::Zset {
            key,
            op: ZsetOp::Add { members: &scored },
        },
        _ => Effect::Hash {
            key,
            op: HashOp::Set {
                pairs: &pairs,
                keeps_expiry: false,
            },
        },
    };
    harness.with_keys(DatabaseId::DEFAULT, &[b"k"], |txn| {
        txn.apply(&made);
        txn.apply(&expiry(kind, key, &timed, dies_at_ms));
    });
}

/// What is counted is what there is: how many containers have elements that die, and how many bytes there are.
fn check_counts(harness: &Harness, timed: u64) {
    let collection = harness.collection(DatabaseId::DEFAULT);
    let counted: u64 = collection.shards().iter().map(|shard| shard.lock().timed).sum();
    assert_eq!(
        (counted, harness.engine.meter().used_bytes()),
        (timed, collection.totals(Lsn::ZERO).bytes)
    );
}

#[test]
fn the_sweep_finds_dead_elements_of_small_and_big_containers() {
    for kind in KINDS {
        for count in [3_u64, 5000] {
            let mut harness = Harness::new(1);
            let (half, dies_at_ms) = (count / 2, harness.now_ms + 100);
            fill(&mut harness, kind, count, half, dies_at_ms);
            check_counts(&harness, 1);
            sweep(&mut harness);
            assert_eq!(elements_left(&harness), Some(count));
            harness.set_clock(dies_at_ms);
            // A long list goes in several turns.
            (0..5).for_each(|_| sweep(&mut harness));
            assert_eq!(elements_left(&harness), Some(count - half));
            check_counts(&harness, 0);
        }
    }
}

#[test]
fn where_all_are_dead_the_key_goes_at_once() {
    for kind in KINDS {
        for count in [3_u64, 5000] {
            let mut harness = Harness::new(1);
            let dies_at_ms = harness.now_ms + 100;
            fill(&mut harness, kind, count, count, dies_at_ms);
            harness.set_clock(dies_at_ms);
            sweep(&mut harness);
            assert_eq!(elements_left(&harness), None);
            check_counts(&harness, 0);
        }
    }
}

#[test]
fn a_look_at_members_removes_the_dead_ones_or_hides_them() {
    for kind in [Kind::Set, Kind::Zset] {
        for (count, mortal) in [(3_u64, 1), (5000, 2000), (3, 3), (5000, 5000)] {
            let mut harness = Harness::new(1);
            let dies_at_ms = harness.now_ms + 100;
            fill(&mut harness, kind, count, mortal, dies_at_ms);
            assert_eq!(elements_seen(&mut harness), Some(count));
            harness.set_clock(dies_at_ms);
            let alive = Some(count - mortal).filter(|alive| *alive > 0);
            // Nothing may change while writers are paused.
            harness.engine.hold_expiry(u64::MAX);
            for _ in 0..2 {
                assert_eq!(elements_seen(&mut harness), alive);
                let first = harness.with_keys(DatabaseId::DEFAULT, &[b"k"], |txn| {
                    txn.peek(b"k")
                        .and_then(|entry| Mortal::of(entry.value())?.expiry_of(b"f0"))
                });
                assert_eq!((first, elements_left(&harness)), (None, Some(count)));
            }
            check_counts(&harness, 1);
            harness.engine.hold_expiry(0);
            assert_eq!(elements_seen(&mut harness), alive);
            assert_eq!(elements_left(&harness), alive);
            check_counts(&harness, 0);
        }
    }
}
