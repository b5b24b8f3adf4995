//! Import and export on a disk in memory whose power is cut at every step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::config::{self, Loaded};
use crate::rdb::{Event, Object, Reader, Version, Writer};
use crate::storage::Disk;
use crate::storage::fault::FaultDisk;

const FILE: &str = "/dump.rdb";
const OUT: &str = "/out/dump.rdb";

struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _: &str, _: u64, _: u64) {}
    fn note(&mut self, text: &str) {
        panic!("unexpected: {text}");
    }
}

/// A file of `count` keys with this value.
fn file(count: usize, value: &str) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Version::USUAL).unwrap();
    writer.database(0, count as u64, 0).unwrap();
    for n in 0..count {
        let object = Object::String(value.into());
        writer.entry(format!("key{n}").as_bytes(), None, &object).unwrap();
    }
    writer.finish().unwrap()
}

/// The lock is a real file; everything else is on `disk`.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Files are on the fault disk; the folders are locked on the real one.
        for folder in ["checkpoint", "wal", "persist"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir }
    }

    fn open(&self, disk: &Arc<dyn Disk>) -> Outcome<Offline> {
        let mut config = config::Config::default();
        config.storage.data_dir = self.dir.path().to_str().unwrap().to_owned();
        Offline::open(Loaded { config, file: None }, disk, &mut Silent)
    }

    fn import(&self, disk: FaultDisk) -> Outcome<Imported> {
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let options = ImportOptions {
            file: PathBuf::from(FILE),
            into: Into::Numbers,
            existing: Existing::Replace,
        };
        import(&self.open(&disk)?, disk.as_ref(), &options, &mut Silent)
    }

    fn export(&self, disk: FaultDisk) -> Outcome<Exported> {
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let options = ExportOptions {
            file: PathBuf::from(OUT),
            named: Vec::new(),
            skip_named: false,
            force: true,
            version: None,
            skip_functions: false,
        };
        export(&self.open(&disk)?, disk.as_ref(), &options, &mut Silent)
    }
}

/// Keys and values of an exported file.
fn read(file: &[u8]) -> Vec<(Vec<u8>, Object)> {
    let mut reader = Reader::new(file).unwrap();
    let mut all = Vec::new();
    while let Some(event) = reader.next().unwrap() {
        if let Event::Entry(entry) = event {
            all.push((entry.key, entry.object));
        }
    }
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

fn prepared() -> FaultDisk {
    let disk = FaultDisk::new(1);
    disk.create_dir_all(Path::new("/out")).unwrap();
    disk.put(FILE, &file(5, "old"));
    disk
}

#[test]
fn an_import_is_there_whole_or_not_at_all() {
    let place = Place::new();
    let disk = prepared();
    assert_eq!(place.import(disk.clone()).unwrap().keys, 5);
    disk.put(FILE, &file(9, "new"));
    let mut failures = 0;
    loop {
        let broken = disk.fork();
        broken.stop_at(failures);
        let outcome = place.import(broken.clone());
        let after = broken.crash();
        place.export(after.clone()).unwrap();
        let found = read(&after.read(Path::new(OUT)).unwrap());
        let is_new = found == read(&file(9, "new"));
        assert!(is_new || found == read(&file(5, "old")), "{failures}: {found:?}");
        match outcome {
            Ok(done) => {
                assert!(is_new && done.keys == 9 && failures > 5);
                return;
            }
            Err(_) => failures += 1,
        }
    }
}

#[test]
fn an_export_that_fails_leaves_the_file_that_was_there() {
    let place = Place::new();
    let disk = prepared();
    place.import(disk.clone()).unwrap();
    disk.put(OUT, b"another file");
    let mut failures = 0;
    loop {
        let broken = disk.fork();
        broken.stop_at(failures);
        let outcome = place.export(broken.clone());
        let after = broken.crash();
        let found = after.read(Path::new(OUT)).unwrap();
        let is_whole = || read(&found) == read(&file(5, "old"));
        assert!(found == b"another file" || is_whole(), "{failures}");
        match outcome {
            Ok(_) => {
                assert!(is_whole() && failures > 2);
                return;
            }
            Err(_) => failures += 1,
        }
    }
}
