//! What the newest checkpoint has, for the next one to build on: the rows of its pages, and which of its page files are
//! worth keeping.
//!
//! A page file is judged by what the newest checkpoint needs of it, not by what older ones kept do: they go one day,
//! and what is carried on then is what the newest one has. When less than half of a file is needed its live pages count
//! as changed, so that the next checkpoint writes them anew and the file goes with the last manifest that names it.
//! Beyond [`FILES_MAX`] files the half with the fewest live bytes is treated likewise.
//!
//! **Invariant:** a page of version 0 is never known: it was changed without a log, so its version says nothing.

use std::collections::HashMap;

use super::format::{PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES, PageRow};
use super::manifest::Manifest;
use crate::engine::ids::CollectionId;
use crate::page::PageId;
use crate::wal::Lsn;

/// Most page files that a manifest names, one checkpoint more or less.
pub const FILES_MAX: usize = 64;

/// See the module.
#[derive(Default)]
pub struct Base {
    /// The rows of each collection, by page id.
    rows: HashMap<CollectionId, Vec<PageRow>>,
    /// The manifest's page files.
    files: Vec<u64>,
    /// Those to be compacted away.
    is_sparse: Vec<bool>,
}

impl Base {
    /// What `manifest` has. `file_bytes`: the length of each of its page files.
    pub fn new(manifest: Manifest, file_bytes: &[u64]) -> Self {
        let files = manifest.head.files;
        let mut live_bytes = vec![0_u64; files.len()];
        let mut rows = HashMap::new();
        for part in manifest.collections {
            for row in &part.pages {
                if let Some(live) = live_bytes.get_mut(row.file as usize) {
                    *live += row.len + PAGE_HEADER_BYTES as u64;
                }
            }
            let mut pages = part.pages;
            pages.sort_unstable_by_key(|row| row.page_id);
            rows.insert(part.row.id, pages);
        }
        Self {
            is_sparse: sparse(&live_bytes, file_bytes),
            rows,
            files,
        }
    }

    /// The page files that rows point into.
    pub fn files(&self) -> &[u64] {
        &self.files
    }

    /// The rows of a collection.
    pub fn of(&self, collection: CollectionId) -> Known<'_> {
        let rows = self.rows.get(&collection).map_or(&[][..], |rows| rows);
        Known { base: self, rows }
    }
}

/// The rows of one collection.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    base: &'a Base,
    rows: &'a [PageRow],
}

impl<'a> Known<'a> {
    /// Where the page of this identity and version is.
    pub fn find(&self, page_id: PageId, version: Lsn) -> Option<&'a PageRow> {
        let row = self.rows.get(self.place(page_id)?)?;
        let is_sparse = self.base.is_sparse.get(row.file as usize).copied();
        (row.version == version && version != Lsn::ZERO && is_sparse == Some(false)).then_some(row)
    }

    fn place(&self, page_id: PageId) -> Option<usize> {
        self.rows.binary_search_by_key(&page_id, |row| row.page_id).ok()
    }
}

fn sparse(live_bytes: &[u64], file_bytes: &[u64]) -> Vec<bool> {
    let mut is_sparse: Vec<bool> = live_bytes
        .iter()
        .zip(file_bytes)
        .map(|(live, all)| *live < all.saturating_sub(PAGE_FILE_HEADER_BYTES as u64) / 2)
        .collect();
    let mut kept: Vec<usize> = (0..is_sparse.len())
        .filter(|at| is_sparse.get(*at) == Some(&false))
        .collect();
    if kept.len() >= FILES_MAX {
        kept.sort_unstable_by_key(|at| live_bytes.get(*at).copied());
        for at in kept.iter().take(FILES_MAX / 2) {
            if let Some(sparse) = is_sparse.get_mut(*at) {
                *sparse = true;
            }
        }
    }
    is_sparse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_less_than_half_needed_are_sparse() {
        let header = PAGE_FILE_HEADER_BYTES as u64;
        assert_eq!(
            sparse(
                &[49, 50, 100, 0],
                &[100 + header, 100 + header, 100 + header, header + 2]
            ),
            [true, false, false, true]
        );
    }

    #[test]
    fn many_files_lose_the_smaller_half() {
        let live: Vec<u64> = (0..FILES_MAX as u64).map(|at| 1000 - at).collect();
        let is_sparse = sparse(&live, &live);
        assert!(is_sparse[..FILES_MAX / 2].iter().all(|sparse| !sparse));
        assert!(is_sparse[FILES_MAX / 2..].iter().all(|sparse| *sparse));
        assert!(sparse(&live[1..], &live[1..]).iter().all(|sparse| !sparse));
    }
}
