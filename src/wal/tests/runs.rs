//! Runs: where records are missing between segments, told by an open log and by its files.

use std::time::{Duration, Instant};

use super::*;

fn numbers(runs: &[Run]) -> Vec<(u64, u64)> {
    runs.iter().map(|run| (run.first.get(), run.last.get())).collect()
}

fn on_disk(disk: &FaultDisk) -> Vec<(u64, u64)> {
    numbers(&runs(disk, Path::new(DIR)).unwrap())
}

fn append_synced(wal: &Wal, log: &mut WorkerLog) -> Lsn {
    append(log);
    let last = log.submit();
    wal.sync_blocking(last).unwrap();
    last
}

#[test]
fn a_whole_log_is_one_run() {
    let disk = written(1, 200, 600);
    assert!(segment::list(&disk, Path::new(DIR)).unwrap().len() > 5);
    assert_eq!(on_disk(&disk), [(1, 200)]);
    let wal = open(&disk, segments_of(600, Fsync::Always), Lsn::new(201)).unwrap();
    assert_eq!(numbers(&wal.runs()), [(1, 200)]);
    append_synced(&wal, &mut wal.log());
    assert_eq!(numbers(&wal.runs()), [(1, 201)]);
    wal.trim(Lsn::new(100), 0, u64::MAX).unwrap();
    let first = wal.first_lsn().get();
    assert!(first > 1);
    assert_eq!(
        (numbers(&wal.runs()), on_disk(&disk)),
        (vec![(first, 201)], vec![(first, 201)])
    );
}

#[test]
fn a_log_that_failed_and_went_on_has_a_gap() {
    for (seed, count) in (0..6).zip([1, 3, 20, 21, 22, 50]) {
        let disk = FaultDisk::new(seed);
        let small = segments_of(600, Fsync::Always);
        let wal = open(&disk, small.clone(), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        for _ in 0..count {
            append_synced(&wal, &mut log);
        }
        disk.fail_write(0);
        for _ in 0..3 {
            append(&mut log);
        }
        log.submit();
        // Where the segment is full it is the log's own thread that fails.
        let since = Instant::now();
        while !wal.is_failed() {
            assert!(since.elapsed() < Duration::from_secs(10));
            std::thread::yield_now();
        }
        assert_eq!(numbers(&wal.runs()), [(1, count)], "while it has failed");
        let behind = wal.last_lsn();
        wal.resume_behind(behind).unwrap();
        assert_eq!(numbers(&wal.runs()), [(1, count), (count + 4, count + 3)]);
        for _ in 0..30 {
            append_synced(&wal, &mut log);
        }
        let with_gap = [(1, count), (count + 4, count + 33)];
        assert_eq!(numbers(&wal.runs()), with_gap);
        wal.close().unwrap();
        assert_eq!(on_disk(&disk), with_gap);
        let wal = open(&disk, small, Lsn::new(count + 34)).unwrap();
        assert_eq!(numbers(&wal.runs()), with_gap, "opened again");
        let before_ms = wal.runs().first().map(|run| run.last_wall_ms);
        assert!(before_ms >= Some(1_000 + count), "{before_ms:?}");
    }
}

#[test]
fn a_log_that_was_off_for_a_time_has_a_gap() {
    let disk = written(1, 10, 100_000);
    let wal = open(&disk, options(Fsync::Always), Lsn::new(15)).unwrap();
    assert_eq!(numbers(&wal.runs()), [(1, 10), (15, 14)]);
    append_synced(&wal, &mut wal.log());
    assert_eq!(
        (numbers(&wal.runs()), on_disk(&disk)),
        (vec![(1, 10), (15, 15)], vec![(1, 10), (15, 15)])
    );
}

#[test]
fn a_long_last_record_of_a_segment_is_found() {
    for bytes in [70 << 10, 2 << 20] {
        let disk = FaultDisk::new(1);
        let wal = open(&disk, segments_of(600, Fsync::Always), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        append_synced(&wal, &mut log);
        log.begin();
        log.write(&vec![7; bytes]);
        log.commit(1);
        let last = log.submit();
        wal.sync_blocking(last).unwrap();
        for _ in 0..30 {
            append_synced(&wal, &mut log);
        }
        wal.close().unwrap();
        assert_eq!(on_disk(&disk), [(1, 32)], "{bytes}");
    }
}

#[test]
fn a_segment_that_is_damaged_ends_its_run() {
    let disk = written(1, 200, 600);
    let files = segment::list(&disk, Path::new(DIR)).unwrap();
    let (before, damaged, behind) = (&files[1], &files[2], &files[3]);
    disk.truncate(&damaged.path, 10).unwrap();
    let first = behind.first.get();
    assert_eq!(on_disk(&disk)[0], (1, damaged.first.before().get()), "{before:?}");
    assert_eq!(on_disk(&disk).last(), Some(&(first, 200)));
    assert_eq!(runs(&disk, Path::new("/nowhere")).unwrap_or_default(), []);
}
