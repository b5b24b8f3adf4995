//! A collection: its placement, and its shards with their locks.
//!
//! **Invariants**
//! - A key's shard and page follow from `placement` alone, which never changes.
//! - The shards appear when a key is first looked up or written; until then a collection costs only this struct.
//! - Emptying a collection replaces this object by a new one of the same id (under the exclusive gate), so that a
//!   thread that still reads the old pages (a checkpoint, a background drop) has them to itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};

use super::blocked::WaitTable;
use super::counts::Counts;
use super::dismantle::{Remains, dismantle};
use super::effect::Placement;
use super::ids::CollectionId;
use super::index::loaded::LoadedPage;
use super::index::{Index, KeyRef, Kind, Misfit, hmap};
use super::settings::{CarriedSettings, Settings, Traits};
use super::shown::{Shown, Sums};
use super::watch::{Cause, WatchTable};
use crate::engine::ids::ShardNo;
use crate::page::{Mark, PageId, PageIds};
use crate::sync::{lock_meanwhile, lock_unless};
use crate::wal::Lsn;

/// What a shard's lock protects.
pub struct ShardState {
    /// The pages.
    pub index: Index,
    /// Live keys, dead but not yet removed ones included.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Keys of hashes with fields that die.
    pub timed: u64,
    /// Heap bytes of the entries.
    pub entry_bytes: u64,
    /// Lookups of keys, changes, removals of dead keys.
    pub counts: Counts,
    /// Keys somebody watches.
    pub watches: WatchTable,
    /// Keys somebody waits for.
    pub waiters: WaitTable,
    /// Where the expiry sweep goes on.
    pub sweep_cursor: u64,
}

impl ShardState {
    /// The state of a shard without keys.
    pub(super) fn new(placement: Placement, number: ShardNo) -> Self {
        Self {
            index: Index::new(placement.kind, number, placement.shard_bits, placement.seed),
            keys: 0,
            expires: 0,
            timed: 0,
            entry_bytes: 0,
            counts: Counts::default(),
            watches: WatchTable::default(),
            waiters: WaitTable::default(),
            sweep_cursor: 0,
        }
    }

    /// Heap bytes of entries and pages.
    fn bytes(&self) -> u64 {
        self.entry_bytes + self.index.heap_bytes() as u64
    }

    /// A key has changed.
    #[inline]
    pub fn note(&mut self, cause: Cause, key: &[u8]) {
        self.count(cause);
        self.raise(cause, key);
    }

    /// Counts a change.
    #[inline]
    pub(super) fn count(&mut self, cause: Cause) {
        self.counts.add_one(cause);
    }

    /// Tells those who watch a key of its change.
    #[inline]
    pub(super) fn raise(&mut self, cause: Cause, key: &[u8]) {
        if cause.touches() {
            self.watches.touch(key);
        }
    }
}

/// One shard: its lock, and beside it what may be read without.
#[repr(align(128))]
pub struct Shard {
    prefetch_word: AtomicU64,
    shown: Shown,
    state: Mutex<ShardState>,
}

impl Shard {
    fn new(placement: Placement, number: ShardNo) -> Self {
        Self {
            prefetch_word: AtomicU64::new(0),
            shown: Shown::default(),
            state: Mutex::new(ShardState::new(placement, number)),
        }
    }

    /// Locks the shard; while that takes long `gives_up` is asked now and then.
    #[inline]
    pub fn lock_unless(&self, gives_up: impl Fn() -> bool) -> Option<MutexGuard<'_, ShardState>> {
        self.state.try_lock().or_else(|| lock_unless(&self.state, gives_up))
    }

    /// Whether somebody has locked it.
    pub fn is_locked(&self) -> bool {
        self.state.is_locked()
    }

    /// Locks the shard.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, ShardState> {
        lock_meanwhile(&self.state)
    }

    /// The state without locking.
    ///
    /// # Safety
    /// The caller must hold the exclusive gate and let no two references live at once.
    #[expect(clippy::mut_from_ref, reason = "stands for a lock guard; exclusivity is the gate's")]
    pub unsafe fn state_unlocked(&self) -> &mut ShardState {
        // SAFETY: passed on to the caller.
        unsafe { &mut *self.state.data_ptr() }
    }

    /// Installs all pages of a shard that has none, in whatever order they come.
    ///
    /// # Errors
    /// When they do not fit together.
    pub fn install(&self, pages: Vec<LoadedPage>) -> Result<(), Misfit> {
        let mut state = self.lock();
        for page in &pages {
            state.keys += page.keys;
            state.expires += page.expires;
            state.timed += page.timed;
            state.entry_bytes += page.entry_bytes;
        }
        state.index.install(pages)?;
        self.show_entries(&state);
        self.publish(&state);
        Ok(())
    }

    /// Makes visible what each change of a key may change.
    #[inline]
    pub(super) fn show_entries(&self, state: &ShardState) {
        self.shown.show_entries(state.keys, state.expires, state.entry_bytes);
    }

    /// Makes the index's present directory visible to prefetching, and figures to those who ask for them.
    #[inline]
    pub fn publish(&self, state: &ShardState) {
        let index = &state.index;
        self.shown.show_rest(index.heap_bytes(), index.pages(), state.counts);
        let word = state.index.prefetch_word();
        if self.prefetch_word.load(Ordering::Relaxed) != word {
            self.prefetch_word.store(word, Ordering::Release);
        }
    }
}

/// Sums over a collection's shards.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Heap bytes of entries and pages.
    pub bytes: u64,
    /// Pages.
    pub pages: u64,
    /// Pages changed since the LSN asked about.
    pub dirty_pages: u64,
    /// What has happened.
    pub counts: Counts,
}

/// What was in a collection's place before.
#[derive(Default)]
struct Past {
    counts: Counts,
    /// The last one, as long as its counts are not in there.
    last: Option<Arc<Collection>>,
}

/// See the module.
pub struct Collection {
    id: CollectionId,
    placement: Placement,
    page_ids: PageIds,
    carried: CarriedSettings,
    past: Mutex<Past>,
    interest: AtomicBool,
    shards: OnceLock<Box<[Shard]>>,
}

impl Collection {
    /// An empty collection.
    pub fn new(id: CollectionId, placement: Placement) -> Self {
        Self {
            id,
            placement,
            page_ids: PageIds::from(PageId::FIRST),
            carried: CarriedSettings::default(),
            past: Mutex::default(),
            interest: AtomicBool::new(false),
            shards: OnceLock::new(),
        }
    }

    /// An empty one that takes this one's place; page identities go on. It goes on with the counts when somebody lets
    /// it (`succeed`).
    pub fn emptied(&self) -> Self {
        let emptied = Self {
            page_ids: PageIds::from(self.page_ids.peek()),
            ..Self::new(self.id, self.placement)
        };
        emptied.configure(self.settings());
        emptied
    }

    /// Goes on with the counts of `old`, in whose place this one is now, without a look at all of its shards: that
    /// comes when somebody asks, or with [`Collection::settle_counts`].
    pub(super) fn succeed(&self, old: &Arc<Self>) {
        // Emptied over and over, they would be a chain that is followed, and dropped, as deep as it is long.
        old.settle_counts();
        self.past.lock().last = Some(Arc::clone(old));
    }

    /// Takes over the counts of the one in whose place it is, and lets go of it; what has been counted there
    /// altogether.
    pub(super) fn settle_counts(&self) -> Counts {
        let mut past = self.past.lock();
        if let Some(old) = past.last.take() {
            past.counts.add(old.counts());
        }
        past.counts
    }

    /// Somebody watches one of its keys, or waits for one.
    pub fn note_interest(&self) {
        if !self.has_interest() {
            self.interest.store(true, Ordering::Relaxed);
        }
    }

    /// Whether anybody may watch or wait for a key of it. Under the exclusive gate this is exact about those who do.
    pub(super) fn has_interest(&self) -> bool {
        self.interest.load(Ordering::Relaxed)
    }

    /// Goes on with the counts of `old`, in whose place this one is now.
    pub fn count_before(&self, old: &Self) {
        let counts = old.counts();
        self.past.lock().counts.add(counts);
    }

    /// What is set.
    pub fn settings(&self) -> Settings {
        self.carried.settings()
    }

    /// Sets it. Under the exclusive gate.
    pub fn configure(&self, settings: Settings) {
        let used_bytes = if settings.max_bytes > 0 { self.bytes() } else { 0 };
        self.carried.set(settings, used_bytes);
    }

    /// What the hot path heeds.
    #[inline]
    pub fn traits(&self) -> Traits {
        self.carried.traits()
    }

    /// Its settings and state as it carries them.
    pub fn carried(&self) -> &CarriedSettings {
        &self.carried
    }

    /// The identity.
    #[inline]
    pub fn id(&self) -> CollectionId {
        self.id
    }

    /// The identity, if the log has all that happens to the keys.
    pub fn logged_id(&self) -> Option<CollectionId> {
        let is_logged = !self.traits().is_cache() && !self.traits().is_read_only();
        is_logged.then_some(self.id)
    }

    /// How keys are placed.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// What a change of record `lsn` marks pages and parts with.
    pub fn mark(&self, lsn: Lsn) -> Mark<'_> {
        Mark {
            lsn,
            page_ids: Some(&self.page_ids),
        }
    }

    /// The source of page identities.
    #[inline]
    pub fn page_ids(&self) -> &PageIds {
        &self.page_ids
    }

    /// How many shards it has or would have.
    pub fn shard_count(&self) -> usize {
        1 << self.placement.shard_bits
    }

    /// A key with its hash.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> KeyRef<'a> {
        let hash = match self.placement.kind {
            Kind::Hmap => hmap::hash_key(bytes, self.placement.seed),
            // Nobody asks for it.
            Kind::Bdef | Kind::Bcust => 0,
        };
        KeyRef::new(bytes, hash)
    }

    /// Which shard a hash belongs to.
    #[inline]
    pub fn shard_of(&self, hash: u64) -> ShardNo {
        // In two steps, since one shard means zero bits and a shift by 64 would overflow.
        ShardNo::new(((hash >> 1) >> (63 - self.placement.shard_bits)) as u32)
    }

    /// The collection and the shard of a key, to be locked.
    pub fn place_of(&self, key: &[u8]) -> (&Self, ShardNo) {
        (self, self.shard_of(self.key(key).hash))
    }

    /// All its shards, to be locked.
    pub fn places(&self) -> impl Iterator<Item = (&Self, ShardNo)> {
        ShardNo::first(self.shard_count()).map(move |shard| (self, shard))
    }

    /// A key that was read from a page of `shard`, with its hash.
    ///
    /// # Errors
    /// When it belongs elsewhere.
    pub fn key_in<'a>(&self, bytes: &'a [u8], shard: ShardNo) -> Result<KeyRef<'a>, Misfit> {
        let key = self.key(bytes);
        if self.shard_of(key.hash) == shard {
            Ok(key)
        } else {
            Err(Misfit::WrongShard(shard))
        }
    }

    /// The shards, made now if nothing was written before.
    #[inline]
    pub fn shards(&self) -> &[Shard] {
        self.shards.get_or_init(|| {
            ShardNo::first(self.shard_count())
                .map(|number| Shard::new(self.placement, number))
                .collect()
        })
    }

    /// The shards, if anything was ever written.
    pub fn shards_if_any(&self) -> &[Shard] {
        self.shards.get().map_or(&[], |shards| shards)
    }

    /// One shard, if anything was ever written.
    pub fn shard_if_any(&self, number: ShardNo) -> Option<&Shard> {
        self.shards_if_any().get(number.index())
    }

    /// One shard.
    #[inline]
    pub fn shard(&self, number: ShardNo) -> &Shard {
        #[expect(
            clippy::indexing_slicing,
            reason = "numbers come from shard_of, below the shard count"
        )]
        &self.shards()[number.index()]
    }

    /// Sums over what the shards show, for which nothing is locked.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        let shards = self.shards_if_any().iter();
        shards.for_each(|shard| sums.add(&shard.shown));
        sums
    }

    /// Sums over the shards, each locked in turn. `since`: pages changed after this LSN count as dirty.
    pub fn totals(&self, since: Lsn) -> Totals {
        let mut totals = Totals::default();
        for shard in self.shards_if_any() {
            let state = shard.lock();
            totals.keys += state.keys;
            totals.expires += state.expires;
            totals.bytes += state.bytes();
            totals.pages += state.index.pages() as u64;
            totals.dirty_pages += state.index.pages_after(since) as u64;
        }
        totals.counts = self.counts();
        totals
    }

    /// What has happened to its keys, each shard locked in turn.
    pub fn counts(&self) -> Counts {
        let mut counts = self.settle_counts();
        let shards = self.shards_if_any().iter();
        shards.for_each(|shard| counts.add(shard.lock().counts));
        counts
    }

    /// Heap bytes of entries and pages, each shard locked in turn.
    pub fn bytes(&self) -> u64 {
        self.shards_if_any().iter().map(|shard| shard.lock().bytes()).sum()
    }

    /// Drops it; `freed` is told of bytes that are free, a part at a time.
    pub(super) fn drop_telling(mut self, freed: &dyn Fn(u64)) {
        let mut shards = self.shards.take().map(Vec::from).unwrap_or_default();
        // Of thousands of small collections most shards have nothing: those go where they are.
        shards.retain_mut(|shard| shard.state.get_mut().bytes() > 0);
        let remains = shards.into_iter().map(|shard| {
            let state = shard.state.into_inner();
            let (keys, bytes) = (state.keys, state.bytes());
            Remains {
                index: state.index,
                keys,
                bytes,
            }
        });
        dismantle(remains.collect(), freed);
    }

    /// How many keys there are, each shard locked in turn.
    pub fn key_count(&self) -> u64 {
        self.shards_if_any().iter().map(|shard| shard.lock().keys).sum()
    }

    /// First prefetch stage for a key that will be looked up soon. The caller must hold a pass.
    #[inline]
    pub fn prefetch_page(&self, hash: u64) {
        let word = self.page_word(hash);
        if word != 0 {
            // SAFETY: pages are freed only under the exclusive gate, and the caller holds a pass.
            unsafe { crate::page::hash_page::prefetch_bucket(word, hash) }
        }
    }

    /// Second stage: the entry itself.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        let word = self.page_word(hash);
        if word != 0 {
            // SAFETY: as above.
            unsafe { crate::page::hash_page::prefetch_entry(word, hash) }
        }
    }

    #[inline]
    fn page_word(&self, hash: u64) -> u64 {
        let Some(shard) = self.shard_if_any(self.shard_of(hash)) else {
            return 0;
        };
        match self.placement.kind {
            // SAFETY: directories are freed only under the exclusive gate, and callers hold a pass.
            Kind::Hmap => unsafe {
                hmap::page_word(
                    shard.prefetch_word.load(Ordering::Acquire),
                    self.placement.shard_bits,
                    hash,
                )
            },
            Kind::Bdef | Kind::Bcust => 0,
        }
    }
}
