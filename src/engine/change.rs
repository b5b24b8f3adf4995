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
use super::registry::Registry;

impl ExclusiveTxn<'_, '_> {
    /// Empties a collection; its pages are dropped in the background.
    ///
    /// # Errors
    /// When there is no such collection.
    pub fn flush(&mut self, id: CollectionId) -> Result<(), CollectionError> {
        self.flush_these(&[id])
    }

    /// Empties all collections but attached ones, which are no data of this server.
    ///
    /// # Errors
    /// Never: they are there.
    pub fn flush_all(&mut self) -> Result<(), CollectionError> {
        let ids: Vec<_> = self.registry(|registry| {
            let ours = registry.slots().filter(|slot| !slot.id.is_attached());
            // One that was never written since it was last empty has nothing to remove, and nothing to log.
            let written = ours.filter(|slot| !slot.collection.shards_if_any().is_empty());
            written.map(|slot| slot.collection.id()).collect()
        });
        self.flush_these(&ids)
    }

    /// Those who cache forget everything.
    pub fn note_all_stale(&mut self) {
        self.scope.note_all_stale();
    }

    fn flush_these(&mut self, ids: &[CollectionId]) -> Result<(), CollectionError> {
        self.scope.keep_whole(ids);
        self.note_all_stale();
        let is_looked_at = |id: &&CollectionId| self.collection(**id).is_some_and(|found| found.has_interest());
        let looked_at: Vec<_> = ids.iter().filter(is_looked_at).copied().collect();
        let taken: Vec<_> = looked_at
            .into_iter()
            .map(|id| (id, self.touch_watched(id), self.take_waiters(id)))
            .collect();
        self.change_each(ids, &Effect::CollectionFlush)?;
        for (id, watched, waiting) in taken {
            self.watch_again(id, watched);
            self.wait_again(id, waiting);
        }
        Ok(())
    }

    pub(super) fn change(&mut self, id: CollectionId, effect: &Effect<'_>) -> Result<(), CollectionError> {
        self.change_each(&[id], effect)
    }

    /// Changes several collections in the same way; those before one that cannot be changed are.
    fn change_each(&mut self, ids: &[CollectionId], effect: &Effect<'_>) -> Result<(), CollectionError> {
        let engine = self.scope.engine;
        let mut changed = Vec::with_capacity(ids.len());
        let result = engine.change_registry(|registry: &mut Registry| {
            ids.iter().try_for_each(|id| {
                let gone = registry.apply(*id, effect)?;
                let now = registry.by_collection(*id).map(|slot| Arc::clone(&slot.collection));
                changed.push((*id, gone, now));
                Ok(())
            })
        });
        let mut has_settings = matches!(effect, Effect::CollectionConfigure { .. });
        let mut all_gone = Vec::new();
        for (id, gone, now) in changed {
            self.scope.log_registry_effect(id, effect);
            if engine.tap().note(id, effect, now.is_some())
                && let Some(now) = &now
            {
                now.carried().set_tapped(true);
            }
            self.scope.worker.counters.changes.add(1);
            self.scope
                .note_made(id, gone.is_some().then_some(now.as_ref()).flatten());
            has_settings |= gone
                .iter()
                .chain(&now)
                .any(|collection| !collection.traits().is_plain());
            if let Some(collection) = gone {
                if let Some(now) = now.as_ref().filter(|_| is_emptied(effect)) {
                    now.succeed(&collection);
                }
                all_gone.push(drop_if_last(collection, now));
            }
        }
        if has_settings {
            engine.note_settings();
        }
        if !all_gone.is_empty() {
            self.scope.retire_whole(all_gone);
        }
        result
    }
}

/// Whether what an effect takes away has a successor that goes on with its counts.
fn is_emptied(effect: &Effect<'_>) -> bool {
    matches!(effect, Effect::CollectionFlush | Effect::CollectionConfigure { .. })
}

/// How the reaper drops a collection that was taken out of the registry, whose counts `heir` goes on with.
pub(super) fn drop_if_last(collection: Arc<Collection>, mut heir: Option<Arc<Collection>>) -> DropIfLast {
    let (mut kept, mut bytes) = (Some(collection), None);
    Box::new(move |freed| {
        if let Some(heir) = heir.take() {
            heir.settle_counts();
        }
        match Arc::try_unwrap(kept.take()?) {
            Ok(collection) => {
                collection.drop_telling(freed);
                None
            }
            Err(shared) => {
                // Nobody changes it any more.
                let bytes = *bytes.get_or_insert_with(|| shared.bytes());
                kept = Some(shared);
                Some(bytes)
            }
        }
    })
}
