//! Reading back all that one manifest promises, without using any of it.
//!
//! **Invariant:** nothing on disk is changed, and one damaged page, or page file, does not keep the others from being
//! read.

use std::collections::BTreeMap;
use std::path::Path;

use super::catalog::page_file_name;
use super::error::{CheckpointError, Result};
use super::format::{LibraryRow, ManifestKind, PageRow};
use super::libraries;
use super::manifest::{CollectionPages, Manifest};
use super::page_file::{PageBuffer, PageFileReader};
use super::parts::Parts;
use crate::engine::collection::Collection;
use crate::engine::ids::CollectionId;
use crate::engine::ids::ShardNo;
use crate::engine::index::loaded::{Outline, check_fit};
use crate::page::Access;
use crate::page::image::Anchor;
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
    let manifest = match read_expected(disk, path, expected) {
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
    let total = manifest.rows().map(|row| row.len).sum();
    let mut progress = (0, total);
    for part in &manifest.collections {
        verify_collection(part, path, &files, &mut progress, tell);
    }
    // What is wrong with the other files has been told.
    for library in damaged_libraries(&manifest, |at| files.get(at)?.as_ref().map(Ok)) {
        tell(Event::Fault(library.error));
    }
    Some(manifest)
}

/// A library that a manifest has and that is not there, or not whole.
#[derive(Debug)]
pub struct DamagedLibrary {
    /// The manifest's row.
    pub row: LibraryRow,
    /// What is wrong.
    pub error: CheckpointError,
}

/// Those that are damaged, or in files which could not be opened. `file`: the one of this number; `None`: never mind.
fn damaged_libraries<'f>(
    manifest: &Manifest,
    file: impl Fn(usize) -> Option<Result<&'f PageFileReader>>,
) -> Vec<DamagedLibrary> {
    let mut buffer = PageBuffer::default();
    let damaged = manifest.libraries.iter().filter_map(|row| {
        let read = file(row.row.file as usize)?.and_then(|file| libraries::read(file, row, &mut buffer));
        let (row, error) = (row.clone(), read.err()?);
        Some(DamagedLibrary { row, error })
    });
    damaged.collect()
}

/// Reads and verifies the manifest at `path`, of which its place tells what it should say of itself.
///
/// # Errors
/// What is wrong with it.
pub fn read_expected(disk: &dyn Disk, path: &Path, expected: Expected) -> Result<Manifest> {
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
    part: &CollectionPages,
    path: &Path,
    files: &[Option<PageFileReader>],
    (done, total): &mut (u64, u64),
    tell: &mut dyn FnMut(Event),
) {
    // Never written to: it only tells where keys belong.
    let collection = Collection::new(part.row.id, part.row.placement);
    let mut shards: BTreeMap<ShardNo, Vec<Outline>> = BTreeMap::new();
    let mut whole = true;
    let mut buffer = PageBuffer::default();
    let parts = Parts::new(part, files.iter().map(Option::as_ref));
    for row in &part.pages {
        *done += row.len + parts.take_read_bytes();
        tell(Event::Read {
            done: *done,
            total: *total,
        });
        let Some(Some(file)) = files.get(row.file as usize) else {
            whole = false;
            continue;
        };
        let page = file.read(collection.id(), row, &mut buffer);
        match page.and_then(|page| page.build(&collection, &parts, Access::default())) {
            Ok(page) => shards.entry(row.shard).or_default().push(page.outline()),
            Err(error) => {
                whole = false;
                tell(Event::Fault(error));
            }
        }
    }
    if whole && !parts.all_joined() {
        let reason = format!("collection {} has parts that no page names", part.row.id);
        tell(Event::Fault(CheckpointError::damaged(path, 0, reason)));
    }
    // Whether pages fit together is only known when all of them are there.
    for (shard, mut outlines) in shards.into_iter().filter(|_| whole) {
        if let Err(reason) = check_fit(&mut outlines) {
            let reason = format!("shard {shard} of collection {}: {reason}", part.row.id);
            tell(Event::Fault(CheckpointError::damaged(path, 0, reason)));
        }
    }
}

/// A page that a manifest points to and that is not there, or not whole.
#[derive(Debug)]
pub struct DamagedPage {
    /// The collection's identity.
    pub collection: CollectionId,
    /// The manifest's row.
    pub row: PageRow,
    /// What is wrong.
    pub error: CheckpointError,
}

/// Hashes of a shard that no whole page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The collection's identity.
    pub collection: CollectionId,
    /// The shard.
    pub shard: ShardNo,
    /// Which hashes, as a page would have them.
    pub anchor: Anchor,
}

/// What of a manifest cannot be read.
#[derive(Debug, Default)]
pub struct Damage {
    /// The pages.
    pub pages: Vec<DamagedPage>,
    /// What they leave open in hashed collections.
    pub holes: Vec<Hole>,
    /// The libraries.
    pub libraries: Vec<DamagedLibrary>,
}

impl Damage {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.pages.is_empty() && self.libraries.is_empty()
    }
}

/// All pages and libraries of a manifest, which is whole and at `path`, that cannot be read.
pub fn damage(disk: &dyn Disk, path: &Path, manifest: &Manifest) -> Damage {
    let dir = path.parent().unwrap_or(Path::new("."));
    let open = |id: &u64| PageFileReader::open(disk, dir.join(page_file_name(*id)), *id);
    let files: Vec<_> = manifest.head.files.iter().map(open).collect();
    let file = |at: usize| Some(files.get(at)?.as_ref().map_err(CheckpointError::clone));
    let mut damage = Damage {
        libraries: damaged_libraries(manifest, file),
        ..Damage::default()
    };
    let mut buffer = PageBuffer::default();
    for part in &manifest.collections {
        let collection = Collection::new(part.row.id, part.row.placement);
        let parts = Parts::new(part, files.iter().map(|file| file.as_ref().ok()));
        let mut shards: BTreeMap<ShardNo, Vec<Anchor>> = BTreeMap::new();
        for row in &part.pages {
            let built = match files.get(row.file as usize) {
                Some(Ok(file)) => file
                    .read(part.row.id, row, &mut buffer)
                    .and_then(|page| page.build(&collection, &parts, Access::default())),
                Some(Err(error)) => Err(error.clone()),
                None => continue,
            };
            let anchors = shards.entry(row.shard).or_default();
            match built.map(|page| page.outline().anchor()) {
                Ok(anchor) => anchors.extend(anchor),
                Err(error) => damage.pages.push(DamagedPage {
                    collection: part.row.id,
                    row: *row,
                    error,
                }),
            }
        }
        for (shard, anchors) in shards {
            let anchors = holes(anchors);
            damage.holes.extend(anchors.into_iter().map(|anchor| Hole {
                collection: part.row.id,
                shard,
                anchor,
            }));
        }
    }
    damage
}

/// What `anchors` do not cover, in as few pages as possible; nothing where there are none.
fn holes(mut anchors: Vec<Anchor>) -> Vec<Anchor> {
    if anchors.is_empty() {
        return Vec::new();
    }
    anchors.sort_unstable_by_key(|anchor| anchor.prefix);
    let mut holes = Vec::new();
    let mut covered = 0_u64;
    let ends = anchors
        .iter()
        .map(|anchor| (u64::from(anchor.prefix), 1 << (32 - u32::from(anchor.depth))));
    for (from, bytes) in ends.chain([(1 << 32, 0)]) {
        while covered < from {
            // The largest page that may begin here and does not go too far.
            let aligned = if covered == 0 { 32 } else { covered.trailing_zeros() };
            let bits = aligned.min((from - covered).ilog2());
            holes.push(Anchor {
                prefix: covered as u32,
                depth: (32 - bits) as u8,
            });
            covered += 1 << bits;
        }
        covered = covered.max(from + bytes);
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::index::loaded::check_cover;
    use crate::page::PageId;

    #[test]
    fn holes_are_filled_by_as_few_pages_as_fit() {
        let whole: Vec<Anchor> = (0..8)
            .map(|n| Anchor {
                prefix: n << 29,
                depth: 3,
            })
            .collect();
        assert_eq!(holes(whole.clone()), []);
        for missing in 0..255_u32 {
            let is_left = |anchor: &&Anchor| missing & 1 << (anchor.prefix >> 29) == 0;
            let left: Vec<Anchor> = whole.iter().filter(is_left).copied().collect();
            let mut all = [left.clone(), holes(left)].concat();
            all.sort_unstable_by_key(|anchor| anchor.prefix);
            check_cover(all.iter().map(|anchor| (PageId::FIRST, *anchor))).unwrap();
        }
        let right = Anchor {
            prefix: 1 << 31,
            depth: 1,
        };
        assert_eq!(holes(vec![right]), [Anchor { prefix: 0, depth: 1 }]);
    }
}
