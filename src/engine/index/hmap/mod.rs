//! The `hmap` kind: extendible hashing. A directory of pages that split and merge one at a time; no table-wide rehash,
//! ever.
//!
//! A key's 64-bit hash is used in parts: the top bits choose the shard, the next `depth` bits the directory entry, the
//! low 32 bits the home bucket within the page, the low 16 the slot's tag.
//!
//! **Invariants**
//! - A page of depth `d` is named by `2^(depth-d)` neighbouring directory entries.
//! - Directories and page blocks that prefetching workers may still see are retired, not freed ([`Retired`]); who takes
//!   them out frees them when each thread has passed the gate since.
//! - Splitting and merging need the keys' hashes again; nothing else rehashes.

mod load;
mod resize;
mod retired;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::atomic::{AtomicU64, Ordering};

use super::{KeyRef, Lsn, PageWrite, Sight};
use crate::engine::background::give_way;
use crate::engine::ids::ShardNo;
use crate::page::entry::{Entry, EntryMut, EntryRef};
use crate::page::hash_page::{HashPage, LINES_MAX, slots_of};
use crate::page::image::{Anchor, PageImage};

pub use retired::Retired;
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
    lines_max: u32,
    shard_bits: u8,
    depth: u8,
    seed: u64,
    directory: Box<[AtomicU64]>,
    pages: usize,
    /// How many pages there are of each depth.
    pages_at: [u32; DEPTH_MAX as usize + 1],
    entries: usize,
    heap_bytes: usize,
    retired: Retired,
}

/// Directory position of a shard-local hash (shard bits shifted out) at `depth`.
#[inline]
fn position(local: u64, depth: u8) -> usize {
    ((local >> 1) >> (63 - depth)) as usize
}

/// Shards have pages of so many different full sizes: evenly filled pages of one size would all split at once, and
/// leave the whole collection half empty every time it has doubled. Steps follow usual size classes of allocators.
const SHARD_SIZES: usize = 4;
const LINES_STEP: u32 = 4;

/// The bits of a prefix that count at `depth`.
pub fn prefix_mask(depth: u8) -> u32 {
    u32::MAX.checked_shl(PREFIX_BITS - u32::from(depth)).unwrap_or(0)
}

/// How full a page may get before it grows or splits.
fn entries_max(slots: usize) -> usize {
    slots - slots / 20 - 1
}

/// After a removal that leaves a multiple of this, a page looks whether it can merge: to look at another page is dear.
const MERGE_STRIDE: u32 = 8;

impl Hmap {
    /// An empty index for shard number `shard`; `shard_bits` top bits of every hash are the same in it.
    pub fn new(shard: ShardNo, shard_bits: u8, seed: u64) -> Self {
        Self {
            lines_max: LINES_MAX - LINES_STEP * (shard.index() % SHARD_SIZES) as u32,
            shard_bits,
            depth: 0,
            seed,
            directory: Box::default(),
            pages: 0,
            pages_at: [0; DEPTH_MAX as usize + 1],
            entries: 0,
            heap_bytes: 0,
            retired: Retired::default(),
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

    #[inline(always)]
    fn locate(&self, key: KeyRef<'_>) -> Option<(HashPage, Option<usize>)> {
        let word = self.word_of(key.hash)?;
        // SAFETY: directory words name live pages of this index.
        let page = unsafe { HashPage::from_word(word) };
        Some((page, page.find(page.lines(word), key.hash, key.bytes)))
    }

    /// The same, without a search if the key has been found before.
    #[inline(always)]
    fn locate_found(&self, key: KeyRef<'_>) -> Option<(HashPage, Option<usize>)> {
        let Some(found) = key.found else {
            return self.locate(key);
        };
        let word = self.word_of(key.hash)?;
        // SAFETY: as in `locate`.
        let page = unsafe { HashPage::from_word(word) };
        let slot = found.slot as usize;
        match slot < slots_of(page.lines(word)) && page.address_in(slot) == found.address {
            true => Some((page, Some(slot))),
            false => self.locate(key),
        }
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

    /// See [`super::Index::look`].
    #[inline]
    pub fn look(&self, key: KeyRef<'_>) -> Sight<'_> {
        match self.locate(key) {
            Some((page, slot)) => Sight {
                entry: slot.and_then(|slot| Some((self.lend(page, slot)?, slot as u32))),
                version: page.header().version,
            },
            None => Sight {
                entry: None,
                version: Lsn::ZERO,
            },
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
        if let Some((mut page, Some(slot))) = self.locate_found(key) {
            prepare(page, write);
            // Where nothing dies, the entry does not.
            let some_die = page.header().expires > 0;
            let mut entry = page.get_mut(slot)?;
            debug_assert_eq!(entry.key(), key.bytes, "the entry has changed unnoticed");
            let before = if some_die { entry.due_at_ms() } else { None };
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
                Ok(_) => {
                    self.entries += 1;
                    return;
                }
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
        let removed = page.remove(slot);
        self.entries -= usize::from(removed.is_some());
        if page.header().count.is_multiple_of(MERGE_STRIDE) {
            self.merge_from(page, write);
        }
        removed
    }

    /// See [`super::Index::pages`].
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// See [`super::Index::pages_after`].
    pub fn pages_after(&self, lsn: Lsn) -> usize {
        self.pages_from(0).filter(|page| page.header().version > lsn).count()
    }

    /// See [`super::Index::heap_bytes`]; retired directories and blocks count as long as they are here.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// See [`super::Index::retired_bytes`].
    pub fn retired_bytes(&self) -> usize {
        self.retired.bytes()
    }

    /// See [`super::Index::take_retired`].
    pub fn take_retired(&mut self) -> Option<Retired> {
        if self.retired.is_empty() {
            return None;
        }
        self.heap_bytes -= self.retired.bytes();
        Some(std::mem::take(&mut self.retired))
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
    page.header_mut().version = write.change.mark.lsn;
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
            page.drain_into(&mut Vec::new());
            // SAFETY: the index is going: nobody can find it any more, so nobody prefetches from it.
            unsafe { page.free() };
            give_way();
        }
        // SAFETY: as above.
        unsafe { std::mem::take(&mut self.retired).free() };
    }
}
