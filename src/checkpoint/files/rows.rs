//! The rows of a manifest's body.

use serde::{Deserialize, Serialize};

use crate::engine::effect::Placement;
use crate::engine::ids::ShardNo;
use crate::engine::ids::{CollectionId, DatabaseId};
use crate::engine::settings::Settings;
use crate::page::PageId;
use crate::wal::Lsn;

/// The libraries of functions in a manifest's body; their rows follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibrariesRow {
    /// No library has had this number or a higher one.
    pub next_number: u64,
    /// How many follow.
    pub libraries: u64,
}

/// Where a library's code is: it lies in a page file as a part does, of collection [`CollectionId::NONE`], with the
/// library's number for its id and [`LIBRARY_VERSION`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryRow {
    /// The library's name.
    #[serde(with = "serde_bytes")]
    pub name: Vec<u8>,
    /// Its code, without entries.
    pub row: PageRow,
}

/// What a library never changes from, under its number.
pub const LIBRARY_VERSION: Lsn = Lsn::FIRST;

/// A collection in a manifest's body; its pages follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionRow {
    /// Its identity.
    pub id: CollectionId,
    /// Its slot.
    pub database: DatabaseId,
    /// Its name.
    pub name: String,
    /// How keys are placed.
    pub placement: Placement,
    /// No page of it has had this id or a higher one.
    pub next_page_id: PageId,
    /// What is set of it.
    pub settings: Settings,
    /// How many pages follow.
    pub pages: u64,
    /// How many parts of containers follow them.
    pub parts: u64,
}

/// The same in a manifest without parts.
#[derive(Serialize, Deserialize)]
pub struct WholeCollectionRow {
    id: CollectionId,
    database: DatabaseId,
    name: String,
    placement: Placement,
    next_page_id: PageId,
    settings: Settings,
    pages: u64,
}

impl From<WholeCollectionRow> for CollectionRow {
    fn from(row: WholeCollectionRow) -> Self {
        Self {
            id: row.id,
            database: row.database,
            name: row.name,
            placement: row.placement,
            next_page_id: row.next_page_id,
            settings: row.settings,
            pages: row.pages,
            parts: 0,
        }
    }
}

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRow {
    /// The page's identity within the collection.
    pub page_id: PageId,
    /// LSN of its last change: with the identity it says which content this is.
    pub version: Lsn,
    /// Where its header begins in the file.
    pub offset: u64,
    /// Bytes of content behind the header, as stored.
    pub len: u64,
    /// Which shard.
    pub shard: ShardNo,
    /// Index into the manifest's file table.
    pub file: u32,
    /// As in the page's header.
    pub crc: u32,
    /// Entries in it.
    pub entries: u32,
}

/// Where a part of a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRow {
    /// The page that has the container's entry.
    pub page_id: PageId,
    /// The part itself, without entries.
    pub row: PageRow,
}
