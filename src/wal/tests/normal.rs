//! The log when nothing goes wrong.

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn records_come_back_in_order_with_their_fields() {
    let disk = FaultDisk::new(1);
    let wal = open(
        &disk,
        WalOptions {
            group: 7,
            term: 9,
            ..options(Fsync::No)
        },
        Lsn::FIRST,
    )
    .unwrap();
    let mut log = wal.log();
    for lsn in 1..=3 {
        assert_eq!(append(&mut log), Lsn::new(lsn));
    }
    assert_eq!(log.submit(), Lsn::new(3));
    assert_eq!(log.submit(), Lsn::ZERO);
    wal.close().unwrap();
    assert_eq!([wal.last_lsn(), wal.written_lsn(), wal.stable_lsn()], [Lsn::new(3); 3]);
    let (records, tail) = read_all(&disk).unwrap();
    assert_prefix(&records, Lsn::FIRST);
    assert_eq!(
        records.iter().map(|r| r.batch_end).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(tail, None);
    let mut reader = Reader::open(shared(&disk), Path::new(DIR), Lsn::new(2)).unwrap();
    let record = reader.next().unwrap().unwrap();
    assert_eq!(
        (record.lsn.get(), record.group, record.term, record.wall_ms),
        (2, 7, 9, 1002)
    );
}

#[test]
fn splices_are_linked_and_written_in_place() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    let (small, large) = (Arc::new(vec![1u8; 100]), Arc::new(vec![2u8; 3 << 20]));
    let mut expected = Vec::new();
    for round in 0..3u8 {
        let lsn = log.begin();
        let mut bytes = Vec::new();
        if round != 1 {
            log.write(&[round; 5]);
            bytes.extend([round; 5]);
        }
        for splice in [&small, &large, &small] {
            log.splice(splice.clone().into());
            bytes.extend(splice.iter());
        }
        if round != 2 {
            log.write(b"end");
            bytes.extend(b"end");
        }
        assert_eq!(log.payload_bytes(), bytes.len() as u64);
        log.commit(lsn.get());
        expected.push(bytes);
        append(&mut log);
        if round == 1 {
            log.submit();
        }
    }
    let last = log.submit();
    wal.sync_blocking(last).unwrap();
    wal.close().unwrap();
    assert_eq!(Arc::strong_count(&large), 1, "written values are let go");
    let (records, _) = read_all(&disk).unwrap();
    assert_eq!(records.len(), 6);
    for (index, record) in records.iter().enumerate() {
        let want = if index % 2 == 0 {
            expected[index / 2].clone()
        } else {
            payload(record.lsn)
        };
        assert!(record.payload == want, "record {index}");
    }
}

#[test]
fn a_record_above_a_gap_waits_and_closing_does_not_hang() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
    let (mut slow, mut fast) = (wal.log(), wal.log());
    append(&mut fast);
    slow.begin();
    append(&mut fast);
    fast.submit();
    wal.sync_blocking(Lsn::FIRST).unwrap();
    assert_eq!(wal.written_lsn(), Lsn::FIRST);
    wal.close().unwrap();
    assert_eq!(wal.stable_lsn(), Lsn::FIRST);
    assert!(matches!(block_on(wal.wait_stable(Lsn::new(3))), Err(WalError::Closed)));
    slow.commit(1);
    assert_eq!(slow.submit(), Lsn::new(2));
    assert_eq!(read_all(&disk).unwrap().0.len(), 1);
}

#[test]
fn dropping_a_worker_log_submits_and_its_slot_goes() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
    for _ in 0..20 {
        append(&mut wal.log());
    }
    wal.sync_blocking(Lsn::new(20)).unwrap();
    let mut log = wal.log();
    append(&mut log);
    log.submit();
    wal.close().unwrap();
    assert_eq!(read_all(&disk).unwrap().0.len(), 21);
}

#[test]
fn many_threads_one_order() {
    for fsync in [Fsync::Always, Fsync::EverySec, Fsync::No] {
        let disk = FaultDisk::new(3);
        let wal = open(&disk, segments_of(40_000, fsync), Lsn::FIRST).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let wal = wal.clone();
                scope.spawn(move || {
                    let mut random = SmallRng::seed_from_u64(thread);
                    let mut log = wal.log();
                    for _ in 0..500 {
                        for _ in 0..random.random_range(1..20) {
                            append(&mut log);
                        }
                        let last = log.submit();
                        if fsync == Fsync::Always && random.random_bool(0.2) {
                            block_on(wal.wait_stable(last)).unwrap();
                            assert!(wal.stable_lsn() >= last);
                        }
                    }
                });
            }
        });
        let last = wal.last_lsn();
        wal.sync_blocking(last).unwrap();
        let stats = wal.stats();
        assert_eq!(
            (stats.stable_lsn, stats.pending_bytes, stats.written_records),
            (last, 0, last.get())
        );
        assert!(stats.segments > 5, "{stats:?}");
        wal.close().unwrap();
        let (records, tail) = read_all(&disk).unwrap();
        assert_eq!((records.len() as u64, tail), (last.get(), None));
        assert_prefix(&records, Lsn::FIRST);
    }
}

#[test]
fn thousands_of_waiters_are_all_woken() {
    let disk = FaultDisk::new(3);
    let wal = open(&disk, options(Fsync::EverySec), Lsn::FIRST).unwrap();
    let local = tokio::task::LocalSet::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    local.block_on(&runtime, async {
        let mut log = wal.log();
        let mut tasks = Vec::new();
        for index in 0..3_000u64 {
            let lsn = append(&mut log);
            let waiting = wal.wait_stable(lsn);
            tasks.push(tokio::task::spawn_local(async move {
                if index % 3 == 0 {
                    // Dropped before its time: must not swallow the wake-up of others.
                    let _ = tokio::time::timeout(Duration::from_millis(index % 7), waiting).await;
                } else {
                    waiting.await.unwrap();
                }
            }));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        log.submit();
        wal.set_fsync(Fsync::Always);
        for task in tasks {
            tokio::time::timeout(Duration::from_secs(10), task)
                .await
                .expect("a waiter was forgotten")
                .unwrap();
        }
    });
}

#[test]
fn a_sync_that_is_asked_for_waits_for_records_that_are_not_written_yet() {
    let disk = FaultDisk::new(3);
    let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    let last = append(&mut log);
    let (asking, (done, is_done)) = (wal.clone(), std::sync::mpsc::channel());
    std::thread::spawn(move || done.send(asking.sync_blocking(last)));
    std::thread::sleep(Duration::from_millis(50));
    log.submit();
    let synced = is_done.recv_timeout(Duration::from_secs(30));
    synced.expect("the keeper sleeps").unwrap();
    assert_eq!(wal.stable_lsn(), last);
}

#[test]
fn a_segment_that_is_left_is_synced_once() {
    let disk = FaultDisk::new(3);
    let small = segments_of(1_000, Fsync::No);
    let wal = open(&disk, small, Lsn::FIRST).unwrap();
    let mut log = wal.log();
    let before = disk.syncs();
    while wal.stats().segments == 1 {
        append(&mut log);
        let last = log.submit();
        block_on(wal.wait_written(last)).unwrap();
    }
    // The new one as well, with its header.
    assert_eq!(disk.syncs() - before, 2);
}

/// What somebody writes for others after its own commit is synced, whoever was woken for that too early.
#[test]
fn what_comes_while_another_one_commits_becomes_stable() {
    let disk = FaultDisk::new(3);
    // No room for zeroes ahead, which would have the keeper look again.
    let small = segments_of(4_000, Fsync::Always);
    let wal = open(&disk, small, Lsn::FIRST).unwrap();
    let (mut one, mut two) = (wal.log(), wal.log());
    disk.slow_sync(Duration::from_millis(200));
    append(&mut one);
    let committing = std::thread::spawn(move || one.submit_alone());
    std::thread::sleep(Duration::from_millis(50));
    let last = append(&mut two);
    two.submit_alone();
    committing.join().unwrap();
    disk.slow_sync(Duration::ZERO);
    let since = Instant::now();
    while wal.stable_lsn() < last {
        assert!(since.elapsed() < Duration::from_secs(30), "nobody syncs record {last}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn everysec_syncs_by_itself_and_no_does_not() {
    let disk = FaultDisk::new(3);
    let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    append(&mut log);
    log.submit();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!((wal.written_lsn(), wal.stable_lsn()), (Lsn::FIRST, Lsn::ZERO));
    wal.set_fsync(Fsync::EverySec);
    block_on(wal.wait_stable(Lsn::FIRST)).unwrap();
    assert_eq!(wal.fsync(), Fsync::EverySec);
    assert_eq!(wal.stats().fsyncs, 1);
}

#[test]
fn continues_where_it_ended() {
    let disk = FaultDisk::new(3);
    let mut next = Lsn::FIRST;
    for round in 0..10 {
        let wal = open(&disk, segments_of(700, Fsync::Always), next).unwrap();
        let mut log = wal.log();
        for _ in 0..round {
            append(&mut log);
        }
        log.submit();
        wal.close().unwrap();
        next = wal.last_lsn().next();
        let (records, tail) = read_all(&disk).unwrap();
        assert_eq!((Lsn::new(records.len() as u64 + 1), tail), (next, None));
        assert_prefix(&records, Lsn::FIRST);
    }
    assert!(matches!(
        open(&disk, options(Fsync::No), Lsn::new(5)),
        Err(WalError::Behind { next, last }) if (next.get(), last.get()) == (5, 45)
    ));
    let wal = open(&disk, options(Fsync::No), Lsn::new(100)).unwrap();
    append(&mut wal.log());
    wal.close().unwrap();
    assert_eq!(read_from(&disk, Lsn::new(100)).unwrap().0.len(), 1);
    assert!(matches!(
        read_all(&disk),
        Err(WalError::Missing { expected, found, .. }) if (expected.get(), found.get()) == (46, 100)
    ));
}

#[test]
fn back_pressure_holds_and_lets_go() {
    let disk = FaultDisk::new(3);
    disk.slow_sync(Duration::from_millis(20));
    let wal = open(
        &disk,
        WalOptions {
            pending_bytes_max: 50_000,
            segment_bytes: 100_000,
            ..options(Fsync::Always)
        },
        Lsn::FIRST,
    )
    .unwrap();
    let mut log = wal.log();
    let mut held = 0;
    for _ in 0..5_000 {
        append(&mut log);
        log.submit();
        // A new segment takes its time.
        if wal.over_pending() {
            held += 1;
        }
        while wal.over_pending() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(held > 0);
    wal.close().unwrap();
    assert_eq!(read_all(&disk).unwrap().0.len(), 5_000);
}

#[test]
fn a_disabled_log_counts_and_writes_nothing() {
    let wal = Wal::disabled(Lsn::new(11));
    let mut log = wal.log();
    assert_eq!(append(&mut log), Lsn::new(11));
    assert_eq!(log.submit(), Lsn::new(11));
    assert_eq!(
        (wal.last_lsn(), wal.stable_lsn(), wal.is_enabled()),
        (Lsn::new(11), Lsn::new(11), false)
    );
    block_on(wal.wait_stable(Lsn::new(11))).unwrap();
    wal.sync_blocking(Lsn::new(11)).unwrap();
    assert_eq!(wal.trim(Lsn::new(11), 0, 0).unwrap(), 0);
    wal.close().unwrap();
}

/// A segment each, whose times are those of clocks that were wrong for a while: they are kept as long as others,
/// neither for ever nor for no time.
#[test]
fn segments_have_an_age_where_clocks_went_back() {
    let disk = FaultDisk::new(1);
    let options = segments_of(200, Fsync::Always);
    let wal = open(&disk, options, Lsn::FIRST).unwrap();
    let mut log = wal.log();
    for wall_ms in [100_000, 100_000, 9_000_000_000, 9_000_000_000, 50, 50, 130_000, 130_000] {
        let lsn = log.begin();
        log.write(&[7; 300]);
        log.commit(wall_ms);
        log.submit();
        wal.sync_blocking(lsn).unwrap();
    }
    let trim = |now_ms| wal.trim(Lsn::new(1_000), 100, now_ms).unwrap();
    let before = wal.stats().segments;
    assert!(before >= 7, "{before}");
    assert_eq!(trim(150_000), 0, "all are young");
    let first = trim(205_000);
    assert!((1..=2).contains(&first), "those of 100 s, {first}");
    assert_eq!(
        trim(249_000),
        0,
        "those to come count from 150 s on, and the others are not older"
    );
    assert_eq!(trim(251_000), before - first - 1);
}
