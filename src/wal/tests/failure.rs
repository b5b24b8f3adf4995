//! Failing writes and syncs: sticky, told to everyone, nothing acknowledged after.

use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_failed_sync_is_sticky() {
    for nth in 0..5 {
        let disk = FaultDisk::new(nth);
        let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        disk.fail_sync(nth);
        let mut acknowledged = Lsn::ZERO;
        for _ in 0..20 {
            append(&mut log);
            let last = log.submit();
            match wal.sync_blocking(last) {
                Ok(()) => {
                    assert!(!wal.is_failed());
                    acknowledged = last;
                }
                Err(error) => assert!(matches!(error, WalError::Failed(_)), "{error}"),
            }
        }
        assert_eq!((acknowledged, wal.stable_lsn()), (Lsn::new(nth), Lsn::new(nth)));
        assert!(wal.failure().unwrap().contains("cannot sync"), "{:?}", wal.failure());
        assert!(!wal.over_pending());
        assert!(wal.close().is_err());
        let disk = disk.crash();
        let (records, _) = read_all(&disk).unwrap();
        assert!(records.len() as u64 >= acknowledged.get());
        assert_prefix(&records, Lsn::FIRST);
    }
}

#[test]
fn a_full_disk_refuses_and_the_log_stays_readable() {
    for limit in [40, 100, 1_000, 1_500, 3_333] {
        let disk = FaultDisk::new(limit);
        disk.limit_bytes(limit);
        let wal = open(&disk, segments_of(1_200, Fsync::Always), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        let mut acknowledged = Lsn::ZERO;
        for _ in 0..100 {
            append(&mut log);
            let last = log.submit();
            if wal.sync_blocking(last).is_ok() {
                acknowledged = last;
            }
        }
        assert!(wal.is_failed() && wal.failure().unwrap().contains("no space left"));
        assert!(!wal.over_pending());
        drop(wal);
        let disk = disk.kill();
        let (records, _) = read_all(&disk).unwrap();
        assert!(records.len() as u64 >= acknowledged.get());
        assert_prefix(&records, Lsn::FIRST);
        let next = records.len() as u64 + 1;
        let wal = open(&disk, options(Fsync::Always), Lsn::new(next)).unwrap();
        append(&mut wal.log());
        wal.close().unwrap();
        assert_eq!(read_all(&disk).unwrap().0.len() as u64, next);
    }
}

/// Whether a future ends within a moment, and how.
fn ends<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_millis(50), future).await.ok() })
}

#[test]
fn waiters_wait_for_the_log_to_go_on_or_to_close() {
    for closes in [false, true] {
        let disk = FaultDisk::new(5);
        let wal = open(&disk, options(Fsync::EverySec), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        append(&mut log);
        log.submit();
        disk.fail_write(0);
        let lsn = append(&mut log);
        log.submit();
        assert!(wal.is_failed());
        assert!(wal.sync_blocking(lsn).is_err());
        let (mut written, mut stable) = (wal.wait_written(lsn), wal.wait_stable(lsn));
        assert!(ends(&mut written).is_none() && ends(&mut stable).is_none());
        if closes {
            assert!(wal.close().is_err());
            assert!(matches!(ends(&mut written), Some(Err(WalError::Failed(_)))));
            assert!(matches!(ends(&mut stable), Some(Err(WalError::Failed(_)))));
            continue;
        }
        wal.resume_behind(lsn).unwrap();
        assert!(ends(&mut written).unwrap().is_ok() && ends(&mut stable).unwrap().is_ok());
    }
}

/// Woken by the failure, those who wait are woken again when the log goes on.
#[test]
fn waiters_from_before_a_failure_are_woken_when_the_log_goes_on() {
    let disk = FaultDisk::new(5);
    let wal = open(&disk, options(Fsync::EverySec), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    let lsn = append(&mut log);
    let waiting = wal.clone();
    let (polled, is_polled) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let (mut written, mut stable) = (waiting.wait_written(lsn), waiting.wait_stable(lsn));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let both = std::future::poll_fn(|cx| {
            let outcome = (Pin::new(&mut written).poll(cx), Pin::new(&mut stable).poll(cx));
            polled.send(()).unwrap();
            match outcome {
                (Poll::Pending, Poll::Pending) => Poll::Pending,
                // The log goes on in one moment.
                _ => Poll::Ready(()),
            }
        });
        // A timeout polls for the last time.
        let since = Instant::now();
        let within = async { tokio::time::timeout(Duration::from_secs(60), both).await };
        runtime.unwrap().block_on(within).unwrap();
        since.elapsed()
    });
    is_polled.recv().unwrap();
    disk.fail_write(0);
    log.submit();
    assert!(wal.is_failed());
    is_polled.recv().unwrap();
    wal.resume_behind(lsn).unwrap();
    assert!(waiter.join().unwrap() < Duration::from_secs(50), "nobody wakes them");
}

/// What a log does after it has failed and somebody has made all that was begun durable by other means.
#[test]
fn a_log_goes_on_behind_what_is_durable_by_other_means() {
    for seed in 0..40 {
        let disk = FaultDisk::new(seed);
        let wal = open(
            &disk,
            WalOptions {
                segment_bytes: 1_000,
                ..options([Fsync::Always, Fsync::EverySec, Fsync::No][seed as usize % 3])
            },
            Lsn::FIRST,
        )
        .unwrap();
        let (mut one, mut two) = (wal.log(), wal.log());
        for _ in 0..seed {
            append(&mut one);
            append(&mut two);
            one.submit();
            two.submit();
        }
        match seed % 4 {
            0 => disk.fail_write(0),
            1 => disk.fail_sync(0),
            2 => disk.limit_bytes(1_000 + seed * 100),
            _ => disk.fail_sync_dir(0),
        }
        // Of both some is queued, some still with the worker, and some lies behind a gap.
        let since = Instant::now();
        while !wal.is_failed() && since.elapsed() < Duration::from_secs(10) {
            append(&mut two);
            append(&mut one);
            one.submit();
            let _ = wal.sync_blocking(wal.written_lsn());
            two.submit();
            std::thread::yield_now();
        }
        append(&mut two);
        assert!(wal.is_failed(), "seed {seed}");
        let durable = wal.last_lsn();
        append(&mut one);
        one.submit();
        disk.clear_faults();
        append(&mut two);
        // What is written has to be durable by other means.
        let early = wal.written_lsn().before();
        assert!(wal.resume_behind(early).is_err() && wal.is_failed());
        wal.resume_behind(durable).unwrap();
        assert!(!wal.is_failed() && wal.stable_lsn() >= durable);
        two.submit();
        append(&mut one);
        one.submit();
        let last = wal.last_lsn();
        wal.sync_blocking(last).unwrap();
        assert_eq!((wal.written_lsn(), wal.stats().pending_bytes), (last, 0), "seed {seed}");
        wal.close().unwrap();
        let (records, tail) = read_from(&disk.crash(), durable.next()).unwrap();
        assert_eq!(
            (records.len() as u64, tail),
            (last.get() - durable.get(), None),
            "seed {seed}"
        );
        assert_prefix(&records, durable.next());
    }
}

/// A record that comes at the very moment at which the log goes on is written by somebody.
#[test]
fn what_comes_while_the_log_goes_on_is_written() {
    for seed in 0..400 {
        let disk = FaultDisk::new(seed);
        let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        disk.fail_write(0);
        append(&mut log);
        log.submit();
        assert!(wal.is_failed());
        let (behind, others) = (wal.last_lsn(), wal.clone());
        let writing = std::thread::spawn(move || {
            while others.is_failed() {
                std::hint::spin_loop();
            }
            for _ in 0..seed {
                std::hint::spin_loop();
            }
            append(&mut log);
            log.submit();
        });
        wal.resume_behind(behind).unwrap();
        writing.join().unwrap();
        let since = Instant::now();
        while wal.written_lsn() == behind {
            assert!(
                since.elapsed() < Duration::from_secs(30),
                "seed {seed}: nobody writes it"
            );
            std::thread::yield_now();
        }
    }
}

/// A segment that could not be begun is in nobody's way: not in that of the next attempt, and not in the log.
#[test]
fn a_segment_that_was_begun_in_vain_is_begun_anew() {
    for stop in 1..8 {
        let disk = FaultDisk::new(stop);
        let wal = open(&disk, options(Fsync::EverySec), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        append(&mut log);
        log.submit();
        disk.fail_write(0);
        append(&mut log);
        log.submit();
        assert!(wal.is_failed());
        disk.stop_at(stop);
        let behind = wal.last_lsn();
        let first = wal.resume_behind(behind);
        disk.clear_faults();
        if first.is_err() {
            wal.resume_behind(behind).unwrap();
        }
        let last = append(&mut log);
        log.submit();
        wal.sync_blocking(last).unwrap();
        assert_eq!(read_from(&disk, last).unwrap().0.len(), 1, "stopped at {stop}");
    }
}

/// The same where the log is full, and goes on further behind.
#[test]
fn a_segment_that_was_begun_in_vain_and_is_not_needed_any_more_goes() {
    for stop in 1..8 {
        let disk = FaultDisk::new(stop);
        let small = segments_of(1_000, Fsync::No);
        let wal = open(&disk, small, Lsn::FIRST).unwrap();
        let mut log = wal.log();
        // The next one is for another segment.
        while wal.stats().disk_bytes < 1_000 {
            append(&mut log);
            log.submit();
        }
        disk.stop_at(stop);
        append(&mut log);
        log.submit();
        while !wal.is_failed() {
            append(&mut log);
            log.submit();
            std::thread::yield_now();
        }
        let last = append(&mut log);
        log.submit();
        disk.clear_faults();
        wal.resume_behind(last).unwrap();
        let there = segment::list(&disk, Path::new(DIR)).unwrap().len() as u64;
        assert_eq!(there, wal.stats().segments, "stopped at {stop}");
    }
}

/// Not noted, a segment that is lost would not be missed.
#[test]
fn a_segment_that_could_not_be_noted_is_noted_later() {
    let disk = FaultDisk::new(1);
    let notes = Path::new("/data/checkpoint");
    let noting = WalOptions {
        segment_bytes: 1_000,
        note_dir: Some(notes.to_owned()),
        ..options(Fsync::No)
    };
    let wal = open(&disk, noting, Lsn::FIRST).unwrap();
    let mut log = wal.log();
    disk.fail_rename(0);
    while wal.stats().segments == 1 {
        append(&mut log);
        log.submit();
        std::thread::yield_now();
    }
    let newest = segment::list(&disk, Path::new(DIR)).unwrap().last().unwrap().first;
    let since = Instant::now();
    while LogNote::read(&disk, notes).unwrap().unwrap().newest < newest {
        assert!(since.elapsed() < Duration::from_secs(30), "it is never noted");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A large value is written apart from what is gathered, so that the log can fail within its record. Counted twice, or
/// not at all, its bytes would hold writers back for ever.
#[test]
fn a_log_that_fails_within_a_record_has_nothing_pending_when_it_goes_on() {
    for nth in 0..3 {
        let disk = FaultDisk::new(nth);
        let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        append(&mut log);
        log.begin();
        log.write(b"before");
        log.splice(Arc::new(vec![1; 200 << 10]).into());
        log.write(b"between");
        log.splice(Arc::new(vec![2; 200 << 10]).into());
        log.commit(1);
        disk.fail_write(nth);
        log.submit();
        assert!(wal.is_failed(), "write {nth}");
        wal.resume_behind(wal.last_lsn()).unwrap();
        let last = append(&mut log);
        log.submit();
        wal.sync_blocking(last).unwrap();
        assert_eq!(wal.stats().pending_bytes, 0, "write {nth}");
        assert!(!wal.over_pending());
    }
}

#[test]
fn a_record_begun_and_not_committed_fails_the_log() {
    let disk = FaultDisk::new(5);
    let wal = open(&disk, options(Fsync::EverySec), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    log.begin();
    drop(log);
    assert!(wal.is_failed());
}

/// What waited for room is written where the log was; nothing that was written before is touched.
#[test]
fn a_log_that_wants_room_goes_on_where_it_was() {
    for seed in 0..60_u64 {
        let disk = FaultDisk::new(seed);
        let policy = [Fsync::Always, Fsync::EverySec, Fsync::No][seed as usize % 3];
        let segment_bytes = [1_200, 1 << 20][seed as usize / 3 % 2];
        let small = WalOptions {
            segment_bytes,
            ..options(policy)
        };
        let wal = open(&disk, small, Lsn::FIRST).unwrap();
        let mut log = wal.log();
        let batch = [1, 900][seed as usize / 6 % 2];
        disk.limit_bytes(2_000 + seed * 37 * batch);
        while !wal.is_failed() {
            let last = (0..batch).map(|_| append(&mut log)).last();
            log.submit_alone();
            // Not faster than it is written: what waits would become many small segments.
            while wal.written_lsn() < last.unwrap() && !wal.is_failed() {
                std::thread::yield_now();
            }
        }
        append(&mut log);
        log.submit();
        // No room yet: what is written becomes stable all the same.
        assert!(!matches!(wal.go_on(), Ok(true)) || wal.is_failed(), "seed {seed}");
        assert_eq!(wal.stable_lsn(), wal.written_lsn(), "seed {seed}");
        let killed = read_all(&disk.fork().kill()).unwrap().0;
        assert!(killed.len() as u64 >= wal.written_lsn().get(), "seed {seed}");
        disk.clear_faults();
        assert!(wal.go_on().unwrap() && !wal.is_failed(), "seed {seed}");
        let last = append(&mut log);
        log.submit();
        wal.sync_blocking(last).unwrap();
        wal.close().unwrap();
        let (records, tail) = read_all(&disk.crash()).unwrap();
        assert_prefix(&records, Lsn::FIRST);
        assert_eq!((records.len() as u64, tail), (last.get(), None), "seed {seed}");
    }
}

/// After a sync that has failed nothing is known of the file.
#[test]
fn a_log_whose_sync_has_failed_does_not_go_on_where_it_was() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    disk.fail_sync(0);
    let last = append(&mut log);
    log.submit();
    assert!(wal.sync_blocking(last).is_err());
    assert!(matches!(wal.go_on(), Ok(false)) && wal.is_failed());
    // A write that had met a full disk at the same time.
    wal.core().fail("WAL: no room", true);
    assert!(matches!(wal.go_on(), Ok(false)) && wal.is_failed());
}

#[test]
fn a_sync_that_fails_beside_a_write_without_room_counts() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
    wal.core().fail("WAL: no room", true);
    wal.core().fail("WAL: cannot sync", false);
    assert!(matches!(wal.go_on(), Ok(false)) && wal.is_failed());
}

/// A server can start from a disk that is full.
#[test]
fn a_log_is_opened_on_a_full_disk() {
    let disk = FaultDisk::new(1);
    let noted = || WalOptions {
        note_dir: Some(PathBuf::from("/data/checkpoint")),
        ..options(Fsync::EverySec)
    };
    disk.create_dir_all(Path::new("/data/checkpoint")).unwrap();
    let wal = open(&disk, noted(), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    let last = append(&mut log);
    log.submit();
    wal.sync_blocking(last).unwrap();
    let disk = disk.kill();
    disk.limit_bytes(1);
    let wal = open(&disk, noted(), last.next()).unwrap();
    let mut log = wal.log();
    let next = append(&mut log);
    log.submit();
    assert!(wal.is_failed());
    disk.clear_faults();
    assert!(wal.go_on().unwrap());
    wal.sync_blocking(next).unwrap();
    assert_eq!(read_all(&disk.crash()).unwrap().0.len() as u64, next.get());
}

/// It was noted when its header was durable: whatever has become of it, it held records.
#[test]
fn a_noted_segment_without_its_header_is_not_taken_for_one_that_was_begun() {
    let (disk, note_dir) = (FaultDisk::new(1), Path::new("/data/checkpoint"));
    disk.create_dir_all(note_dir).unwrap();
    let noted = WalOptions {
        note_dir: Some(note_dir.to_owned()),
        ..options(Fsync::Always)
    };
    let wal = open(&disk, noted, Lsn::FIRST).unwrap();
    let mut log = wal.log();
    let last = append(&mut log);
    log.submit();
    wal.sync_blocking(last).unwrap();
    let after = disk.kill();
    let note = LogNote::read(&after, note_dir).unwrap().unwrap();
    note.check(&after, note_dir, Path::new(DIR)).unwrap();
    for left in [0, 31] {
        let cut = after.fork();
        cut.truncate(&segment_path(Lsn::FIRST), left).unwrap();
        assert!(note.check(&cut, note_dir, Path::new(DIR)).is_err(), "{left} bytes");
    }
}
