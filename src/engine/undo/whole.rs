//! Taking back what was done to whole collections (made, dropped, renamed, emptied, exchanged) and to libraries.
//!
//! Before the first such change the registry is kept as it is, with those who watch or wait for keys of the collections
//! that change. What was taken out of it stays where it is until the end. Nobody else runs meanwhile, so that nobody
//! can begin or cease to watch or wait.
//!
//! **Invariant:** a collection that was made meanwhile is dropped by the reaper, as every other one.

use std::any::Any;
use std::sync::Arc;

use smallvec::SmallVec;

use super::keeping::Telling;
use crate::engine::blocked::Numbered;
use crate::engine::change::drop_if_last;
use crate::engine::collection::{Collection, Shard};
use crate::engine::error::CollectionError;
use crate::engine::ids::CollectionId;
use crate::engine::keyspace::{Waited, Watched, put_watches, take_watches};
use crate::engine::reaper::DropIfLast;
use crate::engine::registry::{Gone, Registry};
use crate::engine::scope::Scope;
use crate::engine::watch::{Cause, Watcher};

/// One script or transaction may keep so much beside keys and values: memory is judged before it begins, not within.
const KEPT_BYTES_MAX: usize = 256 << 20;
/// What a key takes, and who watches it, about.
const KEY_BYTES: usize = 64;

/// A collection with those who watch and wait for its keys.
struct Kept {
    collection: Arc<Collection>,
    watched: Vec<Watched>,
    waiting: Vec<Waited>,
}

/// The collections before a change of some of them as such.
struct Whole {
    registry: Registry,
    kept: Vec<Kept>,
    /// Those that were changed as such, each as often as it was.
    changed: Vec<CollectionId>,
    /// In the place of others.
    made: Vec<Arc<Collection>>,
    gone: Vec<DropIfLast>,
    /// Who waits in those.
    orphans: Vec<Numbered>,
    /// What all of it takes beside keys and values, as it is counted.
    bytes: usize,
    /// The same of this and of all before it, and what has been put meanwhile into collections that are gone.
    all_bytes: usize,
}

impl Kept {
    fn of(collection: &Arc<Collection>) -> Self {
        let shards = || collection.shards_if_any().iter();
        Self {
            collection: Arc::clone(collection),
            watched: shards().flat_map(|shard| shard.lock().watches.all()).collect(),
            waiting: shards().flat_map(|shard| shard.lock().waiters.all()).collect(),
        }
    }

    fn rough_bytes(&self) -> usize {
        let (watched, waiting) = (self.watched.len(), self.waiting.len());
        watched * (size_of::<Watched>() + KEY_BYTES) + waiting * (size_of::<Waited>() + KEY_BYTES)
    }

    fn put_back(self) {
        let collection = &*self.collection;
        take_watches(collection);
        for shard in collection.shards_if_any() {
            shard.lock().waiters.take();
        }
        put_watches(collection, self.watched);
        for (key, queue) in self.waiting {
            let shard = collection.shard_of(collection.key(&key).hash);
            let mut state = collection.shard(shard).lock();
            queue.into_iter().for_each(|numbered| state.waiters.add(&key, numbered));
        }
    }
}

impl Scope<'_> {
    /// Keeps all collections as they are where what comes may be taken back; `ids`: those whose watchers and waiters it
    /// moves.
    ///
    /// # Errors
    /// When more than [`KEPT_BYTES_MAX`] is kept already.
    pub(in crate::engine) fn keep_whole(&mut self, ids: &[CollectionId]) -> Result<(), CollectionError> {
        let kept_bytes = self.last_whole().map_or(0, |whole| whole.all_bytes);
        if kept_bytes > KEPT_BYTES_MAX {
            return Err(CollectionError::TooMuchKept(kept_bytes));
        }
        let Some(mut undo) = self.worker.undo.take() else {
            return Ok(());
        };
        // Who watches what has changed so far is known here, and may be elsewhere afterwards.
        let told: Vec<_> = undo
            .unresolved()
            .map(|(id, key, cause)| self.watchers_of(id, key, cause))
            .collect();
        undo.resolve(told.into_iter().flatten().collect());
        let kept: Vec<Kept> = {
            let registry = self.engine.registry();
            let found = ids.iter().filter_map(|id| registry.by_collection(*id));
            let looked_at = found.filter(|slot| slot.collection.has_interest());
            looked_at.map(|slot| Kept::of(&slot.collection)).collect()
        };
        let registry = self.engine.registry().clone();
        let bytes = size_of::<Whole>() + registry.copy_bytes() + kept.iter().map(Kept::rough_bytes).sum::<usize>();
        self.engine.meter().add(self.worker.cell, bytes as i64);
        undo.push_whole(Box::new(Whole {
            registry,
            kept,
            changed: Vec::new(),
            made: Vec::new(),
            gone: Vec::new(),
            orphans: Vec::new(),
            bytes,
            all_bytes: kept_bytes + bytes,
        }));
        self.worker.undo = Some(undo);
        Ok(())
    }

    fn watchers_of(&mut self, id: CollectionId, key: &[u8], cause: Cause) -> Vec<Watcher> {
        let Some(collection) = self.collection_of(id) else {
            return Vec::new();
        };
        let located = collection.key(key);
        self.with_state(&collection, located, |state, _| state.watches.touched_by(cause, key))
    }

    /// Notes that a collection has been changed as such, which one is gone, and which one has been made.
    pub(in crate::engine) fn note_made(
        &mut self,
        id: CollectionId,
        gone: Option<&Arc<Collection>>,
        made: Option<&Arc<Collection>>,
    ) {
        let Some(undo) = &mut self.worker.undo else { return };
        // What was put into it is not seen any more, and stays: there may be many of them.
        let address = |collection: &Arc<Collection>| Arc::as_ptr(collection).addr();
        let gone = gone.filter(|gone| undo.has_made(address(gone)));
        let gone_bytes = gone.map_or(0, |gone| gone.bytes());
        made.iter().for_each(|made| undo.note_made(address(made)));
        let Some(whole) = self.last_whole() else { return };
        whole.all_bytes = whole
            .all_bytes
            .saturating_add(usize::try_from(gone_bytes).unwrap_or(usize::MAX));
        whole.changed.push(id);
        let Some(made) = made else { return };
        whole.made.push(Arc::clone(made));
        // The one that was in its place stays as well, and that had shards.
        let bytes = size_of::<Collection>() + made.shard_count() * size_of::<Shard>();
        whole.bytes += bytes;
        whole.all_bytes += bytes;
        self.engine.meter().add(self.worker.cell, bytes as i64);
    }

    /// Has the reaper drop collections, when it is certain that they are gone.
    pub(in crate::engine) fn retire_whole(&mut self, gone: Vec<DropIfLast>) {
        match self.last_whole() {
            Some(whole) => whole.gone.extend(gone),
            None => self.engine.retire_collections(gone),
        }
    }

    /// Tells watchers of a change, when it is certain.
    pub(in crate::engine) fn raise(&mut self, watchers: &SmallVec<[Watcher; 1]>) {
        match &mut self.worker.undo {
            Some(undo) => undo.tell(Telling::Raised(watchers.to_vec())),
            None => watchers.iter().for_each(Watcher::raise),
        }
    }

    /// Has those who wait for a key look, when it is certain that it has changed.
    pub(in crate::engine) fn awake(&mut self, id: CollectionId, key: &[u8]) {
        match &mut self.worker.undo {
            Some(undo) => undo.tell(Telling::Awake(id, key.into())),
            None => self.worker.ready.note(id, key),
        }
    }

    /// Has somebody look whose collection is gone, when that is certain.
    pub(in crate::engine) fn orphan(&mut self, numbered: Numbered) {
        match self.last_whole() {
            Some(whole) => whole.orphans.push(numbered),
            None => self.worker.ready.note_orphan(numbered),
        }
    }

    fn last_whole(&mut self) -> Option<&mut Whole> {
        self.worker.undo.as_mut()?.last_whole()?.downcast_mut()
    }

    pub(super) fn whole_back(&mut self, kept: Box<dyn Any + Send>) {
        let Ok(whole) = kept.downcast::<Whole>() else { return };
        let Whole {
            registry,
            kept,
            changed,
            made,
            bytes,
            ..
        } = *whole;
        let engine = self.engine;
        engine.meter().add(self.worker.cell, -(bytes as i64));
        self.worker.counters.changes.take_back(changed.len() as u64);
        changed.iter().for_each(|id| engine.tap().lose(*id));
        let libraries_bytes = registry.libraries().bytes();
        let undone = engine.change_registry(|present| std::mem::replace(present, registry));
        let growth = libraries_bytes.wrapping_sub(undone.libraries().bytes()) as i64;
        engine.meter().add(self.worker.cell, growth);
        kept.into_iter().for_each(Kept::put_back);
        engine.note_settings();
        if !made.is_empty() {
            let made = made.into_iter().map(Gone::without_heir).collect();
            engine.retire_collections(vec![drop_if_last(made)]);
        }
    }

    pub(super) fn let_whole_go(&mut self, kept: Box<dyn Any + Send>) {
        let Ok(whole) = kept.downcast::<Whole>() else { return };
        let Whole {
            gone,
            registry,
            kept,
            orphans,
            bytes,
            ..
        } = *whole;
        self.engine.meter().add(self.worker.cell, -(bytes as i64));
        orphans
            .into_iter()
            .for_each(|orphan| self.worker.ready.note_orphan(orphan));
        drop((registry, kept));
        if !gone.is_empty() {
            self.engine.retire_collections(gone);
        }
    }
}
