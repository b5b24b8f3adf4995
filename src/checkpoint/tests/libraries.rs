//! Libraries of functions on disk: by the log alone, by checkpoints alone, by both; what a checkpoint writes of them,
//! what damage does to them, and who leaves them alone.

use std::sync::atomic::Ordering::Relaxed;

use super::super::files::base::FILES_MAX;
use super::super::files::libraries::read_all;
use super::incremental::{manifest, registry_of, verify};
use super::*;
use crate::checkpoint::files::catalog::{SnapshotId, open_page_files, page_file_name};
use crate::checkpoint::files::format::{LIBRARY_VERSION, PAGE_HEADER_BYTES};
use crate::checkpoint::{CopyRequest, LibraryDifference, Moment, Only, RestoreRequest, Target};
use crate::engine::libraries::Library;

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn code(name: &str) -> String {
    format!("#!lua name={name}\n{}", "redis.register_function(…)".repeat(20))
}

/// Checkpoints and the log stay.
fn keep_all(server: &Server) {
    let settings = &server.checkpoints.shared.settings;
    settings.wal_keep_age_s.store(1 << 30, Relaxed);
    settings.keep_count.store(10, Relaxed);
}

/// What there is by name, with its code.
fn libraries(registry: &Registry) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let all = registry.libraries().iter();
    all.map(|library| (text(&library.name), text(&library.code))).collect()
}

fn named(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), code(name))).collect()
}

#[test]
fn they_survive_by_the_log_by_a_checkpoint_and_by_both() {
    for (before, after) in [(false, false), (true, false), (false, true), (true, true)] {
        for is_power_cut in [false, true] {
            let disk = FaultDisk::new(1);
            let mut server = Server::start(&disk);
            server.set("key", "value");
            if before {
                server.checkpoints.checkpoint_blocking().unwrap();
            }
            for name in ["a", "b", "c"] {
                server.put_library(name, &code(name));
            }
            server.exclusive(|txn| txn.delete_library(b"b").unwrap());
            if after {
                server.checkpoints.checkpoint_blocking().unwrap();
                server.exclusive(|txn| txn.delete_library(b"c").unwrap());
                server.put_library("d", &code("d"));
            }
            server.sync();
            let expected = named(if after { &["a", "d"] } else { &["a", "c"] });
            let number = server.engine.registry().libraries().next_number();
            let disk = if is_power_cut { disk.crash() } else { disk.kill() };
            drop(server);
            let found = read_back(&disk).unwrap();
            assert_eq!(libraries(&found.registry), expected, "{before} {after} {is_power_cut}");
            assert_eq!(found.registry.libraries().next_number(), number);
            let collections: u64 = found.registry.slots().map(|slot| slot.collection.bytes()).sum();
            assert_eq!(found.data_bytes, collections + found.registry.libraries().bytes());
        }
    }
}

#[test]
fn without_a_log_the_checkpoint_has_them() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start_with(&disk, None);
    server.put_library("a", &code("a"));
    server.checkpoints.checkpoint_blocking().unwrap();
    server.put_library("lost", &code("lost"));
    let mut server = Server::start_with(&disk.kill(), None);
    assert_eq!(libraries(&server.engine.registry()), named(&["a"]));
    // It gets the number of the one that was lost.
    server.put_library("b", &code("b"));
    server.checkpoints.checkpoint_blocking().unwrap();
    assert_eq!(libraries(&server.engine.registry()), named(&["a", "b"]));
}

#[test]
fn a_checkpoint_whose_only_change_is_a_library_is_taken_and_costs_little() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    keep_all(&server);
    for i in 0..500 {
        server.set(&format!("key:{i}"), &"value".repeat(20));
    }
    let long: String = (0..40_000).map(|at| format!("{at} ")).collect();
    server.put_library("long", &long);
    let first = server.checkpoints.checkpoint_blocking().unwrap();
    assert!(first.bytes > long.len() as u64);
    server.put_library("a", &code("a"));
    let second = server.checkpoints.checkpoint_blocking().unwrap();
    assert!(second.lsn > first.lsn && second.written_pages == 0, "{second:?}");
    assert!(second.bytes < 8192, "{second:?}");
    let head = manifest(&disk, second.id).head;
    assert_eq!((head.files.len(), head.written_pages), (2, 0));
    assert!(head.written_bytes > 0 && head.referenced_bytes > long.len() as u64);
    // The next one, after a start as well, writes none of them.
    for _ in 0..2 {
        let third = server.checkpoints.checkpoint_blocking().unwrap();
        let manifest = manifest(&disk, third.id);
        assert_eq!((manifest.libraries.len(), manifest.head.written_bytes), (2, 0));
        let numbers: Vec<_> = manifest.libraries.iter().map(|row| row.row.page_id.get()).collect();
        assert_eq!((numbers, manifest.next_library), (vec![1, 0], 2));
        assert!(manifest.libraries.iter().all(|row| row.row.version == LIBRARY_VERSION));
        verify(&disk, third.id);
        server.checkpoints.stop();
        server = Server::start(&disk);
        keep_all(&server);
    }
    // Another one with the same code is not another one.
    server.put_library("a", &code("a"));
    server.put_library("new", &code("new"));
    server.put_library("long", "short");
    let third = server.checkpoints.checkpoint_blocking().unwrap();
    let compare = |first, second| {
        let [first, second] = [first, second].map(SnapshotId::Number);
        let compared = block(server.checkpoints.compare_snapshots(first, second)).unwrap();
        assert!(compared.collections.is_empty());
        let libraries = compared.libraries.into_iter();
        let side = |library: LibraryDifference| (library.name, library.is_in_first, library.is_in_second);
        libraries.map(side).collect::<Vec<_>>()
    };
    let [long, new] = ["long", "new"].map(|name| name.as_bytes().to_vec());
    assert_eq!(
        compare(second.id, third.id),
        [(long.clone(), true, true), (new.clone(), false, true)]
    );
    assert_eq!(compare(third.id, second.id), [(long, true, true), (new, true, false)]);
    assert_eq!(compare(third.id, third.id), []);
    let described = block(server.checkpoints.snapshot(SnapshotId::Latest)).unwrap();
    let names: Vec<_> = described
        .libraries
        .iter()
        .map(|library| library.name.as_slice())
        .collect();
    assert_eq!(names, [&b"a"[..], b"long", b"new"]);
    // Each checkpoint has those of its instant.
    server.exclusive(|txn| txn.flush_libraries().unwrap());
    let last = server.checkpoints.checkpoint_blocking().unwrap();
    assert_eq!(registry_of(&disk, first.id).libraries().len(), 1);
    assert_eq!(registry_of(&disk, second.id).libraries().len(), 2);
    assert!(registry_of(&disk, last.id).libraries().is_empty());
}

#[test]
fn files_that_only_libraries_need_are_compacted() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    for round in 0..3 * FILES_MAX {
        server.put_library(&format!("l{}", round % 100), &code(&format!("r{round}")));
        server.checkpoints.checkpoint_blocking().unwrap();
        let names = files(&disk, CHECKPOINTS).len();
        assert!(names <= FILES_MAX + 5, "{names} files after {round}");
    }
    let expected = server.dump();
    assert_eq!(expected[LIBRARIES].1.len(), 100);
    assert_eq!(dump(&read_back(&disk.kill()).unwrap().registry), expected);
}

#[test]
fn every_flipped_bit_of_one_is_told_and_the_next_checkpoint_heals_it() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    server.put_library("a", "the code");
    let done = server.checkpoints.checkpoint_blocking().unwrap();
    let manifest = manifest(&disk, done.id);
    let row = manifest.libraries[0].row;
    let path = Path::new(CHECKPOINTS).join(page_file_name(manifest.head.files[row.file as usize]));
    for offset in row.offset..row.offset + PAGE_HEADER_BYTES as u64 + row.len {
        let mask = 1 << (offset % 8);
        disk.flip(&path, offset as usize, mask).unwrap();
        let error = read_back(&disk).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("byte {offset} was not noticed"));
        assert!(
            error.contains(path.to_str().unwrap()) && error.contains("at byte"),
            "{error}"
        );
        let damage = super::super::files::verify::damage(&disk, &manifest_path(done.id), &manifest);
        assert_eq!((damage.libraries.len(), damage.pages.len()), (1, 0));
        disk.flip(&path, offset as usize, mask).unwrap();
    }
    disk.flip(&path, row.offset as usize + PAGE_HEADER_BYTES, 1).unwrap();
    let found = block(server.checkpoints.verify_snapshot(SnapshotId::Latest)).unwrap();
    assert_eq!(found.faults.len(), 1, "{found:?}");
    server.checkpoints.checkpoint_blocking().unwrap();
    let found = block(server.checkpoints.verify_snapshot(SnapshotId::Latest)).unwrap();
    assert!(found.faults.is_empty(), "{found:?}");
    assert_eq!(read_back(&disk).unwrap().registry.libraries().len(), 1);
}

fn manifest_path(id: u64) -> PathBuf {
    Path::new(CHECKPOINTS).join(crate::checkpoint::files::catalog::manifest_name(id))
}

#[test]
fn a_manifest_reads_as_it_was_written_with_many_and_long_ones() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    let long = "x".repeat(3 << 20);
    let all: Vec<Arc<Library>> = (0..5_000)
        .map(|at| {
            (
                format!("library_{at:05}"),
                if at % 1000 == 0 { long.as_str() } else { "short" },
            )
        })
        .map(|(name, code)| Arc::new(Library::new(name.as_bytes(), code.as_bytes())))
        .collect();
    server.exclusive(|txn| txn.put_libraries(&all, true).unwrap());
    let done = server.checkpoints.checkpoint_blocking().unwrap();
    assert!(disk.len(&manifest_path(done.id)).unwrap() < 1 << 20);
    let found = manifest(&disk, done.id);
    let files = open_page_files(&disk, Path::new(CHECKPOINTS), &found.head).unwrap();
    assert!(read_all(&files, &found).unwrap().iter().eq(all.iter()));
}

#[test]
fn restores_bring_back_those_of_the_moment_in_one_record() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    keep_all(&server);
    server.set("key", "first");
    let none = server.checkpoints.checkpoint_blocking().unwrap();
    server.put_library("a", &code("a"));
    let one = server.checkpoints.checkpoint_blocking().unwrap();
    server.put_library("b", &code("b"));
    let two = server.engine.wal().last_lsn();
    server.set("key", "second");
    server.exclusive(|txn| txn.delete_library(b"a").unwrap());
    server.sync();
    let restore = |server: &Server, moment| {
        block(server.checkpoints.restore(RestoreRequest { moment, only: None })).unwrap();
        libraries(&server.engine.registry())
    };
    assert_eq!(restore(&server, Moment::Checkpoint(one.id)), named(&["a"]));
    assert_eq!(restore(&server, Moment::Lsn(two)), named(&["a", "b"]));
    let before = server.engine.registry().libraries().changes();
    assert_eq!(restore(&server, Moment::Lsn(two)), named(&["a", "b"]));
    assert_eq!(
        server.engine.registry().libraries().changes(),
        before,
        "they are the same"
    );
    assert_eq!(restore(&server, Moment::Checkpoint(none.id)), named(&[]));
    // One collection alone brings none.
    let target = Target {
        name: "default".to_owned(),
        replace: true,
    };
    let only = Some(Only {
        name: "default".to_owned(),
        target,
    });
    let moment = Moment::Checkpoint(one.id);
    block(server.checkpoints.restore(RestoreRequest { moment, only })).unwrap();
    assert_eq!(libraries(&server.engine.registry()), named(&[]));
    assert_eq!(libraries(&read_back(&disk.crash()).unwrap().registry), named(&[]));
}

#[test]
fn a_power_cut_at_any_operation_of_a_restore_leaves_all_old_or_all_restored() {
    let base = FaultDisk::new(1);
    let mut server = Server::start(&base);
    server.set("key", "first");
    server.put_library("a", &code("a"));
    let done = server.checkpoints.checkpoint_blocking().unwrap();
    block(server.checkpoints.pin_snapshot(SnapshotId::Number(done.id), true)).unwrap();
    server.set("key", "second");
    server.put_library("b", &code("b"));
    server.exclusive(|txn| txn.delete_library(b"a").unwrap());
    server.sync();
    let new = server.dump();
    server.checkpoints.stop();
    drop(server);
    cut_everywhere(|nth| {
        let disk = base.fork().kill();
        let server = Server::start(&disk);
        disk.stop_at(nth);
        let moment = Moment::Checkpoint(done.id);
        let restored = block(server.checkpoints.restore(RestoreRequest { moment, only: None })).is_ok();
        let found = dump(&read_back(&disk.crash()).unwrap().registry);
        drop(server);
        let is_old = found[LIBRARIES].1.contains_key(&b"a"[..]);
        if is_old {
            assert_eq!(found["default"].1[&b"key"[..]].0, b"first");
            assert_eq!(found[LIBRARIES].1.len(), 1);
        } else {
            assert_eq!(found, new, "operation {nth}");
        }
        assert!(is_old || !restored, "operation {nth}");
        is_old
    });
}

#[test]
fn what_concerns_one_collection_leaves_them_alone() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    server.set("key", "value");
    server.put_library("a", &code("a"));
    block(server.checkpoints.persist("default")).unwrap();
    server.put_library("b", &code("b"));
    let before = server.engine.registry().libraries().changes();
    block(server.checkpoints.load("default", "loaded", Kind::Bcust, false)).unwrap();
    let target = Target {
        name: "copied".to_owned(),
        replace: false,
    };
    let source = "default".to_owned();
    let kind = Some(Kind::Bdef);
    block(server.checkpoints.copy(CopyRequest { source, target, kind })).unwrap();
    assert_eq!(server.engine.registry().libraries().changes(), before);
    let persisted = Path::new("/data/persist/default/manifest.lkm");
    let found = crate::checkpoint::files::manifest::Manifest::read(&disk, persisted).unwrap();
    assert!(found.libraries.is_empty());
}
