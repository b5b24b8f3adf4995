//! What the engine keeps count of, counted anew.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use lokikv::engine::Engine;
use lokikv::engine::collection::{Collection, ShardState};
use lokikv::page::entry::EntryRef;
use lokikv::page::kind::Kind;
use lokikv::page::value::ValueType;
use lokikv::page::{Packed, ValueRef};

/// The background has so long to drop what it was given.
const DROPPED_WITHIN: Duration = Duration::from_secs(5);

/// Panics where a count is wrong, or somebody who has left is still entered.
pub fn check(engine: &Engine) {
    let collections: Vec<_> = engine.registry().collections().cloned().collect();
    for collection in &collections {
        check_collection(collection);
    }
    let there: u64 = collections.iter().map(|collection| collection.bytes()).sum();
    let begun = Instant::now();
    while engine.meter().used_bytes() != there {
        let used = engine.meter().used_bytes();
        assert!(
            begun.elapsed() < DROPPED_WITHIN,
            "{used} bytes are counted, {there} are there"
        );
        std::thread::yield_now();
    }
}

fn check_collection(collection: &Collection) {
    for (number, shard) in collection.shards_if_any().iter().enumerate() {
        let state = &mut *shard.lock();
        check_shard(state);
        let mut keys = Vec::new();
        let _: ControlFlow<()> = state.index.for_each(|entry| {
            keys.push(entry.key().to_vec());
            ControlFlow::Continue(())
        });
        for key in keys {
            let key = collection.key(&key);
            assert_eq!(
                collection.shard_of(key.hash).index(),
                number,
                "a key in another's shard"
            );
            assert!(state.index.get(key).is_some(), "a key that is not found");
        }
    }
}

fn check_shard(state: &mut ShardState) {
    let (mut keys, mut expires, mut timed, mut bytes) = (0, 0, 0, 0);
    let _: ControlFlow<()> = state.index.for_each(|entry| {
        keys += 1;
        expires += u64::from(entry.expire_at_ms().is_some());
        timed += u64::from(entry.is_timed());
        bytes += entry.heap_bytes() as u64;
        check_value(entry);
        ControlFlow::Continue(())
    });
    assert_eq!(state.keys, keys, "keys");
    assert_eq!(state.expires, expires, "keys that expire");
    assert_eq!(state.timed, timed, "hashes with fields that expire");
    assert_eq!(state.entry_bytes, bytes, "bytes of entries");
    assert!(state.waiters.take().is_empty(), "somebody who has left still waits");
    assert!(state.watches.take().is_empty(), "somebody who has left still watches");
}

fn check_value(entry: EntryRef<'_>) {
    let value = entry.value();
    let checked = match value {
        ValueRef::Str(_) => Ok(()),
        ValueRef::Packed(kind, packed) => kind.check(packed),
        ValueRef::Big(big) => {
            let packed = big.pack();
            assert_eq!(
                big.kind().len(Packed::new(&packed)),
                big.len(),
                "elements of a big container"
            );
            big.kind().check(Packed::new(&packed))
        }
    };
    assert!(
        checked.is_ok(),
        "{:?}: {checked:?}",
        String::from_utf8_lossy(entry.key())
    );
    if let ValueType::Container(kind) = value.value_type() {
        assert!(value.len() > 0 || kind == Kind::Stream, "an empty {kind:?}");
    }
}
