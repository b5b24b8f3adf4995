//! What reads and changes mean to clients that cache what they read ([`tracking`](super::tracking)), in a collection's
//! terms.
//!
//! **Invariant:** a read is entered, and a change noted, under the lock of the key's shard; nobody is told under it.

use super::Engine;
use super::collection::Collection;
use super::ids::CollectionId;
use super::scope::Scope;
use super::tracking::{Space, Tracking};
use super::undo::{Telling, What};
use super::watch::{Cause, WatchFlag};
use super::worker::Kit;

impl Engine {
    /// Client-side caching.
    #[inline]
    pub fn tracking(&self) -> &Tracking {
        &self.tracking
    }

    /// The space of a collection's keys; `None` while it is out of sight.
    fn space_of(&self, collection: CollectionId) -> Option<Space> {
        let registry = self.registry();
        registry.by_collection(collection).map(|slot| Space::of(slot.id))
    }

    /// Notes what a change of a key means to those who cache.
    #[cold]
    pub(super) fn note_stale(&self, kit: &mut Kit, collection: CollectionId, key: &[u8], cause: Cause) {
        if let Some(space) = self.space_of(collection) {
            kit.note_told();
            self.tracking.note(space, key, cause, &mut kit.told);
        }
    }

    /// Puts keys out of a table that has too many.
    pub fn evict_tracked(&self, kit: &mut Kit) {
        self.tracking.evict(&mut kit.told);
    }

    /// Tells those who cache what a thread has noted that runs no client's command. It holds no lock.
    pub fn tell_caches(&self, kit: &mut Kit) {
        if kit.told.is_any()
            && let Some(teller) = self.teller.get()
        {
            teller.tell(kit);
        }
    }
}

impl Scope<'_> {
    /// Tells those who watch or cache `key`, one of the scope's, that it was there for no time at all.
    pub(super) fn note_flicker(&mut self, collection: &Collection, key: &[u8]) {
        if self.holds_back(collection, key, What::Flickered) {
            return;
        }
        let located = self.key(collection, key);
        self.with_state(collection, located, |state, _| state.watches.touch(key));
        if self.engine.tracking().is_on() {
            self.engine.note_stale(self.worker, collection.id(), key, Cause::Write);
        }
    }

    /// Has `flag` raised when `key`, one of the scope's and not dead, changes; until it is taken out of the shard's
    /// table.
    pub fn watch(&mut self, collection: &Collection, key: &[u8], flag: &WatchFlag) {
        collection.note_interest();
        let located = self.key(collection, key);
        let now_ms = self.worker.now_ms;
        self.with_state(collection, located, |state, _| state.watches.add(key, flag, now_ms));
    }

    /// A client has read these keys of the scope's, and is told when one of them changes.
    #[cold]
    pub fn note_reader<'k>(&mut self, collection: &Collection, client: u64, keys: impl Iterator<Item = &'k [u8]>) {
        if self.worker.undo.is_some() {
            keys.for_each(|key| {
                self.holds_back(collection, key, What::Read(client));
            });
            return;
        }
        self.enter_reader(collection, client, keys);
        self.engine.evict_tracked(self.worker);
    }

    /// The same, at once, and without a look at how many keys there are by then.
    pub(super) fn enter_reader<'k>(
        &mut self,
        collection: &Collection,
        client: u64,
        keys: impl Iterator<Item = &'k [u8]>,
    ) {
        let Some(space) = self.engine.space_of(collection.id()) else {
            return;
        };
        keys.for_each(|key| self.engine.tracking().remember(space, key, client));
    }

    /// What a whole collection holds has changed, for those who cache.
    pub(super) fn note_all_stale(&mut self) {
        if let Some(undo) = &mut self.worker.undo {
            return undo.tell(Telling::AllStale);
        }
        self.tell_all_stale();
    }

    /// The same, at once.
    pub(super) fn tell_all_stale(&mut self) {
        self.engine.tracking().note_all(&mut self.worker.told);
    }
}
