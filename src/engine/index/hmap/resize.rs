//! Pages and directories that grow and shrink.
//!
//! A page that is full splits in two by the next bit of the hashes. Two halves of what was one page, buddies, merge
//! when both fit into three quarters of one. After a merge a quarter of a page has to come before it splits again, and
//! after a split a quarter has to go before the halves merge, so that neither follows the other in turn.
//!
//! A page that cannot be split, since its keys share too many bits, grows without bound. No directory has more than
//! [`SPREAD_MAX`] entries for each page.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{DEPTH_MAX, Hmap, PREFIX_BITS, entries_max, hash_key, position, prepare, stamp};
use crate::engine::index::PageWrite;
use crate::page::hash_page::{self, HashPage, LINES_MIN};

/// Directory entries for each page, at most: hashes that are spread evenly need some four.
const SPREAD_MAX: usize = 64;

impl Hmap {
    /// The page for `hash`, made, grown or split so that one more entry fits.
    pub(super) fn page_with_room(&mut self, hash: u64, write: &PageWrite<'_>) -> HashPage {
        loop {
            let Some(word) = self.word_of(hash) else {
                self.make_first(write);
                continue;
            };
            // SAFETY: directory words name live pages of this index.
            let mut page = unsafe { HashPage::from_word(word) };
            let header = page.header();
            let limit = entries_max(page.slots());
            prepare(page, write);
            if (header.count + header.tombstones) as usize <= limit {
                return page;
            }
            if (header.count as usize) < limit * 3 / 4 {
                page.rehash();
            } else if header.lines < self.lines_max {
                self.replace(page, (header.lines * 2).min(self.lines_max));
            } else if self.may_split(header.depth) {
                self.split(page, write);
            } else {
                self.replace(page, header.lines.saturating_mul(2));
            }
        }
    }

    fn make_first(&mut self, write: &PageWrite<'_>) {
        let page = HashPage::new(write.new_page_id(), 0, 0, LINES_MIN);
        stamp(page, write);
        self.directory = Box::new([AtomicU64::new(page.to_word())]);
        self.heap_bytes += size_of_val(&*self.directory);
        self.count_in(page);
    }

    /// Counts a new page.
    pub(super) fn count_in(&mut self, page: HashPage) {
        self.pages += 1;
        self.heap_bytes += page.block_bytes();
        self.count_depth(page, 1);
    }

    /// Counts a page of its present depth in (1) or out (-1).
    fn count_depth(&mut self, page: HashPage, sign: i32) {
        if let Some(count) = self.pages_at.get_mut(usize::from(page.header().depth)) {
            *count = count.wrapping_add_signed(sign);
        }
    }

    /// Whether a page of `depth` can be split without a directory that is too large for the pages there are.
    pub(super) fn may_split(&self, depth: u8) -> bool {
        depth < self.depth || depth < DEPTH_MAX && 1 << depth < SPREAD_MAX / 2 * (self.pages + 1)
    }

    /// The size of a page that takes so many entries, and one that is split already. All are of the full size: blocks
    /// of other sizes that are given back as pages grow would leave more memory in pieces than they save.
    pub(super) fn lines_for(&self, entries: usize) -> u32 {
        let mut lines = self.lines_max;
        while hash_page::slots_of(lines) < entries {
            lines = lines.saturating_mul(2);
        }
        lines
    }

    /// Has a page of another size take the place of `page`.
    fn replace(&mut self, mut page: HashPage, lines: u32) {
        let mut fresh = page.successor(lines);
        fresh.take_over(&mut page);
        self.succeed(page, fresh);
    }

    /// `fresh` is there in place of `page`, whose identity it has.
    pub(super) fn succeed(&mut self, page: HashPage, fresh: HashPage) {
        self.heap_bytes += fresh.block_bytes();
        self.retired.add_page(page);
        self.point_to(fresh);
    }

    fn split(&mut self, mut page: HashPage, write: &PageWrite<'_>) {
        let depth = page.header().depth + 1;
        if depth > self.depth {
            self.double_directory();
        }
        let half = 1_u32 << (PREFIX_BITS - u32::from(depth));
        let (seed, shard_bits) = (self.seed, self.shard_bits);
        let is_upper = |key: &[u8]| ((hash_key(key, seed) << shard_bits) >> PREFIX_BITS) as u32 & half != 0;
        let (id, prefix) = (write.new_page_id(), page.header().prefix | half);
        let mut sibling = HashPage::new(id, depth, prefix, page.header().lines);
        stamp(sibling, write);
        self.count_depth(page, -1);
        page.header_mut().depth = depth;
        page.divide(&mut sibling, is_upper);
        self.count_depth(page, 1);
        self.count_in(sibling);
        self.point_to(sibling);
        self.point_to(page);
        [page, sibling].into_iter().for_each(|half| self.shrink(half));
    }

    /// Gives a page that is larger than the full size the one that it needs.
    fn shrink(&mut self, page: HashPage) {
        let lines = self.lines_for(page.header().count as usize);
        if page.header().lines > lines {
            self.replace(page, lines);
        }
    }

    /// How many entries two pages may have to merge.
    fn merged_max(&self) -> usize {
        entries_max(hash_page::slots_of(self.lines_max)) * 3 / 4
    }

    /// Merges `page`, from which something was taken, with its buddy, and what comes of that with its own, as long as
    /// they fit well into one.
    pub(super) fn merge_from(&mut self, mut page: HashPage, write: &PageWrite<'_>) {
        while page.header().count as usize * 2 <= self.merged_max()
            && let Some(buddy) = self.buddy_of(page)
            && (page.header().count + buddy.header().count) as usize <= self.merged_max()
        {
            prepare(page, write);
            prepare(buddy, write);
            page = self.merge(page, buddy);
        }
    }

    /// The page that was split from the same one, unless it has been split on.
    fn buddy_of(&self, page: HashPage) -> Option<HashPage> {
        let (prefix, depth) = (page.header().prefix, page.header().depth);
        let half = 1_u32.checked_shl(PREFIX_BITS - u32::from(depth))?;
        let local = u64::from(prefix ^ half) << PREFIX_BITS;
        let word = self.directory.get(position(local, self.depth))?.load(Ordering::Relaxed);
        // SAFETY: directory words name live pages of this index.
        let buddy = unsafe { HashPage::from_word(word) };
        (buddy.header().depth == depth).then_some(buddy)
    }

    /// Makes one page of two buddies, under the identity of the lower one.
    fn merge(&mut self, one: HashPage, other: HashPage) -> HashPage {
        let (mut lower, mut upper) = if one.header().prefix < other.header().prefix {
            (one, other)
        } else {
            (other, one)
        };
        self.count_depth(upper, -1);
        self.count_depth(lower, -1);
        lower.header_mut().depth -= 1;
        self.count_depth(lower, 1);
        self.pages -= 1;
        let count = lower.header().count + upper.header().count;
        let mut merged = lower.successor(self.lines_for(count as usize));
        merged.take_over(&mut lower);
        merged.take_over(&mut upper);
        self.succeed(lower, merged);
        self.retired.add_page(upper);
        self.shrink_directory();
        merged
    }

    /// Makes every directory entry that the page covers name it.
    pub(super) fn point_to(&mut self, page: HashPage) {
        let span = 1_usize << (self.depth - page.header().depth);
        let first = position(self.start_of(page), self.depth);
        for word in self.directory.iter().skip(first).take(span) {
            word.store(page.to_word(), Ordering::Release);
        }
    }

    fn double_directory(&mut self) {
        let twice = |word: &AtomicU64| {
            let word = word.load(Ordering::Relaxed);
            [AtomicU64::new(word), AtomicU64::new(word)]
        };
        let doubled = self.directory.iter().flat_map(twice).collect();
        self.replace_directory(doubled);
        self.depth += 1;
    }

    /// Halves the directory while all pages are two levels higher: one level is left, so that the next split does not
    /// double it again.
    fn shrink_directory(&mut self) {
        let count_at = |index: &Self, depth: u8| index.pages_at.get(usize::from(depth)).copied().unwrap_or(0);
        while self.depth >= 2 && count_at(self, self.depth) == 0 && count_at(self, self.depth - 1) == 0 {
            let words = self.directory.iter().step_by(2);
            let halved = words.map(|word| AtomicU64::new(word.load(Ordering::Relaxed))).collect();
            self.replace_directory(halved);
            self.depth -= 1;
        }
    }

    fn replace_directory(&mut self, directory: Box<[AtomicU64]>) {
        self.heap_bytes += size_of_val(&*directory);
        self.retired
            .add_directory(std::mem::replace(&mut self.directory, directory));
    }
}
