//! Following a log while it is written.

use std::ops::ControlFlow;
use std::time::Duration;

use super::*;

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

/// The LSNs from `from` on, `count` at most; each payload is checked.
fn follow(wal: &Wal, from: Lsn, count: usize) -> Result<Vec<Lsn>, WalError> {
    let mut seen = Vec::new();
    wal.visit(from, &mut |record| {
        assert_eq!(record.payload, payload(record.lsn), "payload of {}", record.lsn);
        seen.push(record.lsn);
        if seen.len() == count {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok(seen)
}

#[test]
fn all_records_come_once_while_segments_are_rotated() {
    for fsync in [Fsync::Always, Fsync::No] {
        let disk = FaultDisk::new(1);
        let options = segments_of(3000, fsync);
        let wal = open(&disk, options, Lsn::FIRST).unwrap();
        let writer = std::thread::spawn({
            let wal = wal.clone();
            move || {
                let mut log = wal.log();
                for lsn in 1..=4000 {
                    append(&mut log);
                    if lsn % 7 == 0 {
                        log.submit();
                    }
                }
            }
        });
        let mut next = 1;
        while next <= 4000 {
            block_on(wal.wait_visible(Lsn::new(next))).unwrap();
            let seen = follow(&wal, Lsn::new(next), (next % 50 + 1) as usize).unwrap();
            assert!(!seen.is_empty(), "{next} is visible");
            for lsn in seen {
                assert_eq!(lsn, Lsn::new(next));
                next += 1;
            }
        }
        writer.join().unwrap();
        assert!(wal.stats().segments > 10, "{:?}", wal.stats());
        // From anywhere, with and without a place known nearby.
        for from in (1..4000).step_by(37) {
            assert_eq!(follow(&wal, Lsn::new(from), 3).unwrap()[0], Lsn::new(from));
        }
        assert_eq!(follow(&wal, Lsn::new(4001), 3).unwrap(), []);
        assert_eq!(follow(&wal, Lsn::new(9000), 3).unwrap(), []);
    }
}

#[test]
fn what_is_not_stable_is_not_shown_under_always() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
    let mut log = wal.log();
    append(&mut log);
    log.submit();
    block_on(wal.wait_visible(Lsn::FIRST)).unwrap();
    assert_eq!(
        [wal.written_lsn(), wal.stable_lsn(), wal.visible_lsn()].map(Lsn::get),
        [1, 0, 1]
    );
    assert_eq!(follow(&wal, Lsn::FIRST, 9).unwrap(), [Lsn::FIRST]);
    disk.fail_sync(0);
    wal.set_fsync(Fsync::Always);
    assert_eq!(wal.visible_lsn(), Lsn::ZERO);
    assert_eq!(follow(&wal, Lsn::FIRST, 9).unwrap(), []);
    assert!(wal.close().is_err());
    let refused = block_on(wal.wait_visible(Lsn::FIRST)).unwrap_err();
    assert!(matches!(refused, WalError::Failed(_)), "{refused}");
}

#[test]
fn what_is_trimmed_is_told() {
    let disk = written(3, 500, 1000);
    let wal = open(&disk, options(Fsync::Always), Lsn::new(501)).unwrap();
    assert_eq!(follow(&wal, Lsn::FIRST, 1).unwrap(), [Lsn::FIRST]);
    assert!(wal.trim(Lsn::new(300), 0, u64::MAX).unwrap() > 3);
    let oldest = wal.first_lsn();
    assert!(oldest > Lsn::FIRST && oldest <= Lsn::new(300));
    let gone = follow(&wal, oldest.before(), 1).unwrap_err();
    assert!(
        matches!(gone, WalError::Trimmed { from, oldest: told } if from == oldest.before() && told == oldest),
        "{gone}"
    );
    assert_eq!(follow(&wal, oldest, 2).unwrap(), [oldest, oldest.next()]);
    assert!(matches!(
        follow(&wal, Lsn::ZERO, 1),
        Err(WalError::Trimmed { from: Lsn::ZERO, .. })
    ));
}

#[test]
fn what_is_being_trimmed_is_told_as_trimmed() {
    let disk = written(5, 200, 3000);
    let wal = open(&disk, segments_of(3000, Fsync::No), Lsn::new(201)).unwrap();
    let paths: Vec<PathBuf> = segment::list(&disk, Path::new(DIR))
        .unwrap()
        .into_iter()
        .map(|file| file.path)
        .collect();
    assert!(paths.len() > 3);
    // As a trim that has not told yet.
    disk.remove(&paths[0]).unwrap();
    let outcome = follow(&wal, Lsn::FIRST, 10);
    assert!(matches!(outcome, Err(WalError::Trimmed { .. })), "{outcome:?}");
    // The one in use is never trimmed.
    disk.remove(&paths[paths.len() - 1]).unwrap();
    let outcome = follow(&wal, Lsn::new(200), 10);
    assert!(matches!(outcome, Err(WalError::Io(_))), "{outcome:?}");
}

#[test]
fn damage_in_what_was_written_is_told() {
    let disk = written(3, 100, 1 << 20);
    let wal = open(&disk, options(Fsync::Always), Lsn::new(101)).unwrap();
    let path = segment_path(Lsn::FIRST);
    let mut bytes = shared(&disk).read(&path).unwrap();
    bytes[400] ^= 1;
    disk.put(path, &bytes);
    let mut seen = 0;
    let told = wal.visit(Lsn::FIRST, &mut |_| {
        seen += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(told, Err(WalError::Damaged { .. })), "{told:?}");
    assert!(seen > 0 && seen < 100, "{seen}");
}

/// Requests that wait are bounded; who comes later has its turn when there is room.
#[tokio::test]
async fn those_who_read_have_their_turn() {
    const REQUESTS: usize = 3000;
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(parking_lot::Mutex::new(held));
    let (done, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..REQUESTS {
        let (wal, held, done) = (wal.clone(), Arc::clone(&held), done.clone());
        requests.spawn(async move {
            let job = move || {
                let _ = held.lock().recv();
                done.send(()).unwrap();
            };
            wal.on_reader(job).await.unwrap();
        });
    }
    let is_taken = tokio::time::timeout(Duration::from_millis(200), async {
        while requests.join_next().await.is_some() {}
    });
    assert!(is_taken.await.is_err(), "no bound");
    drop(release);
    for _ in 0..REQUESTS {
        ended.recv().await.unwrap();
    }
    wal.close().unwrap();
}

/// What was under way when the log failed is in the checkpoint behind which it goes on, and in no segment.
#[test]
fn what_is_missing_where_the_log_went_on_is_told() {
    for cuts in [false, true] {
        let disk = FaultDisk::new(1);
        let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
        let mut log = wal.log();
        for _ in 0..40 {
            append(&mut log);
            log.submit();
        }
        wal.sync_blocking(Lsn::new(40)).unwrap();
        if cuts {
            disk.remove(&segment_path(Lsn::FIRST)).unwrap();
            assert!(wal.look().is_err());
        } else {
            disk.fail_write(0);
        }
        append(&mut log);
        append(&mut log);
        log.submit();
        assert!(wal.is_failed());
        wal.resume_behind(wal.last_lsn()).unwrap();
        let oldest = wal.last_lsn().next();
        let gone = |from: Lsn| {
            let told = follow(&wal, from, 9);
            let matches =
                matches!(told, Err(WalError::Trimmed { from: told, oldest: next }) if (told, next) == (from, oldest));
            assert!(matches, "{from}: {told:?}");
        };
        gone(Lsn::new(41));
        gone(Lsn::new(42));
        if cuts {
            assert_eq!(wal.first_lsn(), oldest);
            gone(Lsn::new(7));
        } else {
            assert_eq!(follow(&wal, Lsn::new(40), 1).unwrap(), [Lsn::new(40)]);
        }
        append(&mut log);
        log.submit();
        wal.sync_blocking(oldest).unwrap();
        gone(Lsn::new(41));
        assert_eq!(follow(&wal, oldest, 9).unwrap(), [oldest]);
    }
}
