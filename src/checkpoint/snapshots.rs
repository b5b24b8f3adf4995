//! Checkpoints as snapshots that one lists, verifies, compares, pins and deletes. All of it on the checkpointer's
//! thread, between checkpoints, so that no file goes while it is read.
//!
//! **Invariants**
//! - The newest checkpoint is never deleted, nor a pinned one.
//! - A pin is in the control file before it is acknowledged.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::files::catalog::{Catalog, SnapshotId, manifest_name, open_page_files, page_file_id, page_file_name};
use super::files::error::Result;
use super::files::format::{LibraryRow, ManifestKind, PageRow};
use super::files::libraries;
use super::files::manifest::{CollectionPages, Manifest};
use super::files::page_file::{PageBuffer, PageFileReader, file_of};
use super::files::parts::Parts;
use super::files::refusal::Refusal;
use super::files::verify::{Event, Expected, verify_manifest};
use super::kept::{Snapshot, kept_in, snapshot_of};
use super::runner::Runner;
use crate::engine::ids::CollectionId;
use crate::engine::index::Kind;
use crate::engine::libraries::Library;
use crate::page::PageId;
use crate::page::digest::digest;
use crate::wal::Lsn;

/// A collection in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotCollection {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: CollectionId,
    /// Its kind.
    pub kind: Kind,
    /// Entries in it.
    pub keys: u64,
    /// Pages of it.
    pub pages: u64,
    /// Bytes of its pages as they are stored.
    pub bytes: u64,
}

/// A library of functions in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotLibrary {
    /// Its name.
    pub name: Vec<u8>,
    /// Bytes of its code as they are stored.
    pub bytes: u64,
}

/// A checkpoint with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotContent {
    /// The checkpoint.
    pub snapshot: Snapshot,
    /// Its collections.
    pub collections: Vec<SnapshotCollection>,
    /// Its libraries of functions.
    pub libraries: Vec<SnapshotLibrary>,
}

/// What reading a checkpoint back found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The checkpoint.
    pub id: u64,
    /// Pages that were read.
    pub pages: u64,
    /// Entries in them.
    pub keys: u64,
    /// What is wrong, with file and place.
    pub faults: Vec<String>,
}

/// What differs in one collection between two checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Its name, in the second checkpoint if it is there.
    pub name: String,
    /// Whether the first checkpoint has it.
    pub is_in_first: bool,
    /// Whether the second one has it.
    pub is_in_second: bool,
    /// Pages that only the first one has, in this version.
    pub pages_first: u64,
    /// Pages that only the second one has, in this version.
    pub pages_second: u64,
    /// Keys that only the second one has.
    pub added: u64,
    /// Keys that only the first one has.
    pub removed: u64,
    /// Keys with another value or expiry.
    pub changed: u64,
}

/// A library of functions that is not the same in two checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryDifference {
    /// Its name.
    pub name: Vec<u8>,
    /// Whether the first checkpoint has it.
    pub is_in_first: bool,
    /// Whether the second one has it; with other code, if both do.
    pub is_in_second: bool,
}

/// What differs between two checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Collections with a difference.
    pub collections: Vec<Difference>,
    /// Libraries of functions with one.
    pub libraries: Vec<LibraryDifference>,
}

impl Runner {
    /// Works on the catalog. After a failure the disk is looked at anew the next time.
    fn with_catalog<R>(&mut self, body: impl FnOnce(&mut Catalog) -> Result<R>) -> Result<R> {
        let mut catalog = self.take_catalog()?;
        let outcome = body(&mut catalog);
        if outcome.is_ok() {
            // Not after a failure: what the catalog says may be what the disk has refused.
            self.shared.status.note_kept(kept_in(&catalog));
            self.keep_catalog(catalog);
        }
        outcome
    }

    /// All checkpoints kept, oldest first.
    pub(super) fn snapshots(&mut self) -> Result<Vec<Snapshot>> {
        self.with_catalog(|catalog| Ok(kept_in(catalog)))
    }

    /// One checkpoint with what is in it.
    pub(super) fn describe_snapshot(&mut self, id: SnapshotId) -> Result<SnapshotContent> {
        self.with_catalog(|catalog| {
            let manifest = catalog.manifest(catalog.resolve(id)?)?;
            Ok(SnapshotContent {
                snapshot: snapshot_of(&manifest.head, catalog.is_pinned(manifest.head.id)),
                collections: manifest.collections.iter().map(collection_of).collect(),
                libraries: manifest.libraries.into_iter().map(library_of).collect(),
            })
        })
    }

    /// Reads a checkpoint back. The next one relies on no page file in which there is damage.
    pub(super) fn verify_snapshot(&mut self, id: SnapshotId) -> Result<Verified> {
        let disk = Arc::clone(&self.shared.disk);
        let mut damaged = BTreeSet::new();
        let found = self.with_catalog(|catalog| {
            let id = catalog.resolve(id)?;
            let mut found = Verified {
                id,
                ..Verified::default()
            };
            let expected = Expected {
                kind: ManifestKind::Checkpoint,
                id: Some(id),
            };
            let path = catalog.path(&manifest_name(id));
            let manifest = verify_manifest(disk.as_ref(), &path, expected, &mut |event| {
                if let Event::Fault(error) = event {
                    found.faults.push(error.to_string());
                    damaged.extend(error.file().and_then(page_file_id));
                }
            });
            if let Some(Manifest { head, .. }) = manifest {
                (found.pages, found.keys) = (head.pages, head.entries);
            }
            Ok(found)
        });
        for id in damaged {
            let name = page_file_name(id);
            tracing::warn!("{name} is damaged: the next checkpoint writes anew what it needs of it");
            self.watch.note_damaged(id);
        }
        found
    }

    /// Deletes a checkpoint, and the page files that nobody else needs.
    pub(super) fn delete_snapshot(&mut self, id: SnapshotId) -> Result<()> {
        if self.shared.holds.count() > 0 {
            return Err(Refusal::Held.into());
        }
        self.with_catalog(|catalog| {
            let id = catalog.resolve(id)?;
            catalog.delete(id)
        })
    }

    /// Pins a checkpoint, or unpins it.
    pub(super) fn pin_snapshot(&mut self, id: SnapshotId, is_pinned: bool) -> Result<()> {
        self.with_catalog(|catalog| {
            let id = catalog.resolve(id)?;
            catalog.set_pinned(id, is_pinned)
        })
    }

    /// What differs between two checkpoints, collection by collection; those without a difference are left out, and so
    /// are such libraries.
    pub(super) fn compare_snapshots(&mut self, first: SnapshotId, second: SnapshotId) -> Result<Compared> {
        let disk = Arc::clone(&self.shared.disk);
        let [first, second] = self.with_catalog(|catalog| {
            let open = |id| -> Result<Side> {
                let manifest = catalog.manifest(catalog.resolve(id)?)?;
                let files = open_page_files(disk.as_ref(), catalog.dir(), &manifest.head)?;
                Ok(Side { manifest, files })
            };
            Ok([open(first)?, open(second)?])
        })?;
        let ids: BTreeSet<CollectionId> = [&first, &second].into_iter().flat_map(Side::ids).collect();
        let mut compared = Compared::default();
        for id in ids {
            self.check_stop()?;
            compared
                .collections
                .extend(self.compare_collection(id, &first, &second)?);
        }
        compared.libraries = self.compare_libraries(&first, &second)?;
        Ok(compared)
    }

    fn compare_libraries(&self, first: &Side, second: &Side) -> Result<Vec<LibraryDifference>> {
        let names: BTreeSet<&[u8]> = [first, second].into_iter().flat_map(Side::library_names).collect();
        let mut differences = Vec::new();
        for name in names {
            self.check_stop()?;
            let (before, after) = (first.library(name), second.library(name));
            if let (Some(before), Some(after)) = (before, after)
                && (is_one(before, after) || first.read_library(before)? == second.read_library(after)?)
            {
                continue;
            }
            differences.push(LibraryDifference {
                name: name.to_vec(),
                is_in_first: before.is_some(),
                is_in_second: after.is_some(),
            });
        }
        Ok(differences)
    }

    fn compare_collection(&self, id: CollectionId, first: &Side, second: &Side) -> Result<Option<Difference>> {
        let (before, after) = (first.part(id), second.part(id));
        let rows = |part: Option<&CollectionPages>| -> HashMap<(PageId, Lsn), PageRow> {
            let rows = part.into_iter().flat_map(|part| &part.pages);
            rows.map(|row| ((row.page_id, row.version), *row)).collect()
        };
        let (mut old, mut new) = (rows(before), rows(after));
        // A version of 0 says nothing of the content.
        old.retain(|key, _| key.1 == Lsn::ZERO || new.remove(key).is_none());
        let name = after.or(before).map_or(String::new(), |part| part.row.name.clone());
        let mut difference = Difference {
            name,
            is_in_first: before.is_some(),
            is_in_second: after.is_some(),
            pages_first: old.len() as u64,
            pages_second: new.len() as u64,
            ..Difference::default()
        };
        let renamed = before
            .zip(after)
            .is_some_and(|(before, after)| before.row.name != after.row.name);
        let is_same = difference.is_in_first && difference.is_in_second && old.is_empty() && new.is_empty();
        if is_same && !renamed {
            return Ok(None);
        }
        // Of keys and values only digests are kept, and only of pages that differ.
        let mut digests = HashMap::new();
        self.for_each_digest((before, first), old.values(), |key, value| {
            digests.insert(key, value);
        })?;
        let (digested, mut shared) = (digests.len() as u64, 0);
        self.for_each_digest((after, second), new.values(), |key, value| match digests.get(&key) {
            None => difference.added += 1,
            Some(before) => {
                shared += 1;
                difference.changed += u64::from(*before != value);
            }
        })?;
        difference.removed = digested - shared;
        Ok(Some(difference))
    }

    /// Gives digests of each entry's key, and of its value and expiry.
    fn for_each_digest<'r>(
        &self,
        (part, side): (Option<&CollectionPages>, &Side),
        rows: impl Iterator<Item = &'r PageRow>,
        mut visit: impl FnMut(u128, u64),
    ) -> Result<()> {
        let Some(part) = part else { return Ok(()) };
        let (mut buffer, parts) = (PageBuffer::default(), Parts::new(part, side.files.iter().map(Some)));
        for row in rows {
            self.check_stop()?;
            let page = file_of(&side.files, row)?.read(part.row.id, row, &mut buffer)?;
            page.for_each(&parts, |entry, _| {
                let value = digest(entry.value) ^ xxh3_64(&entry.expire_at_ms.to_le_bytes());
                visit(xxh3_128(entry.key), value);
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// A checkpoint that is compared.
struct Side {
    manifest: Manifest,
    files: Vec<PageFileReader>,
}

impl Side {
    fn ids(&self) -> impl Iterator<Item = CollectionId> {
        self.manifest.collections.iter().map(|part| part.row.id)
    }

    fn library_names(&self) -> impl Iterator<Item = &[u8]> {
        self.manifest.libraries.iter().map(|row| row.name.as_slice())
    }

    /// Libraries are in the order of their names.
    fn library(&self, name: &[u8]) -> Option<&LibraryRow> {
        let rows = &self.manifest.libraries;
        let at = rows.binary_search_by_key(&name, |row| row.name.as_slice()).ok()?;
        rows.get(at)
    }

    fn read_library(&self, row: &LibraryRow) -> Result<Library> {
        libraries::read(file_of(&self.files, &row.row)?, row, &mut PageBuffer::default())
    }

    fn part(&self, id: CollectionId) -> Option<&CollectionPages> {
        self.manifest.collections.iter().find(|part| part.row.id == id)
    }
}

/// Whether two rows are of one library, as it was written once. Without a log a number may come twice.
fn is_one(before: &LibraryRow, after: &LibraryRow) -> bool {
    let key = |row: &PageRow| (row.page_id, row.len, row.crc);
    key(&before.row) == key(&after.row)
}

fn library_of(library: LibraryRow) -> SnapshotLibrary {
    SnapshotLibrary {
        name: library.name,
        bytes: library.row.len,
    }
}

fn collection_of(part: &CollectionPages) -> SnapshotCollection {
    SnapshotCollection {
        name: part.row.name.clone(),
        id: part.row.id,
        kind: part.row.placement.kind,
        keys: part.pages.iter().map(|row| u64::from(row.entries)).sum(),
        pages: part.row.pages,
        bytes: part.rows().map(|row| row.len).sum(),
    }
}
