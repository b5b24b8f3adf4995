//! Work over a whole collection: [`KeyspaceTxn`] visits it shard by shard beside others, [`ExclusiveTxn`] changes
//! collections as such while nobody else runs.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::blocked::Numbered;
use super::change::drop_if_last;
use super::collection::Collection;
use super::effect::{Effect, Placement};
use super::error::CollectionError;
use super::ids::{CollectionId, DatabaseId};
use super::index::{Kind, ScanBudget, hmap};
use super::registry::{Gone, Registry, Slot, numbered_name};
use super::scope::Scope;
use super::settings::Settings;
use super::txn::Txn;
use super::watch::Watching;
use crate::page::entry::EntryRef;
use crate::page::thresholds::Limits;

/// How many pages a scan looks at for each entry that it was asked for, at most, as Redis does with buckets.
const SCAN_PAGES: usize = 10;

/// A command's view of a whole collection, one shard at a time, without a common instant.
pub struct KeyspaceTxn<'t, 'e> {
    scope: &'t mut Scope<'e>,
    collection: &'t Collection,
}

impl<'t, 'e> KeyspaceTxn<'t, 'e> {
    /// A view of `collection` within `scope`.
    pub fn new(scope: &'t mut Scope<'e>, collection: &'t Collection) -> Self {
        Self { scope, collection }
    }

    /// The command's instant, Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.scope.worker.now_ms
    }

    /// The collection.
    pub fn collection(&self) -> &Collection {
        self.collection
    }

    /// The name of the collection's slot.
    pub fn name(&self) -> Arc<str> {
        let registry = self.scope.engine.registry();
        let slot = registry.by_collection(self.collection.id());
        slot.map_or_else(|| "".into(), |slot| Arc::clone(&slot.name))
    }

    /// What this view is made of.
    pub(super) fn parts(&mut self) -> (&mut Scope<'e>, &'t Collection) {
        (self.scope, self.collection)
    }

    /// How many keys there are, dead ones that nobody has noticed included.
    pub fn key_count(&self) -> u64 {
        self.collection.key_count()
    }

    /// Visits every live entry; dead ones are removed.
    pub fn for_each(&mut self, mut visit: impl FnMut(EntryRef<'_>) -> ControlFlow<()>) {
        let now_ms = self.now_ms();
        let mut dead = Vec::new();
        for shard in self.collection.shards_if_any() {
            let flow = shard.lock().index.for_each(|entry| {
                if entry.is_expired(now_ms) {
                    dead.push(entry.key().to_vec());
                    return ControlFlow::Continue(());
                }
                visit(entry)
            });
            if flow.is_break() {
                break;
            }
        }
        self.expire(&dead);
    }

    /// Visits about `count` live entries from `cursor` on (0 = start); returns the next cursor, 0 at the end. An entry
    /// that is there from the first call to the last is visited at least once.
    pub fn scan(&mut self, cursor: u64, count: usize, mut visit: impl FnMut(EntryRef<'_>)) -> u64 {
        let now_ms = self.now_ms();
        let (mut shard, mut inner) = (cursor >> hmap::CURSOR_BITS, cursor & ((1 << hmap::CURSOR_BITS) - 1));
        let (mut budget, mut next) = (
            ScanBudget {
                entries: count.max(1),
                pages: count.max(1).saturating_mul(SCAN_PAGES),
            },
            0,
        );
        let mut dead = Vec::new();
        while let Some(current) = self.collection.shards_if_any().get(shard as usize) {
            let on = current.lock().index.scan(inner, &mut budget, &mut |entry| {
                if entry.is_expired(now_ms) {
                    dead.push(entry.key().to_vec());
                } else {
                    visit(entry);
                }
            });
            if let Some(on) = on {
                next = shard << hmap::CURSOR_BITS | on;
                break;
            }
            (shard, inner) = (shard + 1, 0);
            let is_spent = budget.entries == 0 || budget.pages == 0;
            if is_spent && (shard as usize) < self.collection.shard_count() {
                next = shard << hmap::CURSOR_BITS;
                break;
            }
        }
        self.expire(&dead);
        next
    }

    /// A uniformly random live key.
    pub fn random_key(&mut self) -> Option<Vec<u8>> {
        let now_ms = self.now_ms();
        loop {
            let counts: Vec<u64> = self
                .collection
                .shards_if_any()
                .iter()
                .map(|shard| shard.lock().keys)
                .collect();
            let mut at = self.scope.worker.random_below(counts.iter().sum::<u64>() as usize) as u64;
            let shard = counts.iter().position(|count| {
                let here = at < *count;
                at = at.saturating_sub(*count);
                here
            })?;
            let worker = &mut *self.scope.worker;
            let picked = self
                .collection
                .shards_if_any()
                .get(shard)?
                .lock()
                .index
                .random(&mut |n| worker.random_below(n))
                .map(|entry| {
                    let key = entry.key().to_vec();
                    (key, entry.is_expired(now_ms))
                });
            match picked {
                Some((key, false)) => return Some(key),
                Some((key, true)) if self.is_frozen() => return Some(key),
                Some((key, true)) => self.expire(&[key]),
                None => {}
            }
        }
    }

    fn is_frozen(&self) -> bool {
        self.scope.engine.holds_expiry(self.scope.worker.now_ms) || self.collection.traits().is_read_only()
    }

    /// Removes keys found dead, unless somebody has replaced them meanwhile.
    pub fn expire(&mut self, dead: &[Vec<u8>]) {
        for bytes in dead {
            let key = self.collection.key(bytes);
            let collection = self.collection;
            if self.is_frozen() {
                return;
            }
            if self.scope.expire_if_dead(collection, key) {
                self.scope.worker.counters.expired.add(1);
            }
        }
    }
}

/// A command's view of everything, while nobody else runs.
pub struct ExclusiveTxn<'t, 'e> {
    pub(super) scope: &'t mut Scope<'e>,
    database: DatabaseId,
}

impl<'t, 'e> ExclusiveTxn<'t, 'e> {
    /// A view within an exclusive `scope`; `database` is the client's.
    pub fn new(scope: &'t mut Scope<'e>, database: DatabaseId) -> Self {
        debug_assert!(scope.is_exclusive());
        Self { scope, database }
    }

    /// Whether changes were left out since the log has no record as long as that.
    pub fn take_overflow(&mut self) -> bool {
        self.scope.take_overflow()
    }

    /// The client's database.
    pub fn database(&self) -> DatabaseId {
        self.database
    }

    /// The slot of a database, if it exists.
    pub fn slot(&self, database: DatabaseId) -> Option<Slot> {
        self.scope.engine.registry().slot(database).cloned()
    }

    /// The slot with this name, if it exists.
    pub fn slot_named(&self, name: &str) -> Option<Slot> {
        self.scope.engine.registry().by_name(name).cloned()
    }

    /// All slots.
    pub fn slots(&self) -> Vec<Slot> {
        self.scope.engine.registry().slots().cloned().collect()
    }

    /// A view of one collection's keys, all of them reachable.
    pub fn keys<'a>(&'a mut self, collection: &'a Collection) -> Txn<'a, 'e> {
        Txn::new(self.scope, collection, true)
    }

    /// A view of one collection as a whole.
    pub fn keyspace<'a>(&'a mut self, collection: &'a Collection) -> KeyspaceTxn<'a, 'e> {
        KeyspaceTxn::new(self.scope, collection)
    }

    /// Creates a numbered or named database.
    ///
    /// # Errors
    /// When the slot or the name is taken, or there are too many.
    pub fn create(&mut self, database: Option<DatabaseId>, name: &str, kind: Kind) -> Result<Slot, CollectionError> {
        if database.is_none() {
            self.scope.engine.check_collections()?;
        }
        let (id, database) = {
            let registry = self.scope.engine.registry();
            (
                registry.next_collection_id(),
                database.unwrap_or_else(|| registry.next_named_id()),
            )
        };
        self.scope.keep_whole(&[])?;
        let placement = Placement {
            kind,
            seed: rand::random(),
            shard_bits: kind.shard_bits(),
        };
        self.change(
            id,
            &Effect::CollectionCreate {
                database,
                name,
                placement,
            },
        )?;
        self.slot(database).ok_or(CollectionError::Vanished)
    }

    /// Creates the numbered databases below `databases` that do not exist yet.
    ///
    /// # Errors
    /// As for [`ExclusiveTxn::create`].
    pub fn create_numbered(&mut self, databases: u32) -> Result<(), CollectionError> {
        for id in (0..databases).map(DatabaseId::new) {
            if self.slot(id).is_none() {
                self.create(Some(id), &numbered_name(id), Kind::Hmap)?;
            }
        }
        Ok(())
    }

    /// Drops a collection with its slot.
    ///
    /// # Errors
    /// When there is no such collection.
    pub fn drop_collection(&mut self, id: CollectionId) -> Result<(), CollectionError> {
        self.scope.keep_whole(&[id])?;
        self.touch_watched(id);
        self.note_all_stale();
        let waiting = self.take_waiters(id);
        self.change(id, &Effect::CollectionDrop)?;
        self.orphan(waiting);
        Ok(())
    }

    /// Renames a collection's slot; the name must be free.
    ///
    /// # Errors
    /// When there is no such collection.
    pub fn rename(&mut self, id: CollectionId, name: &str) -> Result<(), CollectionError> {
        self.scope.keep_whole(&[])?;
        self.change(id, &Effect::CollectionRename { name })
    }

    /// Sets what is set of a collection.
    ///
    /// # Errors
    /// When there is no such collection.
    pub fn configure(&mut self, id: CollectionId, settings: Settings) -> Result<(), CollectionError> {
        self.change(id, &Effect::CollectionConfigure { settings })
    }

    /// Sets the encoding thresholds, unless they are these already.
    ///
    /// # Errors
    /// Never.
    pub fn set_encoding(&mut self, limits: Limits) -> Result<(), CollectionError> {
        if self.scope.engine.thresholds().limits() == limits {
            return Ok(());
        }
        self.change(CollectionId::NONE, &Effect::EncodingChanged { limits })
    }

    /// Exchanges what two databases hold.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn swap(&mut self, one: DatabaseId, other: DatabaseId) -> Result<(), CollectionError> {
        let first = self.slot(one).ok_or(CollectionError::NoDatabase(one))?.collection;
        let second = self.slot(other).ok_or(CollectionError::NoDatabase(other))?.collection;
        if first.id() == second.id() {
            return Ok(());
        }
        self.scope.keep_whole(&[first.id(), second.id()])?;
        self.note_all_stale();
        let (watched_one, watched_other) = (take_watches(&first), take_watches(&second));
        for (key, watchers) in watched_one.iter().chain(&watched_other) {
            if has_key(&first, key) || has_key(&second, key) {
                self.scope.raise(watchers);
            }
        }
        let (waiting_one, waiting_other) = (self.take_waiters(first.id()), self.take_waiters(second.id()));
        self.change(first.id(), &Effect::CollectionSwap { with: second.id() })?;
        self.wait_again(second.id(), waiting_one);
        self.wait_again(first.id(), waiting_other);
        // Watches belong to the database, not to what is in it.
        put_watches(&second, watched_one);
        put_watches(&first, watched_other);
        Ok(())
    }

    /// Shows a read-only collection that is no data of this server.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn attach(&mut self, name: &str, collection: &Arc<Collection>) -> Result<(), CollectionError> {
        let engine = self.scope.engine;
        engine.check_collections()?;
        engine.change_registry(|registry| registry.attach(name, collection))?;
        engine.note_settings();
        Ok(())
    }

    /// Lets go of such a collection.
    ///
    /// # Errors
    /// When it is none.
    pub fn detach(&mut self, slot: &Slot) -> Result<(), CollectionError> {
        let engine = self.scope.engine;
        let waiting = self.take_waiters(slot.collection.id());
        let gone = engine.change_registry(|registry| registry.detach(slot.id));
        let gone = gone.ok_or_else(|| CollectionError::NotAttached(slot.name.to_string()))?;
        engine.note_settings();
        self.note_all_stale();
        engine.retire_collections(vec![drop_if_last(vec![Gone::without_heir(gone)])]);
        self.orphan(waiting);
        Ok(())
    }

    /// Lets those who waited in a collection that is gone find that out.
    fn orphan(&mut self, waiting: Vec<Waited>) {
        let orphans = waiting.into_iter().flat_map(|(_, queue)| queue);
        orphans.for_each(|numbered| self.scope.orphan(numbered));
    }

    pub(super) fn touch_watched(&mut self, id: CollectionId) -> Vec<Watched> {
        let Some(collection) = self.collection(id) else {
            return Vec::new();
        };
        let watched = take_watches(&collection);
        self.raise_present(id, &watched);
        watched
    }

    /// Tells watchers of keys that `id` has.
    pub(super) fn raise_present(&mut self, id: CollectionId, watched: &[Watched]) {
        let Some(collection) = self.collection(id) else {
            return;
        };
        let present = watched.iter().filter(|(key, _)| has_key(&collection, key));
        present.for_each(|(_, flags)| self.scope.raise(flags));
    }

    /// A look at the registry.
    pub(super) fn registry<R>(&self, look: impl FnOnce(&Registry) -> R) -> R {
        look(&self.scope.engine.registry())
    }

    pub(super) fn watch_again(&mut self, id: CollectionId, watched: Vec<Watched>) {
        if let Some(collection) = self.collection(id) {
            put_watches(&collection, watched);
        }
    }

    /// Takes out those who wait for keys of a collection that changes place.
    pub(super) fn take_waiters(&self, id: CollectionId) -> Vec<Waited> {
        let collection = self.collection(id).filter(|found| found.has_interest());
        let shards = collection.iter().flat_map(|collection| collection.shards_if_any());
        shards.flat_map(|shard| shard.lock().waiters.take()).collect()
    }

    /// Enters them where their database is now, and lets them look.
    pub(super) fn wait_again(&mut self, id: CollectionId, waiting: Vec<Waited>) {
        let Some(collection) = self.collection(id) else {
            return;
        };
        if !waiting.is_empty() {
            collection.note_interest();
        }
        for (key, queue) in waiting {
            let shard = collection.shard_of(collection.key(&key).hash);
            let mut state = collection.shard(shard).lock();
            queue.into_iter().for_each(|numbered| state.waiters.add(&key, numbered));
            self.scope.awake(id, &key);
        }
    }

    pub(super) fn collection(&self, id: CollectionId) -> Option<Arc<Collection>> {
        self.scope
            .engine
            .registry()
            .by_collection(id)
            .map(|slot| Arc::clone(&slot.collection))
    }
}

pub(super) type Waited = (Box<[u8]>, VecDeque<Numbered>);
pub(super) type Watched = (Box<[u8]>, Watching);

fn has_key(collection: &Collection, key: &[u8]) -> bool {
    let key = collection.key(key);
    collection
        .shard_if_any(collection.shard_of(key.hash))
        .is_some_and(|shard| shard.lock().index.get(key).is_some())
}

pub(super) fn take_watches(collection: &Collection) -> Vec<Watched> {
    if !collection.has_interest() {
        return Vec::new();
    }
    let shards = collection.shards_if_any().iter();
    shards.flat_map(|shard| shard.lock().watches.take()).collect()
}

pub(super) fn put_watches(collection: &Collection, watched: Vec<Watched>) {
    if !watched.is_empty() {
        collection.note_interest();
    }
    for (key, watchers) in watched {
        let shard = collection.shard_of(collection.key(&key).hash);
        let mut state = collection.shard(shard).lock();
        for watcher in watchers {
            state.watches.add_again(&key, watcher);
        }
    }
}
