//! The manifest: which collections there are and where each of their pages is.
//!
//! **Invariant:** a manifest that was read has passed both of its checksums, and its counts agree with its rows.

use std::path::Path;

use super::error::{CheckpointError, Result};
use super::format::{
    CRC_BYTES, CollectionRow, LibrariesRow, LibraryRow, ManifestHead, PageRow, PartRow, WholeCollectionRow,
};
use super::page_file::header_error;
use crate::engine::background::give_way;
use crate::page::codec;
use crate::page::thresholds::Limits;
use crate::storage::Disk;

/// Gathered before a write.
const WRITE_BYTES: usize = 64 << 10;
/// Shard counts beyond this are not believed.
const SHARD_BITS_MAX: u8 = 16;

/// A collection and its pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionPages {
    /// The collection.
    pub row: CollectionRow,
    /// Its pages.
    pub pages: Vec<PageRow>,
    /// The parts of its containers.
    pub parts: Vec<PartRow>,
}

impl CollectionPages {
    /// All that is of it in page files.
    pub fn rows(&self) -> impl Iterator<Item = &PageRow> {
        self.pages.iter().chain(self.parts.iter().map(|part| &part.row))
    }

    /// The same, for changing.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut PageRow> {
        self.pages
            .iter_mut()
            .chain(self.parts.iter_mut().map(|part| &mut part.row))
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub head: ManifestHead,
    /// The encoding thresholds at the instant.
    pub limits: Limits,
    /// The libraries of functions.
    pub libraries: Vec<LibraryRow>,
    /// No library has had this number or a higher one.
    pub next_library: u64,
    /// What is in it.
    pub collections: Vec<CollectionPages>,
}

impl Manifest {
    /// Writes and syncs it as a new file; returns its length. The directory entry is the caller's.
    pub fn write(&self, disk: &dyn Disk, path: &Path) -> Result<u64> {
        let mut file = disk.create(path).map_err(CheckpointError::io("create", path))?;
        let (mut crc, mut bytes) = (0, 0);
        let mut buffer = self.head.encode();
        let mut flush = |buffer: &mut Vec<u8>, crc: &mut u32| {
            *crc = crc32c::crc32c_append(*crc, buffer);
            bytes += buffer.len() as u64;
            let written = file.write_all(buffer).map_err(CheckpointError::io("write", path));
            buffer.clear();
            give_way();
            written
        };
        if self.head.has_limits() {
            codec::encode(&self.limits, None, &mut buffer);
        }
        if self.head.has_libraries() {
            let all = LibrariesRow {
                next_number: self.next_library,
                libraries: self.libraries.len() as u64,
            };
            codec::encode(&all, None, &mut buffer);
            for row in &self.libraries {
                codec::encode(row, None, &mut buffer);
                if buffer.len() >= WRITE_BYTES {
                    flush(&mut buffer, &mut crc)?;
                }
            }
        }
        for part in &self.collections {
            codec::encode(&part.row, None, &mut buffer);
            for page in &part.pages {
                codec::encode(page, None, &mut buffer);
                if buffer.len() >= WRITE_BYTES {
                    flush(&mut buffer, &mut crc)?;
                }
            }
            for row in &part.parts {
                codec::encode(row, None, &mut buffer);
                if buffer.len() >= WRITE_BYTES {
                    flush(&mut buffer, &mut crc)?;
                }
            }
        }
        flush(&mut buffer, &mut crc)?;
        buffer.extend_from_slice(&crc.to_le_bytes());
        flush(&mut buffer, &mut crc)?;
        file.sync_data().map_err(CheckpointError::io("sync", path))?;
        Ok(bytes)
    }

    /// Reads and verifies one.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let bytes = disk.read(path).map_err(CheckpointError::io("read", path))?;
        let head = ManifestHead::decode(&bytes).map_err(|fault| header_error(path, fault))?;
        let body_at = ManifestHead::bytes(head.files.len());
        let end = bytes.len().saturating_sub(CRC_BYTES).max(body_at);
        let stored = bytes.get(end..).and_then(|rest| rest.first_chunk()).copied();
        let Some(stored) = stored.map(u32::from_le_bytes) else {
            return Err(CheckpointError::damaged(path, end as u64, "it is cut short"));
        };
        let computed = crc32c::crc32c(bytes.get(..end).unwrap_or_default());
        if stored != computed {
            let reason = format!("the checksum of the whole is {computed:08x}, stored is {stored:08x}");
            return Err(CheckpointError::damaged(path, end as u64, reason));
        }
        let body = bytes.get(body_at..end).unwrap_or_default();
        let mut rows = Rows {
            path,
            body_at,
            body,
            at: 0,
        };
        let limits = if head.has_limits() {
            rows.next()?
        } else {
            Limits::DEFAULT
        };
        let (next_library, libraries) = rows.libraries(&head)?;
        let collections = (0..head.collections)
            .map(|_| rows.part(&head))
            .collect::<Result<Vec<_>>>()?;
        rows.finish(&head, &collections)?;
        Ok(Self {
            head,
            limits,
            libraries,
            next_library,
            collections,
        })
    }

    /// All that it has in page files.
    pub fn rows(&self) -> impl Iterator<Item = &PageRow> {
        let pages = self.collections.iter().flat_map(CollectionPages::rows);
        pages.chain(self.libraries.iter().map(|library| &library.row))
    }

    /// The same, for changing.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut PageRow> {
        let pages = self.collections.iter_mut().flat_map(CollectionPages::rows_mut);
        pages.chain(self.libraries.iter_mut().map(|library| &mut library.row))
    }

    /// Reads and verifies the head alone.
    pub fn read_head(disk: &dyn Disk, path: &Path) -> Result<ManifestHead> {
        let file = disk.open_read(path).map_err(CheckpointError::io("open", path))?;
        let len = file.len().map_err(CheckpointError::io("measure", path))?;
        let mut bytes = vec![0; ManifestHead::bytes(0).min(len as usize)];
        file.read_at(0, &mut bytes).map_err(CheckpointError::io("read", path))?;
        let announced = ManifestHead::announced_bytes(&bytes).map_err(|fault| header_error(path, fault))?;
        bytes.resize(announced.min(len as usize), 0);
        file.read_at(0, &mut bytes).map_err(CheckpointError::io("read", path))?;
        ManifestHead::decode(&bytes).map_err(|fault| header_error(path, fault))
    }
}

/// The rows of a manifest's body, whose checksum has been verified.
struct Rows<'a> {
    path: &'a Path,
    body_at: usize,
    body: &'a [u8],
    at: usize,
}

impl Rows<'_> {
    fn error(&self, reason: impl Into<String>) -> CheckpointError {
        CheckpointError::damaged(self.path, (self.body_at + self.at) as u64, reason)
    }

    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let (row, taken) = codec::decode(rest).map_err(|reason| self.error(reason.to_string()))?;
        self.at += taken;
        Ok(row)
    }

    fn libraries(&mut self, head: &ManifestHead) -> Result<(u64, Vec<LibraryRow>)> {
        if !head.has_libraries() {
            return Ok((0, Vec::new()));
        }
        let all: LibrariesRow = self.next()?;
        // Believed only as far as the file goes.
        let mut libraries = Vec::with_capacity((all.libraries as usize).min(self.body.len() / 8));
        for _ in 0..all.libraries {
            let library: LibraryRow = self.next()?;
            if library.row.file as usize >= head.files.len() || library.row.page_id.get() >= all.next_number {
                return Err(self.error(format!("library {} points nowhere", library.row.page_id)));
            }
            libraries.push(library);
        }
        if !libraries.is_sorted_by(|one, next| one.name < next.name) {
            return Err(self.error("the libraries are not in order"));
        }
        Ok((all.next_number, libraries))
    }

    fn part(&mut self, head: &ManifestHead) -> Result<CollectionPages> {
        let row: CollectionRow = if head.has_parts() {
            self.next()?
        } else {
            self.next::<WholeCollectionRow>()?.into()
        };
        if row.placement.shard_bits > SHARD_BITS_MAX {
            return Err(self.error(format!("collection {:?} has impossible shards", row.name)));
        }
        // A row takes some ten bytes; the count is believed only as far as the file goes.
        let mut pages = Vec::with_capacity((row.pages as usize).min(self.body.len() / 8));
        for _ in 0..row.pages {
            let page: PageRow = self.next()?;
            self.check(head, &row, &page)?;
            pages.push(page);
        }
        let mut parts = Vec::with_capacity((row.parts as usize).min(self.body.len() / 8));
        for _ in 0..row.parts {
            let part: PartRow = self.next()?;
            self.check(head, &row, &part.row)?;
            parts.push(part);
        }
        Ok(CollectionPages { row, pages, parts })
    }

    fn check(&self, head: &ManifestHead, collection: &CollectionRow, row: &PageRow) -> Result<()> {
        if row.file as usize >= head.files.len() || row.shard.get() >> collection.placement.shard_bits != 0 {
            return Err(self.error(format!("page {} points nowhere", row.page_id)));
        }
        Ok(())
    }

    fn finish(&self, head: &ManifestHead, collections: &[CollectionPages]) -> Result<()> {
        let pages = collections.iter().flat_map(|part| &part.pages);
        let (count, entries) = pages.fold((0, 0), |(count, entries), page| {
            (count + 1, entries + u64::from(page.entries))
        });
        if self.at != self.body.len() || (count, entries) != (head.pages, head.entries) {
            return Err(self.error("the rows do not agree with the head"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::{LIBRARY_VERSION, ManifestKind, Versions};
    use super::*;
    use crate::engine::ids::{CollectionId, ShardNo};
    use crate::page::PageId;
    use crate::storage::RealDisk;
    use crate::wal::Lsn;

    fn library() -> LibraryRow {
        LibraryRow {
            name: b"\xff".to_vec(),
            row: PageRow {
                page_id: PageId::new(7),
                version: LIBRARY_VERSION,
                offset: 32,
                len: 70_000,
                shard: ShardNo::FIRST,
                file: 0,
                crc: 1,
                entries: 0,
            },
        }
    }

    #[test]
    fn thresholds_and_libraries_are_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manifest");
        let changed = Limits {
            zset_entries_max: 1,
            stream_node_bytes_max: u64::MAX,
            ..Limits::DEFAULT
        };
        for (limits, versions) in [
            (Limits::DEFAULT, Versions::WHOLE),
            (changed, Versions::LIMITS),
            (changed, Versions::PAGES),
            (changed, Versions::CURRENT),
        ] {
            let manifest = Manifest {
                head: ManifestHead {
                    versions,
                    kind: ManifestKind::Checkpoint,
                    term: 0,
                    id: 1,
                    lsn: Lsn::FIRST,
                    wall_ms: 1,
                    pages: 0,
                    entries: 0,
                    next_collection: CollectionId::new(1),
                    collections: 0,
                    data_set: 1,
                    referenced_bytes: 0,
                    written_pages: 0,
                    written_bytes: 0,
                    files: vec![1],
                },
                limits,
                libraries: if versions == Versions::CURRENT {
                    vec![library()]
                } else {
                    Vec::new()
                },
                next_library: if versions == Versions::CURRENT { 8 } else { 0 },
                collections: Vec::new(),
            };
            manifest.write(&RealDisk, &path).unwrap();
            assert_eq!(Manifest::read(&RealDisk, &path).unwrap(), manifest);
            assert_eq!(Manifest::read_head(&RealDisk, &path).unwrap().versions, versions);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
