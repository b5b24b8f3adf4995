//! What the operations of every index are given, and what they give.

use crate::engine::ids::CollectionId;
use crate::engine::ids::ShardNo;
use crate::page::entry::EntryRef;
use crate::page::image::PageImage;
use crate::page::{Change, PageId};
use crate::wal::Lsn;

/// A key with what its collection's placement needs.
#[derive(Clone, Copy, Debug)]
pub struct KeyRef<'a> {
    /// The key itself.
    pub bytes: &'a [u8],
    /// Its hash under the collection's seed.
    pub hash: u64,
    /// Where its entry has been found, if nothing has changed since.
    pub found: Option<Found>,
}

impl<'a> KeyRef<'a> {
    /// A key of this hash that has not been looked for.
    #[inline]
    pub fn new(bytes: &'a [u8], hash: u64) -> Self {
        let found = None;
        Self { bytes, hash, found }
    }
}

/// Where an entry is.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The entry's address.
    pub address: u64,
    /// Its place in the page, which means something to the index only.
    pub slot: u32,
}

/// What a look at a key has found.
pub struct Sight<'a> {
    /// The entry, and its place in the page.
    pub entry: Option<(EntryRef<'a>, u32)>,
    /// LSN of the last change to the page that the key belongs to; 0 when there is none.
    pub version: Lsn,
}

/// Receives pre-images while a checkpoint runs.
pub trait PreImageSink {
    /// Takes the image of a page of collection `collection_id`, shard `shard`.
    fn take(&self, collection_id: CollectionId, shard: ShardNo, image: PageImage);
}

/// What a change to a page must know: its LSN, and whether a checkpoint still needs the page as it was.
#[derive(Clone, Copy)]
pub struct PageWrite<'a> {
    /// The change itself.
    pub change: Change<'a>,
    /// Epoch of the running checkpoint; pages not yet saved in it hand over a pre-image first.
    pub epoch: u64,
    /// Where pre-images go; `None` when no checkpoint runs.
    pub sink: Option<&'a dyn PreImageSink>,
    /// The collection the page is in.
    pub collection_id: CollectionId,
    /// The shard the page is in.
    pub shard: ShardNo,
}

impl PageWrite<'_> {
    /// Whether a page of this version has seen this record already. Changes that are not logged (LSN 0) are never seen.
    #[inline]
    pub fn has_stamped(&self, version: Lsn) -> bool {
        let lsn = self.change.mark.lsn;
        version == lsn && lsn != Lsn::ZERO
    }

    /// Before a change to a page of this version, saved in `saved_epoch`: hands over its image if a checkpoint still
    /// needs it. Returns whether the page is to be stamped with this record and this epoch.
    #[inline]
    pub fn hand_over(&self, version: Lsn, saved_epoch: u64, image: impl FnOnce() -> PageImage) -> bool {
        if self.has_stamped(version) {
            return false;
        }
        if let Some(sink) = self.sink
            && saved_epoch != self.epoch
        {
            sink.take(self.collection_id, self.shard, image());
        }
        true
    }

    /// A page identity never used before in this collection.
    pub fn new_page_id(&self) -> PageId {
        self.change.mark.new_id()
    }
}

/// How much one call of a scan looks at, at most; what is left of it afterwards.
#[derive(Clone, Copy, Debug)]
pub struct ScanBudget {
    /// About how many entries.
    pub entries: usize,
    /// How many pages: they may be empty.
    pub pages: usize,
}

impl ScanBudget {
    /// About so many entries, in as many pages as that takes.
    pub const fn of_entries(entries: usize) -> Self {
        Self {
            entries,
            pages: usize::MAX,
        }
    }
}

/// A page that the walk of a checkpoint has come to.
pub enum Visited {
    /// As it is.
    Image(PageImage),
    /// The newest checkpoint has it already.
    Known {
        /// Its identity.
        page_id: PageId,
        /// Its version.
        version: Lsn,
    },
}

/// Tells whether the newest checkpoint has the page of this identity in this version.
pub type IsKnown<'a> = &'a dyn Fn(PageId, Lsn) -> bool;
