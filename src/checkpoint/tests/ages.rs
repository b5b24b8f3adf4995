//! What is kept for a time, under clocks that go wrong: it goes when it is old, neither before nor never.

use std::time::{Duration, Instant};

use super::super::files::catalog::Catalog;
use super::super::runner::SteadyClock;
use super::*;
use crate::checkpoint::SnapshotId;

/// When the tests begin, Unix milliseconds.
const BEGIN_MS: u64 = 1_700_000_000_000;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// What is younger is kept.
const KEEP_AGE_S: u64 = DAY_MS / 1000;

/// A clock that is set right at the beginning, and the time that passes.
struct Passing {
    clock: SteadyClock,
    begun: Instant,
}

impl Passing {
    fn new() -> Self {
        let begun = Instant::now();
        Self {
            clock: SteadyClock::new(BEGIN_MS, begun),
            begun,
        }
    }

    /// What is shown after `passed_ms`, when the wall clock shows `wall_ms`.
    fn now_ms(&mut self, passed_ms: u64, wall_ms: u64) -> u64 {
        self.clock
            .now_ms(wall_ms, self.begun + Duration::from_millis(passed_ms))
    }
}

/// Checkpoints of these times, oldest first.
fn catalog_of(disk: &FaultDisk, times_ms: &[u64]) -> Catalog {
    let mut server = Server::start_with(disk, None);
    server.set("key", "value");
    server.checkpoints.checkpoint_blocking().unwrap();
    server.checkpoints.stop();
    let mut catalog = Catalog::open(Arc::new(disk.clone()), CHECKPOINTS.into()).unwrap();
    let first = catalog.resolve(SnapshotId::Latest).unwrap();
    for wall_ms in times_ms {
        take(&mut catalog, *wall_ms);
    }
    catalog.delete(first).unwrap();
    catalog
}

/// Takes another one of what the newest has, when the wall clock shows `wall_ms`.
fn take(catalog: &mut Catalog, wall_ms: u64) {
    let newest = catalog.resolve(SnapshotId::Latest).unwrap();
    let mut manifest = catalog.manifest(newest).unwrap();
    manifest.head.id = catalog.take_id();
    manifest.head.wall_ms = wall_ms;
    catalog.publish(&mut manifest).unwrap();
}

/// The times of those that are kept when it is `now_ms`.
fn kept_at(catalog: &mut Catalog, now_ms: u64) -> Vec<u64> {
    catalog.retain(1, KEEP_AGE_S, now_ms).unwrap();
    catalog.heads().map(|head| head.wall_ms).collect()
}

#[test]
fn a_steady_clock_goes_forward_only_as_time_passes() {
    let mut passing = Passing::new();
    assert_eq!(passing.now_ms(5, BEGIN_MS + 5), BEGIN_MS + 5);
    assert_eq!(passing.now_ms(10, BEGIN_MS + DAY_MS), BEGIN_MS + 10, "set forward");
    assert_eq!(passing.now_ms(20, BEGIN_MS + 20), BEGIN_MS + 20, "and right again");
    assert_eq!(passing.now_ms(30, BEGIN_MS - DAY_MS), BEGIN_MS - DAY_MS, "set back");
    assert_eq!(passing.now_ms(40, BEGIN_MS + 40), BEGIN_MS - DAY_MS + 10);
    assert_eq!(
        passing.now_ms(20, u64::MAX),
        BEGIN_MS - DAY_MS,
        "asked for a time before"
    );
}

#[test]
fn a_clock_that_is_ahead_for_a_while_removes_no_checkpoint() {
    let disk = FaultDisk::new(1);
    let times = [BEGIN_MS - 2 * HOUR_MS, BEGIN_MS - HOUR_MS, BEGIN_MS];
    let mut catalog = catalog_of(&disk, &times);
    let mut passing = Passing::new();
    let now_ms = passing.now_ms(5 * MINUTE_MS, BEGIN_MS + 2 * DAY_MS);
    assert_eq!(kept_at(&mut catalog, now_ms), times);
    let now_ms = passing.now_ms(HOUR_MS, BEGIN_MS + HOUR_MS);
    assert_eq!(kept_at(&mut catalog, now_ms), times);
    let now_ms = passing.now_ms(22 * HOUR_MS, BEGIN_MS + 22 * HOUR_MS);
    assert_eq!(kept_at(&mut catalog, now_ms), times[1..], "it is a day old");
}

#[test]
fn a_clock_that_is_ahead_for_a_while_removes_no_segment() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    for number in 0..200 {
        server.set_at(&format!("key:{number}"), &"value".repeat(20), BEGIN_MS);
    }
    server.sync();
    let (wal, mut passing) = (server.engine.wal(), Passing::new());
    let trim = |now_ms| wal.trim(Lsn::MAX, KEEP_AGE_S, now_ms).unwrap();
    assert!(wal.stats().segments > 2);
    assert_eq!(trim(passing.now_ms(5 * MINUTE_MS, BEGIN_MS + 2 * DAY_MS)), 0);
    assert_eq!(trim(passing.now_ms(HOUR_MS, BEGIN_MS + HOUR_MS)), 0);
    assert!(trim(passing.now_ms(DAY_MS, BEGIN_MS + DAY_MS)) > 0);
}

#[test]
fn a_checkpoint_of_a_time_to_come_is_as_old_as_the_next_one() {
    for ahead_ms in [2 * DAY_MS, 5000 * DAY_MS] {
        let disk = FaultDisk::new(1);
        let times = [BEGIN_MS + ahead_ms, BEGIN_MS + HOUR_MS];
        let mut catalog = catalog_of(&disk, &times);
        assert_eq!(kept_at(&mut catalog, BEGIN_MS + 2 * HOUR_MS), times);
        // Likewise after a start.
        drop(catalog);
        let mut catalog = Catalog::open(Arc::new(disk.clone()), CHECKPOINTS.into()).unwrap();
        assert_eq!(kept_at(&mut catalog, BEGIN_MS + DAY_MS), times);
        assert_eq!(kept_at(&mut catalog, BEGIN_MS + DAY_MS + HOUR_MS), times[1..]);
    }
}

/// The wall clock is put right by a step, which ages do not follow: what is taken then is always of a time to come.
#[test]
fn checkpoints_go_also_where_the_clock_was_behind_at_the_start() {
    let disk = FaultDisk::new(1);
    let right_ms = BEGIN_MS + 5000 * DAY_MS;
    let mut catalog = catalog_of(&disk, &[right_ms]);
    let mut passing = Passing::new();
    for hours in 1..=24 {
        take(&mut catalog, right_ms + hours * HOUR_MS);
        let now_ms = passing.now_ms(hours * HOUR_MS, right_ms + hours * HOUR_MS);
        assert_eq!(kept_at(&mut catalog, now_ms).len() as u64, hours + 1);
    }
    let now_ms = passing.now_ms(27 * HOUR_MS, right_ms + 27 * HOUR_MS);
    let kept = kept_at(&mut catalog, now_ms);
    assert_eq!(kept.first(), Some(&(right_ms + 4 * HOUR_MS)), "{kept:?}");
}

#[test]
fn a_checkpoint_of_a_clock_that_was_behind_makes_no_other_one_old() {
    let disk = FaultDisk::new(1);
    let times = [BEGIN_MS - 2 * HOUR_MS, BEGIN_MS - HOUR_MS, 1000, BEGIN_MS];
    let mut catalog = catalog_of(&disk, &times);
    assert_eq!(kept_at(&mut catalog, BEGIN_MS), times);
    assert_eq!(kept_at(&mut catalog, BEGIN_MS + 22 * HOUR_MS), times[1..]);
    assert_eq!(kept_at(&mut catalog, BEGIN_MS + 23 * HOUR_MS), times[3..]);
}
