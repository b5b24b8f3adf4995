//! Entries that go from one page to another.
//!
//! **Invariant:** who takes entries has no tombstones and room for all of them.

use std::sync::atomic::Ordering;

use super::bucket::{ADDRESS_MASK, BUCKET_SLOTS, EMPTY, TAG_SHIFT, TOMBSTONE, bucket_at, buckets_of, home_bucket};
use super::{HashPage, Header};
use crate::page::entry::Entry;
use crate::page::prefetch::prefetch;
use crate::page::relocation::Relocation;
use smallvec::SmallVec;

impl HashPage {
    /// An empty page of `lines` lines that is to take this one's place, under its identity.
    pub fn successor(&self, lines: u32) -> Self {
        let header = self.header();
        let page = Self::new(header.id, header.depth, header.prefix, lines);
        page.header_mut().version = header.version;
        page.header_mut().saved_epoch = header.saved_epoch;
        page
    }

    /// Takes all entries of `from`, which is empty then. None of them is looked at.
    pub fn take_over(&mut self, from: &mut Self) {
        let Header {
            count,
            expires,
            expire_min_ms,
            ..
        } = *from.header();
        from.take_words(|word| self.put_word(word));
        let header = self.header_mut();
        header.count += count;
        header.expires += expires;
        header.expire_min_ms = header.expire_min_ms.min(expire_min_ms);
    }

    /// Gives entries to `upper`, those whose keys `is_upper` says go there.
    pub fn divide(&mut self, upper: &mut Self, is_upper: impl Fn(&[u8]) -> bool) {
        self.prefetch_entries();
        for word in self.all_words() {
            // SAFETY: a slot has just given this entry up; the page that it goes to gets it below.
            let entry = unsafe { Entry::from_address(word & ADDRESS_MASK) };
            let page = if is_upper(entry.key()) { &mut *upper } else { &mut *self };
            page.count_in(&entry, EMPTY);
            page.put_word(entry.into_address() | word & !ADDRESS_MASK);
        }
    }

    /// Gets rid of tombstones. No entry is looked at.
    pub fn rehash(&mut self) {
        let Header {
            count,
            expires,
            expire_min_ms,
            ..
        } = *self.header();
        self.all_words().into_iter().for_each(|word| self.put_word(word));
        let header = self.header_mut();
        (header.count, header.expires, header.expire_min_ms) = (count, expires, expire_min_ms);
    }

    fn all_words(&mut self) -> Vec<u64> {
        let mut words = Vec::with_capacity(self.header().count as usize);
        self.take_words(|word| words.push(word));
        words
    }

    /// Puts those entries into other places in memory that `relocation` wants; whether it came to the end of the page.
    pub fn relocate_entries(&mut self, relocation: &mut Relocation<'_>) -> bool {
        relocation.note_page();
        let wants = |word: u64, relocation: &Relocation<'_>| word > TOMBSTONE && relocation.wants(word & ADDRESS_MASK);
        let wanted: SmallVec<[usize; 32]> = (0..self.slots())
            .filter(|index| wants(self.load(*index), relocation))
            .collect();
        wanted
            .iter()
            .for_each(|index| prefetch(self.load(*index) & ADDRESS_MASK));
        for index in wanted {
            if relocation.is_over() {
                return false;
            }
            let word = self.load(index);
            // SAFETY: the slot owns this entry, and gets it back at once.
            let mut entry = unsafe { Entry::from_address(word & ADDRESS_MASK) };
            entry.relocate(relocation);
            self.store(index, entry.into_address() | word & !ADDRESS_MASK);
        }
        true
    }

    /// The page in another block, if `relocation` wants this one, which is empty then.
    pub fn relocate(&mut self, relocation: &mut Relocation<'_>) -> Option<Self> {
        if !relocation.wants(self.0.as_ptr() as u64) {
            return None;
        }
        let mut fresh = self.successor(self.header().lines);
        fresh.take_over(self);
        relocation.note_block(fresh.0.as_ptr() as u64, fresh.block_bytes());
        Some(fresh)
    }

    /// Takes all entries out, leaving the page empty. None of them is looked at.
    pub fn drain_into(&mut self, entries: &mut Vec<Entry>) {
        // SAFETY: the slot owned this entry and has just given it up.
        self.take_words(|word| entries.push(unsafe { Entry::from_address(word & ADDRESS_MASK) }));
    }

    /// Takes all occupied slots' words, leaving the page empty.
    fn take_words(&mut self, mut take: impl FnMut(u64)) {
        for index in 0..self.slots() {
            let word = self.load(index);
            self.store(index, EMPTY);
            if word > TOMBSTONE {
                take(word);
            }
        }
        let Header {
            count,
            tombstones,
            expires,
            expire_min_ms,
            ..
        } = self.header_mut();
        (*count, *tombstones, *expires, *expire_min_ms) = (0, 0, 0, u64::MAX);
    }

    /// Puts a word into the first empty slot of its probe sequence.
    fn put_word(&mut self, word: u64) {
        let buckets = buckets_of(self.header().lines);
        let home = home_bucket((word >> TAG_SHIFT) as u16, buckets);
        for bucket in (home..buckets).chain(0..home) {
            let slots = bucket_at(self.0.as_ptr() as u64, bucket);
            if let Some(at) = slots.iter().position(|slot| slot.load(Ordering::Relaxed) == EMPTY) {
                return self.store(bucket * BUCKET_SLOTS + at, word);
            }
        }
        debug_assert!(false, "a page must have room for what it takes");
    }
}
