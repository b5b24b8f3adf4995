//! The way back: what a scope has applied can be taken back, as if it had never been.
//!
//! [`Scope::attempt`] runs a part of a scope that can fail as a whole. Before the first change of a key in it the entry
//! that was there is kept; containers and long strings share their structure, so that a copy takes a moment. What the
//! part means to others (watchers, blocked commands, clients that cache, keyspace events, messages, MONITOR's lines) is
//! held back until its end. If it fails the kept entries come back, and what its record has got is cut off again.
//!
//! **Invariants**
//! - Nobody else sees anything of it before its end: its shards stay locked, or nobody else runs.
//! - Afterwards the keys, their values and expiries, and all that is counted of them are what they were. Pages keep the
//!   LSN of the record, so that they count as changed: they may have been split or merged meanwhile. The record, if it
//!   has begun, is logged without what was taken back, so that no LSN is missing.
//! - Taking back cannot fail: all it needs was made when the change was.
//! - Attempts may be nested: an inner one that fails leaves what the outer one did before it.
//! - What is done to whole collections is taken back as well ([`whole`]).
//! - A thread that attempts nothing pays one look for each change.

mod keeping;
mod whole;

use std::sync::Arc;

use super::apply::restore;
use super::collection::{Collection, Shard, ShardState};
use super::effect::Effect;
use super::ids::CollectionId;
use super::index::KeyRef;
use super::reaper::LARGE_BYTES;
use super::scope::Scope;
use super::watch::Cause;
use super::watch::Watcher;
use super::worker::Kit;
use crate::page::Entry;
use crate::wal::Lsn;
use keeping::{KeyStep, Level, Step};

pub(super) use keeping::{Telling, Undo, What};

impl Scope<'_> {
    /// Runs `body`; if it fails, takes back what it has done, and nobody is told of it.
    ///
    /// # Errors
    /// That of `body`.
    pub fn attempt<R, E>(&mut self, body: impl FnOnce(&mut Self) -> Result<R, E>) -> Result<R, E> {
        self.begin_attempt();
        let result = body(self);
        match result {
            Ok(_) => self.end_attempt(),
            Err(_) => self.take_back(),
        }
        result
    }

    /// Whether what is done now may be taken back.
    #[inline]
    pub fn may_be_taken_back(&self) -> bool {
        self.worker.undo.is_some()
    }

    fn begin_attempt(&mut self) {
        let log_mark = self.worker.log.mark();
        // The record stays open also where scopes within this one end.
        let was_in_transaction = self.worker.set_in_transaction(true);
        let level = Level::new(log_mark, was_in_transaction);
        let Kit { undo, spare_undo, .. } = &mut *self.worker;
        let undo = undo.get_or_insert_with(|| spare_undo.take().unwrap_or_default());
        undo.begin(level);
        if let Some(herald) = &self.worker.herald {
            herald.hold();
        }
    }

    /// It stays: tells of it, unless an outer attempt may still fail.
    fn end_attempt(&mut self) {
        let Some(mut undo) = self.worker.undo.take() else {
            return;
        };
        if let Some(level) = undo.end() {
            self.worker.set_in_transaction(level.was_in_transaction);
        }
        if undo.is_attempted() {
            self.worker.undo = Some(undo);
        } else {
            self.settle(undo);
        }
        if let Some(herald) = &self.worker.herald {
            herald.release(self.worker.dependencies());
        }
    }

    fn settle(&mut self, mut undo: Box<Undo>) {
        for (telling, is_resolved) in undo.take_tellings() {
            self.tell_held(telling, is_resolved);
        }
        self.engine.evict_tracked(self.worker);
        for step in undo.take_steps() {
            match step {
                Step::Key(step) => self.let_go(step),
                Step::Whole(whole) => self.let_whole_go(whole),
            }
        }
        if undo.is_worth_keeping() {
            self.worker.spare_undo = Some(undo);
        }
    }

    fn take_back(&mut self) {
        let Some(mut undo) = self.worker.undo.take() else {
            return;
        };
        let level = undo.end();
        self.primed.forget_entry();
        self.has_overflowed = false;
        while let Some(step) = undo.pop_behind(level.as_ref()) {
            match step {
                Step::Key(step) => self.step_back(step),
                Step::Whole(whole) => self.whole_back(whole),
            }
        }
        if let Some(level) = level {
            self.worker.log.rewind(level.log_mark);
            self.worker.set_in_transaction(level.was_in_transaction);
        }
        if undo.is_attempted() {
            self.worker.undo = Some(undo);
        }
        if let Some(herald) = &self.worker.herald {
            herald.forget();
        }
    }

    /// Keeps what `key` has before its first change in the attempt, and notes the change, which follows at once.
    pub(super) fn keep(&mut self, collection: &Collection, state: &mut ShardState, key: KeyRef<'_>, cause: Cause) {
        let Some(undo) = &mut self.worker.undo else { return };
        let kept_bytes = undo.keep(collection.id(), key.bytes, cause, || {
            state.index.get(key).map(|entry| entry.copy())
        });
        state.count(cause);
        if kept_bytes > 0 {
            self.engine.meter().add(self.worker.cell, kept_bytes as i64);
        }
    }

    /// Notes for later what `key` means to those who watch or cache it; whether there is an attempt.
    #[inline]
    pub(super) fn holds_back(&mut self, collection: &Collection, key: &[u8], what: What) -> bool {
        let undo = self.worker.undo.as_mut();
        undo.map(|undo| undo.note(collection.id(), key, what)).is_some()
    }

    /// Tells something that was held back; `is_resolved`: but those who watch it.
    fn tell_held(&mut self, telling: Telling, is_resolved: bool) {
        match telling {
            Telling::Of(place, what) => self.tell_of((place.collection(), place.key()), what, is_resolved),
            Telling::AllStale => self.tell_all_stale(),
            Telling::Raised(watchers) => watchers.iter().for_each(Watcher::raise),
            Telling::Awake(id, key) => self.worker.ready.note(id, &key),
        }
    }

    fn tell_of(&mut self, (id, key): (CollectionId, &[u8]), what: What, is_resolved: bool) {
        let Some(collection) = self.collection_of(id) else {
            return;
        };
        let cause = match what {
            What::Read(client) => return self.enter_reader(&collection, client, std::iter::once(key)),
            What::Flickered => Cause::Write,
            What::Changed(cause) => cause,
        };
        let located = self.key(&collection, key);
        self.with_shard(&collection, located, |scope, _, state| {
            if !is_resolved {
                state.raise(cause, key);
            }
            if what != What::Flickered && state.waiters.has(key) {
                scope.worker.ready.note(id, key);
            }
            if scope.engine.tracking().is_on() {
                scope.engine.note_stale(scope.worker, id, key, cause);
            }
        });
    }

    /// Puts back what a key had.
    fn step_back(&mut self, step: KeyStep) {
        self.engine.meter().add(self.worker.cell, -(step.kept_bytes() as i64));
        let counters = Arc::clone(&self.worker.counters);
        counters.changes.take_back(step.counts.writes + step.counts.expired);
        counters.expired.take_back(step.counts.expired);
        let Some(collection) = self.collection_of(step.collection()) else {
            return;
        };
        let (place, counts, old) = step.into_parts();
        let key = collection.key(place.key());
        self.with_shard(&collection, key, |scope, shard, state| {
            state.counts.take_back(counts);
            scope.put_back(&collection, (shard, state), key, old);
        });
    }

    fn put_back(
        &mut self,
        collection: &Collection,
        (shard, state): (&Shard, &mut ShardState),
        key: KeyRef<'_>,
        old: Option<Entry>,
    ) {
        let traits = collection.traits();
        let lsn = if traits.is_cache() {
            Lsn::ZERO
        } else {
            self.worker.record_lsn()
        };
        if traits.is_tapped() {
            // The change itself has been followed.
            self.engine
                .tap()
                .push(collection.id(), &effect_of(key.bytes, old.as_ref()));
        }
        let shares = old.as_ref().is_some_and(Entry::is_big);
        let write = self.engine.page_write(collection, collection.shard_of(key.hash), lsn);
        let applied = restore(shard, state, key, old, &write);
        if traits.is_limited() {
            collection.carried().note_bytes(applied.bytes);
        }
        self.engine.meter().add(self.worker.cell, applied.bytes);
        if let Some(entry) = applied.retired {
            self.retire_beside(entry, shares);
        }
    }

    /// Lets go of what was kept for nothing.
    fn let_go(&mut self, step: KeyStep) {
        self.engine.meter().add(self.worker.cell, -(step.kept_bytes() as i64));
        let id = step.collection();
        let (place, _, Some(entry)) = step.into_parts() else {
            return;
        };
        let shares = entry.is_big()
            && self.collection_of(id).is_some_and(|collection| {
                let key = collection.key(place.key());
                let has_big = |state: &ShardState| state.index.get(key).is_some_and(|now| now.is_big());
                self.with_shard(&collection, key, |_, _, state| has_big(state)) == Some(true)
            });
        self.retire_beside(entry, shares);
    }

    /// Drops an entry that may be slow to drop; `shares`: most of it belongs to the one that is in its place, too, and
    /// counts there.
    fn retire_beside(&mut self, entry: Entry, shares: bool) {
        if !shares {
            self.retire(entry);
        } else if entry.heap_bytes() > LARGE_BYTES {
            self.engine.reaper().retire_entry(entry, 0, || ());
        }
    }

    fn collection_of(&self, id: CollectionId) -> Option<Arc<Collection>> {
        let registry = self.engine.registry();
        registry.by_collection(id).map(|slot| Arc::clone(&slot.collection))
    }
}

/// What makes `key` what it was.
fn effect_of<'a>(key: &'a [u8], old: Option<&'a Entry>) -> Effect<'a> {
    match old {
        Some(old) => Effect::Put {
            key,
            expire_at_ms: old.expire_at_ms().unwrap_or(0),
            value: old.value(),
        },
        None => Effect::Delete { key },
    }
}
