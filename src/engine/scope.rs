//! What one command, or one transaction, holds while it runs: locks, and the WAL record it writes.
//!
//! **Invariants**
//! - Shards are locked in order of collection and index, all before the handler runs, and released only when the record
//!   is complete. One shard may stay locked from a request to the next; nothing else is locked meanwhile.
//! - All effects of a scope are one WAL record: replay sees all of them or none.
//! - An effect with which the record would be too long for the log is not applied, and neither is anything behind it:
//!   the scope has overflowed, and the executor answers an error.
//! - A key outside of what is locked is never touched: an empty shard is lent in its place, changes to it are ignored,
//!   and the scope has strayed, so that the executor answers an error.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use super::Engine;
use super::apply::apply;
use super::blocked::Numbered;
use super::collection::{Collection, Shard, ShardState};
use super::effect::Effect;
use super::events::Classes;
use super::gate::ExclusivePass;
use super::ids::{CollectionId, ShardNo};
use super::index::{Found, KeyRef};
use super::locks::{Guards, Locks, Reach, lock_all, stray};
use super::primed::Primed;
use super::settings::Traits;
use super::watch::Cause;
use super::worker::Kit;
use crate::page::Entry;
use crate::page::codec::Sink;
use crate::page::entry::EntryRef;
use crate::shared::Piece;
use crate::wal::{Lsn, WorkerLog};

/// See the module.
pub struct Scope<'e> {
    pub(super) engine: &'e Engine,
    pub(super) worker: &'e mut Kit,
    locks: Locks<'e>,
    pub(super) primed: Primed,
    /// What was lent in place of shards that are not locked; `None` = the scope was never asked for one.
    strayed: Option<Box<ShardState>>,
    /// Whether what those who wait already have been promised is left to them.
    gives_way: bool,
    /// Whether no use of a key counts: for a client that said so.
    pub(super) is_quiet: bool,
    /// The log has no record as long as what was to be changed: nothing more is.
    pub(super) has_overflowed: bool,
}

struct LogSink<'a>(&'a mut WorkerLog);

impl Sink for LogSink<'_> {
    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn link(&mut self, piece: Piece) {
        self.0.splice(piece);
    }
}

impl<'e> Scope<'e> {
    fn new(engine: &'e Engine, worker: &'e mut Kit, locks: Locks<'e>) -> Self {
        Self {
            engine,
            worker,
            locks,
            primed: Primed::NONE,
            strayed: None,
            gives_way: false,
            is_quiet: false,
            has_overflowed: false,
        }
    }

    /// Leaves to those who wait already what they are about to be served with.
    pub fn give_way(&mut self) {
        self.gives_way = true;
    }

    /// Whether what is at `key` is left to others.
    pub(super) fn is_promised(&mut self, collection: &Collection, key: &[u8]) -> bool {
        if !self.gives_way {
            return false;
        }
        let key = self.key(collection, key);
        self.with_state(collection, key, |state, _| {
            let value = state.index.get(key).map(|entry| entry.value().value_type());
            value.is_some_and(|value| state.waiters.is_promised(key.bytes, value))
        })
    }

    /// A scope over one key, whose hash is known.
    pub fn for_key(engine: &'e Engine, worker: &'e mut Kit, collection: &'e Collection, key: KeyRef<'_>) -> Self {
        let shard = collection.shard_of(key.hash);
        let mut guards = Guards::new();
        guards.push((collection.id(), shard, collection.shard(shard).lock()));
        Self::new(engine, worker, Locks::These(guards)).primed(key)
    }

    /// A scope over one key, whose shard the caller has locked and keeps locked.
    #[inline]
    pub fn for_key_within(
        engine: &'e Engine,
        worker: &'e mut Kit,
        collection: &Collection,
        state: &'e mut ShardState,
        key: KeyRef<'_>,
    ) -> Self {
        let shard = collection.shard_of(key.hash);
        Self::new(engine, worker, Locks::One(collection.id(), shard, state)).primed(key)
    }

    #[inline]
    fn primed(mut self, key: KeyRef<'_>) -> Self {
        self.primed = Primed::with(key);
        self
    }

    /// A scope over several keys of one collection.
    pub fn for_keys<'k>(
        engine: &'e Engine,
        worker: &'e mut Kit,
        collection: &'e Collection,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> Self {
        Self::for_shards(engine, worker, keys.map(|key| collection.place_of(key)))
    }

    /// A scope over all keys of one collection.
    pub fn for_all(engine: &'e Engine, worker: &'e mut Kit, collection: &'e Collection) -> Self {
        Self::for_shards(engine, worker, collection.places())
    }

    fn for_shards(
        engine: &'e Engine,
        worker: &'e mut Kit,
        shards: impl Iterator<Item = (&'e Collection, ShardNo)>,
    ) -> Self {
        let Ok(guards) = lock_all(shards, |shard| Ok::<_, Infallible>(shard.lock()));
        Self::locked(engine, worker, guards)
    }

    /// A scope over shards that are locked.
    pub fn locked(engine: &'e Engine, worker: &'e mut Kit, guards: Guards<'e>) -> Self {
        Self::new(engine, worker, Locks::These(guards))
    }

    /// A scope that visits shards one after another, without a common instant.
    pub fn visiting(engine: &'e Engine, worker: &'e mut Kit) -> Self {
        Self::new(engine, worker, Locks::Visiting)
    }

    /// A scope over everything. The worker must have given up its own pass.
    pub fn exclusive(engine: &'e Engine, worker: &'e mut Kit, _pass: &'e ExclusivePass<'e>) -> Self {
        Self::new(engine, worker, Locks::Exclusive(PhantomData))
    }

    /// A command begins that works on `key`, and on no other: its hash is computed once. Whether its shard is locked as
    /// long as the scope lives.
    #[inline]
    pub fn begin_with(&mut self, collection: &Collection, key: &[u8]) -> bool {
        let key = collection.key(key);
        self.primed = Primed::with(key);
        matches!(
            self.locks.reach(collection, collection.shard_of(key.hash)),
            Reach::Locked(_)
        )
    }

    /// The command has ended: other bytes may be where its key was.
    #[inline]
    pub fn end_with(&mut self) {
        self.primed = Primed::NONE;
    }

    /// Whether the shard of `key` is locked as long as the scope lives.
    pub fn has_locked(&mut self, collection: &Collection, key: &[u8]) -> bool {
        let shard = collection.shard_of(self.key(collection, key).hash);
        matches!(self.locks.reach(collection, shard), Reach::Locked(_))
    }

    /// The worker's clock and counters.
    pub fn worker(&mut self) -> &mut Kit {
        self.worker
    }

    /// Whether it was asked for a key outside of what is locked.
    #[inline]
    pub fn has_strayed(&self) -> bool {
        self.strayed.is_some()
    }

    /// Whether changes were left out because the record would have been too long, since this was last asked.
    #[inline]
    pub fn take_overflow(&mut self) -> bool {
        std::mem::take(&mut self.has_overflowed)
    }

    /// Whether a command whose arguments have so many bytes can begin: what it writes fits into the record then, even
    /// if it moves an element of the greatest length as well.
    #[inline]
    pub fn has_room(&self, args_bytes: u64) -> bool {
        let (log, so_far) = (&self.worker.log, self.worker.record_bytes());
        so_far <= log.bytes_max() / 8 * 3 && so_far.saturating_add(args_bytes) <= log.bytes_max() / 4 * 3
    }

    /// Whether a change of so many bytes fits into the record with what is there; if not, it is left out.
    pub(super) fn reserve(&mut self, bytes: u64) -> bool {
        self.has_overflowed |= !self.has_room(bytes);
        !self.has_overflowed
    }

    /// Whether the record is open already, by what a transaction did before.
    #[inline]
    pub fn continues(&self) -> bool {
        self.worker.record_bytes() > 0
    }

    /// Whether nobody else is running.
    pub fn is_exclusive(&self) -> bool {
        matches!(self.locks, Locks::Exclusive(_))
    }

    /// The key with its hash, taken from the executor's preparation where that was for this key.
    #[inline]
    pub(super) fn key<'k>(&self, collection: &Collection, bytes: &'k [u8]) -> KeyRef<'k> {
        match self.primed.hash(bytes) {
            Some(hash) => KeyRef::new(bytes, hash),
            None => collection.key(bytes),
        }
    }

    /// The entry of `key`, if it has been found before and nothing has changed since.
    #[inline]
    pub(super) fn found(&self, key: &[u8]) -> Option<EntryRef<'_>> {
        let address = self.primed.entry(key)?.address;
        // SAFETY: the shard is locked as long as the scope lives, every change to it forgets the address, and nothing
        // changes while the scope is borrowed.
        let entry = unsafe { EntryRef::from_address(address) };
        debug_assert_eq!(entry.key(), key, "the entry has changed unnoticed");
        Some(entry)
    }

    /// Remembers where the entry of `key` is.
    #[inline]
    pub(super) fn remember(&mut self, key: &[u8], found: Found) {
        self.primed.remember(key, found);
    }

    /// Runs `body` on the shard of `key`.
    #[inline]
    pub(super) fn with_state<R>(
        &mut self,
        collection: &Collection,
        key: KeyRef<'_>,
        body: impl FnOnce(&mut ShardState, &mut Kit) -> R,
    ) -> R {
        let shard = collection.shard_of(key.hash);
        let mut guard = None;
        // `body` stands here once, so that it needs no call.
        let state = match self.locks.reach(collection, shard) {
            Reach::Locked(state) => state,
            Reach::Free => &mut **guard.insert(collection.shard(shard).lock()),
            Reach::Never => stray(&mut self.strayed, collection),
        };
        body(state, self.worker)
    }

    /// The state of the shard of `key`, for reading values that outlive the call.
    #[inline]
    pub(super) fn state<'a>(&'a mut self, collection: &'a Collection, key: KeyRef<'_>) -> &'a ShardState {
        let shard = collection.shard_of(key.hash);
        let is_exclusive = self.is_exclusive();
        match self.locks.reach(collection, shard) {
            Reach::Locked(state) => state,
            // SAFETY: the exclusive gate is held, and `&mut self` keeps this the only reference from this thread.
            Reach::Free if is_exclusive => unsafe { collection.shard(shard).state_unlocked() },
            // A visiting scope has nothing to lend.
            Reach::Free | Reach::Never => stray(&mut self.strayed, collection),
        }
    }

    /// Applies an effect on a key and logs it, in one step; by how many elements its container has grown.
    #[inline]
    pub(super) fn apply(&mut self, collection: &Collection, key: KeyRef<'_>, effect: &Effect<'_>) -> i64 {
        self.apply_because(collection, key, effect, Cause::Write)
    }

    /// Applies an effect on a key of a shard that the caller has locked.
    pub(super) fn apply_under(
        &mut self,
        collection: &Collection,
        shard: &Shard,
        state: &mut ShardState,
        key: KeyRef<'_>,
        effect: &Effect<'_>,
        cause: Cause,
    ) {
        self.apply_to(collection, shard, state, key, effect, cause);
    }

    /// Completes the record so far, as at the scope's end.
    pub(super) fn end_batch(&mut self) {
        self.worker.end_record();
    }

    #[inline]
    pub(super) fn apply_because(
        &mut self,
        collection: &Collection,
        key: KeyRef<'_>,
        effect: &Effect<'_>,
        cause: Cause,
    ) -> i64 {
        let applied = self.with_shard(collection, key, |scope, shard, state| {
            scope.apply_to(collection, shard, state, key, effect, cause)
        });
        applied.unwrap_or(0)
    }

    /// Runs `body`, which looks at no other shard, on the shard of `key`; `None` if the scope has not got that.
    #[inline(always)]
    pub(super) fn with_shard<R>(
        &mut self,
        collection: &Collection,
        key: KeyRef<'_>,
        body: impl FnOnce(&mut Self, &Shard, &mut ShardState) -> R,
    ) -> Option<R> {
        let index = collection.shard_of(key.hash);
        let shard = collection.shard(index);
        match self.locks.reach(collection, index) {
            Reach::Locked(state) => {
                let state = std::ptr::from_mut(state);
                // SAFETY: the lock stays held until the scope ends, and `body` does not look at `self.locks`.
                Some(body(self, shard, unsafe { &mut *state }))
            }
            Reach::Free => Some(body(self, shard, &mut shard.lock())),
            Reach::Never => {
                stray(&mut self.strayed, collection);
                None
            }
        }
    }

    #[inline]
    pub(super) fn apply_to(
        &mut self,
        collection: &Collection,
        shard: &Shard,
        state: &mut ShardState,
        key: KeyRef<'_>,
        effect: &Effect<'_>,
        cause: Cause,
    ) -> i64 {
        if self.may_be_taken_back() {
            return self.apply_keeping(collection, shard, state, (key, effect), cause);
        }
        self.apply_in::<false>(collection, shard, state, (key, effect), cause)
    }

    /// The same where it may be taken back. Apart, so that others pay one look.
    #[cold]
    fn apply_keeping(
        &mut self,
        collection: &Collection,
        shard: &Shard,
        state: &mut ShardState,
        change: (KeyRef<'_>, &Effect<'_>),
        cause: Cause,
    ) -> i64 {
        self.apply_in::<true>(collection, shard, state, change, cause)
    }

    #[inline(always)]
    fn apply_in<const KEEPS: bool>(
        &mut self,
        collection: &Collection,
        shard: &Shard,
        state: &mut ShardState,
        (key, effect): (KeyRef<'_>, &Effect<'_>),
        cause: Cause,
    ) -> i64 {
        let key = self.primed.take_entry(key);
        if self.has_overflowed {
            return 0;
        }
        // Under the shard's lock: LSN order is execution order per key.
        let traits = collection.traits();
        let lsn = if traits.is_cache() {
            Lsn::ZERO
        } else {
            self.worker.record_lsn()
        };
        // Before anything changes: it may not fit.
        if lsn != Lsn::ZERO && self.worker.log.is_enabled() {
            let encode = |log: &mut WorkerLog| effect.encode(collection.id(), &mut LogSink(log));
            if !self.worker.log.append(encode) {
                self.has_overflowed = true;
                return 0;
            }
        }
        self.worker.observe(traits, lsn);
        if !cause.touches() && !state.watches.is_empty() {
            self.tell_of_deaths(state, key);
        }
        if KEEPS {
            self.keep(collection, state, key, cause);
        }
        let write = self.engine.page_write(collection, collection.shard_of(key.hash), lsn);
        let keys = state.keys;
        let stamp = self.engine.stamp(traits, self.worker.now_ms, self.is_quiet);
        let applied = apply(shard, state, key, effect, &write, stamp);
        if !KEEPS {
            state.note(cause, key.bytes);
            if state.waiters.has(key.bytes) && effect.may_serve() {
                self.worker.ready.note(collection.id(), key.bytes);
            }
            if self.engine.tracking().is_on() {
                self.engine.note_stale(self.worker, collection.id(), key.bytes, cause);
            }
        }
        if !traits.is_plain() {
            self.heed(collection, traits, applied.bytes, effect);
        }
        self.note_change(applied.bytes);
        if let Some(entry) = applied.retired {
            self.retire(entry);
        }
        if state.keys > keys {
            self.notify(collection, Classes::NEW, "new", key.bytes);
        }
        applied.elements
    }

    /// What a change means to a collection with settings, or to one that is being converted.
    #[cold]
    fn heed(&mut self, collection: &Collection, traits: Traits, bytes: i64, effect: &Effect<'_>) {
        if traits.is_limited() {
            collection.carried().note_bytes(bytes);
        }
        if traits.is_tapped() {
            self.engine.tap().push(collection.id(), &effect.standing_alone());
        }
    }

    /// A number for a waiter; those that come later have larger ones.
    pub fn next_waiter_id(&self) -> u64 {
        self.engine.waiter_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Enters somebody who waits for `key`, one of the scope's.
    pub fn add_waiter(&mut self, collection: &Collection, key: &[u8], numbered: Numbered) {
        let located = self.key(collection, key);
        collection.note_interest();
        self.with_state(collection, located, |state, _| state.waiters.add(key, numbered));
    }

    /// Logs an effect that the registry applied to each of these, one at least.
    pub(super) fn log_registry_effects(&mut self, ids: impl Iterator<Item = CollectionId>, effect: &Effect<'_>) {
        let lsn = self.worker.record_lsn();
        self.worker.observe_registry(lsn);
        // Nobody else runs.
        self.engine.registry_lsn.store(lsn.get(), Ordering::Relaxed);
        if self.worker.log.is_enabled() {
            let sink = &mut LogSink(&mut self.worker.log);
            ids.for_each(|id| effect.encode(id, sink));
        }
    }

    #[inline]
    fn note_change(&mut self, bytes: i64) {
        if bytes != 0 {
            self.engine.meter().add(self.worker.cell, bytes);
        }
        self.worker.counters.changes.add(1);
    }

    #[inline]
    pub(super) fn retire(&mut self, entry: Entry) {
        let bytes = entry.heap_bytes();
        // What others have a share of is not freed by this: it neither takes time nor counts.
        if bytes > super::reaper::LARGE_BYTES && entry.is_sole_owner() {
            let (meter, cell) = (self.engine.meter(), self.worker.cell);
            let count = || meter.add(cell, bytes as i64);
            self.engine.reaper().retire_entry(entry, bytes as u64, count);
        }
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        self.worker.end_record();
    }
}
