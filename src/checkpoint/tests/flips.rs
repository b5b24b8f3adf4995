//! Single flipped bytes anywhere in a data directory: `verify` finds each with its file and place, and a start on it
//! either refuses, naming the place, or serves exactly the right data.
//!
//! Some bytes can be flipped without harm; they are counted, and each must be of a kind that is known:
//! - the log's last mark, when it is the last frame: what looks torn there holds no record;
//! - bytes of a page file that no manifest points to any more.
//!
//! `LOKIKV_FLIPS` says how many are tried, `LOKIKV_SEED` repeats a run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::fixture::fill_containers;
use super::*;
use crate::checkpoint::files::catalog::page_file_name;
use crate::checkpoint::files::format::{PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES};
use crate::checkpoint::files::manifest::{CollectionPages, Manifest};
use crate::recovery::verify::{Finding, Folders, verify};
use crate::wal::Reader;

/// A directory with checkpoints of which the later ones changed little, a persisted collection, and records behind
/// them; and what a start on it must serve. Containers are in parts, of which the later checkpoints wrote some.
fn filled() -> (FaultDisk, Dump) {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    server.settings.keep_count.store(3, Ordering::Relaxed);
    for key in 0..1500 {
        server.set(&format!("key:{key}"), &"v".repeat(key % 70));
    }
    server.set("large", &"x".repeat(9000));
    fill_containers(&mut server, 0..800);
    for round in 0..3 {
        fill_containers(&mut server, 800 + round as u64..801 + round as u64);
        server.checkpoints.checkpoint_blocking().unwrap();
        for key in 0..20 {
            server.set(&format!("key:{}", key * 7 + round), "changed");
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(server.checkpoints.persist("default")).unwrap();
    for key in 0..250 {
        server.set(&format!("later:{key}"), "v");
    }
    server.change(DatabaseId::DEFAULT, b"key:3", |txn| txn.delete(b"key:3"));
    let expected = server.dump();
    server.checkpoints.stop();
    server.engine.wal().close().unwrap();
    (disk, expected)
}

/// Every file of the directory, by what it is.
fn files_by_kind(disk: &FaultDisk) -> BTreeMap<&'static str, Vec<PathBuf>> {
    let mut kinds = BTreeMap::<_, Vec<PathBuf>>::new();
    for dir in [CHECKPOINTS, "/data/persist/default", LOG] {
        for path in files(disk, dir) {
            let kind = match path.extension().and_then(|suffix| suffix.to_str()) {
                Some("lkm") => "manifest",
                Some("lkp") => "pages",
                Some("log") => "log",
                Some("lkc") => "control",
                _ => "other",
            };
            kinds.entry(kind).or_default().push(path);
        }
    }
    kinds
}

/// Parts of each page file that some manifest beside it points to.
fn pointed_to(disk: &FaultDisk) -> BTreeMap<PathBuf, Vec<Range<u64>>> {
    let mut parts = BTreeMap::<PathBuf, Vec<Range<u64>>>::new();
    let all = files_by_kind(disk);
    for path in &all["manifest"] {
        let manifest = Manifest::read(disk, path).unwrap();
        let dir = path.parent().unwrap();
        let files: Vec<PathBuf> = manifest
            .head
            .files
            .iter()
            .map(|id| dir.join(page_file_name(*id)))
            .collect();
        for file in &files {
            let header = 0..PAGE_FILE_HEADER_BYTES as u64;
            parts.entry(file.clone()).or_default().push(header);
        }
        for row in manifest.collections.iter().flat_map(CollectionPages::rows) {
            let end = row.offset + PAGE_HEADER_BYTES as u64 + row.len;
            let part = parts.get_mut(&files[row.file as usize]).unwrap();
            part.push(row.offset..end);
        }
    }
    parts
}

/// Where the last record ends, in the last segment.
fn end_of_records(disk: &FaultDisk) -> (PathBuf, u64) {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let from = Reader::oldest_lsn(disk, Path::new(LOG)).unwrap().unwrap();
    let mut reader = Reader::open(shared, Path::new(LOG), from).unwrap();
    let mut end = 0;
    while let Some(record) = reader.next().unwrap() {
        end = record.offset + (crate::wal::RECORD_HEADER_BYTES + record.payload.len()) as u64;
    }
    (files(disk, LOG).pop().unwrap(), end)
}

fn faults(disk: &FaultDisk) -> Vec<String> {
    let folders = Folders {
        checkpoints: CHECKPOINTS.into(),
        persisted: "/data/persist".into(),
        log: LOG.into(),
    };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut faults = Vec::new();
    verify(&shared, &folders, &mut |finding| {
        if let Finding::Fault(text) = finding {
            faults.push(text);
        }
    });
    faults
}

#[test]
fn every_flipped_byte_is_found_or_harmless_and_never_served() {
    let (disk, expected) = filled();
    assert_eq!(faults(&disk), [""; 0]);
    assert_eq!(dump(&read_back(&disk.fork()).unwrap().registry), expected);
    let kinds = files_by_kind(&disk);
    assert!(
        ["manifest", "pages", "log"].iter().all(|kind| kinds[kind].len() >= 3),
        "{kinds:?}"
    );
    for path in &kinds["manifest"] {
        let manifest = Manifest::read(&disk, path).unwrap();
        assert!(manifest.collections.iter().any(|of| of.parts.len() > 15), "{path:?}");
    }
    let pointed_to = pointed_to(&disk);
    let (last_segment, end) = end_of_records(&disk);
    let mut rng = SmallRng::seed_from_u64(seed());
    let flips = std::env::var("LOKIKV_FLIPS").map_or(1000, |text| text.parse().unwrap());
    let (mut found, mut in_last_mark, mut unused, mut refused) = (0, 0, 0, 0);
    for _ in 0..flips {
        let kind = rng.random_range(0..kinds.len());
        let of_kind = kinds.values().nth(kind).unwrap();
        let path = &of_kind[rng.random_range(0..of_kind.len())];
        let at = rng.random_range(0..disk.len(path).unwrap());
        let mask = rng.random_range(1..=255_u8);
        let flipped = disk.fork();
        flipped.flip(path, at as usize, mask).unwrap();
        let what = format!("byte {at} of {} with {mask:#04x}", path.display());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();

        let faults = faults(&flipped);
        if faults.is_empty() {
            let is_last_mark = *path == last_segment && at >= end;
            let is_unused = pointed_to
                .get(path)
                .is_some_and(|parts| !parts.iter().any(|part| part.contains(&at)));
            assert!(is_last_mark || is_unused, "{what} is not found");
            in_last_mark += usize::from(is_last_mark);
            unused += usize::from(is_unused);
        } else {
            let named = faults
                .iter()
                .any(|fault| fault.contains(&name) && fault.contains("byte"));
            assert!(named, "{what}: {faults:?}");
            found += 1;
        }
        match read_back(&flipped) {
            Ok(recovered) => assert!(dump(&recovered.registry) == expected, "{what}: other data is served"),
            Err(error) => {
                assert!(!faults.is_empty(), "{what}: refused, yet verify finds nothing");
                assert!(error.to_string().contains(&name), "{what}: {error}");
                refused += 1;
            }
        }
    }
    println!(
        "{flips} flips: {found} found ({refused} refuse the start), {in_last_mark} in the last mark, {unused} unused"
    );
    assert_eq!(found + in_last_mark + unused, flips);
}
