//! The way of what goes over all shards of all collections, a little at a time: it goes on where it was, so that no
//! collection waits for ever behind others that have much to do.
//!
//! **Invariant:** between two steps it holds no collection, only the place where it goes on.

use std::sync::Arc;

use super::Engine;
use super::collection::Collection;
use super::ids::{CollectionId, ShardNo};
use super::registry::Registry;

/// So many collections are looked at while the registry is locked.
const LOOKED_AT_MAX: usize = 64;

/// See the module. A new one begins with the first shard of the first collection.
#[derive(Default)]
pub struct Walker {
    collection: CollectionId,
    shard: ShardNo,
}

/// What comes next on a walk.
pub enum Step {
    /// A shard, which exists.
    Shard(Arc<Collection>, ShardNo),
    /// All collections have been passed; from here it begins anew.
    Around,
}

impl Walker {
    /// The next shard. Collections without one, and attached ones, in which nothing changes, are passed over.
    pub fn next(&mut self, engine: &Engine) -> Step {
        loop {
            // None of thousands may have a shard: whoever wants to change the registry gets his turn in between.
            if let Some(step) = self.look_at(LOOKED_AT_MAX, &engine.registry()) {
                return step;
            }
        }
    }

    /// The next shard, if one of so many collections has it.
    fn look_at(&mut self, collections_max: usize, registry: &Registry) -> Option<Step> {
        for _ in 0..collections_max {
            let Some(slot) = registry.from_collection(self.collection) else {
                *self = Self::default();
                return Some(Step::Around);
            };
            let collection = &slot.collection;
            if collection.id() != self.collection {
                (self.collection, self.shard) = (collection.id(), ShardNo::FIRST);
            }
            if !slot.id.is_attached() && collection.shard_if_any(self.shard).is_some() {
                let shard = self.shard;
                self.shard = shard.next();
                return Some(Step::Shard(Arc::clone(collection), shard));
            }
            (self.collection, self.shard) = (self.collection.next(), ShardNo::FIRST);
        }
        None
    }

    /// Comes to the shard of the last step once more, before the others.
    pub fn stay(&mut self, shard: ShardNo) {
        self.shard = shard;
    }
}
