//! Backups that were taken while clocks were wrong: which is the newest, which has a time, which go.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::manifest::{MANIFEST, TEMPORARY};
use super::take::thin_out;
use super::*;
use crate::recovery::Until;
use crate::storage::{Disk, RealDisk};
use crate::time;
use crate::wal::Lsn;

/// 2026-11-25T00:00:00Z.
const DAY_MS: u64 = 1_795_564_800_000;
/// In the year 2099.
const AHEAD_MS: u64 = 4_085_000_000_000;
/// In the year 2020.
const BEHIND_MS: u64 = 1_590_000_000_000;

fn clock(hour: u64, minute: u64) -> u64 {
    DAY_MS + (hour * 60 + minute) * 60_000
}

/// A backup of the moments from a checkpoint to the last record: LSN and time of each.
fn backup(data_set: &str, (from, from_ms): (u64, u64), (lsn, taken_ms): (u64, u64)) -> Backup {
    let from = Lsn::new(from);
    let manifest = Manifest {
        format: Manifest::format(),
        program: String::new(),
        source: String::new(),
        data_set: data_set.to_owned(),
        taken_ms,
        lsn: Lsn::new(lsn),
        checkpoints: vec![Snapshot {
            id: 1,
            lsn: from,
            wall_ms: from_ms,
        }],
        log: Some(LogPart {
            first: from.next(),
            first_ms: from_ms,
        }),
        new_bytes: 0,
        files: Vec::new(),
    };
    let dir = PathBuf::from(format!("backup-{}", time::compact(taken_ms)));
    Backup { dir, manifest }
}

fn put(home: &Path, backups: &[&Backup]) {
    for backup in backups {
        let dir = home.join(&backup.dir);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join(TEMPORARY), "").unwrap();
        backup.manifest.write(&RealDisk, &dir).unwrap();
    }
}

/// A directory with these.
fn home_of(backups: &[&Backup]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    put(home.path(), backups);
    home
}

fn look(home: &TempDir) -> Place {
    Place::look(&RealDisk, home.path()).unwrap().unwrap()
}

fn names(place: &Place) -> Vec<String> {
    place.whole.iter().map(Backup::name).collect()
}

/// The name of the one that is chosen, or why there is none; and the notes.
fn chosen(home: &TempDir, until: Option<Until>) -> (Result<String, String>, Vec<String>) {
    let mut notes = Vec::new();
    let found = look(home).choose(home.path(), until, &mut |text| notes.push(text.to_owned()));
    (
        found.map(|backup| backup.name()).map_err(|error| error.to_string()),
        notes,
    )
}

fn at(home: &TempDir, at_ms: u64) -> Result<String, String> {
    chosen(home, Some(Until::Time(at_ms))).0
}

#[track_caller]
fn assert_names_both(why: Result<String, String>, backups: [&Backup; 2]) {
    let why = why.unwrap_err();
    assert!(backups.iter().all(|backup| why.contains(&backup.name())), "{why}");
}

#[test]
fn one_that_was_taken_by_a_clock_ahead_hides_no_newer_one() {
    let ahead = backup("a", (1, clock(6, 0)), (100, AHEAD_MS));
    let (next, last) = (
        backup("a", (1, clock(6, 0)), (150, clock(9, 0))),
        backup("a", (1, clock(6, 0)), (200, clock(10, 0))),
    );
    let home = home_of(&[&ahead, &next, &last]);
    assert_eq!(names(&look(&home)), [ahead.name(), next.name(), last.name()]);
    let (found, notes) = chosen(&home, None);
    assert_eq!(found.unwrap(), last.name());
    // It is told, since it may be a server that was set back, too.
    let is_told = |name: &str| notes.iter().any(|note| note.contains(name));
    assert!(notes.len() == 1 && is_told(&ahead.name()), "{notes:?}");
    assert_eq!(at(&home, clock(9, 30)).unwrap(), last.name());
    // Nobody knows the time to come.
    assert_names_both(at(&home, clock(11, 0)), [&ahead, &next]);
    // A damaged one may be newer than the newest, and is not hidden by the clock either.
    let damaged = home.path().join(format!("backup-{}", time::compact(clock(11, 0))));
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join(MANIFEST), "cut sho").unwrap();
    let why = chosen(&home, None).0.unwrap_err();
    assert!(why.contains(&damaged.display().to_string()), "{why}");
}

#[test]
fn a_time_is_that_of_the_newer_one_where_the_clock_was_set_right() {
    // At 8 the clock went to 11, where the older one is of 9; at half past 9 it was set right.
    let older = backup("a", (1, clock(6, 0)), (100, clock(12, 0)));
    let newer = backup("a", (1, clock(6, 0)), (200, clock(11, 0)));
    let home = home_of(&[&older, &newer]);
    assert_eq!(at(&home, clock(10, 30)).unwrap(), newer.name());
    assert_eq!(at(&home, clock(7, 0)).unwrap(), newer.name());
    // What the clock showed twice is not all in either of them.
    assert_names_both(at(&home, clock(11, 30)), [&older, &newer]);
    assert!(at(&home, clock(12, 1)).unwrap_err().contains("is in no backup"));
    let lsn = chosen(&home, Some(Until::Lsn(Lsn::new(100)))).0;
    assert_eq!(lsn.unwrap(), newer.name());
}

#[test]
fn a_time_that_only_an_older_one_with_a_wrong_clock_has_is_in_doubt() {
    let older = backup("a", (1, clock(6, 0)), (100, clock(12, 0)));
    let newer = backup("a", (150, clock(10, 45)), (200, clock(11, 0)));
    let home = home_of(&[&older, &newer]);
    assert_names_both(at(&home, clock(10, 30)), [&older, &newer]);
    // Another server's is no answer.
    put(home.path(), &[&backup("b", (1, clock(5, 0)), (50, clock(10, 50)))]);
    assert_names_both(at(&home, clock(10, 30)), [&older, &newer]);
    // One that was taken before the clock was wrong has its times.
    let right = backup("a", (1, clock(5, 0)), (50, clock(7, 30)));
    put(home.path(), &[&right]);
    assert_eq!(at(&home, clock(7, 0)).unwrap(), right.name());
    assert_names_both(at(&home, clock(10, 30)), [&older, &newer]);
    // By itself each is taken at its word.
    let alone = Place::look(&RealDisk, &home.path().join(&older.dir)).unwrap().unwrap();
    let found = alone.choose(home.path(), Some(Until::Time(clock(10, 30))), &mut |_| {});
    assert_eq!(found.unwrap().name(), older.name());
}

#[test]
fn one_that_begins_by_a_later_time_than_it_ends_has_times_all_the_same() {
    let older = backup("a", (1, clock(6, 0)), (100, clock(12, 0)));
    let newer = backup("a", (90, clock(11, 50)), (200, clock(11, 0)));
    let right = backup("a", (1, clock(5, 0)), (50, clock(7, 30)));
    let home = home_of(&[&older, &newer, &right]);
    assert_eq!(at(&home, clock(10, 30)).unwrap(), newer.name());
    assert_eq!(at(&home, clock(7, 0)).unwrap(), right.name());
    assert_names_both(at(&home, clock(11, 30)), [&older, &newer]);
}

/// Removes all but so many for a new one with that last record; names and notes.
fn thinned(home: &TempDir, lsn: u64, keep: u64) -> (Vec<String>, Vec<String>) {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let store = Store::open(&disk, home.path()).unwrap();
    let before = store.look().unwrap();
    let mut notes = Vec::new();
    let mut watcher = Watcher {
        progress: &mut |_, _| ControlFlow::Continue(()),
        note: &mut |text| notes.push(text.to_owned()),
    };
    let new = backup("a", (1, clock(6, 0)), (lsn, clock(12, 0)));
    let removed = thin_out(&store, &before.whole, &new, Some(keep), &mut watcher);
    (removed, notes)
}

#[test]
fn one_that_was_taken_by_a_clock_behind_is_not_the_first_to_go() {
    let (first, second) = (
        backup("a", (1, clock(6, 0)), (100, clock(8, 0))),
        backup("a", (1, clock(6, 0)), (200, clock(9, 0))),
    );
    let behind = backup("a", (1, clock(6, 0)), (300, BEHIND_MS));
    let home = home_of(&[&first, &second, &behind]);
    assert_eq!(names(&look(&home)), [first.name(), second.name(), behind.name()]);
    assert_eq!(chosen(&home, None).0.unwrap(), behind.name());
    let (removed, notes) = thinned(&home, 400, 2);
    assert_eq!(removed, [first.name(), second.name()], "{notes:?}");
    assert_eq!(names(&look(&home)), [behind.name()]);
}

#[test]
fn none_goes_while_the_server_is_behind_its_backups() {
    let (first, second) = (
        backup("a", (1, clock(6, 0)), (100, clock(8, 0))),
        backup("a", (1, clock(6, 0)), (200, clock(9, 0))),
    );
    let home = home_of(&[&first, &second]);
    let (removed, notes) = thinned(&home, 199, 2);
    assert!(removed.is_empty() && notes.len() == 1, "{removed:?} {notes:?}");
    assert!(notes[0].contains(&second.name()), "{notes:?}");
    // Nor is it told where there is nothing to remove.
    assert_eq!(thinned(&home, 199, 3), (Vec::new(), Vec::new()));
    assert_eq!(thinned(&home, 200, 2), (vec![first.name()], Vec::new()));
}

#[test]
fn data_sets_are_ordered_by_the_times_of_their_newest() {
    // While clocks are right it is the order in which they were taken.
    let (one, other, again) = (
        backup("b", (1, clock(6, 0)), (100, clock(8, 0))),
        backup("a", (1, clock(6, 0)), (500, clock(9, 0))),
        backup("b", (90, clock(7, 50)), (200, clock(10, 0))),
    );
    let home = home_of(&[&one, &other, &again]);
    assert_eq!(names(&look(&home)), [one.name(), other.name(), again.name()]);
    assert_eq!(at(&home, clock(7, 0)).unwrap(), other.name());
    assert_eq!(chosen(&home, None), (Ok(again.name()), Vec::new()));
    // A clock ahead makes none newer than another data set's but the one that was taken last.
    let ahead = backup("c", (1, clock(6, 0)), (100, AHEAD_MS));
    let right = backup("c", (1, clock(6, 0)), (200, clock(9, 30)));
    put(home.path(), &[&ahead, &right]);
    let expected = [&one, &other, &ahead, &right, &again].map(Backup::name);
    assert_eq!(names(&look(&home)), expected);
    assert_eq!(chosen(&home, None).0.unwrap(), again.name());
}
