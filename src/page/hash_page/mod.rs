//! A page of the `hmap` kind: a small fixed-capacity hash table of entries, one of many behind a directory.
//! Where keys share so many bits of their hashes that a page cannot be split, it is as large as it has to be.
//!
//! One allocation: a 64-byte header, then buckets of eight 8-byte slots (one cache line each). A slot is empty, a
//! tombstone, or a 48-bit entry address under a 16-bit tag taken from the key's hash. A key is found from its home
//! bucket onward, up to the first bucket that still has an empty slot. The home bucket follows from the tag: a page
//! gets another size without a look at its entries.
//!
//! **Invariants**
//! - The header and all changes belong to the owning shard's lock. Slots are atomic so that the executor may read them
//!   without the lock in order to *prefetch* (never to follow) the address inside.
//! - A page block is freed only when no worker can be prefetching from it (see `engine::index::hmap`).
//! - Tombstones exist only in buckets without an empty slot.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

mod bucket;
mod moving;

use bucket::{
    ADDRESS_MASK, EMPTY, LINE_BYTES, TAG_SHIFT, TOMBSTONE, bucket_at, buckets_of, home_bucket, lines_in, slot_at,
    tagged,
};
pub use bucket::{BUCKET_SLOTS, prefetch_bucket, prefetch_entry, tag_of};

use super::entry::{Entry, EntryMut, EntryRef};
use super::prefetch::prefetch;
use crate::lsn::Lsn;
use crate::page::PageId;

/// Smallest page, in 64-byte lines: the header and one bucket.
pub const LINES_MIN: u32 = 2;
/// Largest page that can be split, in 64-byte lines.
pub const LINES_MAX: u32 = 31;

/// Entries that are fetched together when some are looked at.
const PREFETCHED: usize = 16;

/// What a page knows of itself; kept apart from the slots because reads never touch it.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Header {
    /// LSN of the last change.
    pub version: Lsn,
    /// Last checkpoint epoch for which this page needs no pre-image any more.
    pub saved_epoch: u64,
    /// Identity within the collection, never reused.
    pub id: PageId,
    /// No entry of the page dies before this, Unix milliseconds; a lower bound.
    pub expire_min_ms: u64,
    /// The hash bits all keys of the page share, left-aligned behind the shard bits.
    pub prefix: u32,
    /// Live entries.
    pub count: u32,
    /// Tombstones.
    pub tombstones: u32,
    /// Entries with an expiry.
    pub expires: u32,
    /// Block size, in 64-byte lines.
    pub lines: u32,
    /// How many bits of `prefix` count.
    pub depth: u8,
}

const _: () = assert!(size_of::<Header>() == LINE_BYTES);
// The size travels in the low bits of a directory word, which an aligned address leaves free; 0 = ask the header.
const _: () = assert!((LINES_MAX as usize) < LINE_BYTES);

/// A page block. `Copy`: it is an address; the directory of its shard owns the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashPage(NonNull<Header>);

// SAFETY: a page is only read or changed under its shard's lock (see the invariants above).
unsafe impl Send for HashPage {}

fn layout(lines: u32) -> Layout {
    #[expect(clippy::expect_used, reason = "2^32 lines are 2^38 bytes")]
    Layout::from_size_align(LINE_BYTES * lines as usize, LINE_BYTES).expect("page layout")
}

/// How many slots a page of so many lines has.
pub fn slots_of(lines: u32) -> usize {
    buckets_of(lines) * BUCKET_SLOTS
}

impl HashPage {
    /// Allocates an empty page of `lines` cache lines.
    pub fn new(id: PageId, depth: u8, prefix: u32, lines: u32) -> Self {
        let layout = layout(lines);
        // SAFETY: the layout is not zero-sized.
        let raw = unsafe { alloc_zeroed(layout) }.cast::<Header>();
        let Some(base) = NonNull::new(raw) else {
            handle_alloc_error(layout)
        };
        let header = Header {
            id,
            depth,
            prefix,
            lines,
            expire_min_ms: u64::MAX,
            ..Header::default()
        };
        // SAFETY: the block is large enough and aligned for a header.
        unsafe { base.write(header) };
        Self(base)
    }

    /// Frees the block; entries still in it are leaked, so they must have been moved out or dropped.
    ///
    /// # Safety
    /// No copy of this handle may be used afterwards, nor any prefetch be under way.
    pub unsafe fn free(self) {
        let layout = layout(self.header().lines);
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) }
    }

    /// A word for the directory: the address with the size in its low bits.
    pub fn to_word(self) -> u64 {
        let lines = self.header().lines;
        self.0.as_ptr() as u64 | if lines > LINES_MAX { 0 } else { u64::from(lines) }
    }

    /// The page of a directory word.
    ///
    /// # Safety
    /// `word` must come from [`HashPage::to_word`] of a live page.
    #[inline]
    pub unsafe fn from_word(word: u64) -> Self {
        // SAFETY: page addresses are never null.
        Self(unsafe { NonNull::new_unchecked((word & !(LINE_BYTES as u64 - 1)) as *mut Header) })
    }

    /// The block's size in lines, from the page's directory word wherever that has it.
    #[inline]
    pub fn lines(&self, word: u64) -> u32 {
        match lines_in(word) {
            0 => self.header().lines,
            lines => lines,
        }
    }

    /// The header.
    #[inline]
    pub fn header(&self) -> &Header {
        // SAFETY: live page, under the shard's lock.
        unsafe { self.0.as_ref() }
    }

    /// The header, for changing it.
    #[inline]
    #[expect(
        clippy::mut_from_ref,
        reason = "a page is an address; exclusive access is the shard lock's"
    )]
    pub fn header_mut(&self) -> &mut Header {
        // SAFETY: live page, under the shard's lock; callers keep one reference at a time.
        unsafe { &mut *self.0.as_ptr() }
    }

    /// How many slots the page has.
    pub fn slots(&self) -> usize {
        slots_of(self.header().lines)
    }

    /// Bytes of heap the block takes.
    pub fn block_bytes(&self) -> usize {
        LINE_BYTES * self.header().lines as usize
    }

    #[inline]
    fn slot(&self, index: usize) -> &AtomicU64 {
        slot_at(self.0.as_ptr() as u64, index)
    }

    #[inline]
    fn load(&self, index: usize) -> u64 {
        self.slot(index).load(Ordering::Relaxed)
    }

    #[inline]
    fn store(&self, index: usize, word: u64) {
        self.slot(index).store(word, Ordering::Relaxed);
    }

    /// Finds the slot of `key`. `lines` comes from the directory word, so that a read leaves the header cold.
    #[inline]
    pub fn find(&self, lines: u32, hash: u64, key: &[u8]) -> Option<usize> {
        let buckets = buckets_of(lines);
        let mut bucket = home_bucket(tag_of(hash), buckets);
        for _ in 0..buckets {
            let slots = bucket_at(self.0.as_ptr() as u64, bucket);
            for at in tagged(slots, tag_of(hash)) {
                let word = slots.get(at).map_or(EMPTY, |slot| slot.load(Ordering::Relaxed));
                if word > TOMBSTONE && self.entry_of(word).key() == key {
                    return Some(bucket * BUCKET_SLOTS + at);
                }
            }
            if slots.iter().any(|slot| slot.load(Ordering::Relaxed) == EMPTY) {
                return None;
            }
            bucket = if bucket + 1 == buckets { 0 } else { bucket + 1 };
        }
        None
    }

    #[inline]
    fn entry_of(&self, word: u64) -> EntryRef<'_> {
        // SAFETY: a word above TOMBSTONE holds the address of an entry that the slot owns, live while the page is
        // borrowed.
        unsafe { EntryRef::from_address(word & ADDRESS_MASK) }
    }

    /// The address of the entry in slot `index`; of none, if no entry is there.
    #[inline]
    pub fn address_in(&self, index: usize) -> u64 {
        self.load(index) & ADDRESS_MASK
    }

    /// The entry in slot `index`, if one is there.
    #[inline]
    pub fn get(&self, index: usize) -> Option<EntryRef<'_>> {
        let word = self.load(index);
        (word > TOMBSTONE).then(|| self.entry_of(word))
    }

    /// The entry in slot `index` for changing it in place, if one is there.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<EntryMut<'_>> {
        let word = self.load(index);
        // SAFETY: as in `entry_of`, and the page is borrowed exclusively.
        (word > TOMBSTONE).then(|| unsafe { EntryMut::from_address(word & ADDRESS_MASK) })
    }

    /// Puts `entry`, whose key is not in the page, into the first free slot of its probe sequence.
    /// Returns the slot, or the entry when every slot is taken.
    pub fn insert(&mut self, hash: u64, entry: Entry) -> Result<usize, Entry> {
        let buckets = buckets_of(self.header().lines);
        let home = home_bucket(tag_of(hash), buckets);
        for bucket in (home..buckets).chain(0..home) {
            for index in bucket * BUCKET_SLOTS..(bucket + 1) * BUCKET_SLOTS {
                let word = self.load(index);
                if word <= TOMBSTONE {
                    self.count_in(&entry, word);
                    self.store(index, entry.into_address() | u64::from(tag_of(hash)) << TAG_SHIFT);
                    return Ok(index);
                }
            }
        }
        Err(entry)
    }

    fn count_in(&mut self, entry: &Entry, vacated: u64) {
        let expire_at_ms = entry.due_at_ms();
        let header = self.header_mut();
        header.count += 1;
        header.tombstones -= u32::from(vacated == TOMBSTONE);
        if let Some(at_ms) = expire_at_ms {
            header.expires += 1;
            header.expire_min_ms = header.expire_min_ms.min(at_ms);
        }
    }

    /// Swaps the entry in an occupied slot for `entry`, which has the same key; returns the old one.
    pub fn replace(&mut self, index: usize, entry: Entry) -> Option<Entry> {
        let word = self.load(index);
        if word <= TOMBSTONE {
            return None;
        }
        // SAFETY: the slot owned this entry; it is overwritten below.
        let old = unsafe { Entry::from_address(word & ADDRESS_MASK) };
        self.note_expiry(old.due_at_ms(), entry.due_at_ms());
        self.store(index, entry.into_address() | word & !ADDRESS_MASK);
        Some(old)
    }

    /// Keeps the header's expiry figures when an entry's expiry changes from `old` to `new`.
    pub fn note_expiry(&mut self, old: Option<u64>, new: Option<u64>) {
        let header = self.header_mut();
        header.expires = header.expires + u32::from(new.is_some()) - u32::from(old.is_some());
        if let Some(at_ms) = new {
            header.expire_min_ms = header.expire_min_ms.min(at_ms);
        }
    }

    /// Takes the entry out of slot `index`.
    pub fn remove(&mut self, index: usize) -> Option<Entry> {
        let word = self.load(index);
        if word <= TOMBSTONE {
            return None;
        }
        let bucket = index / BUCKET_SLOTS * BUCKET_SLOTS;
        let has_empty = (bucket..bucket + BUCKET_SLOTS).any(|at| self.load(at) == EMPTY);
        self.store(index, if has_empty { EMPTY } else { TOMBSTONE });
        // SAFETY: the slot owned this entry and has just given it up.
        let entry = unsafe { Entry::from_address(word & ADDRESS_MASK) };
        let header = self.header_mut();
        header.count -= 1;
        header.tombstones += u32::from(!has_empty);
        header.expires -= u32::from(entry.due_at_ms().is_some());
        Some(entry)
    }

    /// Recomputes the lower bound of expiry times after some of them went.
    pub fn refresh_expire_min(&mut self) {
        let earliest = self.entries().filter_map(|entry| entry.due_at_ms()).min();
        self.header_mut().expire_min_ms = earliest.unwrap_or(u64::MAX);
    }

    /// The occupied slots' entries.
    pub fn entries(&self) -> impl Iterator<Item = EntryRef<'_>> {
        (0..self.slots()).filter_map(|index| self.get(index))
    }

    /// Prefetches every entry: before a split, a pre-image or a save touches them all.
    pub fn prefetch_entries(&self) {
        for index in 0..self.slots() {
            prefetch(self.load(index) & ADDRESS_MASK);
        }
    }

    /// Visits up to `count` entries from slot `first` on, around, only those that die if `is_volatile`; how many.
    pub fn visit_some(
        &self,
        first: usize,
        is_volatile: bool,
        count: usize,
        visit: &mut dyn FnMut(EntryRef<'_>),
    ) -> usize {
        let slots = self.slots();
        let mut order = (first..slots).chain(0..first.min(slots));
        let mut visited = 0;
        while visited < count {
            // Of entries that do not die it is not known beforehand how many there are.
            let at_once = if is_volatile {
                PREFETCHED
            } else {
                PREFETCHED.min(count - visited)
            };
            let mut found = [None; PREFETCHED];
            for place in found.iter_mut().take(at_once) {
                *place = order.find_map(|slot| self.get(slot));
                match place {
                    Some(entry) => prefetch(entry.address()),
                    None => break,
                }
            }
            if found.first().is_none_or(Option::is_none) {
                break;
            }
            let wanted = |entry: &EntryRef<'_>| !is_volatile || entry.expire_at_ms().is_some();
            for entry in found.into_iter().flatten().filter(wanted).take(count - visited) {
                visit(entry);
                visited += 1;
            }
        }
        visited
    }

    /// Occupied slots whose tag is at least `tag_min`, ascending by tag: the order of SCAN within a page.
    pub fn by_tag(&self, tag_min: u16) -> Vec<(u16, usize)> {
        let mut tags: Vec<_> = (0..self.slots())
            .filter_map(|index| {
                let word = self.load(index);
                (word > TOMBSTONE).then_some(((word >> TAG_SHIFT) as u16, index))
            })
            .filter(|(tag, _)| *tag >= tag_min)
            .collect();
        tags.sort_unstable();
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{StrRef, ValueRef};
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use std::collections::BTreeMap;

    fn hash(key: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(key, 1)
    }

    #[test]
    fn behaves_like_a_map_under_random_inserts_and_removes() {
        let seed = rand::random::<u64>();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        for lines in LINES_MIN..=LINES_MAX {
            let mut page = HashPage::new(PageId::FIRST, 0, 0, lines);
            let mut model = BTreeMap::new();
            for step in 0..20_000_u32 {
                let key = random.random_range(0..page.slots() * 5 / 4).to_string();
                let (key, value) = (key.as_bytes(), step.to_string());
                let entry = Entry::new(key, ValueRef::Str(StrRef::Inline(value.as_bytes())), None, 0);
                let found = page.find(lines, hash(key), key);
                assert_eq!(found.is_some(), model.contains_key(key));
                match (found, random.random_bool(0.5)) {
                    (Some(index), true) => {
                        drop(page.replace(index, entry));
                        model.insert(key.to_vec(), value);
                    }
                    (Some(index), false) => {
                        drop(page.remove(index));
                        model.remove(key);
                    }
                    (None, _) => match page.insert(hash(key), entry) {
                        Ok(_) => drop(model.insert(key.to_vec(), value)),
                        Err(_) => assert_eq!(model.len(), page.slots()),
                    },
                }
                assert_eq!(page.header().count as usize, model.len());
            }
            let mut entries: Vec<_> = page.entries().map(|entry| entry.key().to_vec()).collect();
            entries.sort();
            assert_eq!(entries, model.into_keys().collect::<Vec<_>>());
            page.drain_into(&mut Vec::new());
            // SAFETY: no other handle exists.
            unsafe { page.free() };
        }
    }
}
