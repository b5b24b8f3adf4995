//! What must be true of every checkpoint with containers in parts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::incremental::{manifest, verify};
use super::super::*;
use crate::checkpoint::files::base::FILES_MAX;
use crate::checkpoint::files::catalog::page_file_name;
use crate::checkpoint::files::format::{PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES, PageRow};
use crate::checkpoint::files::manifest::{CollectionPages, Manifest};
use crate::checkpoint::files::page_file::{PageBuffer, PageFileReader};
use crate::page::PageId;
use crate::page::image;
use crate::page::value::Stored;

/// A page or part in a version.
type Version = (CollectionId, PageId, Lsn);
/// Where its bytes are: file, offset, length, checksum.
type Where = (u64, u64, u64, u32);

/// A checkpoint, and which of its page files have too little that is live; `None`: too many to say.
pub type Newest = (Manifest, Option<BTreeSet<u64>>);

/// Pages and parts that a checkpoint has and the one before has not.
#[derive(Debug, Default, PartialEq)]
pub struct Fresh {
    pub pages: usize,
    pub parts: usize,
    /// Parts in all.
    pub all_parts: usize,
}

fn rows_of(manifest: &Manifest) -> HashMap<Version, Where> {
    let rows = manifest
        .collections
        .iter()
        .flat_map(|of| of.rows().map(|row| (of.row.id, row)));
    let at = |row: &PageRow| (manifest.head.files[row.file as usize], row.offset, row.len, row.crc);
    rows.map(|(id, row)| ((id, row.page_id, row.version), at(row)))
        .collect()
}

/// The parts that the entries of a collection's pages name: page, part, version; each once.
fn named(of: &CollectionPages, files: &[PageFileReader]) -> BTreeSet<(PageId, PageId, Lsn)> {
    let (mut found, mut buffer) = (BTreeSet::new(), PageBuffer::default());
    for row in &of.pages {
        let page = files[row.file as usize].read(of.row.id, row, &mut buffer).unwrap();
        let (content, entries) = page.stored().unwrap();
        image::decode(content, entries, |entry| {
            if let Stored::Parted(parted) = &entry.value {
                for part in parted.parts.iter() {
                    assert!(
                        found.insert((row.page_id, part.id, part.version)),
                        "{part:?} is named twice"
                    );
                }
            }
            Ok::<(), crate::page::Malformed>(())
        })
        .unwrap();
    }
    found
}

/// The page files of a manifest whose live part was too small to be carried on; `None`: too many to say.
fn sparse(disk: &FaultDisk, before: &Manifest) -> Option<BTreeSet<u64>> {
    let mut live: BTreeMap<u64, u64> = before.head.files.iter().map(|id| (*id, 0)).collect();
    for row in before.collections.iter().flat_map(CollectionPages::rows) {
        *live.get_mut(&before.head.files[row.file as usize]).unwrap() += row.len + PAGE_HEADER_BYTES as u64;
    }
    let sparse = live.iter().filter(|(id, live)| {
        let path = Path::new(CHECKPOINTS).join(page_file_name(**id));
        **live < (disk.len(&path).unwrap() - PAGE_FILE_HEADER_BYTES as u64) / 2
    });
    (live.len() < FILES_MAX).then(|| sparse.map(|(id, _)| *id).collect())
}

/// Looks at checkpoint `id`, which was taken after `before`, whose sparse files were `sparse`.
pub fn check(disk: &FaultDisk, id: u64, before: Option<&Newest>) -> Fresh {
    verify(disk, id);
    let found = manifest(disk, id);
    let open = |id: &u64| PageFileReader::open(disk, Path::new(CHECKPOINTS).join(page_file_name(*id)), *id);
    let files: Vec<_> = found.head.files.iter().map(|id| open(id).unwrap()).collect();
    let mut places = BTreeMap::new();
    for of in &found.collections {
        let parts = of
            .parts
            .iter()
            .map(|part| (part.page_id, part.row.page_id, part.row.version));
        let parts: BTreeSet<_> = parts.collect();
        assert_eq!(parts.len(), of.parts.len(), "a part has one row");
        assert!(parts == named(of, &files), "parts in the manifest and in pages differ");
        assert!(of.pages.is_sorted_by_key(|row| row.page_id) && of.parts.is_sorted_by_key(|part| part.row.page_id));
        let ids: BTreeSet<PageId> = of.rows().map(|row| row.page_id).collect();
        assert_eq!(ids.len(), of.pages.len() + of.parts.len(), "no id is used twice");
        assert!(ids.last() < Some(&of.row.next_page_id));
        for row in of.rows() {
            assert!(row.version <= found.head.lsn && row.offset >= PAGE_FILE_HEADER_BYTES as u64);
            let end = row.offset + PAGE_HEADER_BYTES as u64 + row.len;
            assert!(places.insert((row.file, row.offset), end).is_none());
        }
    }
    // Nothing lies on something else.
    let ends: Vec<_> = places.iter().map(|((file, from), end)| (*file, *from, *end)).collect();
    assert!(ends.windows(2).all(|two| two[0].0 != two[1].0 || two[0].2 <= two[1].1));
    check_written(disk, &found, &ends);
    before.map_or_else(Fresh::default, |(before, sparse)| {
        compare(&found, before, sparse.as_ref())
    })
}

/// The figures of the head are those of the rows.
fn check_written(disk: &FaultDisk, found: &Manifest, ends: &[(u32, u64, u64)]) {
    let head = &found.head;
    let bytes = |of: &mut dyn Iterator<Item = &(u32, u64, u64)>| of.map(|(_, from, end)| end - from).sum::<u64>();
    assert_eq!(head.referenced_bytes, bytes(&mut ends.iter()));
    let own = head.files.iter().position(|file| *file == head.id);
    let is_own = |(file, ..): &&(u32, u64, u64)| Some(*file as usize) == own;
    let pages = found.collections.iter().flat_map(|part| &part.pages);
    let own_pages = pages.filter(|row| Some(row.file as usize) == own).count();
    assert_eq!(head.written_pages, own_pages as u64);
    let written = bytes(&mut ends.iter().filter(is_own));
    let path = Path::new(CHECKPOINTS).join(page_file_name(head.id));
    if own.is_some() {
        assert_eq!(head.written_bytes, written + PAGE_FILE_HEADER_BYTES as u64);
        assert_eq!(head.written_bytes, disk.len(&path).unwrap());
    } else {
        assert!(head.written_bytes == 0 && !disk.exists(&path).unwrap());
    }
}

/// What is known from before is where it was, unless its file was to go; nothing else was carried on.
fn compare(found: &Manifest, before: &Manifest, sparse: Option<&BTreeSet<u64>>) -> Fresh {
    let old = rows_of(before);
    let mut fresh = Fresh::default();
    for of in &found.collections {
        let mut by_page: HashMap<PageId, Vec<Version>> = HashMap::new();
        for part in &of.parts {
            let version = (of.row.id, part.row.page_id, part.row.version);
            by_page.entry(part.page_id).or_default().push(version);
        }
        let is_sparse = |version: &Version| {
            let file = old.get(version).map(|at| at.0);
            file.is_some_and(|file| sparse.is_none_or(|sparse| sparse.contains(&file)))
        };
        let pages = of.pages.iter().map(|row| (row, true));
        for (row, is_page) in pages.chain(of.parts.iter().map(|part| (&part.row, false))) {
            let version = (of.row.id, row.page_id, row.version);
            let now = (found.head.files[row.file as usize], row.offset, row.len, row.crc);
            let Some(was) = old.get(&version) else {
                assert_eq!(now.0, found.head.id, "{version:?} is new, and in an old file");
                *if is_page { &mut fresh.pages } else { &mut fresh.parts } += 1;
                continue;
            };
            let parts = by_page.get(&row.page_id).filter(|_| is_page);
            let may_move = is_sparse(&version) || parts.into_iter().flatten().any(is_sparse);
            assert!(
                now == *was || may_move && now.0 == found.head.id,
                "{version:?}: {was:?}, {now:?}"
            );
        }
        fresh.all_parts += of.parts.len();
    }
    fresh
}

/// The newest checkpoint, to be compared with the next one.
pub fn newest(disk: &FaultDisk) -> Option<Newest> {
    let found = manifest(disk, *manifest_ids(disk).last()?);
    let sparse = sparse(disk, &found);
    Some((found, sparse))
}
