//! Failing writes and syncs: sticky, told to everyone, nothing acknowledged after.

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
        let wal = open(
            &disk,
            WalOptions {
                segment_bytes: 1_200,
                ..options(Fsync::Always)
            },
            Lsn::FIRST,
        )
        .unwrap();
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
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(wal.wait_stable(Lsn::new(100))).is_err());
        runtime.block_on(wal.wait_room());
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

#[test]
fn waiters_learn_of_the_failure() {
    let disk = FaultDisk::new(5);
    let wal = open(&disk, options(Fsync::EverySec), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let lsn = append(&mut log);
        let waiting = wal.wait_stable(lsn);
        disk.fail_write(0);
        log.submit();
        assert!(matches!(waiting.await, Err(WalError::Failed(_))));
    });
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
