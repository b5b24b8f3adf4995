//! Making an index of pages that were read from disk.

use std::sync::atomic::AtomicU64;

use super::{DEPTH_MAX, Hmap, entries_max, prefix_mask};
use crate::engine::index::Lsn;
use crate::engine::index::loaded::{self, HashedPage};
use crate::engine::index::misfit::Misfit;
use crate::page::PageId;
use crate::page::hash_page::{self, HashPage, LINES_MIN};
use crate::page::image::Anchor;

impl Hmap {
    /// See [`super::super::Index::begin_page`]. The first page has the size it would have grown to, all others the full
    /// one.
    pub fn begin_page(&self, id: PageId, version: Lsn, anchor: Anchor, entries: u32) -> Result<HashedPage, Misfit> {
        if anchor.depth > DEPTH_MAX || anchor.prefix & !prefix_mask(anchor.depth) != 0 {
            return Err(Misfit::Anchor {
                prefix: anchor.prefix,
                depth: anchor.depth,
            });
        }
        let mut lines = if anchor.depth == 0 { LINES_MIN } else { self.lines_max };
        while lines < self.lines_max && entries as usize > entries_max(hash_page::slots_of(lines)) + 1 {
            lines = (lines * 2).min(self.lines_max);
        }
        if lines == self.lines_max {
            lines = self.lines_for(entries as usize);
        }
        let page = HashPage::new(id, anchor.depth, anchor.prefix, lines);
        page.header_mut().version = version;
        Ok(HashedPage::new(page, self.shard_bits))
    }

    /// See [`super::super::Index::install`].
    pub fn install(&mut self, mut pages: Vec<HashedPage>) -> Result<(), Misfit> {
        if self.pages > 0 {
            return Err(Misfit::HasPages);
        }
        pages.sort_unstable_by_key(|page| page.header().prefix);
        loaded::check_cover(pages.iter().map(|page| (page.header().id, page.anchor())))?;
        self.depth = pages.iter().map(|page| page.header().depth).max().unwrap_or(0);
        let mut directory = Vec::with_capacity(if pages.is_empty() { 0 } else { 1 << self.depth });
        for page in pages {
            let page = page.into_page();
            self.count_in(page);
            self.entries += page.header().count as usize;
            let span = 1_usize << (self.depth - page.header().depth);
            directory.extend((0..span).map(|_| AtomicU64::new(page.to_word())));
        }
        self.directory = directory.into_boxed_slice();
        self.heap_bytes += size_of_val(&*self.directory);
        Ok(())
    }
}
