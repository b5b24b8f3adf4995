//! The `hmap` kind: extendible hashing. A directory of pages that split one at a time; no table-wide rehash, ever.
//!
//! A key's 64-bit hash is used in parts: the top bits choose the shard, the next `depth` bits the directory entry, the
//! low 32 bits the home bucket within the page, the low 16 the slot's tag.
//!
//! **Invariants**
//! - A page of depth `d` is named by `2^(depth-d)` neighbouring directory entries.
//! - Directories and page blocks that prefetching workers may still see are kept until the index is dropped, which
//!   happens only after an exclusive section has passed (directories at most double the final one's bytes; blocks are
//!   replaced only while the first page grows to full size).
//! - Splitting needs the keys' hashes again; nothing else rehashes.

mod load;
mod walk;

use std::sync::atomic::{AtomicU64, Ordering};

use super::{KeyRef, Lsn, PageWrite};
use crate::engine::ids::ShardNo;
use crate::page::entry::{Entry, EntryMut, EntryRef};
use crate::page::hash_page::{self, HashPage, LINES_MAX, LINES_MIN};
use crate::page::image::{Anchor, PageImage};

pub use walk::CURSOR_BITS;

const DEPTH_SHIFT: u32 = 58;
const DEPTH_MAX: u8 = 26;
const PREFIX_BITS: u32 = 32;

/// The hash of a key under a collection's seed.
#[inline]
pub fn hash_key(key: &[u8], seed: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(key, seed)
}

/// See the module.
pub struct Hmap {
    /// Full size of this index's pages.
    lines_max: u8,
    shard_bits: u8,
    depth: u8,
    seed: u64,
    directory: Box<[AtomicU64]>,
    pages: usize,
    heap_bytes: usize,
    retired_directories: Vec<Box<[AtomicU64]>>,
    retired_pages: Vec<HashPage>,
}

/// Directory position of a shard-local hash (shard bits shifted out) at `depth`.
#[inline]
fn position(local: u64, depth: u8) -> usize {
    ((local >> 1) >> (63 - depth)) as usize
}

/// Shards have pages of so many different full sizes: evenly filled pages of one size would all split at once, and
/// leave the whole collection half empty every time it has doubled. Steps follow usual size classes of allocators.
const SHARD_SIZES: usize = 4;
const LINES_STEP: u8 = 4;

/// The bits of a prefix that count at `depth`.
pub fn prefix_mask(depth: u8) -> u32 {
    u32::MAX.checked_shl(PREFIX_BITS - u32::from(depth)).unwrap_or(0)
}

/// How full a page may get before it grows or splits.
fn entries_max(slots: usize) -> usize {
    slots - slots / 10 - 1
}

impl Hmap {
    /// An empty index for shard number `shard`; `shard_bits` top bits of every hash are the same in it.
    pub fn new(shard: ShardNo, shard_bits: u8, seed: u64) -> Self {
        Self {
            lines_max: LINES_MAX - LINES_STEP * (shard.index() % SHARD_SIZES) as u8,
            shard_bits,
            depth: 0,
            seed,
            directory: Box::default(),
            pages: 0,
            heap_bytes: 0,
            retired_directories: Vec::new(),
            retired_pages: Vec::new(),
        }
    }

    #[inline]
    fn local(&self, hash: u64) -> u64 {
        hash << self.shard_bits
    }

    #[inline]
    fn word_of(&self, hash: u64) -> Option<u64> {
        self.directory
            .get(position(self.local(hash), self.depth))
            .map(|word| word.load(Ordering::Relaxed))
    }

    #[inline]
    fn locate(&self, key: KeyRef<'_>) -> Option<(HashPage, Option<usize>)> {
        let word = self.word_of(key.hash)?;
        // SAFETY: directory words name live pages of this index.
        let page = unsafe { HashPage::from_word(word) };
        Some((page, page.find(hash_page::lines_of(word), key.hash, key.bytes)))
    }

    /// See [`super::Index::get`].
    #[inline]
    pub fn get(&self, key: KeyRef<'_>) -> Option<EntryRef<'_>> {
        let (page, slot) = self.locate(key)?;
        self.lend(page, slot?)
    }

    #[inline]
    fn lend(&self, page: HashPage, slot: usize) -> Option<EntryRef<'_>> {
        // SAFETY: the page lives as long as the index is borrowed; the address itself is copied out of the slot.
        unsafe { std::mem::transmute::<Option<EntryRef<'_>>, Option<EntryRef<'_>>>(page.get(slot)) }
    }

    /// See [`super::Index::get_versioned`].
    #[inline]
    pub fn get_versioned(&self, key: KeyRef<'_>) -> (Option<EntryRef<'_>>, Lsn) {
        match self.locate(key) {
            Some((page, slot)) => (slot.and_then(|slot| self.lend(page, slot)), page.header().version),
            None => (None, Lsn::ZERO),
        }
    }

    /// See [`super::Index::touch`].
    #[inline]
    pub fn touch(&mut self, key: KeyRef<'_>, access_s: u32) {
        if let Some((mut page, Some(slot))) = self.locate(key)
            && let Some(mut entry) = page.get_mut(slot)
        {
            entry.set_access_s(access_s);
        }
    }

    /// See [`super::Index::upsert`].
    #[inline]
    pub fn upsert(
        &mut self,
        key: KeyRef<'_>,
        write: &PageWrite<'_>,
        change: impl FnOnce(Option<&mut EntryMut<'_>>) -> Option<Entry>,
    ) -> Option<Entry> {
        if let Some((mut page, Some(slot))) = self.locate(key) {
            prepare(page, write);
            let mut entry = page.get_mut(slot)?;
            let before = entry.due_at_ms();
            let replacement = change(Some(&mut entry));
            let after = entry.due_at_ms();
            if let Some(replacement) = replacement {
                return page.replace(slot, replacement);
            }
            page.note_expiry(before, after);
            return None;
        }
        if let Some(entry) = change(None) {
            self.insert(key.hash, entry, write);
        }
        None
    }

    fn insert(&mut self, hash: u64, mut entry: Entry, write: &PageWrite<'_>) {
        loop {
            let mut page = self.page_with_room(hash, write);
            match page.insert(hash, entry) {
                Ok(_) => return,
                Err(back) => entry = back,
            }
        }
    }

    /// See [`super::Index::remove`].
    #[inline]
    pub fn remove(&mut self, key: KeyRef<'_>, write: &PageWrite<'_>) -> Option<Entry> {
        let (mut page, Some(slot)) = self.locate(key)? else {
            return None;
        };
        prepare(page, write);
        page.remove(slot)
    }

    /// The page for `hash`, made, grown or split so that one more entry fits.
    fn page_with_room(&mut self, hash: u64, write: &PageWrite<'_>) -> HashPage {
        loop {
            let Some(word) = self.word_of(hash) else {
                let page = HashPage::new(write.new_page_id(), 0, 0, LINES_MIN);
                stamp(page, write);
                self.directory = Box::new([AtomicU64::new(page.to_word())]);
                self.pages = 1;
                self.heap_bytes = page.block_bytes() + size_of::<AtomicU64>();
                continue;
            };
            // SAFETY: directory words name live pages of this index.
            let page = unsafe { HashPage::from_word(word) };
            let header = page.header();
            let limit = entries_max(page.slots());
            if (header.count + header.tombstones) as usize <= limit {
                prepare(page, write);
                return page;
            }
            prepare(page, write);
            if (header.count as usize) < limit * 3 / 4 {
                self.rebuild(page);
            } else if header.lines < self.lines_max {
                self.grow(page, hash);
            } else if header.depth < DEPTH_MAX {
                self.split(page, hash, write);
            } else {
                // Astronomically unlikely: 2^26 pages in one shard. The page fills up to its last slot.
                return page;
            }
        }
    }

    fn refill(&self, page: &mut HashPage, entries: Vec<Entry>) {
        for entry in entries {
            let refused = page.insert(hash_key(entry.key(), self.seed), entry);
            debug_assert!(refused.is_ok(), "a page must have room for what it held");
        }
    }

    fn rebuild(&mut self, mut page: HashPage) {
        page.prefetch_entries();
        let entries = page.drain();
        self.refill(&mut page, entries);
    }

    fn grow(&mut self, mut page: HashPage, hash: u64) {
        let header = page.header();
        let mut bigger = HashPage::new(
            header.id,
            header.depth,
            header.prefix,
            (header.lines * 2).min(self.lines_max),
        );
        bigger.header_mut().version = header.version;
        bigger.header_mut().saved_epoch = header.saved_epoch;
        page.prefetch_entries();
        let entries = page.drain();
        self.refill(&mut bigger, entries);
        self.point_to(bigger, self.local(hash));
        self.heap_bytes += bigger.block_bytes();
        self.retired_pages.push(page);
    }

    fn split(&mut self, mut page: HashPage, hash: u64, write: &PageWrite<'_>) {
        let depth = page.header().depth + 1;
        if depth > self.depth {
            self.double_directory();
        }
        let half = 1_u32 << (PREFIX_BITS - u32::from(depth));
        let mut sibling = HashPage::new(
            write.new_page_id(),
            depth,
            page.header().prefix | half,
            page.header().lines,
        );
        stamp(sibling, write);
        page.header_mut().depth = depth;
        self.pages += 1;
        self.heap_bytes += sibling.block_bytes();
        page.prefetch_entries();
        for entry in page.drain() {
            let hash = hash_key(entry.key(), self.seed);
            let upper = (self.local(hash) >> PREFIX_BITS) as u32 & half != 0;
            let refused = if upper {
                sibling.insert(hash, entry)
            } else {
                page.insert(hash, entry)
            };
            debug_assert!(refused.is_ok(), "half of a page fits a page");
        }
        let upper_half = (self.local(hash) & !(u64::MAX >> (depth - 1))) | 1 << (64 - u32::from(depth));
        self.point_to(sibling, upper_half);
    }

    /// Makes every directory entry that the page covers name it. `local` lies in the page's range.
    fn point_to(&mut self, page: HashPage, local: u64) {
        let page_depth = page.header().depth;
        let span = 1_usize << (self.depth - page_depth);
        let first = position(local, self.depth) & !(span - 1);
        for word in self.directory.iter().skip(first).take(span) {
            word.store(page.to_word(), Ordering::Release);
        }
    }

    fn double_directory(&mut self) {
        let doubled = self
            .directory
            .iter()
            .flat_map(|word| {
                let word = word.load(Ordering::Relaxed);
                [AtomicU64::new(word), AtomicU64::new(word)]
            })
            .collect();
        self.retired_directories
            .push(std::mem::replace(&mut self.directory, doubled));
        self.depth += 1;
        self.heap_bytes += size_of_val(&*self.directory);
    }

    /// See [`super::Index::pages`].
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// See [`super::Index::pages_after`].
    pub fn pages_after(&self, lsn: Lsn) -> usize {
        self.pages_from(0).filter(|page| page.header().version > lsn).count()
    }

    /// See [`super::Index::heap_bytes`]; retired directories and blocks count, since they are kept.
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// See [`super::Index::prefetch_word`]: the directory's address under its depth.
    #[inline]
    pub fn prefetch_word(&self) -> u64 {
        if self.directory.is_empty() {
            return 0;
        }
        self.directory.as_ptr() as u64 | u64::from(self.depth) << DEPTH_SHIFT
    }
}

fn image_of(page: HashPage) -> PageImage {
    page.prefetch_entries();
    let header = page.header();
    let anchor = Anchor {
        prefix: header.prefix,
        depth: header.depth,
    };
    PageImage::of(header.id, header.version, page.entries()).anchored(anchor)
}

/// Before a change: hands over the pre-image if a checkpoint still needs it, and stamps the page.
#[inline]
fn prepare(page: HashPage, write: &PageWrite<'_>) {
    let header = page.header();
    if write.hand_over(header.version, header.saved_epoch, || image_of(page)) {
        stamp(page, write);
    }
}

#[inline]
fn stamp(page: HashPage, write: &PageWrite<'_>) {
    page.header_mut().version = write.lsn;
    page.header_mut().saved_epoch = write.epoch;
}

/// The directory word of the page for `hash`, read without the lock. 0 when there is none.
///
/// # Safety
/// `prefetch_word` must come from [`Hmap::prefetch_word`] of an index that cannot be dropped meanwhile.
#[inline]
pub unsafe fn page_word(prefetch_word: u64, shard_bits: u8, hash: u64) -> u64 {
    if prefetch_word == 0 {
        return 0;
    }
    let depth = (prefetch_word >> DEPTH_SHIFT) as u8;
    let directory = (prefetch_word & ((1 << DEPTH_SHIFT) - 1)) as *const AtomicU64;
    // SAFETY: directories are kept until their index is dropped, and the position is below 2^depth, their length.
    unsafe { (*directory.add(position(hash << shard_bits, depth))).load(Ordering::Acquire) }
}

impl Drop for Hmap {
    fn drop(&mut self) {
        let live: Vec<_> = self.pages_from(0).collect();
        for mut page in live {
            drop(page.drain());
            // SAFETY: the index is going; an exclusive section has passed, so nobody prefetches from it any more.
            unsafe { page.free() };
        }
        for page in self.retired_pages.drain(..) {
            // SAFETY: as above; retired pages are empty.
            unsafe { page.free() };
        }
    }
}
