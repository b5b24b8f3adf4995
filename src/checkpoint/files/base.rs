//! What the newest checkpoint has, for the next one to build on: the rows of its pages, and which of its page files are
//! worth keeping.
//!
//! A page file is judged by what the newest checkpoint needs of it, not by what older ones kept do: they go one day,
//! and what is carried on then is what the newest one has. When less than half of a file is needed its live pages count
//! as changed, so that the next checkpoint writes them anew and the file goes with the last manifest that names it.
//! Beyond [`FILES_MAX`] files the half with the fewest live bytes is treated likewise. So are those of a file that is
//! no longer there, has lost its end, or cannot be relied on (`src/checkpoint/files/watch.rs`).
//!
//! **Invariant:** a page or part of version 0 is never known: it was changed without a log, so its version says
//! nothing.

use std::collections::{HashMap, HashSet};

use super::format::{LIBRARY_VERSION, PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES, PageRow, PartRow};
use super::manifest::{CollectionPages, Manifest};
use crate::engine::ids::CollectionId;
use crate::page::PageId;
use crate::wal::Lsn;

/// Most page files that a manifest names, one checkpoint more or less.
pub const FILES_MAX: usize = 64;

/// See the module.
#[derive(Default)]
pub struct Base {
    collections: HashMap<CollectionId, Rows>,
    /// By their numbers.
    libraries: HashMap<u64, PageRow>,
    /// The manifest's page files.
    files: Vec<u64>,
    /// Where the last page of each ends that is in the manifest, in bytes.
    ends: Vec<u64>,
    /// Those to be compacted away, or lost.
    is_sparse: Vec<bool>,
}

/// What there is of a collection.
#[derive(Default)]
struct Rows {
    /// By page id.
    pages: Vec<PageRow>,
    /// By the id of the part.
    parts: Vec<PartRow>,
    /// Places in `parts`, by the page that has the container.
    by_page: Vec<u32>,
    /// Pages that name parts which are not worth keeping where they are.
    with_sparse_parts: HashSet<PageId>,
}

impl Rows {
    fn new(mut part: CollectionPages, is_sparse: &[bool]) -> Self {
        part.pages.sort_unstable_by_key(|row| row.page_id);
        part.parts.sort_unstable_by_key(|part| part.row.page_id);
        let mut by_page: Vec<u32> = (0..part.parts.len() as u32).collect();
        by_page.sort_by_key(|at| part.parts.get(*at as usize).map(|part| part.page_id));
        let sparse = part
            .parts
            .iter()
            .filter(|part| is_sparse.get(part.row.file as usize) != Some(&false));
        Self {
            with_sparse_parts: sparse.map(|part| part.page_id).collect(),
            pages: part.pages,
            parts: part.parts,
            by_page,
        }
    }

    /// The parts of the containers in a page.
    fn parts_of(&self, page_id: PageId) -> impl Iterator<Item = &PartRow> {
        let part = |at: &u32| self.parts.get(*at as usize);
        let first = self
            .by_page
            .partition_point(|at| part(at).is_some_and(|part| part.page_id < page_id));
        let from = self.by_page.get(first..).unwrap_or_default().iter();
        from.map_while(part).take_while(move |part| part.page_id == page_id)
    }
}

impl Base {
    /// What `manifest` has. `file_bytes`: the length of each of its page files; `None`: nothing in it can
    /// be relied on.
    pub fn new(manifest: Manifest, file_bytes: &[Option<u64>]) -> Self {
        let mut live_bytes = vec![0_u64; manifest.head.files.len()];
        let mut ends = vec![PAGE_FILE_HEADER_BYTES as u64; manifest.head.files.len()];
        for row in manifest.rows() {
            let bytes = row.len.saturating_add(PAGE_HEADER_BYTES as u64);
            let at = row.file as usize;
            if let (Some(live), Some(end)) = (live_bytes.get_mut(at), ends.get_mut(at)) {
                *live = live.saturating_add(bytes);
                *end = row.offset.saturating_add(bytes).max(*end);
            }
        }
        let is_sparse = if manifest.head.has_parts() {
            sparse(&live_bytes, &ends, file_bytes)
        } else {
            // What is written in an older format is written anew.
            vec![true; manifest.head.files.len()]
        };
        let libraries = manifest.libraries.into_iter();
        let collections = manifest.collections.into_iter();
        let collections = collections.map(|part| (part.row.id, Rows::new(part, &is_sparse)));
        Self {
            collections: collections.collect(),
            libraries: libraries
                .map(|library| (library.row.page_id.get(), library.row))
                .collect(),
            is_sparse,
            ends,
            files: manifest.head.files,
        }
    }

    /// The index of the first page file that a checkpoint built on this may name but that cannot be relied on, or is
    /// not as long as it should be, and the length that it should have at least.
    pub fn lost_file(&self, file_bytes: &[Option<u64>]) -> Option<(usize, u64)> {
        let files = self.ends.iter().zip(&self.is_sparse).zip(file_bytes).enumerate();
        let mut needed = files.filter(|(_, ((_, is_sparse), _))| !**is_sparse);
        let lost = needed.find(|(_, ((end, _), bytes))| is_lost(**end, **bytes));
        lost.map(|(at, ((end, _), _))| (at, *end))
    }

    /// The page files that rows point into.
    pub fn files(&self) -> &[u64] {
        &self.files
    }

    /// The rows of a collection; `None`: it has none.
    pub fn of(&self, collection: CollectionId) -> Option<Known<'_>> {
        let rows = self.collections.get(&collection)?;
        Some(Known { base: self, rows })
    }

    /// Where the code of the library of this number is, if it is worth keeping there.
    pub fn library(&self, number: u64) -> Option<&PageRow> {
        self.kept(self.libraries.get(&number)?, LIBRARY_VERSION)
    }

    /// The row, if it is of that version and worth keeping.
    fn kept<'a>(&self, row: &'a PageRow, version: Lsn) -> Option<&'a PageRow> {
        let is_sparse = self.is_sparse.get(row.file as usize).copied();
        (row.version == version && version != Lsn::ZERO && is_sparse == Some(false)).then_some(row)
    }
}

/// The rows of one collection.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    base: &'a Base,
    rows: &'a Rows,
}

impl<'a> Known<'a> {
    /// Where the page of this identity and version is; none, if one of the parts that it names is not worth keeping
    /// where it is.
    pub fn find(&self, page_id: PageId, version: Lsn) -> Option<&'a PageRow> {
        let pages = &self.rows.pages;
        let at = pages.binary_search_by_key(&page_id, |row| row.page_id).ok()?;
        let row = self.base.kept(pages.get(at)?, version)?;
        (!self.rows.with_sparse_parts.contains(&page_id)).then_some(row)
    }

    /// Where the part of this identity and version is.
    pub fn find_part(&self, id: PageId, version: Lsn) -> Option<&'a PageRow> {
        let parts = &self.rows.parts;
        let at = parts.binary_search_by_key(&id, |part| part.row.page_id).ok()?;
        self.base.kept(&parts.get(at)?.row, version)
    }

    /// The parts of the containers in a page.
    pub fn parts_of(&self, page_id: PageId) -> impl Iterator<Item = &'a PartRow> + use<'a> {
        self.rows.parts_of(page_id)
    }
}

/// Whether a file whose last page ends at `end` cannot be relied on, or has lost its end.
fn is_lost(end: u64, bytes: Option<u64>) -> bool {
    bytes.is_none_or(|bytes| bytes < end)
}

fn sparse(live_bytes: &[u64], ends: &[u64], file_bytes: &[Option<u64>]) -> Vec<bool> {
    let files = live_bytes.iter().zip(ends).zip(file_bytes);
    let mut is_sparse: Vec<bool> = files
        .map(|((live, end), bytes)| {
            let all = bytes.unwrap_or(0).saturating_sub(PAGE_FILE_HEADER_BYTES as u64);
            *live < all / 2 || is_lost(*end, *bytes)
        })
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

    const HEADER: u64 = PAGE_FILE_HEADER_BYTES as u64;

    #[test]
    fn files_less_than_half_needed_are_sparse() {
        let bytes = [100, 100, 100, 2].map(|bytes| Some(bytes + HEADER));
        assert_eq!(
            sparse(&[49, 50, 100, 0], &[HEADER; 4], &bytes),
            [true, false, false, true]
        );
    }

    #[test]
    fn files_that_are_lost_are_sparse() {
        let ends = [HEADER + 100; 3];
        let bytes = [Some(HEADER + 100), Some(HEADER + 99), None];
        assert_eq!(sparse(&[100; 3], &ends, &bytes), [false, true, true]);
    }

    #[test]
    fn many_files_lose_the_smaller_half() {
        let live: Vec<u64> = (0..FILES_MAX as u64).map(|at| 1000 - at).collect();
        let bytes: Vec<Option<u64>> = live.iter().copied().map(Some).collect();
        let is_sparse = sparse(&live, &live, &bytes);
        assert!(is_sparse[..FILES_MAX / 2].iter().all(|sparse| !sparse));
        assert!(is_sparse[FILES_MAX / 2..].iter().all(|sparse| *sparse));
        assert!(sparse(&live[1..], &live[1..], &bytes[1..]).iter().all(|sparse| !sparse));
    }
}
