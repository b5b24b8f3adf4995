//! Parts of containers and strings that are not what they should be, in files whose checksums are right: a start
//! refuses, and `verify` tells, with file and place; whatever the bytes are, nothing panics.

use std::sync::atomic::Ordering;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::fixture::fill_containers;
use super::incremental::manifest;
use super::*;
use crate::checkpoint::files::catalog::{manifest_name, page_file_name};
use crate::checkpoint::files::format::{CRC_BYTES, ManifestKind, PAGE_HEADER_BYTES, PageHeader, PageRow};
use crate::checkpoint::files::manifest::{CollectionPages, Manifest};
use crate::checkpoint::files::packing::Compression;
use crate::checkpoint::files::page_file::{PageBuffer, PageFileReader, PageFileWriter};
use crate::checkpoint::files::verify::{Event, Expected, verify_manifest};
use crate::page::image::PageImage;
use crate::page::parts::PartRef;
use crate::page::{Big, Entry};

/// A page file that the tests write.
const OWN_FILE: u64 = 77;

/// Containers of all types and a long string in one page, in two checkpoints: of the first one's page file the second
/// needs parts only.
fn parted() -> (FaultDisk, Dump) {
    let disk = FaultDisk::new(5);
    let mut server = Server::start_of(&disk, None, Kind::Bcust);
    fill_containers(&mut server, 0..1000);
    server.set("text", &"text".repeat(50_000));
    server.change(DatabaseId::DEFAULT, b"text", |txn| {
        txn.write_range(b"text", 9, b"is in chunks")
    });
    server.settings.keep_count.store(1, Ordering::Relaxed);
    server.checkpoints.checkpoint_blocking().unwrap();
    fill_containers(&mut server, 1000..1001);
    server.checkpoints.checkpoint_blocking().unwrap();
    server.checkpoints.stop();
    let expected = server.dump();
    let disk = checkpoints_only(&disk);
    let found = manifest(&disk, 2);
    assert_eq!(found.head.files.len(), 2);
    let of = parts_of(&found);
    let first = found.head.files.iter().position(|id| *id == 1).unwrap();
    assert!(of.pages.len() == 1 && of.pages[0].file as usize != first && of.parts.len() > 15);
    assert!(of.parts.iter().any(|part| part.row.file as usize == first));
    (disk, expected)
}

fn path_of(name: &str) -> PathBuf {
    Path::new(CHECKPOINTS).join(name)
}

/// The collection with containers.
fn parts_of(found: &Manifest) -> &CollectionPages {
    found.collections.iter().find(|of| !of.parts.is_empty()).unwrap()
}

/// The same disk with another newest manifest.
fn with_manifest(disk: &FaultDisk, change: impl FnOnce(&FaultDisk, &mut Manifest, &mut CollectionPages)) -> FaultDisk {
    let disk = disk.fork();
    let mut found = manifest(&disk, 2);
    let at = found.collections.iter().position(|of| !of.parts.is_empty()).unwrap();
    let mut of = found.collections[at].clone();
    change(&disk, &mut found, &mut of);
    (of.row.pages, of.row.parts) = (of.pages.len() as u64, of.parts.len() as u64);
    found.collections[at] = of;
    let pages = found.collections.iter().flat_map(|of| &of.pages);
    found.head.entries = pages.map(|row| u64::from(row.entries)).sum();
    let path = path_of(&manifest_name(2));
    disk.remove(&path).unwrap();
    found.write(&disk, &path).unwrap();
    disk
}

/// Has `write` write something to a page file of its own; the row says where it is.
fn in_own_file(disk: &FaultDisk, found: &mut Manifest, write: impl FnOnce(&mut PageFileWriter) -> PageRow) -> PageRow {
    let path = path_of(&page_file_name(OWN_FILE));
    let mut writer = PageFileWriter::create(disk, path, OWN_FILE, Compression::None).unwrap();
    let row = write(&mut writer);
    writer.finish().unwrap();
    found.head.files.push(OWN_FILE);
    let file = found.head.files.len() as u32 - 1;
    PageRow { file, ..row }
}

fn faults(disk: &FaultDisk) -> Vec<String> {
    faults_of(disk, 2)
}

fn faults_of(disk: &FaultDisk, id: u64) -> Vec<String> {
    let (mut faults, kind) = (Vec::new(), ManifestKind::Checkpoint);
    let expected = Expected { kind, id: Some(id) };
    verify_manifest(disk, &path_of(&manifest_name(id)), expected, &mut |event| {
        if let Event::Fault(error) = event {
            faults.push(error.to_string());
        }
    });
    faults
}

/// A start refuses, and `verify` finds it; both say so.
#[track_caller]
fn refused(disk: &FaultDisk, words: &str) {
    let error = read_back(disk).err().map(|error| error.to_string());
    let error = error.unwrap_or_else(|| panic!("{words}: it starts"));
    let faults = faults(disk);
    assert!(
        error.contains(words) && error.contains(CHECKPOINTS),
        "{error}, not: {words}"
    );
    assert!(
        faults.iter().any(|fault| fault.contains(words)),
        "{faults:?}, not: {words}"
    );
}

fn name_of(row: &PageRow) -> PartRef {
    PartRef {
        start: 0,
        id: row.page_id,
        version: row.version,
    }
}

/// The bytes of a part as they were written.
fn content(disk: &FaultDisk, found: &Manifest, row: &PageRow) -> Vec<u8> {
    let id = found.head.files[row.file as usize];
    let file = PageFileReader::open(disk, path_of(&page_file_name(id)), id).unwrap();
    let mut buffer = PageBuffer::default();
    let page = file.read(parts_of(found).row.id, row, &mut buffer).unwrap();
    page.part().unwrap().to_vec()
}

#[test]
fn what_is_undamaged_is_right() {
    let (disk, expected) = parted();
    assert_eq!(faults(&disk), [""; 0]);
    assert_eq!(dump(&read_back(&disk).unwrap().registry), expected);
    assert_eq!(
        dump(&read_back(&with_manifest(&disk, |_, _, _| ())).unwrap().registry),
        expected
    );
}

#[test]
fn zeroes_that_take_no_memory_take_little_on_disk() {
    let disk = FaultDisk::new(6);
    let mut server = Server::start_of(&disk, None, Kind::Hmap);
    let (key, offset) = (b"sparse", 100 << 20);
    server.change(DatabaseId::DEFAULT, key, |txn| {
        put(txn, key, b"begins");
        txn.write_range(key, offset, b"ends");
    });
    server.checkpoints.checkpoint_blocking().unwrap();
    let written = |disk: &FaultDisk| {
        let sizes = files(disk, CHECKPOINTS)
            .into_iter()
            .map(|path| disk.read(&path).unwrap().len());
        sizes.sum::<usize>()
    };
    assert!(written(&disk) < 1 << 20, "{} bytes", written(&disk));
    assert_eq!(faults_of(&disk, 1), [""; 0]);
    // The same is there, takes no more memory, and need not be written again.
    let held = server.totals_of("default").bytes;
    server.checkpoints.stop();
    let mut server = Server::start_of(&disk, None, Kind::Hmap);
    assert_eq!(server.totals_of("default").bytes, held);
    server.change(DatabaseId::DEFAULT, key, |txn| {
        let text = txn.get_str(key).unwrap().unwrap();
        assert_eq!(text.len(), offset + 4);
        let ones: Vec<u8> = text
            .pieces(0..text.len())
            .flatten()
            .copied()
            .filter(|byte| *byte != 0)
            .collect();
        assert_eq!(ones, b"beginsends");
        assert_eq!(
            (&*text.part(0..7), &*text.part(offset - 1..offset + 9)),
            (&b"begins\0"[..], &b"\0ends"[..])
        );
        txn.write_range(key, 9, b"more");
    });
    let before = written(&disk);
    server.settings.keep_count.store(2, Ordering::Relaxed);
    server.checkpoints.checkpoint_blocking().unwrap();
    assert!(written(&disk) - before < 300_000, "{} bytes", written(&disk) - before);
}

#[test]
fn files_that_parts_are_in_are_missing_or_cut() {
    let (disk, _) = parted();
    let found = manifest(&disk, 2);
    for id in [1, 2] {
        let path = path_of(&page_file_name(id));
        let name = path.to_str().unwrap();
        let missing = disk.fork();
        missing.remove(&path).unwrap();
        refused(&missing, name);
        // Behind that is what the newer checkpoint does not need.
        let rows = found.collections.iter().flat_map(CollectionPages::rows);
        let live = rows.filter(|row| found.head.files[row.file as usize] == id);
        let end = live
            .map(|row| row.offset + PAGE_HEADER_BYTES as u64 + row.len)
            .max()
            .unwrap();
        for cut in [0, 31, 32, 33, 87, 88, end / 3, end / 2, end - 1] {
            let short = disk.fork();
            short.truncate(&path, cut).unwrap();
            refused(&short, name);
        }
    }
}

#[test]
fn rows_of_parts_that_are_wrong() {
    let (disk, _) = parted();
    refused(
        &with_manifest(&disk, |_, _, of| {
            of.parts.remove(3);
        }),
        "is not there",
    );
    refused(
        &with_manifest(&disk, |_, _, of| of.parts[3].row.version = Lsn::FIRST),
        "is not there",
    );
    refused(
        &with_manifest(&disk, |_, _, of| of.parts[3].page_id = of.pages[0].page_id.next()),
        "is not there",
    );
    refused(&with_manifest(&disk, |_, _, of| of.parts.clear()), "is not there");
    refused(
        &with_manifest(&disk, |_, _, of| of.parts[3].row.file = 9),
        "points nowhere",
    );
    refused(&with_manifest(&disk, |_, _, of| of.parts[3].row.len += 1), "checksum");
    refused(
        &with_manifest(&disk, |_, _, of| of.parts[3].row.offset = u64::MAX),
        "beyond the end",
    );
    refused(
        &with_manifest(&disk, |_, _, of| of.parts[3].row.len = 1 << 40),
        "beyond the end",
    );
    let two = with_manifest(&disk, |_, _, of| {
        let (one, other) = (of.parts[3].row, of.parts[4].row);
        (of.parts[3].row, of.parts[4].row) = (other, one);
    });
    refused(&two, "is not there");
    // Each of the other's bytes.
    let exchanged = with_manifest(&disk, |_, _, of| {
        let (one, other) = (of.parts[3].row, of.parts[4].row);
        let place = |row: PageRow, of: PageRow| PageRow {
            page_id: row.page_id,
            version: row.version,
            ..of
        };
        (of.parts[3].row, of.parts[4].row) = (place(one, other), place(other, one));
    });
    refused(&exchanged, "another page is there");
}

#[test]
fn pages_for_parts_and_parts_for_pages() {
    let (disk, _) = parted();
    let page = with_manifest(&disk, |disk, found, of| {
        let (id, row) = (of.row.id, of.parts[0].row);
        let mut image = PageImage::of(row.page_id, row.version, std::iter::empty());
        let write = |writer: &mut PageFileWriter| writer.append(id, row.shard, &mut image).unwrap();
        of.parts[0].row = in_own_file(disk, found, write);
    });
    refused(&page, "is not there");
    let part = with_manifest(&disk, |disk, found, of| {
        let (id, row) = (of.row.id, of.pages[0]);
        let packed = content(disk, found, &of.parts[0].row);
        let write = |writer: &mut PageFileWriter| {
            writer
                .append_part((id, row.shard), &name_of(&row), Shared::new(packed).into())
                .unwrap()
        };
        of.pages[0] = in_own_file(disk, found, write);
    });
    refused(&part, "it is a part of a container, not a page");
}

#[test]
fn parts_with_other_elements() {
    let (disk, _) = parted();
    let found = manifest(&disk, 2);
    let rows: Vec<PageRow> = parts_of(&found).parts.iter().map(|part| part.row).collect();
    let contents: Vec<Vec<u8>> = rows.iter().map(|row| content(&disk, &found, row)).collect();
    for (at, other) in (0..rows.len()).flat_map(|at| (0..rows.len()).map(move |other| (at, other))) {
        if at == other {
            continue;
        }
        let changed = with_manifest(&disk, |disk, found, of| {
            let (id, name) = (of.row.id, name_of(&rows[at]));
            let packed = contents[other].clone();
            let write = |writer: &mut PageFileWriter| {
                writer
                    .append_part((id, rows[at].shard), &name, Shared::new(packed).into())
                    .unwrap()
            };
            of.parts[at].row = in_own_file(disk, found, write);
        });
        // As many other elements of a list cannot be told from those that were there: the checksum guards them.
        match read_back(&changed) {
            Ok(found) => assert!(dump(&found.registry)["default"].1.len() == 6),
            Err(error) => assert!(error.to_string().contains(CHECKPOINTS), "{error}"),
        }
    }
}

#[test]
fn a_part_that_two_entries_name_or_none() {
    let (disk, expected) = parted();
    let found = read_back(&disk.fork()).unwrap().registry;
    let slot = found.by_name("default").unwrap().clone();
    let mut set: Option<Big> = None;
    for shard in slot.collection.shards_if_any() {
        let _ = shard.lock().index.for_each(|entry| {
            if let (b"set", ValueRef::Big(big)) = (entry.key(), entry.value()) {
                set = Some(big.clone());
            }
            ControlFlow::<()>::Continue(())
        });
    }
    let set = set.unwrap();
    let twice = with_manifest(&disk, |disk, found, of| {
        let (id, row) = (of.row.id, of.pages[0]);
        let keys: [&[u8]; 2] = [b"one", b"other"];
        let entries = keys.map(|key| Entry::new(key, ValueRef::Big(&set), None, 0));
        let entries = entries.iter().map(|entry| entry.lend());
        let mut image = PageImage::of(row.page_id, row.version, entries);
        let names: Vec<_> = set.parts().iter().map(|part| part.id).collect();
        of.parts.retain(|part| names.contains(&part.row.page_id));
        let write = |writer: &mut PageFileWriter| writer.append(id, row.shard, &mut image).unwrap();
        of.pages[0] = in_own_file(disk, found, write);
    });
    refused(&twice, "is named by another one, too");
    // A part that none names does no harm.
    let unnamed = with_manifest(&disk, |_, _, of| {
        let mut another = *of.parts.last().unwrap();
        another.row.page_id = another.row.page_id.next();
        of.parts.push(another);
    });
    assert!(
        faults(&unnamed)
            .iter()
            .any(|fault| fault.contains("parts that no page names"))
    );
    assert_eq!(dump(&read_back(&unnamed).unwrap().registry), expected);
}

/// Writes other bytes for what `row` points to, with right checksums.
fn forge(disk: &FaultDisk, file_id: u64, row: &mut PageRow, change: impl FnOnce(&mut [u8])) {
    let path = path_of(&page_file_name(file_id));
    let mut bytes = disk.read(&path).unwrap();
    let (from, to) = (
        row.offset as usize,
        row.offset as usize + PAGE_HEADER_BYTES + row.len as usize,
    );
    change(&mut bytes[from + PAGE_HEADER_BYTES..to]);
    row.crc = crc32c::crc32c(&bytes[from + CRC_BYTES..to]);
    bytes[from..from + CRC_BYTES].copy_from_slice(&row.crc.to_le_bytes());
    assert_eq!(PageHeader::decode(&bytes[from..]).page_id, row.page_id);
    disk.put(path, &bytes);
}

#[test]
fn whatever_the_bytes_are_nothing_panics() {
    let (disk, expected) = parted();
    let mut random = SmallRng::seed_from_u64(seed());
    let tries = std::env::var("LOKIKV_FLIPS").map_or(1000, |text| text.parse().unwrap());
    let (mut started, mut other) = (0, 0);
    for _ in 0..tries {
        let forged = with_manifest(&disk, |disk, found, of| {
            let nth = random.random_range(0..of.parts.len() * 2);
            // The list of parts, as often as all of them together.
            let row = of.parts.get_mut(nth).map_or(&mut of.pages[0], |part| &mut part.row);
            let id = found.head.files[row.file as usize];
            forge(disk, id, row, |content| {
                for _ in 0..random.random_range(1..4) {
                    let at = random.random_range(0..content.len());
                    content[at] = random.random();
                }
            });
        });
        let faults = faults(&forged);
        match read_back(&forged) {
            Ok(found) => {
                started += 1;
                other += u64::from(dump(&found.registry) != expected);
                let server = Server::start_of(&forged, None, Kind::Bcust);
                server.checkpoints.checkpoint_blocking().unwrap();
            }
            Err(error) => assert!(!faults.is_empty(), "{error}, yet verify finds nothing"),
        }
    }
    println!("{tries} forgeries: {started} started, {other} of them with other elements");
    assert!(started < tries);
}
