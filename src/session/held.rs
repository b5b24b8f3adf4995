//! A shard that stays locked from one request of a chunk to the next, while they go to the same one.
//!
//! Pipelines of a queue's or a counter's clients go to one key: taking its lock anew for each request would hand it,
//! and all that it guards, from core to core many times a batch.
//!
//! **Invariant:** the shard is released before another lock is taken, the pass given up, or anything waited for.

use crate::engine::collection::{Collection, Shard, ShardState};
use crate::engine::ids::ShardNo;
use crate::sync::MutexGuard;

/// See the module.
pub(super) struct HeldShard<'c> {
    collection: Option<&'c Collection>,
    held: Option<(ShardNo, MutexGuard<'c, ShardState>)>,
}

impl<'c> HeldShard<'c> {
    /// Nothing yet of `collection`.
    pub fn of(collection: Option<&'c Collection>) -> Self {
        Self { collection, held: None }
    }

    /// The collection, if it is `other`.
    #[inline]
    pub fn collection(&self, other: &Collection) -> Option<&'c Collection> {
        self.collection.filter(|own| std::ptr::eq(*own, other))
    }

    /// The state of a shard of `collection`, the one this was made for; locked from here on, by `lock` unless it is
    /// already.
    ///
    /// # Errors
    /// That of `lock`; no shard is locked then.
    #[inline]
    pub fn lock<E>(
        &mut self,
        collection: &'c Collection,
        shard: ShardNo,
        lock: impl FnOnce(&'c Shard) -> Result<MutexGuard<'c, ShardState>, E>,
    ) -> Result<&mut ShardState, E> {
        let kept = self.held.take().filter(|(held, _)| *held == shard);
        let held = match kept {
            Some(kept) => kept,
            None => (shard, lock(collection.shard(shard))?),
        };
        let (_, guard) = self.held.insert(held);
        Ok(guard)
    }

    /// Unlocks the shard, if one is locked.
    #[inline]
    pub fn release(&mut self) {
        self.held = None;
    }
}
