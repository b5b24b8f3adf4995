//! Walking the pages in the order of hashes: scans, sweeps, random draws, checkpoints.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use super::{DEPTH_MAX, Hmap, PREFIX_BITS, image_of, position};
use crate::engine::index::{IsKnown, ScanBudget, Visited};
use crate::page::entry::{Entry, EntryRef};
use crate::page::hash_page::HashPage;
use crate::page::relocation::Relocation;

/// How often a random place is drawn. A page of one entry and 240 slots is missed by all of them once in 5,000 times.
const DRAWS_MAX: usize = 2048;

const CURSOR_TAG_BITS: u32 = 16;
const CURSOR_DEPTH_BITS: u32 = 5;

impl Hmap {
    /// Pages in hash order from directory position `from`.
    pub(super) fn pages_from(&self, from: usize) -> impl Iterator<Item = HashPage> {
        let mut at = from;
        std::iter::from_fn(move || {
            let word = self.directory.get(at)?.load(Ordering::Relaxed);
            // SAFETY: directory words name live pages of this index.
            let page = unsafe { HashPage::from_word(word) };
            let span = 1_usize << (self.depth - page.header().depth);
            at = (at & !(span - 1)) + span;
            Some(page)
        })
    }

    pub(super) fn start_of(&self, page: HashPage) -> u64 {
        u64::from(page.header().prefix) << (64 - PREFIX_BITS)
    }

    /// Position (as a local hash) right behind `page`, or `None` behind the last one.
    fn end_of(&self, page: HashPage) -> Option<u64> {
        match page.header().depth {
            0 => None,
            depth => self.start_of(page).checked_add(1 << (64 - u32::from(depth))),
        }
    }

    /// See [`super::super::Index::for_each`].
    pub fn for_each<B>(&self, mut visit: impl FnMut(EntryRef<'_>) -> ControlFlow<B>) -> ControlFlow<B> {
        for page in self.pages_from(0) {
            page.prefetch_entries();
            for entry in page.entries() {
                visit(entry)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// See [`super::super::Index::scan`]. A cursor is a page start, the page's depth then, and the tag to go on from.
    pub fn scan(&self, cursor: u64, budget: &mut ScanBudget, visit: &mut dyn FnMut(EntryRef<'_>)) -> Option<u64> {
        let (start, depth, mut tag_min) = unpack_cursor(cursor);
        budget.entries = budget.entries.max(1);
        for page in self.pages_from(position(start, self.depth)) {
            if budget.pages == 0 {
                return Some(pack_cursor(self.start_of(page), 0, 0));
            }
            budget.pages -= 1;
            // The page has merged since, or the collection was emptied or loaded: it holds entries from before `start`,
            // and others that were not seen.
            if page.header().depth < depth {
                tag_min = 0;
            }
            let slots = page.by_tag(tag_min);
            let last_tag = slots.get(budget.entries - 1).map(|(tag, _)| *tag);
            for (tag, slot) in slots {
                if last_tag.is_none_or(|last| tag <= last)
                    && let Some(entry) = page.get(slot)
                {
                    visit(entry);
                    budget.entries = budget.entries.saturating_sub(1);
                }
            }
            if let Some(next_tag) = last_tag.and_then(|last| last.checked_add(1)) {
                return Some(pack_cursor(self.start_of(page), page.header().depth, next_tag));
            }
            if budget.entries == 0 {
                return self.end_of(page).map(|end| pack_cursor(end, 0, 0));
            }
            tag_min = 0;
        }
        None
    }

    /// See [`super::super::Index::random`]. Every page is equally likely, then every slot; empty slots are drawn again.
    /// Pages are full to a third at least, on the average. Where hashes are not spread evenly, others may be drawn for
    /// long: then it is any entry, not each equally likely.
    pub fn random(&self, random: &mut dyn FnMut(usize) -> usize) -> Option<EntryRef<'_>> {
        if self.entries == 0 {
            return None;
        }
        for _ in 0..DRAWS_MAX {
            let at = random(self.directory.len());
            if let Some(page) = self.pages_from(at).next()
                && position(self.start_of(page), self.depth) == at
                && let Some(entry) = self.lend(page, random(page.slots()))
            {
                return Some(entry);
            }
        }
        let at = random(self.directory.len());
        let mut pages = self.pages_from(at).chain(self.pages_from(0));
        let page = pages.find(|page| page.header().count > 0)?;
        let first = random(page.slots());
        let mut slots = (first..page.slots()).chain(0..first);
        slots.find_map(|slot| self.lend(page, slot))
    }

    /// See [`super::super::Index::sample`]. Keys lie in the order of their hashes, which have nothing to do with
    /// anything else of them: neighbours are as good as others.
    pub fn sample(
        &self,
        is_volatile: bool,
        count: usize,
        random: &mut dyn FnMut(usize) -> usize,
        visit: &mut dyn FnMut(EntryRef<'_>),
    ) -> usize {
        let at = random(self.directory.len());
        let mut left = count;
        for page in self.pages_from(at).chain(self.pages_from(0)).take(self.pages) {
            let header = page.header();
            if header.count == 0 || is_volatile && header.expires == 0 {
                continue;
            }
            left -= page.visit_some(random(page.slots()), is_volatile, left, visit);
            if left == 0 {
                break;
            }
        }
        count - left
    }

    /// See [`super::super::Index::sweep`].
    pub fn sweep(&mut self, cursor: u64, pages: usize, now_ms: u64, dead: &mut Vec<Vec<u8>>) -> Option<u64> {
        let mut left = pages;
        let mut next = None;
        for mut page in self.pages_from(position(cursor, self.depth)) {
            if left == 0 {
                return next;
            }
            left -= 1;
            next = self.end_of(page);
            if page.header().expires == 0 || page.header().expire_min_ms > now_ms {
                continue;
            }
            page.prefetch_entries();
            dead.extend(
                page.entries()
                    .filter(|entry| entry.is_due(now_ms))
                    .map(|entry| entry.key().to_vec()),
            );
            page.refresh_expire_min();
        }
        None
    }

    /// See [`super::super::Index::relocate`].
    pub fn relocate(&mut self, cursor: u64, relocation: &mut Relocation<'_>) -> Option<u64> {
        let mut next = cursor;
        while !relocation.is_over() {
            let mut page = self.pages_from(position(next, self.depth)).next()?;
            if !page.relocate_entries(relocation) {
                break;
            }
            let end = self.end_of(page);
            if let Some(fresh) = page.relocate(relocation) {
                self.succeed(page, fresh);
            }
            next = end?;
        }
        Some(next)
    }

    /// See [`super::super::Index::take_entries`].
    pub fn take_entries(&mut self, entries: &mut Vec<Entry>) {
        let pages: Vec<_> = self.pages_from(0).collect();
        pages.into_iter().for_each(|mut page| page.drain_into(entries));
    }

    /// See [`super::super::Index::save_next`].
    pub fn save_next(&mut self, cursor: u64, epoch: u64, is_known: IsKnown<'_>) -> (Option<Visited>, Option<u64>) {
        for page in self.pages_from(position(cursor, self.depth)) {
            let header = page.header_mut();
            if header.saved_epoch != epoch {
                header.saved_epoch = epoch;
                let (page_id, version) = (header.id, header.version);
                let saved = if is_known(page_id, version) {
                    Visited::Known { page_id, version }
                } else {
                    Visited::Image(image_of(page))
                };
                return (Some(saved), self.end_of(page));
            }
        }
        (None, None)
    }
}

fn pack_cursor(start: u64, depth: u8, tag: u16) -> u64 {
    let prefix = start >> (64 - DEPTH_MAX as u32);
    (prefix << CURSOR_DEPTH_BITS | u64::from(depth)) << CURSOR_TAG_BITS | u64::from(tag)
}

fn unpack_cursor(cursor: u64) -> (u64, u8, u16) {
    let rest = cursor >> CURSOR_TAG_BITS;
    let depth = (rest & ((1 << CURSOR_DEPTH_BITS) - 1)) as u8;
    (
        (rest >> CURSOR_DEPTH_BITS) << (64 - DEPTH_MAX as u32),
        depth,
        cursor as u16,
    )
}

/// Bits a cursor of this index may use; the shard goes above them.
pub const CURSOR_BITS: u32 = DEPTH_MAX as u32 + CURSOR_DEPTH_BITS + CURSOR_TAG_BITS;
