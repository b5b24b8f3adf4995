//! Reading back all that one manifest promises, without using any of it.
//!
//! **Invariant:** nothing on disk is changed, and one damaged page does not keep the others from being read.

use std::path::Path;

use super::catalog::open_page_files;
use super::error::{CheckpointError, Result};
use super::format::{ManifestKind, PAGE_HEADER_BYTES, PageRow};
use super::manifest::{CollectionPart, Manifest};
use super::page_file::PageFileReader;
use crate::engine::collection::Collection;
use crate::page::image;
use crate::storage::Disk;

/// What a manifest should say of itself.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// What it describes.
    pub kind: ManifestKind,
    /// Its identity, where its name tells.
    pub id: Option<u64>,
}

/// What is told while a manifest is verified.
#[derive(Debug)]
pub enum Event {
    /// What is wrong.
    Fault(CheckpointError),
    /// So many bytes of pages, of so many, have been read.
    Read {
        /// Read.
        done: u64,
        /// In all.
        total: u64,
    },
}

/// Reads the manifest at `path` and every page it points to; each fault goes to `tell`. Returns the manifest when it
/// is whole, whatever its pages are like.
pub fn verify_manifest(
    disk: &dyn Disk,
    path: &Path,
    expected: Expected,
    tell: &mut dyn FnMut(Event),
) -> Option<Manifest> {
    let manifest = match read(disk, path, expected) {
        Ok(manifest) => manifest,
        Err(error) => {
            tell(Event::Fault(error));
            return None;
        }
    };
    let dir = path.parent().unwrap_or(Path::new("."));
    match open_page_files(disk, dir, &manifest.head) {
        Ok(files) => {
            let rows = manifest.collections.iter().flat_map(|part| &part.pages);
            let total = rows.map(|row| row.len).sum();
            let mut done = 0;
            for part in &manifest.collections {
                verify_collection(part, &files, &mut done, total, tell);
            }
        }
        Err(error) => tell(Event::Fault(error)),
    }
    Some(manifest)
}

fn read(disk: &dyn Disk, path: &Path, expected: Expected) -> Result<Manifest> {
    let manifest = Manifest::read(disk, path)?;
    let head = &manifest.head;
    if head.kind != expected.kind || expected.id.is_some_and(|id| id != head.id) {
        let reason = format!("its name says otherwise than its head: {:?} {}", head.kind, head.id);
        return Err(CheckpointError::damaged(path, 16, reason));
    }
    Ok(manifest)
}

fn verify_collection(
    part: &CollectionPart,
    files: &[PageFileReader],
    done: &mut u64,
    total: u64,
    tell: &mut dyn FnMut(Event),
) {
    // Never written to: it only tells where keys belong.
    let collection = Collection::new(part.row.id, part.row.placement);
    let mut buffer = Vec::new();
    for row in &part.pages {
        // Manifests with rows that point to no file are not read at all.
        if let Some(file) = files.get(row.file as usize)
            && let Err(error) = verify_page(&collection, file, row, &mut buffer)
        {
            tell(Event::Fault(error));
        }
        *done += row.len;
        tell(Event::Read { done: *done, total });
    }
}

fn verify_page(collection: &Collection, file: &PageFileReader, row: &PageRow, buffer: &mut Vec<u8>) -> Result<()> {
    file.read(collection.id(), row, buffer)?;
    let content = buffer.get(PAGE_HEADER_BYTES..).unwrap_or_default();
    image::decode(content, row.entries, |entry| {
        collection.key_in(entry.key, row.shard).map(drop)
    })
    .map_err(|reason| {
        let reason = format!("page {} of collection {}: {reason}", row.page_id, collection.id());
        CheckpointError::damaged(file.path(), row.offset, reason)
    })
}
