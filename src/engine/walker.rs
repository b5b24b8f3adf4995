//! The way of what goes over all shards of all collections, a little at a time: it goes on where it was, so that no
//! collection waits for ever behind others that have much to do.
//!
//! **Invariant:** between two steps it holds no collection, only the place where it goes on.

use std::sync::Arc;

use super::Engine;
use super::collection::Collection;
use super::ids::{CollectionId, ShardNo};

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
        let registry = engine.registry();
        while let Some(slot) = registry.from_collection(self.collection) {
            let collection = &slot.collection;
            if collection.id() != self.collection {
                (self.collection, self.shard) = (collection.id(), ShardNo::FIRST);
            }
            if !slot.id.is_attached() && collection.shard_if_any(self.shard).is_some() {
                let shard = self.shard;
                self.shard = shard.next();
                return Step::Shard(Arc::clone(collection), shard);
            }
            (self.collection, self.shard) = (self.collection.next(), ShardNo::FIRST);
        }
        *self = Self::default();
        Step::Around
    }

    /// Comes to the shard of the last step once more, before the others.
    pub fn stay(&mut self, shard: ShardNo) {
        self.shard = shard;
    }
}
