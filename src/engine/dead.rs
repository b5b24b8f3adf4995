//! The removal of what is dead: keys, fields of hashes, members of sets and sorted sets, whose time has come.
//!
//! The rule of elements (fields and members), the same for all three types, is in ARCHITECTURE.md ("What dies").
//!
//! **Invariants**
//! - Whatever is removed is looked at once more under the lock that it is removed under.
//! - A look at a set or sorted set that a transaction is given shows no dead member: they have been removed, or are not
//!   in the copy that it is shown.

use super::collection::{Collection, Shard, ShardState};
use super::effect::Effect;
use super::elements::removal;
use super::events::Classes;
use super::index::KeyRef;
use super::scope::Scope;
use super::txn::ReadTxn;
use super::undo::Telling;
use super::watch::{Cause, Watcher};
use crate::page::container::{Form, Kind, Next};
use crate::page::entry::EntryRef;
use crate::page::mortal::Mortal;
use crate::page::packed::pack;
use crate::page::thresholds::Thresholds;
use crate::page::{Change, Entry, Packed, ValueRef, set, zset};

/// Dead elements of one container that the sweep removes at once.
const SWEPT_MAX: usize = 1000;

/// The bytes of them beyond which others are left for later.
const SWEPT_BYTES_MAX: usize = 64 << 20;

/// Leaves the first of `names`, at least one, up to so many bytes as one record takes easily.
fn keep_short(names: &mut Vec<Vec<u8>>) {
    let mut bytes = 0;
    let few = names.iter().take_while(|name| {
        let before = bytes;
        bytes += name.len();
        before < SWEPT_BYTES_MAX
    });
    let count = few.count();
    names.truncate(count);
}

/// What is told where elements of such a container have died.
fn death_of(kind: Kind) -> (Classes, &'static str) {
    match kind {
        Kind::Set => (Classes::SET, "sexpired"),
        Kind::Zset => (Classes::ZSET, "zexpired"),
        Kind::Hash | Kind::List | Kind::Stream | Kind::Vectors => (Classes::HASH, "hexpired"),
    }
}

/// The set or sorted set of an entry without its dead members; `None` if nothing is left. What is large is shared.
fn living(entry: EntryRef<'_>, now_ms: u64, thresholds: &Thresholds) -> Option<Entry> {
    let mut copy = entry.copy();
    let Some(mortal) = Mortal::of(entry.value()) else {
        return Some(copy);
    };
    let dead = mortal.dead(now_ms, usize::MAX);
    let (kind, names) = (mortal.kind(), pack(dead.iter().map(Vec::as_slice)));
    let form = match (copy.big_mut(), entry.value()) {
        (Some(big), _) => Form::Big(big),
        (None, ValueRef::Packed(kind, packed)) => Form::Packed(kind, packed),
        (None, _) => Form::Absent,
    };
    let change = Change::apart(thresholds);
    let next = match removal(kind, entry.key(), &names) {
        Effect::Set { op, .. } => set::apply(form, &op, &change),
        Effect::Zset { op, .. } => zset::apply(form, &op, &change),
        _ => Next::Keep,
    };
    let of = |value: ValueRef<'_>| Entry::new(entry.key(), value, entry.expire_at_ms(), entry.access());
    match next {
        Next::Keep => Some(copy),
        Next::Packed(bytes) => Some(of(ValueRef::Packed(kind, Packed::new(&bytes)))),
        Next::Big(big) => Some(of(ValueRef::Big(&big))),
        Next::Remove => None,
    }
}

/// Whether a key, or an element of it, has died after `since_ms` and by `now_ms`. O(log n).
fn has_died(entry: EntryRef<'_>, since_ms: u64, now_ms: u64) -> bool {
    if entry.is_expired(now_ms) {
        return !entry.is_expired(since_ms);
    }
    let mortal = Mortal::of(entry.value()).filter(|mortal| mortal.has_dead(now_ms));
    mortal.is_some_and(|mortal| mortal.dead_count(since_ms) < mortal.dead_count(now_ms))
}

impl Scope<'_> {
    /// Tells those who watch a key what has died of it since they do; within an attempt, when it is certain: what dies
    /// may have come with it.
    #[cold]
    pub(super) fn tell_of_deaths(&mut self, state: &ShardState, key: KeyRef<'_>) {
        let now_ms = self.worker.now_ms;
        let Some(entry) = state.index.get(key) else { return };
        let has_died = |since_ms| has_died(entry, since_ms, now_ms);
        let touched = state.watches.touched_by_death(key.bytes, has_died);
        if touched.is_empty() {
            return;
        }
        match &mut self.worker.undo {
            Some(undo) => undo.tell(Telling::Raised(touched)),
            None => touched.iter().for_each(Watcher::raise),
        }
    }

    /// Whether `key`, or an element of it, has died after `since_ms`.
    pub fn has_died(&mut self, collection: &Collection, key: &[u8], since_ms: u64) -> bool {
        let now_ms = self.worker.now_ms;
        let key = self.key(collection, key);
        self.with_state(collection, key, |state, _| {
            state
                .index
                .get(key)
                .is_some_and(|entry| has_died(entry, since_ms, now_ms))
        })
    }

    /// Removes a key that is dead.
    pub(super) fn expire(&mut self, collection: &Collection, key: KeyRef<'_>) {
        let effect = Effect::Delete { key: key.bytes };
        self.apply_because(collection, key, &effect, Cause::Expiry);
        self.notify(collection, Classes::EXPIRED, "expired", key.bytes);
    }

    /// Removes `key` if it is dead, else some of its elements that are; whether the key was.
    pub(super) fn expire_if_dead(&mut self, collection: &Collection, key: KeyRef<'_>) -> bool {
        let now_ms = self.worker.now_ms;
        let shard = collection.shard(collection.shard_of(key.hash));
        // Between this look and the removal somebody may write the key: the look is repeated under the same lock.
        let mut state = shard.lock();
        let dead = state.index.get(key).is_some_and(|entry| entry.is_expired(now_ms));
        if dead {
            let effect = Effect::Delete { key: key.bytes };
            self.apply_to(collection, shard, &mut state, key, &effect, Cause::Expiry);
            self.notify(collection, Classes::EXPIRED, "expired", key.bytes);
            return true;
        }
        // The others when the sweep comes back.
        self.remove_dead(collection, shard, &mut state, key, SWEPT_MAX);
        false
    }

    /// Removes up to `max` dead elements of `key`; all at once, whatever `max`, where none is alive.
    fn remove_dead(
        &mut self,
        collection: &Collection,
        shard: &Shard,
        state: &mut ShardState,
        key: KeyRef<'_>,
        max: usize,
    ) {
        let now_ms = self.worker.now_ms;
        let mortal = state.index.get(key).and_then(|entry| Mortal::of(entry.value()));
        let Some(mortal) = mortal.filter(|mortal| mortal.has_dead(now_ms)) else {
            return;
        };
        let kind = mortal.kind();
        if mortal.is_all_dead(now_ms) {
            let effect = Effect::Delete { key: key.bytes };
            self.apply_to(collection, shard, state, key, &effect, Cause::Deaths);
        } else {
            let mut names = mortal.dead(now_ms, max);
            if max != usize::MAX {
                keep_short(&mut names);
            }
            let names = pack(names.iter().map(Vec::as_slice));
            let effect = removal(kind, key.bytes, &names);
            self.apply_to(collection, shard, state, key, &effect, Cause::Deaths);
        }
        let (class, name) = death_of(kind);
        self.notify(collection, class, name, key.bytes);
        if state.index.get(key).is_none() {
            self.notify(collection, Classes::GENERIC, "del", key.bytes);
        }
    }
}

/// What a transaction shows in place of an entry that it may not change: with where the key's bytes are.
pub(super) struct Shown {
    place: (usize, usize),
    entry: Entry,
}

impl ReadTxn<'_, '_> {
    /// Whether what is dead stays where it is, unseen.
    fn keeps_dead(&self) -> bool {
        self.scope.engine.holds_expiry(self.scope.worker.now_ms) || self.collection.traits().is_read_only()
    }

    /// Removes a dead key.
    pub(super) fn expire(&mut self, bytes: &[u8]) {
        if self.keeps_dead() {
            return;
        }
        let key = self.scope.key(self.collection, bytes);
        self.scope.expire(self.collection, key);
        self.scope.worker.counters.expired.add(1);
    }

    /// Removes the dead elements of a container, if it has some.
    pub(super) fn remove_dead(&mut self, bytes: &[u8]) {
        let (collection, key) = (self.collection, self.scope.key(self.collection, bytes));
        self.scope.with_shard(collection, key, |scope, shard, state| {
            scope.remove_dead(collection, shard, state, key, usize::MAX);
        });
    }

    /// Sees to it that the set or sorted set at `bytes`, which has dead members, is seen without them; whether there is
    /// one.
    #[cold]
    pub(super) fn show_living(&mut self, bytes: &[u8]) -> bool {
        if !self.keeps_dead() {
            self.remove_dead(bytes);
        }
        let (now_ms, thresholds) = (self.now_ms(), self.thresholds());
        let key = self.scope.key(self.collection, bytes);
        let shown = self.scope.with_state(self.collection, key, |state, _| {
            let entry = state.index.get(key)?;
            // Still there: it may not be changed, or the record is full.
            let is_to_hide = entry.has_dead_members(now_ms);
            Some(is_to_hide.then(|| living(entry, now_ms, thresholds)))
        });
        let place = (bytes.as_ptr() as usize, bytes.len());
        match shown {
            None | Some(Some(None)) => false,
            Some(None) => true,
            Some(Some(Some(entry))) => {
                self.shown = Some(Box::new(Shown { place, entry }));
                true
            }
        }
    }

    /// What is shown in place of the entry of `bytes`.
    pub(super) fn shown_for(&self, bytes: &[u8]) -> Option<EntryRef<'_>> {
        let shown = self.shown.as_ref()?;
        let is_of = shown.place == (bytes.as_ptr() as usize, bytes.len());
        is_of.then(|| shown.entry.lend())
    }
}
