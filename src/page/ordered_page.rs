//! A page of the ordered kinds: up to some hundred entries in key order.
//!
//! Entries are eight-byte words in one vector, the search hints of their keys ([`Hints`]) in another, so that a lookup
//! touches a few lines of the hints and then the one entry it is after. Both grow in steps, not by doubling: a page
//! that is half full wastes little.
//!
//! **Invariants**
//! - Keys ascend strictly.
//! - `header.expires` counts the entries with an expiry; none dies before `header.expire_min_ms`, which is `u64::MAX`
//!   when there is none.

use super::entry::{Entry, EntryMut, EntryRef};
use super::hints::{Hints, relocate_vec, shared_bytes};
use super::prefetch::prefetch_ref;
use super::relocation::Relocation;
use crate::lsn::Lsn;
use crate::page::PageId;

/// Small pages grow by so many entries.
const STEP_SMALL: usize = 16;
/// Pages beyond [`STEP_AT`] grow by so many.
const STEP: usize = 32;
const STEP_AT: usize = 64;

/// What a page knows of itself.
#[derive(Debug)]
pub struct Header {
    /// LSN of the last change.
    pub version: Lsn,
    /// Last checkpoint epoch for which this page needs no pre-image any more.
    pub saved_epoch: u64,
    /// Identity within the collection, never reused.
    pub id: PageId,
    /// No entry of the page dies before this, Unix milliseconds; a lower bound.
    pub expire_min_ms: u64,
    /// Entries with an expiry.
    pub expires: u32,
}

/// See the module.
pub struct OrderedPage {
    /// What checkpoints and the expiry sweep look at.
    pub header: Header,
    hints: Hints,
    entries: Vec<Entry>,
}

fn capacity_for(len: usize) -> usize {
    let step = if len <= STEP_AT { STEP_SMALL } else { STEP };
    len.next_multiple_of(step)
}

/// A short key above every key of `left` and not above `right_first`: what divides two neighbours.
pub fn separator(left_last: &[u8], right_first: &[u8]) -> Box<[u8]> {
    let len = shared_bytes(left_last, right_first) + 1;
    right_first.get(..len).unwrap_or(right_first).into()
}

impl OrderedPage {
    /// An empty page.
    pub fn new(id: PageId) -> Self {
        Self {
            header: Header {
                version: Lsn::ZERO,
                saved_epoch: 0,
                id,
                expire_min_ms: u64::MAX,
                expires: 0,
            },
            hints: Hints::default(),
            entries: Vec::new(),
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of heap the page takes, entries apart.
    pub fn block_bytes(&self) -> usize {
        size_of::<Self>() + self.hints.heap_bytes() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The first key.
    pub fn first_key(&self) -> Option<&[u8]> {
        self.entries.first().map(Entry::key)
    }

    /// The last key.
    pub fn last_key(&self) -> Option<&[u8]> {
        self.entries.last().map(Entry::key)
    }

    /// The place of `key`, if it is there.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<usize> {
        self.hints.find(key, key_at(&self.entries))
    }

    /// The place of `key`, or where it belongs.
    #[inline]
    pub fn search(&self, key: &[u8]) -> Result<usize, usize> {
        self.hints.search(key, key_at(&self.entries))
    }

    /// The entry at a place.
    #[inline]
    pub fn get(&self, at: usize) -> Option<EntryRef<'_>> {
        self.entries.get(at).map(Entry::lend)
    }

    /// The entry at a place for changing it; [`OrderedPage::note_expiry`] is left to do.
    #[inline]
    pub fn get_mut(&mut self, at: usize) -> Option<EntryMut<'_>> {
        self.entries.get_mut(at).map(Entry::lend_mut)
    }

    /// The entries in key order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = EntryRef<'_>> + ExactSizeIterator {
        self.entries.iter().map(Entry::lend)
    }

    /// Prefetches every entry: before a split, a pre-image or a save touches them all.
    pub fn prefetch_entries(&self) {
        self.entries.iter().for_each(|entry| prefetch_ref(entry.base()));
    }

    /// Puts in an entry at the place where its key belongs.
    pub fn insert(&mut self, at: usize, entry: Entry) {
        if self.entries.len() == self.entries.capacity() {
            self.resize(capacity_for(self.entries.len() + 1));
        }
        self.hints.insert(at, entry.key(), key_at(&self.entries));
        count_expiry(&mut self.header, None, entry.due_at_ms());
        self.entries.insert(at, entry);
    }

    /// Makes room for so many entries in all.
    pub fn reserve(&mut self, entries: usize) {
        self.resize(capacity_for(entries));
    }

    /// Puts in an entry behind all others; [`OrderedPage::settle`] is left to do. Gives it back when its key is not
    /// above theirs.
    pub fn push(&mut self, entry: Entry) -> Result<(), Entry> {
        if self.last_key().is_some_and(|last| last >= entry.key()) {
            return Err(entry);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Swaps the entry at a place for one with the same key; returns the old one.
    pub fn replace(&mut self, at: usize, entry: Entry) -> Option<Entry> {
        let place = self.entries.get_mut(at)?;
        count_expiry(&mut self.header, place.due_at_ms(), entry.due_at_ms());
        Some(std::mem::replace(place, entry))
    }

    /// Keeps the header's expiry figures when an entry's expiry has changed from `old` to `new`.
    pub fn note_expiry(&mut self, old: Option<u64>, new: Option<u64>) {
        count_expiry(&mut self.header, old, new);
    }

    /// Takes the entry at a place out.
    pub fn remove(&mut self, at: usize) -> Option<Entry> {
        if at >= self.entries.len() {
            return None;
        }
        let entry = self.entries.remove(at);
        self.hints.remove(at);
        count_expiry(&mut self.header, entry.due_at_ms(), None);
        if self.entries.len() * 2 < self.entries.capacity() {
            self.resize(capacity_for(self.entries.len()));
        }
        Some(entry)
    }

    /// Moves the entries from place `at` on to `right`, an empty page.
    pub fn split_to(&mut self, at: usize, right: &mut Self) {
        self.prefetch_entries();
        right.entries = self.entries.split_off(at);
        self.entries.shrink_to(capacity_for(at));
        self.hints.truncate(at, key_at(&self.entries));
        self.hints.resize(self.entries.capacity());
        right.settle();
        self.recount();
    }

    /// Takes all entries of `right`, whose keys are all above this page's.
    pub fn append(&mut self, right: &mut Self) {
        right.prefetch_entries();
        self.entries.append(&mut right.entries);
        right.settle();
        self.settle();
    }

    /// Puts those entries into other places in memory that `relocation` wants, and what the page knows of them; whether
    /// it came to the end of the page.
    pub fn relocate(&mut self, relocation: &mut Relocation<'_>) -> bool {
        relocation.note_page();
        for entry in &mut self.entries {
            if relocation.is_over() {
                return false;
            }
            if relocation.wants(entry.address()) {
                entry.relocate(relocation);
            }
        }
        relocate_vec(&mut self.entries, relocation);
        self.hints.relocate(relocation);
        true
    }

    /// Takes all entries out of a page that is not used any more. None of them is looked at.
    pub fn take_into(&mut self, entries: &mut Vec<Entry>) {
        entries.append(&mut self.entries);
    }

    /// Brings everything else in line with the entries.
    pub fn settle(&mut self) {
        self.hints.rebuild(self.entries.len(), key_at(&self.entries));
        self.resize(capacity_for(self.entries.len()));
        self.recount();
    }

    fn resize(&mut self, capacity: usize) {
        self.entries.reserve_exact(capacity.saturating_sub(self.entries.len()));
        self.entries.shrink_to(capacity);
        self.hints.resize(capacity);
    }

    fn recount(&mut self) {
        self.header.expires = 0;
        self.header.expire_min_ms = u64::MAX;
        for entry in &self.entries {
            count_expiry(&mut self.header, None, entry.due_at_ms());
        }
    }

    /// Recomputes the lower bound of expiry times after some of them went.
    pub fn refresh_expire_min(&mut self) {
        let earliest = self.entries.iter().filter_map(Entry::expire_at_ms).min();
        self.header.expire_min_ms = earliest.unwrap_or(u64::MAX);
    }

    /// The earliest that an entry may die, `None` when none ever does.
    #[inline]
    pub fn expires_from(&self) -> Option<u64> {
        (self.header.expires > 0).then_some(self.header.expire_min_ms)
    }

    /// How many of the first `len` entries are dead at `now_ms`.
    pub fn dead_before(&self, len: usize, now_ms: u64) -> usize {
        if self.expires_from().is_none_or(|from_ms| from_ms > now_ms) {
            return 0;
        }
        self.prefetch_entries();
        self.entries
            .iter()
            .take(len)
            .filter(|entry| entry.is_expired(now_ms))
            .count()
    }
}

#[expect(clippy::indexing_slicing, reason = "hints ask for keys they have words of")]
#[inline]
fn key_at<'a>(entries: &'a [Entry]) -> impl Fn(usize) -> &'a [u8] {
    |at| entries[at].key()
}

fn count_expiry(header: &mut Header, old: Option<u64>, new: Option<u64>) {
    header.expires = header.expires + u32::from(new.is_some()) - u32::from(old.is_some());
    if let Some(at_ms) = new {
        header.expire_min_ms = header.expire_min_ms.min(at_ms);
    } else if header.expires == 0 {
        header.expire_min_ms = u64::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{StrRef, ValueRef};
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};
    use std::collections::BTreeMap;

    fn entry(key: &[u8], expire_at_ms: Option<u64>) -> Entry {
        Entry::new(key, ValueRef::Str(StrRef::Inline(b"v")), expire_at_ms, 0)
    }

    fn check(page: &OrderedPage, model: &BTreeMap<Vec<u8>, Option<u64>>) {
        let seen: Vec<_> = page
            .entries()
            .map(|entry| (entry.key().to_vec(), entry.expire_at_ms()))
            .collect();
        let expected: Vec<_> = model.iter().map(|(key, at_ms)| (key.clone(), *at_ms)).collect();
        assert_eq!(seen, expected);
        assert_eq!(page.header.expires as usize, model.values().flatten().count());
        let earliest = model.values().flatten().min();
        assert!(earliest.is_none_or(|at_ms| page.header.expire_min_ms <= *at_ms));
    }

    #[test]
    fn behaves_like_a_map_through_splits_and_merges() {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        let (mut page, mut model) = (OrderedPage::new(PageId::FIRST), BTreeMap::new());
        for step in 0..30_000_u64 {
            let key = format!("key:{:04}", random.random_range(0..400)).into_bytes();
            let expire_at_ms = random.random_bool(0.3).then_some(step);
            match (page.search(&key), random.random_range(0..10)) {
                (Err(at), 0..7) => {
                    page.insert(at, entry(&key, expire_at_ms));
                    model.insert(key, expire_at_ms);
                }
                (Ok(at), 0..4) => {
                    assert!(page.replace(at, entry(&key, expire_at_ms)).is_some());
                    model.insert(key, expire_at_ms);
                }
                (Ok(at), _) => {
                    assert_eq!(page.find(&key), Some(at));
                    assert_eq!(page.remove(at).unwrap().key(), key);
                    model.remove(&key);
                }
                (Err(at), 7) => {
                    let mut right = OrderedPage::new(PageId::new(2));
                    page.split_to(at, &mut right);
                    let above = model.split_off(&key);
                    check(&page, &model);
                    check(&right, &above);
                    model.extend(above);
                    page.append(&mut right);
                    assert!(right.is_empty());
                }
                (Err(_), _) => assert_eq!(page.find(&key), None),
            }
            check(&page, &model);
        }
    }

    #[test]
    fn separators_divide() {
        for (left, right, expected) in [
            (&b"abc"[..], &b"abd"[..], &b"abd"[..]),
            (b"a", b"bcd", b"b"),
            (b"ab", b"abc", b"abc"),
            (b"", b"xyz", b"x"),
        ] {
            assert_eq!(&*separator(left, right), expected);
            assert!(left < &*separator(left, right) && &*separator(left, right) <= right);
        }
    }
}
