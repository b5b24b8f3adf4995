//! Fields that die: found by the sweep, removed by effects, whatever form their hash has.

use super::Harness;
use crate::engine::effect::Effect;
use crate::engine::ids::DatabaseId;
use crate::engine::keyspace::KeyspaceTxn;
use crate::engine::scope::Scope;
use crate::page::hash::{HashOp, HashRef};
use crate::page::packed::pack;
use crate::wal::Lsn;

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

fn fields_left(harness: &mut Harness) -> Option<u64> {
    harness.with_keys(DatabaseId::DEFAULT, &[b"h"], |txn| {
        let value = txn.peek(b"h")?.value();
        HashRef::of(value).map(|hash| hash.len())
    })
}

#[test]
fn the_sweep_finds_dead_fields_of_small_and_big_hashes() {
    for fields in [3_u64, 5000] {
        let mut harness = Harness::new(1);
        let names: Vec<Vec<u8>> = (0..fields).map(|n| format!("f{n}").into_bytes()).collect();
        let (half, _) = names.split_at(fields as usize / 2);
        let pairs = pack(names.iter().flat_map(|name| [name.as_slice(), b"v"]));
        let timed = pack(half.iter().map(Vec::as_slice));
        let dies_at_ms = harness.now_ms + 100;
        harness.with_keys(DatabaseId::DEFAULT, &[b"h"], |txn| {
            let op = HashOp::Set {
                pairs: &pairs,
                keeps_expiry: false,
            };
            txn.apply(&Effect::Hash { key: b"h", op });
            let op = HashOp::ExpireAt {
                fields: &timed,
                expire_at_ms: dies_at_ms,
            };
            txn.apply(&Effect::Hash { key: b"h", op });
        });
        sweep(&mut harness);
        assert_eq!(fields_left(&mut harness), Some(fields));
        harness.set_clock(dies_at_ms);
        // A long list goes in several turns.
        (0..5).for_each(|_| sweep(&mut harness));
        assert_eq!(fields_left(&mut harness), Some(fields - half.len() as u64));
        let collection = harness.collection(DatabaseId::DEFAULT);
        let timed: u64 = collection.shards().iter().map(|shard| shard.lock().timed).sum();
        assert_eq!(
            (timed, harness.engine.meter().used_bytes()),
            (0, collection.totals(Lsn::ZERO).bytes)
        );
    }
}
