//! Chains of checkpoints that build on each other: every one kept is the data of its instant, through restarts,
//! compaction and retention; and what the control file guards.

use std::sync::atomic::Ordering::Relaxed;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::super::CheckpointDone;
use super::super::files::base::FILES_MAX;
use super::super::files::catalog::{Catalog, manifest_name, page_file_name};
use super::super::files::control::Control;
use super::super::files::format::ManifestKind;
use super::super::files::manifest::Manifest;
use super::super::files::verify::{Event, Expected, verify_manifest};
use super::*;
use crate::engine::index::Kind;
use crate::test_histories::each;

fn path_of(name: &str) -> PathBuf {
    Path::new(CHECKPOINTS).join(name)
}

pub(super) fn manifest(disk: &FaultDisk, id: u64) -> Manifest {
    Manifest::read(disk, &path_of(&manifest_name(id))).unwrap()
}

/// What a kept checkpoint holds.
pub(super) fn snapshot(disk: &FaultDisk, id: u64) -> Dump {
    dump(&registry_of(disk, id))
}

/// What a kept checkpoint holds: read as if it were the newest, with its files alone.
pub(super) fn registry_of(disk: &FaultDisk, id: u64) -> Registry {
    let copy = FaultDisk::new(0);
    copy.create_dir_all(Path::new(CHECKPOINTS)).unwrap();
    let head = manifest(disk, id).head;
    let names = head.files.iter().map(|file| page_file_name(*file));
    for name in names.chain([manifest_name(id)]) {
        copy.put(path_of(&name), &disk.read(&path_of(&name)).unwrap());
    }
    let control = Control {
        data_set: head.data_set,
        checkpoint: id,
        lsn: head.lsn,
        pins: Default::default(),
    };
    control.write(&copy, Path::new(CHECKPOINTS)).unwrap();
    read_back(&copy).unwrap().registry
}

/// A checkpoint is whole.
pub(super) fn verify(disk: &FaultDisk, id: u64) {
    let expected = Expected {
        kind: ManifestKind::Checkpoint,
        id: Some(id),
    };
    let path = path_of(&manifest_name(id));
    verify_manifest(disk, &path, expected, &mut |event| {
        if let Event::Fault(error) = event {
            panic!("checkpoint {id}: {error}");
        }
    });
}

fn checkpoint(server: &Server) -> CheckpointDone {
    server.checkpoints.checkpoint_blocking().unwrap()
}

/// A server with collections of every kind, keeping so many checkpoints.
fn start(disk: &FaultDisk, keep: u64) -> Server {
    let mut server = Server::start_with(disk, Some(Fsync::EverySec));
    for kind in [Kind::Bdef, Kind::Bcust] {
        if server.engine.registry().by_name(kind.name()).is_none() {
            server.exclusive(|txn| txn.create(None, kind.name(), kind).unwrap());
        }
    }
    server.checkpoints.shared.settings.keep_count.store(keep, Relaxed);
    server
}

fn databases(server: &Server) -> Vec<DatabaseId> {
    let registry = server.engine.registry();
    let named = [Kind::Bdef, Kind::Bcust].map(|kind| registry.by_name(kind.name()).unwrap().id);
    [0, 1].map(DatabaseId::new).into_iter().chain(named).collect()
}

/// Changes keys: anywhere, in a run, or none at all; returns how many.
fn churn(server: &mut Server, random: &mut SmallRng) -> u64 {
    let databases = databases(server);
    let run = random.random_range(0..5000);
    let steps: u64 = random.random_range(0..600);
    for step in 0..steps {
        let database = databases[random.random_range(0..databases.len())];
        let number = if random.random_bool(0.5) {
            run + step
        } else {
            random.random_range(0..6000)
        };
        let key = format!("key:{number:05}").into_bytes();
        let choice = random.random_range(0..100);
        let value = format!("{step} ").repeat(random.random_range(1..20));
        server.change(database, &key, |txn| match choice {
            0..30 => drop(txn.delete(&key)),
            30 => put(txn, &key, &vec![b'x'; 50_000]),
            31..40 => txn.expire_at(&key, Some(4_000_000_000_000 + step)),
            _ => put(txn, &key, value.as_bytes()),
        });
    }
    if random.random_range(0..20) == 0 {
        let id = server
            .engine
            .registry()
            .slot(DatabaseId::new(1))
            .unwrap()
            .collection
            .id();
        server.exclusive(|txn| txn.flush(id).unwrap());
    }
    steps
}

#[test]
fn every_kept_checkpoint_of_a_chain_is_the_data_of_its_instant() {
    each(chain);
}

/// A chain of checkpoints; how many changes there were between them.
fn chain(seed: u64) -> u64 {
    let mut steps = 0;
    let mut random = SmallRng::seed_from_u64(seed);
    let mut disk = FaultDisk::new(seed);
    let mut server = start(&disk, 4);
    let mut taken: BTreeMap<u64, Dump> = BTreeMap::new();
    for round in 0..60 {
        steps += churn(&mut server, &mut random);
        server
            .checkpoints
            .shared
            .settings
            .is_lz4
            .store(random.random_bool(0.5), Relaxed);
        let done = checkpoint(&server);
        taken.insert(done.id, server.dump());
        let ids = manifest_ids(&disk);
        assert!(ids.len() <= 4 && ids.last() == Some(&done.id), "round {round}: {ids:?}");
        let id = ids[random.random_range(0..ids.len())];
        assert!(
            snapshot(&disk, id) == taken[&id],
            "round {round}: checkpoint {id} differs"
        );
        verify(&disk, id);
        if random.random_range(0..6) == 0 {
            steps += churn(&mut server, &mut random);
            server.sync();
            let expected = server.dump();
            let before = server.totals_of("bcust");
            let killed = if random.random_bool(0.5) {
                disk.kill()
            } else {
                disk.crash()
            };
            drop(server);
            disk = killed;
            server = start(&disk, 4);
            assert!(server.dump() == expected, "round {round}: after the restart");
            let after = server.totals_of("bcust");
            assert_eq!((before.keys, before.expires), (after.keys, after.expires));
        }
    }
    for id in manifest_ids(&disk) {
        assert!(snapshot(&disk, id) == taken[&id], "checkpoint {id} differs");
        verify(&disk, id);
    }
    steps
}

#[test]
fn only_what_changed_is_written_also_after_a_restart() {
    let disk = FaultDisk::new(3);
    let mut server = start(&disk, 1);
    for database in databases(&server) {
        for i in 0..20_000 {
            let key = format!("key:{i:06}").into_bytes();
            server.change(database, &key, |txn| put(txn, &key, &[b'v'; 60]));
        }
    }
    let full = checkpoint(&server);
    assert_eq!(full.pages, full.written_pages);
    assert_eq!(checkpoint(&server).written_pages, 0);
    server.sync();
    let disk = disk.kill();
    drop(server);
    let mut server = start(&disk, 1);
    assert_eq!(
        checkpoint(&server).written_pages,
        0,
        "identities and versions outlive the restart"
    );
    let bcust = databases(&server)[3];
    for i in 5000..5200 {
        let key = format!("key:{i:06}").into_bytes();
        server.change(bcust, &key, |txn| put(txn, &key, b"changed"));
    }
    let run = checkpoint(&server);
    assert!((1..=4).contains(&run.written_pages), "{run:?}");
    assert!(run.bytes < full.bytes / 20, "{} of {} bytes", run.bytes, full.bytes);
    assert_eq!(snapshot(&disk, run.id), server.dump());
}

#[test]
fn sparse_and_many_page_files_are_compacted_away() {
    let disk = FaultDisk::new(3);
    let mut server = start(&disk, 2);
    for i in 0..8_000 {
        server.set(&format!("key:{i}"), "first");
    }
    let first = checkpoint(&server).id;
    for i in 0..8_000 {
        server.set(&format!("key:{i}"), "second");
        if i % 500 == 0 {
            checkpoint(&server);
        }
    }
    checkpoint(&server);
    checkpoint(&server);
    let head = manifest(&disk, *manifest_ids(&disk).last().unwrap()).head;
    assert!(!head.files.contains(&first), "{:?}", head.files);
    for i in 0..3 * FILES_MAX {
        server.set(&format!("one:{i}"), "more");
        let id = checkpoint(&server).id;
        let head = manifest(&disk, id).head;
        assert!(head.files.len() <= FILES_MAX + 1, "{:?}", head.files);
        let named: Vec<_> = head.files.iter().map(|file| path_of(&page_file_name(*file))).collect();
        let on_disk: u64 = named.iter().map(|path| disk.len(path).unwrap()).sum();
        assert!(
            on_disk < head.referenced_bytes * 3,
            "{on_disk} bytes for {}",
            head.referenced_bytes
        );
    }
    let last = *manifest_ids(&disk).last().unwrap();
    assert_eq!(snapshot(&disk, last), server.dump());
}

#[test]
fn what_was_committed_last_must_be_there() {
    let disk = FaultDisk::new(3);
    let mut server = start(&disk, 3);
    for i in 0..3 {
        server.set("key", &i.to_string());
        checkpoint(&server);
    }
    server.checkpoints.stop();
    let refused = |change: &dyn Fn(&FaultDisk), expected: &str| {
        let copy = checkpoints_only(&disk);
        change(&copy);
        let error = read_back(&copy).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        let all = files(&copy, CHECKPOINTS);
        let opened = Catalog::open(Arc::new(copy.clone()), CHECKPOINTS.into());
        assert!(
            opened.is_err() && files(&copy, CHECKPOINTS) == all,
            "nothing is removed"
        );
    };
    let control = Control::path(Path::new(CHECKPOINTS));
    refused(
        &|disk| disk.remove(&path_of(&manifest_name(3))).unwrap(),
        "checkpoint 3 at LSN",
    );
    refused(&|disk| disk.remove(&control).unwrap(), "control.lkc is missing");
    refused(
        &|disk| (1..4).for_each(|id| disk.remove(&path_of(&manifest_name(id))).unwrap()),
        "there is none",
    );
    // A crash right after the manifest's rename leaves a control file that is older.
    let older = checkpoints_only(&disk);
    let mut content = Control::read(&older, Path::new(CHECKPOINTS)).unwrap().unwrap();
    content.checkpoint = 2;
    content.write(&older, Path::new(CHECKPOINTS)).unwrap();
    assert_eq!(read_back(&older).unwrap().checkpoint.unwrap().id, 3);
    content.data_set ^= 1;
    content.write(&older, Path::new(CHECKPOINTS)).unwrap();
    let error = read_back(&older).err().unwrap().to_string();
    assert!(error.contains("data set"), "{error}");
}
