//! Collections, shards, transactions and effects: the only place where data changes.
//!
//! **Invariants**
//! - A thread touches shards only while it holds a [`gate::Pass`] (or the exclusive one).
//! - Data changes only by an [`effect::Effect`], applied and logged in one step by a [`scope::Scope`].
//! - Before the data is installed nothing changes ([`Engine::install`]).
//! - Once the WAL has failed, nothing changes any more ([`Engine::refuses_writes`]).

pub mod across;
pub mod alarms;
pub mod apply;
pub mod background;
pub mod blocked;
mod caches;
mod change;
pub mod collection;
pub mod copying;
pub mod counts;
mod dead;
pub mod defrag;
pub mod dependencies;
mod dismantle;
pub mod effect;
pub mod elements;
mod error;
pub mod events;
pub mod eviction;
pub mod field;
pub mod garbage;
pub mod gate;
pub mod ids;
pub mod index;
mod install;
pub mod keyspace;
pub mod libraries;
pub mod load;
pub mod locks;
pub mod memory;
mod notify;
pub mod pace;
pub mod preimage;
mod primed;
pub mod ranges;
pub mod reaper;
pub mod registry;
pub mod scope;
pub mod settings;
pub mod shown;
pub mod stops;
pub mod tap;
#[cfg(test)]
mod tests;
pub mod tracking;
pub mod txn;
mod undo;
pub mod walker;
pub mod watch;
pub mod worker;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::engine::ids::ShardNo;
use crate::metrics::Counters;
use crate::page::Change;
use crate::page::naming::Naming;
use crate::page::thresholds::Thresholds;
use crate::wal::{Fsync, Lsn, Wal};
use collection::Collection;
use events::Events;
use eviction::{Eviction, Policy};
use gate::{ExclusivePass, Gate};
use index::{PageWrite, PreImageSink};
use memory::{Margin, Meter};
use pace::{PRE_IMAGE_BYTES_MAX, Pace};
use preimage::PreImages;
use reaper::{DropIfLast, Reaper};
use registry::Registry;
use settings::FsyncClass;
use tap::Tap;
use tracking::Tracking;
use worker::{Kit, Worker};

pub use error::CollectionError;

/// How often a second dead keys are looked for.
pub const EXPIRY_TICKS_PER_S: u32 = 10;

/// Threads beside the workers that touch data: expiry, eviction, checkpointer, background drops, start-up.
const HELPERS: usize = 5;

/// Greatest length of a string value unless set otherwise, as `proto-max-bulk-len`.
const STRING_BYTES_MAX_DEFAULT: u64 = 512 << 20;
/// Greatest length of a sparse HyperLogLog unless set otherwise, as `hll-sparse-max-bytes`.
const HLL_SPARSE_BYTES_MAX_DEFAULT: u64 = 3000;

/// Tells those who cache what has been noted where no client's command is running.
pub trait Teller: Send + Sync {
    /// Tells all of it.
    fn tell(&self, kit: &mut Kit);
}

/// The data and everything that guards it. Shared by all threads.
pub struct Engine {
    registry: RwLock<Registry>,
    generation: AtomicU64,
    /// The last record that changed the registry.
    registry_lsn: AtomicU64,
    gate: Gate,
    meter: Arc<Meter>,
    reaper: Reaper,
    /// Set with the data.
    wal: OnceLock<Wal>,
    no_wal: Wal,
    waits_for_stable: AtomicBool,
    /// Until then (Unix) what is dead is not removed.
    expiry_held_until_ms: AtomicU64,
    /// Whether some collection refuses writes, or may come to.
    is_restricted: AtomicBool,
    /// Whether replies of some collection wait for the disk whatever the server's policy is.
    is_strict: AtomicBool,
    string_bytes_max: AtomicU64,
    hll_sparse_bytes_max: AtomicU64,
    collections_max: AtomicU64,
    /// The registry's.
    thresholds: Arc<Thresholds>,
    naming: Naming,
    epoch: AtomicU64,
    checkpointing: AtomicBool,
    pre_images: PreImages,
    tap: Tap,
    tracking: Tracking,
    teller: OnceLock<Box<dyn Teller>>,
    counters: Vec<Arc<Counters>>,
    free_cells: Mutex<Vec<usize>>,
    waiter_ids: AtomicU64,
    events: Arc<Events>,
    eviction: Eviction,
    /// For how long everybody had to wait.
    pub stops: stops::Stops,
}

impl Engine {
    /// An engine over recovered collections, for `workers` workers.
    ///
    /// # Errors
    /// When the background thread cannot be started.
    pub fn new(registry: Registry, wal: Wal, workers: usize, data_bytes: u64) -> std::io::Result<Self> {
        let engine = Self::awaiting_data(Registry::default(), workers)?;
        engine.install(registry, wal, data_bytes, &engine.gate.exclusive());
        Ok(engine)
    }

    /// An engine whose data comes later ([`Engine::install`]); `registry` stands in for it.
    ///
    /// # Errors
    /// When the background thread cannot be started.
    pub fn awaiting_data(registry: Registry, workers: usize) -> std::io::Result<Self> {
        let thresholds = Arc::clone(registry.thresholds());
        let cells = workers + HELPERS;
        let meter = Arc::new(Meter::new(cells + 1));
        Ok(Self {
            registry: RwLock::new(registry),
            generation: AtomicU64::new(1),
            registry_lsn: AtomicU64::new(0),
            gate: Gate::new(cells),
            reaper: Reaper::start(Arc::clone(&meter), cells)?,
            meter,
            wal: OnceLock::new(),
            no_wal: Wal::disabled(Lsn::FIRST),
            waits_for_stable: AtomicBool::new(false),
            expiry_held_until_ms: AtomicU64::new(0),
            is_restricted: AtomicBool::new(false),
            is_strict: AtomicBool::new(false),
            string_bytes_max: AtomicU64::new(STRING_BYTES_MAX_DEFAULT),
            hll_sparse_bytes_max: AtomicU64::new(HLL_SPARSE_BYTES_MAX_DEFAULT),
            collections_max: AtomicU64::new(0),
            thresholds,
            naming: Naming::new(),
            epoch: AtomicU64::new(0),
            checkpointing: AtomicBool::new(false),
            pre_images: PreImages::default(),
            tap: Tap::default(),
            tracking: Tracking::default(),
            teller: OnceLock::new(),
            counters: (0..cells).map(|_| Arc::default()).collect(),
            free_cells: Mutex::new((0..cells).rev().collect()),
            waiter_ids: AtomicU64::new(1),
            events: Arc::default(),
            eviction: Eviction::default(),
            stops: stops::Stops::default(),
        })
    }

    /// A way into the engine for the calling thread; `None` when all are taken.
    pub fn worker(&self) -> Option<Worker> {
        let cell = self.free_cells.lock().pop()?;
        let counters = Arc::clone(self.counters.get(cell)?);
        Some(Worker::new(cell, self.wal().log(), self.has_data(), counters))
    }

    /// Which collection is where. Changes only under the exclusive gate.
    pub fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read()
    }

    /// Goes up whenever the registry changes; cached lookups of an older generation are stale.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The last record that changed the registry: any look at a key may show it. A key that is missing has no page
    /// that would tell of a flush, and the pages of a collection that was swapped are as old as before.
    #[inline]
    pub(super) fn registry_lsn(&self) -> Lsn {
        Lsn::new(self.registry_lsn.load(Ordering::Relaxed))
    }

    fn change_registry<R>(&self, change: impl FnOnce(&mut Registry) -> R) -> R {
        let mut registry = self.registry.write();
        let result = change(&mut registry);
        self.generation.fetch_add(1, Ordering::Release);
        result
    }

    /// Keeps what all collections' settings mean for the whole.
    fn note_settings(&self) {
        let registry = self.registry();
        let (mut is_restricted, mut is_strict, mut floor) = (false, false, Fsync::No);
        let mut evicts = false;
        for collection in registry.collections() {
            let traits = collection.traits();
            evicts |= traits.policy().is_some_and(Policy::evicts);
            if traits.is_plain() {
                continue;
            }
            is_restricted |= traits.is_limited() || traits.is_read_only();
            is_strict |= traits.waits(false);
            if traits.class() == FsyncClass::EverySec && !traits.is_cache() {
                floor = Fsync::EverySec;
            }
        }
        self.is_restricted.store(is_restricted, Ordering::Relaxed);
        self.is_strict.store(is_strict, Ordering::Relaxed);
        self.wal().set_fsync_floor(floor);
        self.eviction.set_has_own(evicts);
    }

    /// Whether some collection refuses writes, or may come to: then each has to be asked.
    #[inline]
    pub fn is_restricted(&self) -> bool {
        self.is_restricted.load(Ordering::Relaxed)
    }

    /// Whether replies of some collection wait for the disk whatever the server's policy is.
    #[inline]
    pub fn is_strict(&self) -> bool {
        self.is_strict.load(Ordering::Relaxed)
    }

    /// The gate all threads pass.
    #[inline]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Keeps everybody else out until the pass is dropped. The worker must not hold a pass; work under one has none to
    /// ask with.
    pub fn exclusive(&self, _worker: &mut Worker) -> ExclusivePass<'_> {
        self.gate.exclusive()
    }

    /// Memory accounting.
    #[inline]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Bytes of the data, and of what is kept for clients that cache.
    #[inline]
    pub fn used_bytes(&self) -> u64 {
        self.meter.used_bytes() + self.tracking.bytes()
    }

    /// How much of what counts as used will be free soon: what the reaper has, and what indexes have let go of.
    pub fn owed_bytes(&self) -> u64 {
        self.reaper.owed_bytes().saturating_add(self.eviction.retired_bytes())
    }

    /// What is left of a limit of `max` bytes (0: no limit) on the data and `beside`.
    pub fn margin(&self, max: u64, beside: u64) -> Margin {
        // First: what has gone meanwhile is no longer among the used.
        let owed = self.owed_bytes();
        let used = self.used_bytes() + beside;
        if max == 0 || used <= max {
            Margin::Some
        } else if used.saturating_sub(owed) <= max {
            Margin::Soon
        } else {
            Margin::None
        }
    }

    /// Background drops.
    pub fn reaper(&self) -> &Reaper {
        &self.reaper
    }

    /// Has collections dropped that are no more, once nobody else has them.
    pub fn retire_collections(&self, gone: Vec<DropIfLast>) {
        // Many keys may have gone with them.
        self.eviction.forget_shares();
        self.reaper.retire_shared(gone);
    }

    /// The write-ahead log; before the data is there, one that writes nothing.
    #[inline]
    pub fn wal(&self) -> &Wal {
        self.wal.get().unwrap_or(&self.no_wal)
    }

    /// Which keyspace events are wanted.
    #[inline]
    pub fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// How many threads may touch data.
    pub fn cells(&self) -> usize {
        self.counters.len()
    }

    /// Counters of all threads.
    pub fn counters(&self) -> &[Arc<Counters>] {
        &self.counters
    }

    /// Sum of one counter over all threads.
    pub fn count(&self, pick: impl Fn(&Counters) -> u64) -> u64 {
        self.counters.iter().map(|counters| pick(counters)).sum()
    }

    /// Whether the WAL has failed, so that nothing may change any more.
    #[inline]
    pub fn refuses_writes(&self) -> bool {
        self.wal().is_failed()
    }

    /// Lets what dies stay, unseen, until `until_ms` (Unix): the data stand still while writers are paused.
    pub fn hold_expiry(&self, until_ms: u64) {
        self.expiry_held_until_ms.store(until_ms, Ordering::Relaxed);
    }

    /// Whether what is dead is not removed now.
    #[inline]
    pub fn holds_expiry(&self, now_ms: u64) -> bool {
        self.refuses_writes() || self.expiry_held_until_ms.load(Ordering::Relaxed) > now_ms
    }

    /// Whether replies wait until what they show is on disk (`fsync = "always"`).
    #[inline]
    pub fn waits_for_stable(&self) -> bool {
        self.waits_for_stable.load(Ordering::Relaxed)
    }

    /// Sets whether replies wait for the disk.
    pub fn set_waits_for_stable(&self, waits: bool) {
        self.waits_for_stable.store(waits, Ordering::Relaxed);
    }

    /// Greatest length, in bytes, that a command may grow a string to (`proto-max-bulk-len`).
    pub fn string_bytes_max(&self) -> u64 {
        self.string_bytes_max.load(Ordering::Relaxed)
    }

    /// Sets the greatest length of a string value.
    pub fn set_string_bytes_max(&self, bytes_max: u64) {
        self.string_bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Greatest length, in bytes, of a HyperLogLog in its sparse form (`hll-sparse-max-bytes`).
    pub fn hll_sparse_bytes_max(&self) -> u64 {
        self.hll_sparse_bytes_max.load(Ordering::Relaxed)
    }

    /// Sets the greatest length of a sparse HyperLogLog.
    pub fn set_hll_sparse_bytes_max(&self, bytes_max: u64) {
        self.hll_sparse_bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Sets how many collections clients may make (`limits.collections_max`); 0 = any number.
    pub fn set_collections_max(&self, collections_max: u64) {
        self.collections_max.store(collections_max, Ordering::Relaxed);
    }

    /// Whether one more may be made.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub fn check_collections(&self) -> Result<(), CollectionError> {
        let max = self.collections_max.load(Ordering::Relaxed);
        if max > 0 && self.registry().made_count() as u64 >= max {
            return Err(CollectionError::TooMany(max));
        }
        Ok(())
    }

    /// Up to which size containers keep the name of their compact encoding. They change by an effect.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// What lists and sets are called.
    pub fn naming(&self) -> &Naming {
        &self.naming
    }

    #[inline]
    fn page_write<'a>(&'a self, collection: &'a Collection, shard: ShardNo, lsn: Lsn) -> PageWrite<'a> {
        let sink = self
            .checkpointing
            .load(Ordering::Relaxed)
            .then_some(&self.pre_images as &dyn PreImageSink);
        PageWrite {
            change: Change {
                mark: collection.mark(lsn),
                thresholds: &self.thresholds,
            },
            epoch: self.epoch.load(Ordering::Relaxed),
            sink,
            collection_id: collection.id(),
            shard,
        }
    }

    /// What writers are to do. A few loads.
    pub fn pace(&self, now: Instant) -> Pace {
        let is_checkpoint_behind = self.is_checkpointing() && self.pre_images().waiting_bytes() > PRE_IMAGE_BYTES_MAX;
        if self.wal().over_pending() || self.wal().is_late(now) || is_checkpoint_behind {
            return Pace::Hold;
        }
        self.tap().pace()
    }

    /// Begins a checkpoint: from here on, pages hand over a pre-image before they change. Returns its epoch and the
    /// LSN of the last record before it.
    pub fn begin_checkpoint(&self, _exclusive: &ExclusivePass<'_>) -> (u64, Lsn) {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        // A writer may have handed over an image just after the last checkpoint ended.
        self.pre_images.drain();
        self.checkpointing.store(true, Ordering::Relaxed);
        (epoch, self.wal().last_lsn())
    }

    /// Whether a checkpoint takes images of pages.
    pub fn is_checkpointing(&self) -> bool {
        self.checkpointing.load(Ordering::Relaxed)
    }

    /// Ends a checkpoint; pages change freely again.
    pub fn end_checkpoint(&self) {
        self.checkpointing.store(false, Ordering::Relaxed);
        self.pre_images.drain();
    }

    /// Who tells those who cache, where no client's command is running. Once.
    pub fn set_teller(&self, teller: Box<dyn Teller>) {
        let is_first = self.teller.set(teller).is_ok();
        debug_assert!(is_first, "there is a teller already");
    }

    /// Changes of the collection that is being converted.
    #[inline]
    pub fn tap(&self) -> &Tap {
        &self.tap
    }

    /// Begins to follow `collection`. Under the exclusive gate.
    pub fn open_tap(&self, collection: &Collection) {
        collection.carried().set_tapped(true);
        self.tap.open(collection.id(), collection.traits().is_cache());
    }

    /// Follows no longer. Under the exclusive gate, or when nobody changes the collection any more.
    pub fn close_tap(&self) {
        let followed = self.tap.close();
        if let Some(slot) = followed.and_then(|id| self.registry().by_collection(id).cloned()) {
            slot.collection.carried().set_tapped(false);
        }
    }

    /// Pre-images handed over by writers.
    pub fn pre_images(&self) -> &PreImages {
        &self.pre_images
    }
}
