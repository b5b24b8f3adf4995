//! Collections that are brought in while the log fails: what is half filled goes at once, and what has taken its place
//! is said to be done.

use std::time::{Duration, Instant};

use super::named::assert_counted;
use super::*;
use crate::checkpoint::{CopyRequest, Moment, RestoreRequest, Target};

/// How soon the log goes on once the disk does.
const HEALED_MAX: Duration = Duration::from_secs(20);
/// What befalls the disk at a later write: it has no room for that one, so that the log goes on where it was; or it
/// does nothing from then on, so that the log goes on behind a checkpoint.
const FAULTS: [fn(&FaultDisk, u64); 2] = [FaultDisk::fail_write, FaultDisk::stop_at];
const KEYS: u64 = 900;

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

/// Copies the default collection; how many keys it had.
fn copy(server: &Server) -> Result<u64, String> {
    let request = CopyRequest {
        source: "default".to_owned(),
        target: Target {
            name: "copy".to_owned(),
            replace: true,
        },
        kind: None,
    };
    let done = block(server.checkpoints.copy(request));
    done.map(|done| done.entries).map_err(|error| error.to_string())
}

/// A server that syncs only when it is asked to, so that each record is written by whoever made it; all is synced.
fn filled(disk: &FaultDisk) -> Server {
    let mut server = Server::start_with(disk, Some(Fsync::No));
    for number in 0..KEYS {
        server.set(&format!("key:{number}"), &format!("value {number}"));
    }
    server.sync();
    server
}

fn await_healed(server: &Server) {
    let since = Instant::now();
    while server.engine.wal().is_failed() || server.checkpoints.stats().running {
        let failure = server.engine.wal().failure();
        assert!(since.elapsed() < HEALED_MAX, "{failure:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a start finds after a power cut now.
fn after_power_cut(disk: &FaultDisk) -> Dump {
    dump(&read_back(&disk.fork().crash()).unwrap().registry)
}

#[test]
fn what_a_failed_log_cuts_short_goes_at_once() {
    for fault in FAULTS {
        for nth in [2, 9, 25] {
            let disk = FaultDisk::new(nth);
            let mut server = filled(&disk);
            let before = server.dump();
            fault(&disk, nth);
            let refused = copy(&server).unwrap_err();
            let is_refused = refused.starts_with("the WAL has failed") && !refused.contains("is done");
            assert!(is_refused, "write {nth}: {refused}");
            let registry = server.engine.registry();
            assert_eq!(registry.collections().count(), before.len(), "write {nth}");
            drop(registry);
            assert_counted(&server);
            assert_eq!(after_power_cut(&disk), before, "write {nth}");
            disk.clear_faults();
            await_healed(&server);
            server.set("after", "it goes on");
            server.sync();
            assert_eq!(after_power_cut(&disk), server.dump(), "write {nth}");
            // Its identity is not given out again.
            assert_eq!(copy(&server), Ok(KEYS + 1));
            assert_eq!(after_power_cut(&disk), server.dump(), "write {nth}");
            server.checkpoints.checkpoint_blocking().unwrap();
            let kept = dump(&read_back(&checkpoints_only(&disk)).unwrap().registry);
            assert_eq!(kept, server.dump(), "write {nth}");
        }
    }
}

#[test]
fn a_power_cut_while_the_log_goes_on_behind_what_it_cut_short_leaves_what_was() {
    let base = FaultDisk::new(5);
    let server = filled(&base);
    let before = server.dump();
    server.checkpoints.stop();
    cut_everywhere(|nth| {
        let disk = base.fork().kill();
        let server = Server::start_with(&disk, Some(Fsync::No));
        disk.stop_at(20);
        let refused = copy(&server).unwrap_err();
        assert!(refused.starts_with("the WAL has failed"), "{refused}");
        disk.clear_faults();
        disk.stop_at(nth);
        let goes_on = server.checkpoints.checkpoint_blocking().is_ok();
        let found = dump(&read_back(&disk.crash()).unwrap().registry);
        assert_eq!(found, before, "operation {nth}");
        goes_on
    });
}

#[test]
fn what_is_done_is_said_to_be_so_where_the_log_fails_behind_it() {
    let disk = FaultDisk::new(3);
    let mut server = filled(&disk);
    let original = server.dump()["default"].1.clone();
    // There is one sync only, behind the publication.
    disk.fail_sync(0);
    let told = copy(&server).unwrap_err();
    assert!(
        told.contains("is done") && told.contains("not known to be on disk"),
        "{told}"
    );
    assert_eq!(server.dump()["copy"].1, original);
    await_healed(&server);
    assert_eq!(after_power_cut(&disk), server.dump());
    let (checkpoint, then) = (server.checkpoints.checkpoint_blocking().unwrap().id, server.dump());
    server.set("key:1", "changed");
    server.sync();
    disk.fail_sync(0);
    let request = RestoreRequest {
        moment: Moment::Checkpoint(checkpoint),
        only: None,
    };
    let told = block(server.checkpoints.restore(request)).unwrap_err().to_string();
    assert!(
        told.contains("is done") && told.contains("not known to be on disk"),
        "{told}"
    );
    assert_eq!(server.dump(), then);
    await_healed(&server);
    assert_eq!(after_power_cut(&disk), then);
}
