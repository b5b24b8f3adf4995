//! Memory that indexes have let go of, until nobody can be prefetching from it any more.
//!
//! **Invariants**
//! - What waits here still counts as used memory; in its collection's figures it does not.
//! - It is freed only when each thread has passed the gate since it was taken out of its index. Nobody waits for that:
//!   whoever has garbage asks again later.

use super::Engine;
use super::collection::{Collection, Shard, ShardState};
use super::gate::Grace;
use super::index::Retired;

/// What a shard of `collection`, which the caller has locked, has let go of.
pub(super) fn take_retired(collection: &Collection, state: &mut ShardState) -> Option<Retired> {
    let retired = state.index.take_retired()?;
    if collection.traits().is_limited() {
        collection.carried().note_bytes(-(retired.bytes() as i64));
    }
    Some(retired)
}

/// See the module.
#[derive(Default)]
pub struct Garbage {
    gathered: Retired,
    waiting: Option<(Grace, Retired)>,
}

impl Garbage {
    /// Takes over what a shard of `collection` has let go of, and shows its figures. Under a pass.
    pub fn gather(&mut self, collection: &Collection, shard: &Shard) {
        let state = &mut *shard.lock();
        if let Some(retired) = take_retired(collection, state) {
            self.add(retired);
        }
        shard.publish(state);
    }

    /// Takes over what indexes have let go of.
    pub fn add(&mut self, retired: Retired) {
        self.gathered.append(retired);
    }

    /// Frees what nobody can be looking at any more, for the thread of `cell`, which holds no pass; how many bytes.
    pub fn free(&mut self, engine: &Engine, cell: usize) -> usize {
        if let Some((grace, _)) = &mut self.waiting
            && !engine.gate().is_over(grace)
        {
            return 0;
        }
        let mut freed = 0;
        if let Some((_, retired)) = self.waiting.take() {
            freed = retired.bytes();
            engine.meter().add(cell, -(freed as i64));
            // SAFETY: no index has named it since before the grace began, and all passes of then are over; who came
            // later has never seen it.
            unsafe { retired.free() };
        }
        if !self.gathered.is_empty() {
            self.waiting = Some((engine.gate().begin_grace(), std::mem::take(&mut self.gathered)));
        }
        freed
    }
}
