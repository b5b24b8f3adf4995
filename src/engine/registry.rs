//! Which collection is in which database slot, and under what name; what is set for all of them; and the libraries of
//! functions, which belong to none.
//!
//! **Invariants**
//! - Changes only under the exclusive gate, and what the log is to have of them through [`Registry::apply`]; a reader
//!   that holds a pass sees one state for as long as it holds it.
//! - `names` and `homes` say the same as `slots`. So no look-up takes time that grows with the number of collections.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::collection::Collection;
use super::effect::{Effect, Placement};
use super::error::CollectionError;
use super::ids::{CollectionId, DatabaseId};
use super::index::Kind;
use super::libraries::{Libraries, Library};
use super::settings::Settings;
use crate::page::thresholds::Thresholds;

/// A database slot.
#[derive(Clone)]
pub struct Slot {
    /// What clients select.
    pub id: DatabaseId,
    /// The name; `default` for database 0, the number for other numbered ones.
    pub name: Arc<str>,
    /// What is in it.
    pub collection: Arc<Collection>,
}

/// A collection that is in no slot any more.
pub struct Gone {
    /// As it was.
    pub collection: Arc<Collection>,
    /// The one in its place that goes on with its counts.
    pub heir: Option<Arc<Collection>>,
}

impl Gone {
    /// One whose counts end with it.
    pub fn without_heir(collection: Arc<Collection>) -> Self {
        Self { collection, heir: None }
    }
}

impl Slot {
    /// Whether there may be a key to be removed: not in what is no data of this server.
    pub fn is_written(&self) -> bool {
        !self.id.is_attached() && !self.collection.shards_if_any().is_empty()
    }
}

/// See the module.
#[derive(Clone, Default)]
pub struct Registry {
    slots: BTreeMap<DatabaseId, Slot>,
    /// Which slot has which name.
    names: Arc<HashMap<Arc<str>, DatabaseId>>,
    /// Which slot each collection is in. As the names, copied when they change while somebody has them as they were.
    homes: Arc<BTreeMap<CollectionId, DatabaseId>>,
    /// How many of them clients have made: not the numbered ones.
    made: usize,
    /// Collections that are being loaded: in no slot, seen by the loader alone.
    loading: BTreeMap<CollectionId, Arc<Collection>>,
    next_collection: CollectionId,
    /// Shared with those who apply effects.
    thresholds: Arc<Thresholds>,
    /// Copied when they change while somebody has them as they were.
    libraries: Arc<Libraries>,
}

/// The name of numbered database `id`.
pub fn numbered_name(id: DatabaseId) -> String {
    if id == DatabaseId::DEFAULT {
        "default".to_owned()
    } else {
        id.to_string()
    }
}

impl Registry {
    /// Empty numbered databases, `count` of them, that stand in for those still to be loaded.
    ///
    /// # Errors
    /// Never: their names and numbers differ.
    pub fn numbered(count: u32) -> Result<Self, CollectionError> {
        let mut registry = Self::default();
        for database in (0..count).map(DatabaseId::new) {
            let effect = Effect::CollectionCreate {
                database,
                name: &numbered_name(database),
                placement: Placement {
                    kind: Kind::Hmap,
                    seed: 0,
                    shard_bits: 0,
                },
            };
            registry.apply(registry.next_collection_id(), &effect)?;
        }
        Ok(registry)
    }

    /// The slot of a database.
    pub fn slot(&self, id: DatabaseId) -> Option<&Slot> {
        self.slots.get(&id)
    }

    /// The slot with this name.
    pub fn by_name(&self, name: &str) -> Option<&Slot> {
        self.slot(*self.names.get(name)?)
    }

    /// The slot that holds this collection.
    pub fn by_collection(&self, id: CollectionId) -> Option<&Slot> {
        self.slot(*self.homes.get(&id)?)
    }

    /// The slot of the collection with the lowest id from `id` on.
    pub fn from_collection(&self, id: CollectionId) -> Option<&Slot> {
        let (_, database) = self.homes.range(id..).next()?;
        self.slot(*database)
    }

    /// What a copy takes while names and homes stay as they are, about.
    pub fn copy_bytes(&self) -> usize {
        size_of::<Self>() + self.slots.len() * (size_of::<DatabaseId>() + size_of::<Slot>())
    }

    /// How many collections clients have made, attached ones included.
    pub fn made_count(&self) -> usize {
        self.made
    }

    /// Puts a new slot in.
    fn fill(&mut self, slot: Slot) {
        self.made += usize::from(!slot.id.is_numbered());
        Arc::make_mut(&mut self.names).insert(Arc::clone(&slot.name), slot.id);
        Arc::make_mut(&mut self.homes).insert(slot.collection.id(), slot.id);
        self.slots.insert(slot.id, slot);
    }

    /// Takes a slot away.
    fn vacate(&mut self, id: DatabaseId) -> Option<Arc<Collection>> {
        let slot = self.slots.remove(&id)?;
        self.made -= usize::from(!id.is_numbered());
        self.forget_name(&slot.name, id);
        Arc::make_mut(&mut self.homes).remove(&slot.collection.id());
        Some(slot.collection)
    }

    /// Puts another collection in a slot; returns what was there.
    fn exchange(&mut self, id: DatabaseId, collection: Arc<Collection>) -> Option<Arc<Collection>> {
        let slot = self.slots.get_mut(&id)?;
        if slot.collection.id() != collection.id() {
            let homes = Arc::make_mut(&mut self.homes);
            // Where both change places the other is at home elsewhere by now.
            if homes.get(&slot.collection.id()) == Some(&id) {
                homes.remove(&slot.collection.id());
            }
            homes.insert(collection.id(), id);
        }
        Some(std::mem::replace(&mut slot.collection, collection))
    }

    /// Empties the collection in a slot; returns it as it was.
    fn empty(&mut self, id: DatabaseId) -> Option<Arc<Collection>> {
        let emptied = Arc::new(self.slots.get(&id)?.collection.emptied());
        self.exchange(id, emptied)
    }

    /// Empties all collections that were written since they were last empty, but attached ones, which are no data of
    /// this server. Returns them as they were, with those in their places: each goes on as
    /// [`Effect::CollectionFlush`] has it, but is not looked for.
    pub fn empty_written(&mut self) -> Vec<Gone> {
        let mut gone = Vec::with_capacity(self.slots.len());
        for slot in self.slots.values_mut().filter(|slot| slot.is_written()) {
            let heir = Arc::new(slot.collection.emptied());
            let collection = std::mem::replace(&mut slot.collection, Arc::clone(&heir));
            gone.push(Gone {
                collection,
                heir: Some(heir),
            });
        }
        gone
    }

    /// The collection with this id, also one that is being loaded.
    pub fn collection(&self, id: CollectionId) -> Option<Arc<Collection>> {
        let in_slot = self.by_collection(id).map(|slot| &slot.collection);
        in_slot.or_else(|| self.loading.get(&id)).map(Arc::clone)
    }

    /// All collections, those that are being loaded included.
    pub fn collections(&self) -> impl Iterator<Item = &Arc<Collection>> {
        let in_slots = self.slots.values().map(|slot| &slot.collection);
        in_slots.chain(self.loading.values())
    }

    /// Empties what is not kept on disk: at the end of a recovery, which may have come by a time when it was.
    pub fn empty_caches(&mut self) {
        let caches = self.slots.values_mut().map(|slot| &mut slot.collection);
        for collection in caches.filter(|collection| collection.settings().is_cache) {
            *collection = Arc::new(collection.emptied());
        }
    }

    /// Lets go of a collection whose load is given up without a record of that.
    pub fn forget_load(&mut self, id: CollectionId) -> Option<Arc<Collection>> {
        self.loading.remove(&id)
    }

    /// Lets go of collections whose load was never finished.
    pub fn drop_unfinished_loads(&mut self) {
        self.loading.clear();
    }

    /// All slots, numbered ones first.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// An id no collection has had.
    pub fn next_collection_id(&self) -> CollectionId {
        self.next_collection
    }

    /// Never hand out collection ids below `id` (from a checkpoint's manifest).
    pub fn reserve_collection_ids(&mut self, id: CollectionId) {
        self.next_collection = self.next_collection.max(id);
    }

    /// Up to which size containers keep the name of their compact encoding.
    pub const fn thresholds(&self) -> &Arc<Thresholds> {
        &self.thresholds
    }

    /// Keeps the thresholds in `shared` from here on.
    pub fn share_thresholds(&mut self, shared: &Arc<Thresholds>) {
        shared.set(&self.thresholds.limits());
        self.thresholds = Arc::clone(shared);
    }

    /// The libraries of functions. Whoever keeps these has them as they are now.
    pub const fn libraries(&self) -> &Arc<Libraries> {
        &self.libraries
    }

    /// Has those of a checkpoint.
    pub fn restore_libraries(&mut self, libraries: Libraries) {
        self.libraries = Arc::new(libraries);
    }

    /// A slot number for a new named collection.
    pub fn next_named_id(&self) -> DatabaseId {
        let last = self.slots.range(..DatabaseId::ATTACHED_FIRST).next_back();
        last.map_or(DatabaseId::NAMED_FIRST, |(last, _)| {
            last.next().max(DatabaseId::NAMED_FIRST)
        })
    }

    /// Shows a collection that is no data of this server, in a slot of its own.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn attach(&mut self, name: &str, collection: &Arc<Collection>) -> Result<(), CollectionError> {
        if self.by_name(name).is_some() {
            return Err(CollectionError::Exists(name.to_owned()));
        }
        let last = self.slots.range(DatabaseId::ATTACHED_FIRST..).next_back();
        let id = last.map_or(DatabaseId::ATTACHED_FIRST, |(last, _)| last.next());
        let slot = Slot {
            id,
            name: name.into(),
            collection: Arc::clone(collection),
        };
        self.fill(slot);
        Ok(())
    }

    /// Takes it away again.
    pub fn detach(&mut self, id: DatabaseId) -> Option<Arc<Collection>> {
        if !id.is_attached() {
            return None;
        }
        self.vacate(id)
    }

    fn create(
        &mut self,
        id: CollectionId,
        (database, name): (DatabaseId, &str),
        placement: Placement,
    ) -> Result<Option<Arc<Collection>>, CollectionError> {
        if self.slots.contains_key(&database) || self.by_name(name).is_some() {
            let name = name.to_owned();
            return Err(CollectionError::ExistsIn { name, database });
        }
        let slot = Slot {
            id: database,
            name: name.into(),
            collection: Arc::new(Collection::new(id, placement)),
        };
        self.fill(slot);
        self.reserve_collection_ids(id.next());
        Ok(None)
    }

    /// Applies an effect on collections as such; returns the collection that was let go, if any.
    ///
    /// # Errors
    /// When the effect does not fit the state, which on replay means a damaged history.
    pub fn apply(&mut self, id: CollectionId, effect: &Effect<'_>) -> Result<Option<Arc<Collection>>, CollectionError> {
        match *effect {
            Effect::CollectionCreate {
                database,
                name,
                placement,
            } => self.create(id, (database, name), placement),
            Effect::CollectionDrop if self.loading.contains_key(&id) => Ok(self.loading.remove(&id)),
            Effect::CollectionDrop => {
                let database = self.home(id)?;
                Ok(self.vacate(database))
            }
            Effect::CollectionRename { name } => {
                let database = self.home(id)?;
                self.rename(database, name.into());
                Ok(None)
            }
            Effect::CollectionFlush => self.flush(id),
            Effect::CollectionSwap { with } => {
                let (one, other) = (self.home(id)?, self.home(with)?);
                let (first, second) = (self.collection_in(one)?, self.collection_in(other)?);
                self.exchange(one, second);
                self.exchange(other, first);
                Ok(None)
            }
            Effect::CollectionLoad { placement } => {
                self.loading.insert(id, Arc::new(Collection::new(id, placement)));
                self.reserve_collection_ids(id.next());
                Ok(None)
            }
            Effect::CollectionPublish { database, name } => self.publish(id, database, name),
            Effect::CollectionConfigure { settings } => self.configure(id, settings),
            Effect::EncodingChanged { limits } => {
                self.thresholds.set(&limits);
                Ok(None)
            }
            Effect::LibraryPut { .. } | Effect::LibraryDelete { .. } | Effect::LibrariesFlush => {
                self.change_libraries(effect)?;
                Ok(None)
            }
            Effect::Put { .. }
            | Effect::Delete { .. }
            | Effect::ExpireAt { .. }
            | Effect::StrRange { .. }
            | Effect::List { .. }
            | Effect::Set { .. }
            | Effect::Zset { .. }
            | Effect::Hash { .. }
            | Effect::Stream { .. }
            | Effect::Vectors { .. }
            | Effect::Copy { .. } => Err(CollectionError::EffectOnKey),
        }
    }

    fn flush(&mut self, id: CollectionId) -> Result<Option<Arc<Collection>>, CollectionError> {
        if let Some(loading) = self.loading.get_mut(&id) {
            let emptied = Arc::new(loading.emptied());
            return Ok(Some(std::mem::replace(loading, emptied)));
        }
        let database = self.home(id)?;
        Ok(self.empty(database))
    }

    /// Applies an effect on libraries.
    fn change_libraries(&mut self, effect: &Effect<'_>) -> Result<(), CollectionError> {
        let libraries = &mut self.libraries;
        match *effect {
            Effect::LibraryPut { name, code } => Arc::make_mut(libraries).put(Arc::new(Library::new(name, code))),
            Effect::LibraryDelete { name } => return Arc::make_mut(libraries).delete(name),
            Effect::LibrariesFlush => *libraries = Arc::new(libraries.flushed()),
            _ => {}
        }
        Ok(())
    }

    fn publish(
        &mut self,
        id: CollectionId,
        database: DatabaseId,
        name: &str,
    ) -> Result<Option<Arc<Collection>>, CollectionError> {
        let elsewhere = self.by_name(name).is_some_and(|slot| slot.id != database);
        if elsewhere {
            return Err(CollectionError::NameTaken(name.to_owned()));
        }
        let collection = self.loading.remove(&id);
        let collection = collection.ok_or(CollectionError::NotLoading(id))?;
        if let Some(slot) = self.slots.get(&database) {
            collection.count_before(&slot.collection);
            return Ok(self.exchange(database, collection));
        }
        self.fill(Slot {
            id: database,
            name: name.into(),
            collection,
        });
        Ok(None)
    }

    /// Settings change. What was not kept on disk and now is begins empty: nothing on disk has its keys.
    fn configure(&mut self, id: CollectionId, settings: Settings) -> Result<Option<Arc<Collection>>, CollectionError> {
        if let Some(loading) = self.loading.get(&id) {
            loading.configure(settings);
            return Ok(None);
        }
        let database = self.home(id)?;
        let collection = self.collection_in(database)?;
        let was_cache = collection.settings().is_cache;
        collection.configure(settings);
        Ok(if was_cache && !settings.is_cache {
            self.empty(database)
        } else {
            None
        })
    }

    fn rename(&mut self, id: DatabaseId, name: Arc<str>) {
        if let Some(slot) = self.slots.get_mut(&id) {
            let old = std::mem::replace(&mut slot.name, Arc::clone(&name));
            self.forget_name(&old, id);
            Arc::make_mut(&mut self.names).insert(name, id);
        }
    }

    /// A name is no longer that of slot `id`. While several slots exchange names it may be another's already.
    fn forget_name(&mut self, name: &str, id: DatabaseId) {
        if self.names.get(name) == Some(&id) {
            Arc::make_mut(&mut self.names).remove(name);
        }
    }

    fn home(&self, id: CollectionId) -> Result<DatabaseId, CollectionError> {
        self.homes.get(&id).copied().ok_or(CollectionError::Missing(id))
    }

    fn collection_in(&self, id: DatabaseId) -> Result<Arc<Collection>, CollectionError> {
        let slot = self.slots.get(&id).ok_or(CollectionError::NoDatabase(id))?;
        Ok(Arc::clone(&slot.collection))
    }
}
