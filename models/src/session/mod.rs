//! Held shards: requests that go from one shard to another, beside others that lock both.

#[path = "../../../src/session/held.rs"]
mod held;

use std::convert::Infallible;
use std::sync::Arc;

use loom::thread;

use self::held::HeldShard;
use crate::engine::collection::Collection;
use crate::engine::gate::Gate;

struct Guarded {
    gate: Gate,
    collection: Collection,
}

type Requests = fn(&mut HeldShard<'_>, &Collection);

/// A request on one key: its shard stays locked for the next.
fn on_one(held: &mut HeldShard<'_>, collection: &Collection, shard: usize) {
    let own = held.collection(collection).expect("it was made for this one");
    let Ok(state) = held.lock(own, shard, |shard| Ok::<_, Infallible>(shard.lock()));
    state.touch();
}

/// A request on keys of both shards, which it locks in order.
fn on_both(held: &mut HeldShard<'_>, collection: &Collection) {
    held.release();
    let (first, second) = (collection.shard(0).lock(), collection.shard(1).lock());
    first.touch();
    second.touch();
}

impl Guarded {
    /// Runs a chunk of requests.
    fn chunk(&self, cell: usize, requests: Requests) {
        let _pass = self.gate.enter(cell);
        let mut held = HeldShard::of(Some(&self.collection));
        requests(&mut held, &self.collection);
    }
}

/// Runs two chunks at once, and then one of them wants to work alone.
fn beside(one: Requests, other: Requests) {
    crate::check(move || {
        let guarded = Arc::new(Guarded {
            gate: Gate::new(2),
            collection: Collection::new(),
        });
        let shared = Arc::clone(&guarded);
        let worker = thread::spawn(move || shared.chunk(1, other));
        guarded.chunk(0, one);
        let alone = guarded.gate.exclusive();
        guarded.collection.touch_unlocked();
        drop(alone);
        worker.join().unwrap();
    });
}

/// From one shard to the other, in opposite directions.
pub fn in_opposite_directions() {
    beside(
        |held, collection| [0, 1].into_iter().for_each(|shard| on_one(held, collection, shard)),
        |held, collection| [1, 0].into_iter().for_each(|shard| on_one(held, collection, shard)),
    );
}

/// A shard is kept, and then both are needed, beside somebody who needs both.
pub fn kept_and_then_both() {
    beside(
        |held, collection| {
            [1, 1].into_iter().for_each(|shard| on_one(held, collection, shard));
            on_both(held, collection);
        },
        on_both,
    );
}
