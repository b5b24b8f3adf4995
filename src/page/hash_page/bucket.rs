//! The buckets of a hash page: where they lie, what a slot's word says, and how they are fetched ahead.
//!
//! **Invariants**
//! - A slot is only ever accessed as an atomic.
//! - A word above [`TOMBSTONE`] is an entry's address under its tag.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::page::prefetch::prefetch;

/// Slots in a bucket: one cache line.
pub const BUCKET_SLOTS: usize = 8;

pub(super) const LINE_BYTES: usize = 64;
pub(super) const EMPTY: u64 = 0;
pub(super) const TOMBSTONE: u64 = 1;
pub(super) const TAG_SHIFT: u32 = 48;
pub(super) const ADDRESS_MASK: u64 = (1 << TAG_SHIFT) - 1;

/// The tag of a hash: 16 bits independent of the directory.
#[inline]
pub fn tag_of(hash: u64) -> u16 {
    hash as u16
}

/// The bucket, of so many, from which on a key with this tag is looked for. Tags in one bucket differ by some eleven
/// bits.
#[inline]
pub(super) fn home_bucket(tag: u16, buckets: usize) -> usize {
    (usize::from(tag) * buckets) >> u16::BITS
}

/// How many buckets a page of so many lines has.
#[inline]
pub(super) fn buckets_of(lines: u32) -> usize {
    lines as usize - 1
}

/// Slot `index` of a page.
#[inline]
pub(super) fn slot_at<'a>(page: u64, index: usize) -> &'a AtomicU64 {
    let address = page as usize + LINE_BYTES + index * size_of::<u64>();
    // SAFETY: callers pass a live page and an index below its slot count; slots are only ever accessed as atomics.
    unsafe { &*(address as *const AtomicU64) }
}

/// The slots of a bucket: one cache line.
#[inline(always)]
pub(super) fn bucket_at<'a>(page: u64, bucket: usize) -> &'a [AtomicU64; BUCKET_SLOTS] {
    let buckets = (page as *const [AtomicU64; BUCKET_SLOTS]).wrapping_add(1);
    // SAFETY: callers pass a live page and a bucket that it has; behind the header, which is as long as a bucket, they
    // follow one another; slots are only ever accessed as atomics.
    unsafe { &*buckets.wrapping_add(bucket) }
}

/// Which slots have the tag, from the first on. Without a branch for each: which one it is cannot be predicted.
#[inline(always)]
pub(super) fn tagged(slots: &[AtomicU64; BUCKET_SLOTS], tag: u16) -> impl Iterator<Item = usize> {
    let mut found = 0u32;
    for (at, slot) in slots.iter().enumerate() {
        let is_tagged = slot.load(Ordering::Relaxed) >> TAG_SHIFT == u64::from(tag);
        found |= u32::from(is_tagged) << at;
    }
    std::iter::from_fn(move || {
        let at = (found != 0).then(|| found.trailing_zeros() as usize);
        found &= found.wrapping_sub(1);
        at
    })
}

/// First stage for a key: prefetches the home bucket.
///
/// # Safety
/// `word` must be a directory word of a page that cannot be freed meanwhile.
#[inline]
pub unsafe fn prefetch_bucket(word: u64, hash: u64) {
    let lines = lines_in(word);
    if lines == 0 {
        return;
    }
    let page = word & !(LINE_BYTES as u64 - 1);
    let line = home_bucket(tag_of(hash), buckets_of(lines)) + 1;
    prefetch(page + (line * LINE_BYTES) as u64);
    // The header, too: it has the version, which a reader may have to wait for.
    prefetch(page);
}

/// Second stage: reads the home bucket's slots and prefetches the entry with the key's tag (both of its lines).
///
/// # Safety
/// As for [`prefetch_bucket`].
#[inline(always)]
pub unsafe fn prefetch_entry(word: u64, hash: u64) {
    let lines = lines_in(word);
    if lines == 0 {
        return;
    }
    let page = word & !(LINE_BYTES as u64 - 1);
    let slots = bucket_at(page, home_bucket(tag_of(hash), buckets_of(lines)));
    for at in tagged(slots, tag_of(hash)) {
        let slot = slots.get(at).map_or(EMPTY, |slot| slot.load(Ordering::Relaxed));
        // Of an empty one nothing is fetched, which is no harm.
        prefetch(slot & ADDRESS_MASK);
        prefetch((slot & ADDRESS_MASK) + LINE_BYTES as u64);
    }
}

/// Size bits of a directory word.
#[inline]
pub(super) fn lines_in(word: u64) -> u32 {
    (word & (LINE_BYTES as u64 - 1)) as u32
}
