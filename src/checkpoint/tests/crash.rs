//! Failures and power cuts at each step of a checkpoint: the data is whole before, during and after.

use super::fixture::fill_containers;
use super::*;
use crate::checkpoint::SnapshotId;

fn base() -> (FaultDisk, Dump) {
    base_of(Kind::Hmap)
}

fn base_of(kind: Kind) -> (FaultDisk, Dump) {
    let disk = FaultDisk::new(7);
    let mut server = Server::start_of(&disk, Some(Fsync::Always), kind);
    for i in 0..400 {
        server.set(&format!("key:{i}"), "first");
    }
    server.checkpoints.checkpoint_blocking().unwrap();
    for i in 200..600 {
        server.set(&format!("key:{i}"), "second");
    }
    server.sync();
    let dump = server.dump();
    server.checkpoints.stop();
    (disk, dump)
}

#[test]
fn a_power_cut_at_any_operation_of_a_checkpoint_loses_nothing() {
    for kind in [Kind::Hmap, Kind::Bcust] {
        power_cuts(base_of(kind), 1);
    }
}

#[test]
fn a_power_cut_at_any_operation_of_a_checkpoint_of_parts_loses_nothing() {
    for kind in [Kind::Hmap, Kind::Bcust] {
        let disk = FaultDisk::new(7);
        let mut server = Server::start_of(&disk, Some(Fsync::Always), kind);
        fill_containers(&mut server, 0..1000);
        server.checkpoints.checkpoint_blocking().unwrap();
        fill_containers(&mut server, 1000..1010);
        server.sync();
        let dump = server.dump();
        server.checkpoints.stop();
        power_cuts((disk, dump), 1);
    }
}

#[test]
fn a_power_cut_within_the_first_checkpoint_of_this_version_loses_nothing() {
    let disk = fixture::read(fixture::FIXTURE_BEFORE);
    let mut server = Server::start(&disk);
    fill_containers(&mut server, 0..1000);
    server.sync();
    let dump = server.dump();
    server.checkpoints.stop();
    power_cuts((disk, dump), 2);
}

/// Cuts at each operation of the checkpoint after `newest`.
fn power_cuts((base, expected): (FaultDisk, Dump), newest: u64) {
    let mut completed = false;
    for nth in 0.. {
        let disk = base.fork().kill();
        let server = Server::start(&disk);
        let sequence = server.engine.wal().last_lsn();
        server.sync();
        disk.stop_at(nth);
        let outcome = server.checkpoints.checkpoint_blocking();
        let reached = server.checkpoints.stats().completed == 1;
        let after = disk.crash();
        drop(server);
        for threads in [1, 2] {
            let found = recover(Arc::new(after.clone()), options(threads), |_| ControlFlow::Continue(()));
            let found = found.unwrap_or_else(|error| panic!("operation {nth}: {error}"));
            assert_eq!(dump(&found.registry), expected, "operation {nth}");
            let id = found.checkpoint.unwrap().id;
            assert!(
                id == newest && !reached || id == newest + 1,
                "operation {nth}: checkpoint {id}, reached {reached}"
            );
            assert!(found.next_lsn > sequence, "operation {nth}");
        }
        // The server that starts there can go on, and takes checkpoints.
        let mut server = Server::start(&after);
        server.set("more", "1");
        server.checkpoints.checkpoint_blocking().unwrap();
        assert_eq!(dump(&read_back(&after.crash()).unwrap().registry), server.dump());
        if outcome.is_ok() && nth > 40 {
            completed = true;
            break;
        }
    }
    assert!(completed);
}

#[test]
fn a_failed_step_leaves_the_previous_checkpoint_and_the_next_attempt_succeeds() {
    let (base, expected) = base();
    type Fault = fn(&FaultDisk);
    let faults: [(&str, Fault); 5] = [
        ("write", |disk| disk.fail_write(0)),
        ("sync", |disk| disk.fail_sync(0)),
        ("second sync", |disk| disk.fail_sync(1)),
        ("rename", |disk| disk.fail_rename(0)),
        ("directory sync", |disk| disk.fail_sync_dir(1)),
    ];
    for (name, fault) in faults {
        let disk = base.fork().kill();
        let mut server = Server::start(&disk);
        // The first one opens the catalog, so that the fault hits the act itself.
        server.sync();
        // Nor is the log's mark to be in its way.
        std::thread::sleep(std::time::Duration::from_secs(1));
        let first_lsn = server.engine.wal().first_lsn();
        fault(&disk);
        let error = server.checkpoints.checkpoint_blocking().unwrap_err().to_string();
        assert!(error.contains(CHECKPOINTS), "{name}: {error}");
        assert_eq!(server.checkpoints.last_error(), Some(error), "{name}");
        assert!(!server.checkpoints.is_running());
        assert_eq!(
            server.engine.wal().first_lsn(),
            first_lsn,
            "{name}: the WAL was trimmed"
        );
        let names = files(&disk, CHECKPOINTS);
        assert!(
            names.iter().all(|file| file.extension().unwrap() != "tmp"),
            "{name}: {names:?}"
        );
        assert_eq!(
            dump(&read_back(&disk.fork().crash()).unwrap().registry),
            expected,
            "{name}"
        );
        disk.clear_faults();
        server.set("more", "1");
        server.checkpoints.checkpoint_blocking().unwrap();
        assert_eq!(server.checkpoints.last_error(), None, "{name}");
        assert_eq!(manifest_ids(&disk).len(), 1, "{name}");
        assert_eq!(
            dump(&read_back(&disk.crash()).unwrap().registry),
            server.dump(),
            "{name}"
        );
    }
}

#[test]
fn a_pin_that_was_not_saved_is_not_shown() {
    let disk = FaultDisk::new(7);
    let mut server = Server::start_with(&disk, None);
    server.set("key", "value");
    server.checkpoints.checkpoint_blocking().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let pins = || {
        let kept = server.checkpoints.kept().unwrap();
        kept.iter().map(|snapshot| snapshot.is_pinned).collect::<Vec<_>>()
    };
    let pin = || runtime.block_on(server.checkpoints.pin_snapshot(SnapshotId::Latest, true));
    disk.break_down();
    pin().unwrap_err();
    assert_eq!(pins(), [false]);
    disk.clear_faults();
    runtime.block_on(server.checkpoints.snapshots()).unwrap();
    assert_eq!(pins(), [false], "nor is it on the disk");
    pin().unwrap();
    assert_eq!(pins(), [true]);
}

#[test]
fn a_full_disk_fails_the_checkpoint_and_nothing_else() {
    let (base, expected) = base();
    let disk = base.kill();
    let server = Server::start(&disk);
    server.sync();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let sizes = [CHECKPOINTS, LOG].map(|dir| files(&disk, dir));
    let used: u64 = sizes.iter().flatten().map(|path| disk.len(path).unwrap()).sum();
    disk.limit_bytes(used + 100);
    let error = server.checkpoints.checkpoint_blocking().unwrap_err().to_string();
    assert!(error.contains("space") || error.contains("full"), "{error}");
    assert_eq!(
        [CHECKPOINTS, LOG].map(|dir| files(&disk, dir)),
        sizes,
        "what was there before"
    );
    disk.clear_faults();
    assert_eq!(dump(&read_back(&disk.fork().crash()).unwrap().registry), expected);
    server.checkpoints.checkpoint_blocking().unwrap();
}

#[test]
fn the_log_alone_and_the_checkpoint_alone_are_enough() {
    let disk = FaultDisk::new(9);
    let mut server = Server::start(&disk);
    for i in 0..500 {
        server.set(&format!("key:{i}"), "1");
    }
    server.sync();
    let expected = server.dump();
    let found = read_back(&disk.fork().crash()).unwrap();
    assert_eq!(dump(&found.registry), expected);
    assert!(found.checkpoint.is_none() && found.effects >= 500 && found.keys == 500);
    server.checkpoints.checkpoint_blocking().unwrap();
    let found = read_back(&checkpoints_only(&disk)).unwrap();
    assert_eq!(dump(&found.registry), expected);
    assert_eq!((found.effects, found.keys), (0, 500));
}

#[test]
fn a_log_that_does_not_reach_back_to_the_checkpoint_is_refused() {
    let disk = FaultDisk::new(9);
    let mut server = Server::start(&disk);
    for i in 0..500 {
        server.set(&format!("key:{i}"), &"x".repeat(100));
    }
    server.checkpoints.checkpoint_blocking().unwrap();
    assert!(server.engine.wal().first_lsn() > Lsn::FIRST, "the log was trimmed");
    server.sync();
    let disk = disk.crash();
    for path in files(&disk, CHECKPOINTS) {
        disk.remove(&path).unwrap();
    }
    let error = read_back(&disk).err().unwrap().to_string();
    assert!(error.contains("record 1 is missing") && error.contains(LOG), "{error}");
}

#[test]
fn the_log_can_be_switched_off_and_on_again() {
    let (base, expected) = base();
    let disk = base.kill();
    let mut server = Server::start_with(&disk, None);
    assert_eq!(server.dump(), expected, "the log that was there is replayed");
    for i in 0..100 {
        server.set(&format!("unlogged:{i}"), "1");
    }
    // Without a checkpoint what is not logged is lost.
    let mut again = Server::start(&disk.fork().crash());
    assert_eq!(again.dump(), expected);
    again.set("x", "y");
    server.checkpoints.checkpoint_blocking().unwrap();
    let expected = server.dump();
    let disk = disk.crash();
    let mut server = Server::start(&disk);
    assert_eq!(server.dump(), expected);
    server.set("logged", "1");
    server.sync();
    let disk = disk.crash();
    let mut server = Server::start(&disk);
    assert_eq!(server.dump()["default"].1.len(), 701);
    server.set("more", "1");
    server.checkpoints.checkpoint_blocking().unwrap();
    server.sync();
    assert_eq!(dump(&read_back(&disk.crash()).unwrap().registry), server.dump());
}

#[test]
fn old_checkpoints_are_kept_by_count_and_age() {
    let disk = FaultDisk::new(4);
    let mut server = Server::start(&disk);
    let settings = Arc::clone(&server.checkpoints.shared.settings);
    settings.keep_count.store(3, std::sync::atomic::Ordering::Relaxed);
    for i in 0..6 {
        server.set("key", &i.to_string());
        server.checkpoints.checkpoint_blocking().unwrap();
    }
    assert_eq!(manifest_ids(&disk), [4, 5, 6]);
    settings.keep_age_s.store(3600, std::sync::atomic::Ordering::Relaxed);
    for i in 0..3 {
        server.set("key", &i.to_string());
        server.checkpoints.checkpoint_blocking().unwrap();
    }
    assert_eq!(manifest_ids(&disk), [4, 5, 6, 7, 8, 9]);
    assert_eq!(server.checkpoints.stats().kept, 6);
}
