//! What a command's handler works with: reads through [`ReadTxn`], changes through [`Txn`].
//!
//! **Invariants**
//! - A change is an [`Effect`], applied to the page and appended to the WAL in one step; there is no other way.
//! - A dead key is never seen: looking at it removes it (an effect too), unless the WAL has failed, when it is only
//!   hidden. So it is with dead members of sets and sorted sets.

use std::ops::{Deref, DerefMut};

use super::collection::Collection;
use super::dead::Shown;
use super::effect::Effect;
use super::events::Classes;
use super::eviction::{Noting, Policy};
use super::index::{Found, Lsn};
use super::scope::Scope;
use super::worker::Dice;
use crate::page::entry::EntryRef;
use crate::page::naming::Naming;
use crate::page::thresholds::Thresholds;
use crate::page::{Access, StrRef, ValueRef};

/// The key holds another type than the command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// How a lookup counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// As a use of the key: statistics and access clock.
    Use,
    /// By a command that is about to change the key: access clock, but no hit or miss.
    Change,
    /// In the statistics only.
    Inspect,
    /// The same, but nobody is told that the key is missing.
    Examine,
    /// Without a trace.
    Peek,
}

/// What tells a key of a command from others, as long as it runs.
fn place_of(key: &[u8]) -> (usize, usize) {
    (key.as_ptr() as usize, key.len())
}

/// The string that an entry holds.
///
/// # Errors
/// [`WrongType`] when it holds something else.
#[inline]
pub fn str_of(entry: EntryRef<'_>) -> Result<StrRef<'_>, WrongType> {
    entry.value().as_str().ok_or(WrongType)
}

/// A command's view of its keys, for reading.
pub struct ReadTxn<'t, 'e> {
    pub(super) scope: &'t mut Scope<'e>,
    pub(super) collection: &'t Collection,
    quiet: bool,
    /// Where the key is that was last used as one that is about to change: neither another such look nor the change is
    /// a further use.
    looked: (usize, usize),
    /// What is shown in place of an entry with dead members.
    pub(super) shown: Option<Box<Shown>>,
}

impl<'t, 'e> ReadTxn<'t, 'e> {
    /// A view of `collection` within `scope`. `quiet`: reads leave the access clock alone (CLIENT NO-TOUCH).
    #[inline]
    pub fn new(scope: &'t mut Scope<'e>, collection: &'t Collection, quiet: bool) -> Self {
        scope.is_quiet = quiet;
        Self {
            scope,
            collection,
            quiet,
            looked: (0, 0),
            shown: None,
        }
    }

    /// The entry of `key`, counted as a use.
    #[inline]
    pub fn get(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.look(key, Look::Use)
    }

    /// The entry of `key`, counted in the statistics without touching the access clock.
    #[inline]
    pub fn inspect(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.look(key, Look::Inspect)
    }

    /// The same for a command that looks at what keeps the key, whose absence nobody is told of.
    pub fn examine(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.look(key, Look::Examine)
    }

    /// The entry of `key`, without touching statistics or the access clock.
    #[inline]
    pub fn peek(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.look(key, Look::Peek)
    }

    /// The string at `key`, counted as a use.
    ///
    /// # Errors
    /// [`WrongType`] when the key holds something else.
    #[inline]
    pub fn get_str(&mut self, key: &[u8]) -> Result<Option<StrRef<'_>>, WrongType> {
        self.get(key).map(str_of).transpose()
    }

    /// Whether `key` exists, without touching statistics or the access clock.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.peek(key).is_some()
    }

    /// The command's instant, Unix milliseconds.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.scope.worker.now_ms
    }

    /// Counts what is done from here on as a use, whatever the client has said.
    pub fn be_loud(&mut self) {
        (self.quiet, self.scope.is_quiet) = (false, false);
    }

    /// Which keys of the collection are evicted when memory is short.
    pub fn policy(&self) -> Policy {
        self.scope.engine.policy_of(self.collection.traits())
    }

    /// How often an entry with this access is used, if that is counted.
    pub fn counter(&self, access: Access) -> u8 {
        self.scope.engine.eviction().frequency().counter(access, self.now_ms())
    }

    /// Up to which size containers keep the name of their compact encoding.
    pub fn thresholds(&self) -> &'e Thresholds {
        self.scope.engine.thresholds()
    }

    /// What lists and sets are called.
    pub fn naming(&self) -> &'e Naming {
        self.scope.engine.naming()
    }

    /// Greatest length that a string value may grow to, in bytes.
    pub fn string_bytes_max(&self) -> u64 {
        self.scope.engine.string_bytes_max()
    }

    /// Greatest length of a HyperLogLog in its sparse form, in bytes.
    pub fn hll_sparse_bytes_max(&self) -> usize {
        self.scope.engine.hll_sparse_bytes_max() as usize
    }

    /// A random number below `n`.
    pub fn random_below(&mut self, n: usize) -> usize {
        self.scope.worker.random_below(n)
    }

    /// Randomness that can be used while something is borrowed from this view.
    pub fn dice(&mut self) -> Dice {
        self.scope.worker.dice()
    }

    /// The part of the index's memory that falls to `key`: its shard's, divided by the shard's keys.
    pub fn index_share_bytes(&mut self, key: &[u8]) -> usize {
        let key = self.scope.key(self.collection, key);
        let state = self.scope.state(self.collection, key);
        state
            .index
            .heap_bytes()
            .checked_div(state.keys as usize)
            .unwrap_or_default()
    }

    /// The collection.
    pub fn collection(&self) -> &Collection {
        self.collection
    }

    #[inline]
    fn look(&mut self, bytes: &[u8], look: Look) -> Option<EntryRef<'_>> {
        let is_counted = matches!(look, Look::Use | Look::Inspect | Look::Examine);
        let is_found = if self.scope.found(bytes).is_none() {
            self.seek(bytes, is_counted)
        } else {
            if is_counted {
                self.count_read(bytes);
            }
            true
        };
        if is_counted {
            let counters = &self.scope.worker.counters;
            let outcome = if is_found { &counters.hits } else { &counters.misses };
            outcome.add(1);
        }
        if !is_found {
            if matches!(look, Look::Use | Look::Inspect) {
                self.notify(Classes::MISSED, "keymiss", bytes);
            }
            return None;
        }
        if matches!(look, Look::Use | Look::Change) && !self.quiet {
            self.note_use(bytes, look);
        }
        self.entry(bytes)
    }

    /// The entry of a key that is there.
    #[inline]
    fn entry(&mut self, bytes: &[u8]) -> Option<EntryRef<'_>> {
        if self.scope.found(bytes).is_some() {
            return self.scope.found(bytes);
        }
        if self.shown_for(bytes).is_some() {
            return self.shown_for(bytes);
        }
        let key = self.scope.key(self.collection, bytes);
        self.scope.state(self.collection, key).index.get(key)
    }

    /// Looks `bytes` up, and removes the key if it is dead; whether it is there. `is_read`: the collection counts it.
    fn seek(&mut self, bytes: &[u8], is_read: bool) -> bool {
        let key = self.scope.key(self.collection, bytes);
        let now_ms = self.scope.worker.now_ms;
        let traits = self.collection.traits();
        let registry_lsn = self.scope.engine.registry_lsn();
        let found = self.scope.with_state(self.collection, key, |state, worker| {
            state.counts.reads += u64::from(is_read);
            let sight = state.index.look(key);
            worker.observe(traits, sight.version.max(registry_lsn));
            sight.entry.map(|(entry, slot)| {
                let address = entry.address();
                (
                    Found { address, slot },
                    entry.is_expired(now_ms),
                    entry.has_dead_members(now_ms),
                )
            })
        });
        match found {
            None => return false,
            Some((_, true, _)) => {
                self.expire(bytes);
                return false;
            }
            Some((_, false, true)) => return self.show_living(bytes),
            Some((found, false, false)) => self.scope.remember(bytes, found),
        }
        true
    }

    /// Has the collection count a read of `bytes`.
    fn count_read(&mut self, bytes: &[u8]) {
        let key = self.scope.key(self.collection, bytes);
        self.scope
            .with_state(self.collection, key, |state, _| state.counts.reads += 1);
    }

    /// Notes a use of a key that is there, as its policy has it.
    #[inline]
    fn note_use(&mut self, bytes: &[u8], look: Look) {
        let (now_ms, noting) = (self.now_ms(), self.policy().noting());
        let access = match noting {
            Noting::Seconds => Access::in_second(now_ms),
            Noting::Uses => Access::exact(now_ms),
            Noting::Changes => return,
            Noting::Counts => return self.count_use(bytes, look),
        };
        // A write would take the entry's cache line from others that read it.
        if let Some(entry) = self.entry(bytes)
            && entry.access() != access
        {
            entry.set_access(access);
        }
    }

    #[cold]
    fn count_use(&mut self, bytes: &[u8], look: Look) {
        if look == Look::Change && std::mem::replace(&mut self.looked, place_of(bytes)) == place_of(bytes) {
            return;
        }
        let (now_ms, frequency) = (self.now_ms(), self.scope.engine.eviction().frequency());
        let Some(access) = self.entry(bytes).map(|entry| entry.access()) else {
            return;
        };
        let access = frequency.used(access, now_ms, |n| self.scope.worker.random_below(n));
        if let Some(entry) = self.entry(bytes) {
            entry.set_access(access);
        }
    }
}

/// A command's view of its keys, for reading and changing.
pub struct Txn<'t, 'e>(ReadTxn<'t, 'e>);

impl<'t, 'e> Txn<'t, 'e> {
    /// A view of `collection` within `scope`.
    #[inline]
    pub fn new(scope: &'t mut Scope<'e>, collection: &'t Collection, quiet: bool) -> Self {
        Self(ReadTxn::new(scope, collection, quiet))
    }

    /// The entry of `key` as it is before this command changes it: moves the access clock, counts no hit or miss (as
    /// `lookupKeyWrite` in Redis).
    #[inline]
    pub fn old(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.0.look(key, Look::Change)
    }

    /// The string at `key` before this command changes it, looked at as by [`Txn::old`].
    ///
    /// # Errors
    /// [`WrongType`] when the key holds something else.
    #[inline]
    pub fn old_str(&mut self, key: &[u8]) -> Result<Option<StrRef<'_>>, WrongType> {
        self.old(key).map(str_of).transpose()
    }

    /// The entry of `key`, as [`Txn::old`] gives it, rid of dead fields if it is a hash: they count as none for what
    /// changes it.
    pub fn old_living(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let now_ms = self.now_ms();
        let entry = self.old(key)?;
        if entry.is_timed() && entry.is_due(now_ms) {
            self.0.remove_dead(key);
            return self.peek(key);
        }
        self.0.entry(key)
    }

    /// Whether others, who have waited for it, are about to be served with what is at `key`: then a command that would
    /// take it waits behind them.
    pub fn is_promised(&mut self, key: &[u8]) -> bool {
        self.0.scope.is_promised(self.0.collection, key)
    }

    /// Whether changes are impossible because the WAL has failed, or the collection is read-only. Only commands that
    /// are not refused then have to ask: those that read, and tidy up as they go.
    pub fn is_frozen(&self) -> bool {
        self.0.scope.engine.refuses_writes() || self.0.collection.traits().is_read_only()
    }

    /// Applies an effect on a key of this collection; by how many elements its container has grown.
    #[inline]
    pub fn apply(&mut self, effect: &Effect<'_>) -> i64 {
        let Some(bytes) = effect.key() else {
            debug_assert!(false, "effects on collections need an exclusive transaction");
            return 0;
        };
        let key = self.0.scope.key(self.0.collection, bytes);
        self.0.scope.apply(self.0.collection, key, effect)
    }

    /// Sets `key` to `value`; `expire_at_ms` as a Unix time, `None` = never. A time that has passed deletes the key.
    #[inline]
    pub fn put(&mut self, key: &[u8], value: ValueRef<'_>, expire_at_ms: Option<u64>) {
        if self.policy().noting() == Noting::Counts {
            self.count_change(key);
        }
        if !self.is_over_at_once(key, expire_at_ms) {
            self.apply(&Effect::Put {
                key,
                expire_at_ms: expire_at_ms.unwrap_or(0),
                value,
            });
        }
    }

    /// A key that gets another value without a look at the old one is used by that, too.
    #[cold]
    pub(super) fn count_change(&mut self, key: &[u8]) {
        if self.0.looked != place_of(key) && !self.0.quiet && self.exists(key) {
            self.0.count_use(key, Look::Peek);
        }
    }

    /// Whether what `key` is to be set to is dead already; what it had goes then.
    #[inline]
    pub(super) fn is_over_at_once(&mut self, key: &[u8], expire_at_ms: Option<u64>) -> bool {
        let is_over = expire_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms());
        if is_over && !self.delete(key) {
            self.flicker(key);
        }
        is_over
    }

    /// `key`, or something in it, was there for no time at all: who watches or caches it is told.
    pub fn flicker(&mut self, key: &[u8]) {
        self.0.scope.note_flicker(self.0.collection, key);
    }

    /// Sets `key` to a string.
    #[inline]
    pub fn put_str(&mut self, key: &[u8], text: StrRef<'_>, expire_at_ms: Option<u64>) {
        self.put(key, ValueRef::Str(text), expire_at_ms);
    }

    /// Deletes `key`; whether it existed.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let existed = self.exists(key);
        if existed {
            self.apply(&Effect::Delete { key });
        }
        existed
    }

    /// Sets or removes (`None`) the expiry of an existing key. A time that has passed deletes the key.
    pub fn expire_at(&mut self, key: &[u8], expire_at_ms: Option<u64>) {
        if expire_at_ms.is_some_and(|at_ms| at_ms <= self.now_ms()) {
            self.delete(key);
            return;
        }
        self.apply(&Effect::ExpireAt {
            key,
            expire_at_ms: expire_at_ms.unwrap_or(0),
        });
    }

    /// Lets `key` count as last used at that time, and as often.
    pub fn set_access(&mut self, key: &[u8], access: Access) {
        if let Some(entry) = self.peek(key) {
            entry.set_access(access);
        }
    }

    /// Overwrites part of an existing string, zero-filling a gap before `offset`.
    pub fn write_range(&mut self, key: &[u8], offset: usize, bytes: &[u8]) {
        self.apply(&Effect::StrRange {
            key,
            offset: offset as u64,
            bytes,
        });
    }

    /// Overwrites part of a string that may not exist yet, zero-filling a gap before `offset`. What is logged is the
    /// part alone, however far out it lies.
    pub fn write_range_or_create(&mut self, key: &[u8], offset: usize, bytes: &[u8]) {
        if !self.exists(key) {
            self.put_str(key, StrRef::Inline(b""), None);
        }
        self.write_range(key, offset, bytes);
    }

    /// LSN of this command's record, which is begun if this is its first change.
    pub fn record_lsn(&mut self) -> Lsn {
        self.0.scope.worker.record_lsn()
    }
}

impl<'t, 'e> Deref for Txn<'t, 'e> {
    type Target = ReadTxn<'t, 'e>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Txn<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
