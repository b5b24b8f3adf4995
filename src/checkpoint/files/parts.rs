//! Reading containers in parts.
//!
//! **Invariant:** a container that is read is made of exactly the parts that its entry names, in the versions it names,
//! each of which is of its page, and of no other container's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::error::{CheckpointError, Result};
use super::fault::PageFault;
use super::format::{PageRow, PartRow};
use super::manifest::CollectionPages;
use super::page_file::{PageBuffer, PageFileReader};
use crate::engine::ids::CollectionId;
use crate::page::PageId;
use crate::page::join::{Joiner, Whole};
use crate::page::parts::{PartRef, Parted};

/// For fewer parts no thread is begun.
const PARTS_MIN: usize = 32;

/// Where the parts of a collection's containers are.
pub struct Parts<'a> {
    collection: CollectionId,
    /// In the order of their identities.
    rows: &'a [PartRow],
    /// The manifest's files; `None`: it could not be opened.
    files: Vec<Option<&'a PageFileReader>>,
    /// How many threads may read one container.
    threads: usize,
    /// Bytes of parts read since this was asked for.
    read_bytes: AtomicU64,
    /// Which rows' parts made up containers.
    joined: Vec<AtomicBool>,
}

impl<'a> Parts<'a> {
    /// Those of a collection, in these files.
    pub fn new(pages: &'a CollectionPages, files: impl IntoIterator<Item = Option<&'a PageFileReader>>) -> Self {
        Self {
            collection: pages.row.id,
            rows: &pages.parts,
            files: files.into_iter().collect(),
            threads: 1,
            read_bytes: AtomicU64::new(0),
            joined: pages.parts.iter().map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Bytes of parts read since this was asked for.
    pub fn take_read_bytes(&self) -> u64 {
        self.read_bytes.swap(0, Ordering::Relaxed)
    }

    /// Whether each part was joined.
    pub fn all_joined(&self) -> bool {
        self.joined.iter().all(|joined| joined.load(Ordering::Relaxed))
    }

    /// Lets so many threads read one container.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The value that page `page_id` has so.
    ///
    /// # Errors
    /// When a part is not there or not whole, or was joined before, or they do not make up a value.
    pub fn join(&self, page_id: PageId, parted: &Parted<'_>) -> Result<Whole> {
        let named: Vec<PartRef> = parted.parts.iter().collect();
        let all_parts = named.len();
        let each = all_parts.div_ceil(self.threads.max(1)).max(PARTS_MIN);
        let joined = std::thread::scope(|scope| {
            let mut shares = named.chunks(each);
            let own = shares.next().unwrap_or_default();
            let others: Vec<_> = shares
                .map(|share| scope.spawn(move || self.join_some(page_id, parted, share, all_parts)))
                .collect();
            let mut joined = self.join_some(page_id, parted, own, all_parts)?;
            for other in others {
                // A panic has ended the process.
                let Ok(other) = other.join() else { continue };
                joined.append(other?)?;
            }
            Ok::<_, CheckpointError>(joined)
        })?;
        Ok(joined.finish(self.threads)?)
    }

    /// Joins parts that come one after another, some of so many.
    fn join_some(&self, page_id: PageId, parted: &Parted<'_>, named: &[PartRef], all_parts: usize) -> Result<Joiner> {
        let mut joiner = Joiner::new(parted)?;
        joiner.reserve(named.len(), all_parts);
        let mut buffer = PageBuffer::default();
        for part in named {
            let (row, is_joined) = self.find(page_id, part).unzip();
            let file = row.and_then(|row| self.files.get(row.file as usize).copied().flatten());
            let (Some(row), Some(is_joined), Some(file)) = (row, is_joined, file) else {
                return Err(PageFault::NoPart(part.id).into());
            };
            if is_joined.swap(true, Ordering::Relaxed) {
                return Err(PageFault::PartOfTwo(part.id).into());
            }
            let read = file.read(self.collection, row, &mut buffer)?;
            let content = read.part().ok_or_else(|| read.damaged(&PageFault::NoPart(part.id)))?;
            self.read_bytes.fetch_add(row.len, Ordering::Relaxed);
            joiner.push(part, content).map_err(|error| read.damaged(&error))?;
        }
        joiner.settle();
        Ok(joiner)
    }

    /// The row of a part, and whether it was joined.
    fn find(&self, page_id: PageId, part: &PartRef) -> Option<(&'a PageRow, &AtomicBool)> {
        let at = self.rows.binary_search_by_key(&part.id, |row| row.row.page_id).ok()?;
        let found = self.rows.get(at)?;
        let is_it = found.page_id == page_id && found.row.version == part.version;
        is_it.then_some((&found.row, self.joined.get(at)?))
    }
}
