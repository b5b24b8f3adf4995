//! Reading back all that one manifest promises, without using any of it.
//!
//! **Invariant:** nothing on disk is changed, and one damaged page, or page file, does not keep the others from being read.

use std::collections::BTreeMap;
use std::path::Path;

use super::catalog::page_file_name;
use super::error::{CheckpointError, Result};
use super::format::ManifestKind;
use super::manifest::{CollectionPart, Manifest};
use super::page_file::{PageBuffer, PageFileReader};
use crate::engine::collection::Collection;
use crate::engine::index::loaded::{Outline, check_fit};
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
    let open = |id: &u64| PageFileReader::open(disk, dir.join(page_file_name(*id)), *id);
    let files: Vec<_> = manifest
        .head
        .files
        .iter()
        .map(|id| open(id).map_err(|error| tell(Event::Fault(error))).ok())
        .collect();
    let total = manifest
        .collections
        .iter()
        .flat_map(|part| &part.pages)
        .map(|row| row.len)
        .sum();
    let mut progress = (0, total);
    for part in &manifest.collections {
        verify_collection(part, path, &files, &mut progress, tell);
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

/// Checks the pages in those files that could be opened.
fn verify_collection(
    part: &CollectionPart,
    path: &Path,
    files: &[Option<PageFileReader>],
    (done, total): &mut (u64, u64),
    tell: &mut dyn FnMut(Event),
) {
    // Never written to: it only tells where keys belong.
    let collection = Collection::new(part.row.id, part.row.placement);
    let mut shards: BTreeMap<u32, Vec<Outline>> = BTreeMap::new();
    let mut whole = true;
    let mut buffer = PageBuffer::default();
    for row in &part.pages {
        *done += row.len;
        tell(Event::Read {
            done: *done,
            total: *total,
        });
        let Some(Some(file)) = files.get(row.file as usize) else {
            whole = false;
            continue;
        };
        let page = file.read(collection.id(), row, &mut buffer);
        match page.and_then(|page| page.build(&collection, 0)) {
            Ok(page) => shards.entry(row.shard).or_default().push(page.outline()),
            Err(error) => {
                whole = false;
                tell(Event::Fault(error));
            }
        }
    }
    // Whether pages fit together is only known when all of them are there.
    for (shard, mut outlines) in shards.into_iter().filter(|_| whole) {
        if let Err(reason) = check_fit(&mut outlines) {
            let reason = format!("shard {shard} of collection {}: {reason}", part.row.id);
            tell(Event::Fault(CheckpointError::damaged(path, 0, reason)));
        }
    }
}
