//! What both ordered kinds do with their pages. How a page is found by a key is their [`Directory`]: all they differ
//! in.
//!
//! **Invariants**
//! - A page holds the keys from its separator (the first page: from the least key) up to the next page's.
//! - Only the page to the right goes when two become one, and entries only move to the right by a split and to the left
//!   by such a merge. So a walk that knows which page comes next misses nothing that stays.
//! - A page that goes has handed over its pre-image, and so has the one that it goes into.
//! - Only the sole page may be empty.

pub mod directory;
mod pages;
mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::misfit::Misfit;
use super::{IsKnown, KeyRef, Lsn, PageWrite, ScanBudget, Sight, Visited, loaded};
use crate::page::PageId;
use crate::page::entry::{Entry, EntryMut, EntryRef};
use crate::page::image::PageImage;
use crate::page::ordered_page::{OrderedPage, separator};
use crate::page::relocation::Relocation;
pub use directory::Directory;
pub use pages::{Pages, Place};
pub use query::{Edge, InOrder, KeyRange};

/// Most entries of a page.
const ENTRIES_MAX: usize = 256;
/// So many entries are drawn for each that a sample is to have.
const SAMPLE_DRAWS: usize = 8;

/// See the module.
pub struct Ordered<D> {
    directory: D,
    pages: Pages,
    /// Pages with entries that may die, by the earliest that one does.
    mortal: BTreeSet<(u64, Place)>,
    entries: usize,
    entries_max: usize,
}

impl<D: Directory> Default for Ordered<D> {
    fn default() -> Self {
        Self::new(ENTRIES_MAX)
    }
}

impl<D: Directory> Ordered<D> {
    /// An empty index with pages of at most so many entries.
    pub fn new(entries_max: usize) -> Self {
        Self {
            directory: D::default(),
            pages: Pages::default(),
            mortal: BTreeSet::new(),
            entries: 0,
            entries_max,
        }
    }

    #[inline]
    fn page_of(&self, key: &[u8]) -> Option<&OrderedPage> {
        self.directory.find(key).map(|place| self.pages.page(place))
    }

    /// See [`super::Index::get`].
    #[inline]
    pub fn get(&self, key: KeyRef<'_>) -> Option<EntryRef<'_>> {
        let page = self.page_of(key.bytes)?;
        page.get(page.find(key.bytes)?)
    }

    /// See [`super::Index::look`].
    #[inline]
    pub fn look(&self, key: KeyRef<'_>) -> Sight<'_> {
        let page = self.page_of(key.bytes);
        let entry = page.and_then(|page| page.get(page.find(key.bytes)?));
        Sight {
            entry: entry.map(|entry| (entry, 0)),
            version: page.map_or(Lsn::ZERO, |page| page.header.version),
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
        let Some(place) = self.directory.find(key.bytes) else {
            if let Some(entry) = change(None) {
                let place = self.make_first(write);
                self.insert(place, 0, entry, write);
            }
            return None;
        };
        match self.pages.page(place).search(key.bytes) {
            Ok(at) => self.change_page(place, write, |page| {
                let mut entry = page.get_mut(at)?;
                let before = entry.due_at_ms();
                let replacement = change(Some(&mut entry));
                let after = entry.due_at_ms();
                if let Some(replacement) = replacement {
                    return page.replace(at, replacement);
                }
                page.note_expiry(before, after);
                None
            }),
            Err(at) => {
                if let Some(entry) = change(None) {
                    self.insert(place, at, entry, write);
                }
                None
            }
        }
    }

    /// See [`super::Index::remove`].
    #[inline]
    pub fn remove(&mut self, key: KeyRef<'_>, write: &PageWrite<'_>) -> Option<Entry> {
        let place = self.directory.find(key.bytes)?;
        let at = self.pages.page(place).find(key.bytes)?;
        let removed = self.change_page(place, write, |page| page.remove(at));
        self.entries -= 1;
        self.directory.add(key.bytes, -1);
        if self.pages.page(place).len() < self.entries_max / 4 {
            self.merge(place, key.bytes, write);
        }
        removed
    }

    /// Changes a page, its pre-image being handed over first.
    #[inline]
    fn change_page<R>(&mut self, place: Place, write: &PageWrite<'_>, change: impl FnOnce(&mut OrderedPage) -> R) -> R {
        let before = self.pages.page(place).expires_from();
        let result = self.pages.change(place, |page| {
            prepare(page, write);
            change(page)
        });
        self.note_mortal(place, before);
        result
    }

    /// Keeps `mortal`, `before` being what the page said before it changed.
    #[inline]
    fn note_mortal(&mut self, place: Place, before: Option<u64>) {
        let after = self.pages.page(place).expires_from();
        if before == after {
            return;
        }
        if let Some(from_ms) = before {
            self.mortal.remove(&(from_ms, place));
        }
        if let Some(from_ms) = after {
            self.mortal.insert((from_ms, place));
        }
    }

    fn make_first(&mut self, write: &PageWrite<'_>) -> Place {
        let place = self.pages.insert(new_page(write), None);
        self.directory.insert(Box::default(), place, 0);
        place
    }

    fn insert(&mut self, mut place: Place, mut at: usize, entry: Entry, write: &PageWrite<'_>) {
        if self.pages.page(place).len() >= self.entries_max {
            let split_at = self.split_point(place, at);
            if let Some(right) = self.split(place, split_at, entry.key(), write) {
                (place, at) = (right, at - split_at);
            }
        }
        self.directory.add(entry.key(), 1);
        self.entries += 1;
        self.change_page(place, write, |page| page.insert(at, entry));
    }

    /// Where to split a full page that gets an entry at `at`: in the middle, but where keys seem to come in order, so
    /// that what will not be added to stays nearly full.
    fn split_point(&self, place: Place, at: usize) -> usize {
        let len = self.pages.page(place).len();
        if at == len && self.pages.next(place).is_none() {
            len
        } else if at == len {
            len - len / 8
        } else if at == 0 {
            (len / 8).max(1)
        } else {
            len / 2
        }
    }

    /// Splits a page; `key` is the one that made it necessary. Returns the new page behind it if `key` belongs there.
    fn split(&mut self, place: Place, at: usize, key: &[u8], write: &PageWrite<'_>) -> Option<Place> {
        let right = self.pages.insert(new_page(write), Some(place));
        let mut from = Box::default();
        let mut moved = 0;
        self.change_pages(place, right, write, |left, right| {
            left.split_to(at, right);
            moved = right.len();
            from = separator(left.last_key().unwrap_or_default(), right.first_key().unwrap_or(key));
        });
        self.directory
            .add(self.pages.page(place).first_key().unwrap_or(key), -(moved as isize));
        let belongs_right = *key >= *from;
        self.directory.insert(from, right, moved);
        belongs_right.then_some(right)
    }

    /// Makes one page of a page that has become small and a neighbour, where they fit one well. `key` is one that the
    /// small page might hold.
    fn merge(&mut self, place: Place, key: &[u8], write: &PageWrite<'_>) {
        let len = self.pages.page(place).len();
        let fits = |other: &Place| len == 0 || self.pages.page(*other).len() + len <= self.entries_max * 3 / 4;
        if let Some(left) = self.pages.previous(place).filter(fits) {
            self.swallow(left, place, key, write);
        } else if let Some(right) = self.pages.next(place).filter(fits) {
            self.swallow(place, right, key, write);
        }
    }

    /// Moves what is in `right` to the page before it, and lets it go. `key` is one that the emptier of them might
    /// hold.
    fn swallow(&mut self, left: Place, right: Place, key: &[u8], write: &PageWrite<'_>) {
        let moved = self.pages.page(right).len();
        self.change_page(right, write, |_| ());
        let from = self.pages.page(right).first_key().unwrap_or(key).to_vec();
        if moved > 0 {
            self.change_pages(left, right, write, OrderedPage::append);
        }
        self.directory.remove(&from);
        self.directory.add(&from, moved as isize);
        self.pages.remove(right, left);
    }

    fn change_pages(
        &mut self,
        left: Place,
        right: Place,
        write: &PageWrite<'_>,
        change: impl FnOnce(&mut OrderedPage, &mut OrderedPage),
    ) {
        let before = [left, right].map(|place| (place, self.pages.page(place).expires_from()));
        self.pages.change_both(left, right, |left, right| {
            prepare(left, write);
            prepare(right, write);
            change(left, right);
        });
        before
            .into_iter()
            .for_each(|(place, before)| self.note_mortal(place, before));
    }

    /// See [`super::Index::for_each`]; in key order.
    pub fn for_each<B>(&self, mut visit: impl FnMut(EntryRef<'_>) -> ControlFlow<B>) -> ControlFlow<B> {
        for (_, page) in self.pages.in_order() {
            page.prefetch_entries();
            for entry in page.entries() {
                visit(entry)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// See [`super::Index::scan`]. A cursor is the identity of the page to go on with; pages are visited as wholes.
    pub fn scan(&self, cursor: u64, budget: &mut ScanBudget, visit: &mut dyn FnMut(EntryRef<'_>)) -> Option<u64> {
        budget.entries = budget.entries.max(1);
        // Whoever comes with a page that nobody remembers starts over.
        let mut place = self.pages.by_id(PageId::new(cursor)).or(self.pages.first());
        while let Some(here) = place {
            let page = self.pages.page(here);
            if budget.entries == 0 || budget.pages == 0 {
                return Some(page.header.id.get());
            }
            page.prefetch_entries();
            page.entries().for_each(&mut *visit);
            budget.entries = budget.entries.saturating_sub(page.len());
            budget.pages -= 1;
            place = self.pages.next(here);
        }
        None
    }

    /// See [`super::Index::random`]. Every page is equally likely, then every place in one; empty places are drawn
    /// again.
    pub fn random(&self, random: &mut dyn FnMut(usize) -> usize) -> Option<EntryRef<'_>> {
        if self.entries == 0 {
            return None;
        }
        loop {
            let place = self.pages.any(random(self.pages.count()))?;
            if let Some(entry) = self.pages.page(place).get(random(self.entries_max)) {
                return Some(entry);
            }
        }
    }

    /// See [`super::Index::sample`]. Neighbours may well have been written, and used, together: of a page a few are
    /// taken, each from another place.
    pub fn sample(
        &self,
        is_volatile: bool,
        count: usize,
        random: &mut dyn FnMut(usize) -> usize,
        visit: &mut dyn FnMut(EntryRef<'_>),
    ) -> usize {
        if self.entries == 0 || is_volatile && self.mortal.is_empty() {
            return 0;
        }
        let wanted = |entry: &EntryRef<'_>| !is_volatile || entry.expire_at_ms().is_some();
        let mut visited = 0;
        for _ in 0..count.saturating_mul(SAMPLE_DRAWS) {
            let drawn = self.pages.any(random(self.pages.count()));
            let page = drawn.map(|place| self.pages.page(place));
            if let Some(entry) = page.and_then(|page| page.get(random(page.len()))).filter(wanted) {
                visit(entry);
                visited += 1;
                if visited == count {
                    break;
                }
            }
        }
        if visited > 0 {
            return visited;
        }
        // Few are there that die: those that do so first are found.
        let pages = self.mortal.iter().map(|(_, place)| self.pages.page(*place));
        let entries = pages.flat_map(|page| page.entries()).filter(wanted);
        for entry in entries.take(count) {
            visit(entry);
            visited += 1;
        }
        visited
    }

    /// See [`super::Index::sweep`].
    pub fn sweep(&mut self, cursor: u64, pages: usize, now_ms: u64, dead: &mut Vec<Vec<u8>>) -> Option<u64> {
        let mut at = cursor as usize;
        for _ in 0..pages {
            let (place, next) = self.pages.from_slot(at)?;
            at = next;
            let before = self.pages.page(place).expires_from();
            if before.is_none_or(|from_ms| from_ms > now_ms) {
                continue;
            }
            self.pages.change(place, |page| {
                page.prefetch_entries();
                let expired = page.entries().filter(|entry| entry.is_due(now_ms));
                dead.extend(expired.map(|entry| entry.key().to_vec()));
                page.refresh_expire_min();
            });
            self.note_mortal(place, before);
        }
        self.pages.from_slot(at).map(|_| at as u64)
    }

    /// See [`super::Index::relocate`].
    pub fn relocate(&mut self, cursor: u64, relocation: &mut Relocation<'_>) -> Option<u64> {
        let mut at = cursor as usize;
        while !relocation.is_over() {
            let (place, next) = self.pages.from_slot(at)?;
            if self.pages.relocate(place, relocation) {
                at = next;
            }
        }
        Some(at as u64)
    }

    /// See [`super::Index::take_entries`].
    pub fn take_entries(&mut self, entries: &mut Vec<Entry>) {
        self.pages.take_entries(entries);
    }

    /// See [`super::Index::save_next`].
    pub fn save_next(&mut self, cursor: u64, epoch: u64, is_known: IsKnown<'_>) -> (Option<Visited>, Option<u64>) {
        let mut at = cursor as usize;
        while let Some((place, next)) = self.pages.from_slot(at) {
            at = next;
            if self.pages.page(place).header.saved_epoch != epoch {
                let saved = self.pages.change(place, |page| {
                    page.header.saved_epoch = epoch;
                    let (page_id, version) = (page.header.id, page.header.version);
                    if is_known(page_id, version) {
                        Visited::Known { page_id, version }
                    } else {
                        Visited::Image(image_of(page))
                    }
                });
                return (Some(saved), Some(at as u64));
            }
        }
        (None, None)
    }

    /// See [`super::Index::begin_page`].
    pub fn begin_page(&self, id: PageId, version: Lsn, entries: u32) -> Result<OrderedPage, Misfit> {
        if entries as usize > self.entries_max {
            return Err(Misfit::TooManyEntries(entries));
        }
        let mut page = OrderedPage::new(id);
        page.header.version = version;
        page.reserve(entries as usize);
        Ok(page)
    }

    /// See [`super::Index::install`].
    pub fn install(&mut self, mut pages: Vec<OrderedPage>) -> Result<(), Misfit> {
        if self.pages.count() > 0 {
            return Err(Misfit::HasPages);
        }
        pages.sort_unstable_by(|one, other| one.first_key().cmp(&other.first_key()));
        loaded::check_ascending(pages.iter().map(|page| (page.header.id, loaded::extent_of(page))))?;
        let mut before = None;
        for page in pages {
            let (entries, expires_from) = (page.len(), page.expires_from());
            let from = before.map_or_else(Box::default, |before| {
                let left = self.pages.page(before).last_key().unwrap_or_default();
                separator(left, page.first_key().unwrap_or_default())
            });
            let place = self.pages.insert(page, before);
            self.directory.insert(from, place, entries);
            self.entries += entries;
            self.mortal.extend(expires_from.map(|from_ms| (from_ms, place)));
            before = Some(place);
        }
        Ok(())
    }

    /// See [`super::Index::pages`].
    pub fn pages(&self) -> usize {
        self.pages.count()
    }

    /// See [`super::Index::pages_after`].
    pub fn pages_after(&self, lsn: Lsn) -> usize {
        self.pages
            .in_order()
            .filter(|(_, page)| page.header.version > lsn)
            .count()
    }

    /// See [`super::Index::heap_bytes`].
    pub fn heap_bytes(&self) -> usize {
        // Nodes of a B-tree are two thirds full.
        let mortal = self.mortal.len() * size_of::<(u64, Place)>() * 3 / 2;
        self.pages.heap_bytes() + self.directory.heap_bytes() + mortal
    }
}

fn image_of(page: &OrderedPage) -> PageImage {
    page.prefetch_entries();
    PageImage::of(page.header.id, page.header.version, page.entries())
}

/// Before a change: hands over the pre-image if a checkpoint still needs it, and stamps the page.
#[inline]
fn prepare(page: &mut OrderedPage, write: &PageWrite<'_>) {
    let header = &page.header;
    if write.hand_over(header.version, header.saved_epoch, || image_of(page)) {
        stamp(page, write);
    }
}

#[inline]
fn stamp(page: &mut OrderedPage, write: &PageWrite<'_>) {
    page.header.version = write.change.mark.lsn;
    page.header.saved_epoch = write.epoch;
}

fn new_page(write: &PageWrite<'_>) -> OrderedPage {
    let mut page = OrderedPage::new(write.new_page_id());
    stamp(&mut page, write);
    page
}
