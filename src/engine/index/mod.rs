//! How a shard finds its pages: one index per collection kind behind one set of operations.
//!
//! **Invariants**
//! - Every change goes through a [`PageWrite`], which hands over a page's pre-image before the first change since a
//!   checkpoint began and stamps the page with the change's LSN.
//! - Nothing outside an index's own file may assume that keys are hashed; a [`KeyRef`] carries both forms.

mod access;
pub mod bcust;
pub mod bdef;
pub mod hmap;
mod kind;
pub mod loaded;
mod misfit;
pub mod ordered;

use std::ops::ControlFlow;

use crate::engine::ids::ShardNo;
use crate::page::PageId;
use crate::page::entry::{Entry, EntryMut, EntryRef};
use crate::page::image::Anchor;
use crate::page::relocation::Relocation;
use bcust::Bcust;
use bdef::Bdef;
use hmap::Hmap;
use loaded::LoadedPage;
use ordered::{InOrder, Ordered};

pub use crate::wal::Lsn;
pub use access::{Found, IsKnown, KeyRef, PageWrite, PreImageSink, ScanBudget, Sight, Visited};
pub use hmap::Retired;
pub use kind::Kind;
pub use misfit::Misfit;

/// One index over the pages of one shard.
pub enum Index {
    /// See [`hmap`].
    Hmap(Hmap),
    /// See [`bdef`].
    Bdef(Ordered<Bdef>),
    /// See [`bcust`].
    Bcust(Ordered<Bcust>),
}

/// The same call on whichever index it is.
macro_rules! on_each {
    ($index:expr, $each:ident => $call:expr) => {
        match $index {
            Index::Hmap($each) => $call,
            Index::Bdef($each) => $call,
            Index::Bcust($each) => $call,
        }
    };
}

impl Index {
    /// An empty index for shard number `shard` of a collection; it owns no page yet.
    pub fn new(kind: Kind, shard: ShardNo, shard_bits: u8, seed: u64) -> Self {
        match kind {
            Kind::Hmap => Self::Hmap(Hmap::new(shard, shard_bits, seed)),
            Kind::Bdef => Self::Bdef(Ordered::default()),
            Kind::Bcust => Self::Bcust(Ordered::default()),
        }
    }

    /// The entry of `key`.
    #[inline]
    pub fn get(&self, key: KeyRef<'_>) -> Option<EntryRef<'_>> {
        on_each!(self, index => index.get(key))
    }

    /// The entry of `key` with where it is, and the version of the page that the key belongs to.
    #[inline]
    pub fn look(&self, key: KeyRef<'_>) -> Sight<'_> {
        on_each!(self, index => index.look(key))
    }

    /// Looks `key` up once and lets `change` decide: given the entry, it may change it in place or return one to take
    /// its stead (the old one is returned); given `None`, it may return an entry to insert.
    #[inline]
    pub fn upsert(
        &mut self,
        key: KeyRef<'_>,
        write: &PageWrite<'_>,
        change: impl FnOnce(Option<&mut EntryMut<'_>>) -> Option<Entry>,
    ) -> Option<Entry> {
        on_each!(self, index => index.upsert(key, write, change))
    }

    /// Takes the entry of `key` out.
    #[inline]
    pub fn remove(&mut self, key: KeyRef<'_>, write: &PageWrite<'_>) -> Option<Entry> {
        on_each!(self, index => index.remove(key, write))
    }

    /// Visits every entry.
    pub fn for_each<B>(&self, visit: impl FnMut(EntryRef<'_>) -> ControlFlow<B>) -> ControlFlow<B> {
        on_each!(self, index => index.for_each(visit))
    }

    /// Visits about as many entries as `budget` says from `cursor` on (0 = start); returns where to go on, or `None` at
    /// the end. An entry present from the first call to the last is visited at least once, whatever else changes.
    pub fn scan(&self, cursor: u64, budget: &mut ScanBudget, visit: &mut dyn FnMut(EntryRef<'_>)) -> Option<u64> {
        on_each!(self, index => index.scan(cursor, budget, visit))
    }

    /// A uniformly random entry. `random(n)` gives a number below `n`.
    pub fn random(&self, random: &mut dyn FnMut(usize) -> usize) -> Option<EntryRef<'_>> {
        on_each!(self, index => index.random(random))
    }

    /// Visits up to `count` entries, neighbours of a random one, of those that die if `is_volatile`: at least one if
    /// there is one. How many there were.
    pub fn sample(
        &self,
        is_volatile: bool,
        count: usize,
        random: &mut dyn FnMut(usize) -> usize,
        visit: &mut dyn FnMut(EntryRef<'_>),
    ) -> usize {
        on_each!(self, index => index.sample(is_volatile, count, random, visit))
    }

    /// Collects keys that are dead at `now_ms`, or have a dead field, from up to `pages` pages starting at `cursor`;
    /// returns where to go on.
    pub fn sweep(&mut self, cursor: u64, pages: usize, now_ms: u64, dead: &mut Vec<Vec<u8>>) -> Option<u64> {
        on_each!(self, index => index.sweep(cursor, pages, now_ms, dead))
    }

    /// Puts what `relocation` wants of pages from `cursor` on, and of their entries, into other places in memory; where
    /// to go on. Nothing of the data changes, nor what an entry takes.
    pub fn relocate(&mut self, cursor: u64, relocation: &mut Relocation<'_>) -> Option<u64> {
        on_each!(self, index => index.relocate(cursor, relocation))
    }

    /// Takes all entries out of an index that is not used any more, in any order. None of them is looked at.
    pub fn take_entries(&mut self, entries: &mut Vec<Entry>) {
        on_each!(self, index => index.take_entries(entries))
    }

    /// The first page at or after `cursor` that epoch `epoch` has not saved, marked saved, and imaged unless it is
    /// known; and where to go on. The cursor alone when every remaining page is saved.
    pub fn save_next(&mut self, cursor: u64, epoch: u64, is_known: IsKnown<'_>) -> (Option<Visited>, Option<u64>) {
        on_each!(self, index => index.save_next(cursor, epoch, is_known))
    }

    /// Begins a page that was read from disk, of so many entries.
    ///
    /// # Errors
    /// When this index has no such page.
    pub fn begin_page(&self, id: PageId, version: Lsn, anchor: Anchor, entries: u32) -> Result<LoadedPage, Misfit> {
        match self {
            Self::Hmap(index) => index.begin_page(id, version, anchor, entries).map(LoadedPage::hashed),
            Self::Bdef(index) => index.begin_page(id, version, entries).map(LoadedPage::ordered),
            Self::Bcust(index) => index.begin_page(id, version, entries).map(LoadedPage::ordered),
        }
    }

    /// Installs all pages of an empty index, in whatever order they come.
    ///
    /// # Errors
    /// When they do not fit together: the index is as good as lost then.
    pub fn install(&mut self, pages: Vec<LoadedPage>) -> Result<(), Misfit> {
        match self {
            Self::Hmap(index) => index.install(loaded::hashed(pages)?),
            Self::Bdef(index) => index.install(loaded::in_order(pages)?),
            Self::Bcust(index) => index.install(loaded::in_order(pages)?),
        }
    }

    /// How many pages there are.
    pub fn pages(&self) -> usize {
        on_each!(self, index => index.pages())
    }

    /// Pages changed after `lsn`.
    pub fn pages_after(&self, lsn: Lsn) -> usize {
        on_each!(self, index => index.pages_after(lsn))
    }

    /// Bytes of heap the index and its pages take, entries apart.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        on_each!(self, index => index.heap_bytes())
    }

    /// Bytes of what it has let go of, and nobody has taken out.
    pub fn retired_bytes(&self) -> usize {
        match self {
            Self::Hmap(index) => index.retired_bytes(),
            Self::Bdef(_) | Self::Bcust(_) => 0,
        }
    }

    /// Takes out what it has let go of, which then no longer counts among its bytes. `None` = nothing.
    pub fn take_retired(&mut self) -> Option<Retired> {
        match self {
            Self::Hmap(index) => index.take_retired(),
            Self::Bdef(_) | Self::Bcust(_) => None,
        }
    }

    /// A word for prefetching without the lock; see [`hmap::page_word`]. 0 = nothing to prefetch.
    #[inline]
    pub fn prefetch_word(&self) -> u64 {
        match self {
            Self::Hmap(hmap) => hmap.prefetch_word(),
            Self::Bdef(_) | Self::Bcust(_) => 0,
        }
    }

    /// The index as one that knows of order, if it does.
    pub fn in_order(&self) -> Option<&dyn InOrder> {
        match self {
            Self::Hmap(_) => None,
            Self::Bdef(index) => Some(index),
            Self::Bcust(index) => Some(index),
        }
    }
}
