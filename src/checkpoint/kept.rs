//! The checkpoints that are kept, as they are told of.

use super::files::catalog::Catalog;
use super::files::format::ManifestHead;
use crate::wal::Lsn;

/// A checkpoint that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its identity.
    pub id: u64,
    /// Its instant.
    pub lsn: Lsn,
    /// Wall clock at the instant, Unix milliseconds.
    pub wall_ms: u64,
    /// Entries in it.
    pub keys: u64,
    /// Pages in it.
    pub pages: u64,
    /// Pages that were written for it.
    pub written_pages: u64,
    /// Bytes that were written for it, the manifest apart.
    pub written_bytes: u64,
    /// Bytes of all its pages as they are stored.
    pub referenced_bytes: u64,
    /// Page files that it needs.
    pub page_files: u64,
    /// Whether it stays until it is unpinned.
    pub is_pinned: bool,
}

/// All that there are, oldest first.
pub(super) fn kept_in(catalog: &Catalog) -> Vec<Snapshot> {
    let heads = catalog.heads();
    heads
        .map(|head| snapshot_of(head, catalog.is_pinned(head.id)))
        .collect()
}

/// One of them.
pub(super) fn snapshot_of(head: &ManifestHead, is_pinned: bool) -> Snapshot {
    Snapshot {
        id: head.id,
        lsn: head.lsn,
        wall_ms: head.wall_ms,
        keys: head.entries,
        pages: head.pages,
        written_pages: head.written_pages,
        written_bytes: head.written_bytes,
        referenced_bytes: head.referenced_bytes,
        page_files: head.files.len() as u64,
        is_pinned,
    }
}
