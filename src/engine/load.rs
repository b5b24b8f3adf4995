//! `LOAD`: a collection is filled out of sight, then put in its place by one record.
//!
//! **Invariants**
//! - A collection that is being loaded is in no slot: only the loader sees it, and recovery deletes one whose
//!   publication the log does not have.
//! - Publication is one record: after a crash the slot holds what it held before, or all that was loaded.

use std::collections::HashSet;
use std::sync::Arc;

use super::change::drop_if_last;
use super::collection::Collection;
use super::effect::{Effect, Placement};
use super::error::CollectionError;
use super::ids::{CollectionId, DatabaseId};
use super::index::Kind;
use super::keyspace::{ExclusiveTxn, take_watches};
use super::libraries::Libraries;
use super::registry::{Gone, Slot};
use super::settings::Settings;

/// A collection that was loaded to be what a slot held once.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The loaded collection.
    pub id: CollectionId,
    /// Its slot then.
    pub database: DatabaseId,
    /// Its name then.
    pub name: String,
}

impl ExclusiveTxn<'_, '_> {
    /// Begins to load a collection: an empty one, out of sight.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub fn begin_load(&mut self, kind: Kind, settings: Settings) -> Result<Arc<Collection>, CollectionError> {
        let id = self.registry(|registry| registry.next_collection_id());
        let placement = Placement {
            kind,
            seed: rand::random(),
            shard_bits: kind.shard_bits(),
        };
        self.change(id, &Effect::CollectionLoad { placement })?;
        if settings != Settings::default() {
            self.configure(id, settings)?;
        }
        self.loaded(id)
    }

    fn loaded(&self, id: CollectionId) -> Result<Arc<Collection>, CollectionError> {
        self.registry(|registry| registry.collection(id))
            .ok_or(CollectionError::Vanished)
    }

    /// Gives up a load.
    ///
    /// # Errors
    /// When nothing of that id is being loaded.
    pub fn abandon_load(&mut self, id: CollectionId) -> Result<(), CollectionError> {
        self.change(id, &Effect::CollectionDrop)
    }

    /// Gives up a load without a record of that, for a log that has failed: it may go on behind a checkpoint, which has
    /// nothing of the collection, and a record there that names it would be refused by a start. One that finds the load
    /// in the log, and no end of it, lets go of it by itself.
    ///
    /// # Errors
    /// When nothing of that id is being loaded.
    pub fn forget_load(&mut self, id: CollectionId) -> Result<(), CollectionError> {
        let engine = self.scope.engine;
        let gone = engine.change_registry(|registry| registry.forget_load(id));
        let gone = gone.ok_or(CollectionError::NotLoading(id))?;
        engine.note_settings();
        engine.retire_collections(vec![drop_if_last(vec![Gone::without_heir(gone)])]);
        Ok(())
    }

    /// Empties what is being loaded; returns what is to be filled from now on.
    ///
    /// # Errors
    /// When nothing of that id is being loaded.
    pub fn flush_load(&mut self, id: CollectionId) -> Result<Arc<Collection>, CollectionError> {
        self.change(id, &Effect::CollectionFlush)?;
        self.loaded(id)
    }

    /// Puts loaded collection `id` in the slot called `name`, which is made if there is none. What was there goes; its
    /// settings stay.
    ///
    /// # Errors
    /// When nothing of that id is being loaded, or the slot does not take it.
    pub fn publish_load(&mut self, id: CollectionId, name: &str) -> Result<(), CollectionError> {
        let there = self.slot_named(name);
        let database = there.as_ref().map(|slot| slot.id);
        let database = database.unwrap_or_else(|| self.registry(|registry| registry.next_named_id()));
        if there.is_none() {
            self.scope.engine.check_collections()?;
        }
        if let Some(slot) = there {
            self.take_settings(id, &slot, slot.collection.settings().is_cache)?;
        }
        self.publish_in(id, database, name)
    }

    /// Puts loaded collection `id` in slot `database`. Clients that watch a key that was or is there are told.
    pub(super) fn publish_in(
        &mut self,
        id: CollectionId,
        database: DatabaseId,
        name: &str,
    ) -> Result<(), CollectionError> {
        let replaced = self.slot(database).map(|slot| slot.collection.id());
        let watched = replaced
            .map(|replaced| self.touch_watched(replaced))
            .unwrap_or_default();
        let waiting = replaced.map(|replaced| self.take_waiters(replaced)).unwrap_or_default();
        self.change(id, &Effect::CollectionPublish { database, name })?;
        self.note_all_stale();
        self.wait_again(id, waiting);
        // A key that appears by the load has changed for whoever watches it, too.
        self.raise_present(id, &watched);
        self.watch_again(id, watched);
        Ok(())
    }

    /// Puts loaded collection `id`, which holds the same, in the place of `old`. Nobody who watches or waits is told of
    /// anything.
    ///
    /// # Errors
    /// When one of the two is not what it should be.
    pub fn publish_converted(&mut self, old: CollectionId, id: CollectionId) -> Result<(), CollectionError> {
        let slot = self.registry(|registry| registry.by_collection(old).cloned());
        let slot = slot.ok_or(CollectionError::Dropped)?;
        let is_cache = self.loaded(id)?.settings().is_cache;
        self.take_settings(id, &slot, is_cache)?;
        let watched = take_watches(&slot.collection);
        let waiting = self.take_waiters(old);
        let (database, name) = (slot.id, &*slot.name);
        self.change(id, &Effect::CollectionPublish { database, name })?;
        self.watch_again(id, watched);
        self.wait_again(id, waiting);
        Ok(())
    }

    /// Makes the loaded collections all that there are, in the slots and with the names that they had, and `libraries`
    /// all libraries; what else there is goes. Attached collections stay.
    ///
    /// # Errors
    /// When something is in the way; nothing has changed then.
    pub fn publish_restored(&mut self, restored: &[Restored], libraries: &Libraries) -> Result<(), CollectionError> {
        self.check_restored(restored)?;
        self.become_libraries(libraries)?;
        let was_there = |slot: &Slot| restored.iter().any(|restored| restored.database == slot.id);
        for slot in self.slots() {
            if slot.collection.traits().is_read_only() || was_there(&slot) {
                continue;
            }
            if !slot.id.is_numbered() {
                self.drop_collection(slot.collection.id())?;
            } else if !slot.collection.shards_if_any().is_empty() {
                self.flush(slot.collection.id())?;
            }
        }
        // A slot keeps its name until all slots are taken over, so that a new one never finds its name in use.
        let mut fresh = Vec::new();
        let mut renamed = Vec::new();
        for restored in restored {
            let Some(slot) = self.slot(restored.database) else {
                fresh.push(restored);
                continue;
            };
            self.publish_in(restored.id, slot.id, &slot.name)?;
            if *slot.name != *restored.name {
                renamed.push(restored);
            }
        }
        for restored in renamed {
            self.rename(restored.id, &restored.name)?;
        }
        for restored in fresh {
            self.publish_in(restored.id, restored.database, &restored.name)?;
        }
        Ok(())
    }

    /// Everything that could fail, before anything is changed.
    fn check_restored(&self, restored: &[Restored]) -> Result<(), CollectionError> {
        let (mut slots, mut names) = (HashSet::new(), HashSet::new());
        for restored in restored {
            let name = &restored.name;
            self.loaded(restored.id)?;
            if restored.database.is_attached() || !slots.insert(restored.database) || !names.insert(name) {
                return Err(CollectionError::ImpossiblePlace(name.clone()));
            }
            let there = self.slot_named(name);
            if there.is_some_and(|slot| slot.collection.traits().is_read_only()) {
                return Err(CollectionError::Attached(name.clone()));
            }
        }
        let numbers = self.slots().into_iter().filter(|slot| slot.id.is_numbered());
        for slot in numbers {
            if restored
                .iter()
                .any(|restored| restored.database != slot.id && *restored.name == *slot.name)
            {
                return Err(CollectionError::NameNumbered(slot.name.to_string()));
            }
        }
        Ok(())
    }

    /// Gives what is being loaded the settings of the slot that it goes to. What the log has of it follows from its
    /// being a cache or not, so that alone cannot change.
    fn take_settings(&mut self, id: CollectionId, slot: &Slot, is_cache: bool) -> Result<(), CollectionError> {
        if slot.collection.traits().is_read_only() {
            return Err(CollectionError::Irreplaceable(slot.name.to_string()));
        }
        let loaded = self.loaded(id)?.settings();
        if loaded.is_cache != is_cache {
            return Err(CollectionError::Reconfigured(slot.name.to_string()));
        }
        let settings = Settings {
            is_cache,
            ..slot.collection.settings()
        };
        if settings == loaded {
            Ok(())
        } else {
            self.configure(id, settings)
        }
    }
}
