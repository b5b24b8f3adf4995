//! What a trim removes, and what it keeps.

use super::*;

#[test]
fn trim_keeps_what_is_needed_and_what_is_young() {
    let disk = written(3, 100, 600);
    let wal = open(&disk, segments_of(600, Fsync::No), Lsn::new(101)).unwrap();
    let before = wal.stats().segments;
    assert!(before > 8);
    assert_eq!(
        wal.trim(Lsn::new(50), 10, 1_060).unwrap(),
        0,
        "all are younger than ten seconds"
    );
    let removed = wal.trim(Lsn::new(50), 0, 2_000).unwrap();
    assert!(removed > 2 && wal.first_lsn() <= Lsn::new(50));
    assert_eq!(wal.stats().segments, before - removed);
    assert_prefix(&read_from(&disk, Lsn::new(50)).unwrap().0, Lsn::new(50));
    assert!(matches!(
        read_all(&disk),
        Err(WalError::Missing {
            expected: Lsn::FIRST,
            ..
        })
    ));
    wal.trim(Lsn::new(1_000), 0, 2_000).unwrap();
    assert_eq!(wal.stats().segments, 1, "the last segment stays");
    let disk = disk.crash();
    assert_eq!(read_from(&disk, Lsn::new(101)).unwrap().0.len(), 0);
}

#[test]
fn what_is_young_stays_after_a_restart_at_the_end_of_a_segment() {
    let options = || segments_of(600, Fsync::Always);
    for count in 20..60 {
        let disk = written(3, count, 600);
        let wal = open(&disk, options(), Lsn::new(count + 1)).unwrap();
        let mut log = wal.log();
        append(&mut log);
        log.submit();
        wal.sync_blocking(Lsn::new(count + 1)).unwrap();
        assert_eq!(
            wal.trim(Lsn::new(1_000), 10, 11_000).unwrap(),
            0,
            "all are younger than ten seconds"
        );
    }
    // A kill before the first record of a new segment.
    let disk = written(3, 40, 600);
    let (first, path) = crate::wal::segment::segments(&disk, Path::new(DIR))
        .unwrap()
        .pop()
        .unwrap();
    disk.truncate(&path, crate::wal::SEGMENT_HEADER_BYTES as u64).unwrap();
    let wal = open(&disk, options(), first).unwrap();
    assert_eq!(wal.trim(Lsn::new(1_000), 10, 11_000).unwrap(), 0);
}

#[test]
fn a_segment_that_cannot_be_removed_is_removed_later() {
    let disk = FaultDisk::new(1);
    let small = segments_of(1_000, Fsync::Always);
    let wal = open(&disk, small, Lsn::FIRST).unwrap();
    let mut log = wal.log();
    while wal.stats().segments < 5 {
        append(&mut log);
        let last = log.submit();
        wal.sync_blocking(last).unwrap();
    }
    let last = wal.last_lsn();
    disk.stop_at(2);
    assert!(wal.trim(last, 0, u64::MAX).is_err());
    disk.clear_faults();
    let there = || segment::list(&disk, Path::new(DIR)).unwrap().len() as u64;
    assert_eq!(there(), wal.stats().segments);
    wal.trim(last, 0, u64::MAX).unwrap();
    assert_eq!((there(), wal.stats().segments), (1, 1));
}

/// The next segment cannot be made durable, nor what there is of it removed, and the log goes on further behind.
#[test]
fn a_segment_begun_in_vain_that_cannot_be_removed_is_removed_later() {
    let disk = FaultDisk::new(1);
    let small = segments_of(1_000, Fsync::No);
    let wal = open(&disk, small, Lsn::FIRST).unwrap();
    let mut log = wal.log();
    disk.refuse_removals();
    disk.fail_sync_dir(0);
    while !wal.is_failed() {
        append(&mut log);
        log.submit();
        std::thread::yield_now();
    }
    let last = append(&mut log);
    log.submit();
    wal.resume_behind(last).unwrap();
    let there = || segment::list(&disk, Path::new(DIR)).unwrap().len() as u64;
    assert_eq!(there(), wal.stats().segments + 1, "nothing was begun in vain");
    // It is in no start's way, either.
    let killed = disk.fork().kill();
    open(&killed, options(Fsync::No), last.next()).unwrap();
    assert_eq!(read_from(&killed, last.next()).unwrap().0, []);
    disk.clear_faults();
    wal.trim(last.next(), 0, u64::MAX).unwrap();
    assert_eq!((there(), wal.stats().segments), (1, 1));
}
