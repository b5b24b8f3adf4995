//! `LOAD`: a collection is filled out of sight, then put in its place by one record.
//!
//! **Invariants**
//! - A collection that is being loaded is in no slot: nobody but the loader sees it, and recovery lets go of one whose
//!   publication the log does not have.
//! - Publication is one record: after a crash the slot holds what it held before, or all that was loaded.

use std::sync::Arc;

use super::collection::Collection;
use super::effect::{CollectionId, DatabaseId, Effect, Placement};
use super::index::Kind;
use super::keyspace::ExclusiveTxn;

impl ExclusiveTxn<'_, '_> {
    /// Begins to load a collection: an empty one, out of sight.
    ///
    /// # Errors
    /// A sentence when the registry refuses it.
    pub fn begin_load(&mut self, kind: Kind) -> Result<Arc<Collection>, String> {
        let id = self.registry(|registry| registry.next_collection_id());
        let placement = Placement {
            kind,
            seed: rand::random(),
            shard_bits: kind.shard_bits(),
        };
        self.change(id, &Effect::CollectionLoad { placement })?;
        self.registry(|registry| registry.collection(id))
            .ok_or_else(|| "the collection vanished".to_owned())
    }

    /// Gives up a load.
    ///
    /// # Errors
    /// A sentence when nothing of that id is being loaded.
    pub fn abandon_load(&mut self, id: CollectionId) -> Result<(), String> {
        self.change(id, &Effect::CollectionDrop)
    }

    /// Puts loaded collection `id` in the slot called `name`, which is made if there is none. What was there goes.
    ///
    /// # Errors
    /// A sentence when nothing of that id is being loaded.
    pub fn publish_load(&mut self, id: CollectionId, name: &str) -> Result<(), String> {
        let database: DatabaseId = self.registry(|registry| {
            let there = registry.by_name(name).map(|slot| slot.id);
            there.unwrap_or_else(|| registry.next_named_id())
        });
        let replaced = self.slot(database).map(|slot| slot.collection.id());
        let watched = replaced
            .map(|replaced| self.touch_watched(replaced))
            .unwrap_or_default();
        let waiting = replaced.map(|replaced| self.take_waiters(replaced)).unwrap_or_default();
        self.change(id, &Effect::CollectionPublish { database, name })?;
        self.wait_again(id, waiting);
        // A key that appears by the load has changed for whoever watches it, too.
        self.raise_present(id, &watched);
        self.watch_again(id, watched);
        Ok(())
    }
}
