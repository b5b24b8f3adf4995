//! Changes of collections as such: applied by the registry, logged, and what they take out handed to the reaper.
//!
//! **Invariant:** what many collections have to go through takes time for each of them that does not grow with their
//! number, and none for what no client watches or waits for: everybody waits meanwhile.

use std::sync::Arc;

use super::collection::Collection;
use super::effect::Effect;
use super::error::CollectionError;
use super::ids::CollectionId;
use super::keyspace::ExclusiveTxn;
use super::reaper::DropIfLast;
use super::registry::{Gone, Registry};

impl ExclusiveTxn<'_, '_> {
    /// Empties a collection; its pages are dropped in the background.
    ///
    /// # Errors
    /// When there is no such collection.
    pub fn flush(&mut self, id: CollectionId) -> Result<(), CollectionError> {
        self.flushing(&[id], |txn| txn.change(id, &Effect::CollectionFlush))?
    }

    /// Empties all collections but attached ones, which are no data of this server. One that was never written since it
    /// was last empty has nothing to remove, and nothing to log.
    ///
    /// # Errors
    /// When there is no room to keep them where that may be taken back.
    pub fn flush_all(&mut self) -> Result<(), CollectionError> {
        // All are looked at before the first is changed: their memory, which is cold, comes for many at a time then.
        let looked_at: Vec<_> = self.registry(|registry| {
            let written = registry.slots().filter(|slot| slot.is_written());
            let looked_at = written.filter(|slot| slot.collection.has_interest());
            looked_at.map(|slot| slot.collection.id()).collect()
        });
        self.flushing(&looked_at, Self::empty_written)
    }

    /// Those who cache forget everything.
    pub fn note_all_stale(&mut self) {
        self.scope.note_all_stale();
    }

    /// Has `empty` take out what is in the collections `ids`, and perhaps in others that nobody looks at: those who
    /// watch or wait for a key of them stay.
    fn flushing<R>(&mut self, ids: &[CollectionId], empty: impl FnOnce(&mut Self) -> R) -> Result<R, CollectionError> {
        self.scope.keep_whole(ids)?;
        self.note_all_stale();
        let is_looked_at = |id: &&CollectionId| self.collection(**id).is_some_and(|found| found.has_interest());
        let looked_at: Vec<_> = ids.iter().filter(is_looked_at).copied().collect();
        let taken: Vec<_> = looked_at
            .into_iter()
            .map(|id| (id, self.touch_watched(id), self.take_waiters(id)))
            .collect();
        let result = empty(self);
        for (id, watched, waiting) in taken {
            self.watch_again(id, watched);
            self.wait_again(id, waiting);
        }
        Ok(result)
    }

    /// Empties all that were written, at once: the registry, the log, the reaper and who follows one of them get a
    /// list.
    fn empty_written(&mut self) {
        let engine = self.scope.engine;
        let gone = engine.change_registry(Registry::empty_written);
        if gone.is_empty() {
            return;
        }
        let ids = || gone.iter().map(|gone| gone.collection.id());
        self.scope.log_registry_effects(ids(), &Effect::CollectionFlush);
        self.scope.worker.counters.changes.add(gone.len() as u64);
        let followed = engine.tap().followed();
        for Gone { collection, heir } in &gone {
            let Some(heir) = heir else { continue };
            if followed == Some(heir.id()) {
                self.note_followed(heir.id(), &Effect::CollectionFlush, Some(heir));
            }
            heir.succeed(collection);
            self.scope.note_made(heir.id(), Some(collection), Some(heir));
        }
        // Settings stay, so that there is nothing to note of them.
        self.scope.retire_whole(vec![drop_if_last(gone)]);
    }

    /// Changes a collection.
    pub(super) fn change(&mut self, id: CollectionId, effect: &Effect<'_>) -> Result<(), CollectionError> {
        let engine = self.scope.engine;
        let (was_there, gone, now) = engine.change_registry(|registry: &mut Registry| {
            let was_there = registry.by_collection(id).is_some();
            let gone = registry.apply(id, effect)?;
            let now = registry.by_collection(id).map(|slot| Arc::clone(&slot.collection));
            Ok((was_there, gone, now))
        })?;
        self.scope.log_registry_effects(std::iter::once(id), effect);
        self.note_followed(id, effect, now.as_ref());
        self.scope.worker.counters.changes.add(1);
        let made = now.as_ref().filter(|_| gone.is_some() || !was_there);
        self.scope.note_made(id, gone.as_ref(), made);
        let mut present = gone.iter().chain(&now);
        if matches!(effect, Effect::CollectionConfigure { .. }) || present.any(|found| !found.traits().is_plain()) {
            engine.note_settings();
        }
        if let Some(collection) = gone {
            let heir = now.filter(|_| is_emptied(effect));
            if let Some(heir) = &heir {
                heir.succeed(&collection);
            }
            self.scope
                .retire_whole(vec![drop_if_last(vec![Gone { collection, heir }])]);
        }
        Ok(())
    }

    /// Tells a conversion of a change of collection `id`, in whose place `now` is, if it follows that one.
    fn note_followed(&self, id: CollectionId, effect: &Effect<'_>, now: Option<&Arc<Collection>>) {
        if self.scope.engine.tap().note(id, effect, now.is_some())
            && let Some(now) = now
        {
            now.carried().set_tapped(true);
        }
    }
}

/// Whether what an effect takes away has a successor that goes on with its counts.
fn is_emptied(effect: &Effect<'_>) -> bool {
    matches!(effect, Effect::CollectionFlush | Effect::CollectionConfigure { .. })
}

/// How the reaper drops what was taken out of the registry: one list, however many they are. Everybody waits while it
/// is made, and nobody while it is worked off.
pub(super) fn drop_if_last(mut gone: Vec<Gone>) -> DropIfLast {
    // Those that others still have, with how many bytes they have: nobody changes them any more.
    let mut shared: Vec<(Arc<Collection>, u64)> = Vec::new();
    Box::new(move |freed| {
        let before = std::mem::take(&mut shared).into_iter();
        shared = before
            .filter_map(|(collection, bytes)| drop_or_keep(collection, freed).map(|kept| (kept, bytes)))
            .collect();
        for Gone { collection, heir } in std::mem::take(&mut gone) {
            if let Some(heir) = heir {
                heir.settle_counts();
            }
            if let Some(kept) = drop_or_keep(collection, freed) {
                let bytes = kept.bytes();
                shared.push((kept, bytes));
            }
        }
        (!shared.is_empty()).then(|| shared.iter().map(|(_, bytes)| bytes).sum())
    })
}

/// Drops a collection, unless others have it.
fn drop_or_keep(collection: Arc<Collection>, freed: &dyn Fn(u64)) -> Option<Arc<Collection>> {
    match Arc::try_unwrap(collection) {
        Ok(collection) => {
            collection.drop_telling(freed);
            None
        }
        Err(shared) => Some(shared),
    }
}
