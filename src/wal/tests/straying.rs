//! The segment that is written to is lost under the running log: removed, replaced, cut.

use std::time::{Duration, Instant};

use super::*;

/// What becomes of the first segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Removed,
    WithItsDirectory,
    ReplacedByACopy,
    CutToNothing,
    CutInTheMiddle,
}

const LOSSES: [Loss; 5] = [
    Loss::Removed,
    Loss::WithItsDirectory,
    Loss::ReplacedByACopy,
    Loss::CutToNothing,
    Loss::CutInTheMiddle,
];

fn lose(disk: &FaultDisk, loss: Loss) {
    let path = segment_path(Lsn::FIRST);
    let bytes = disk.read(&path).unwrap();
    match loss {
        Loss::Removed => disk.remove(&path).unwrap(),
        Loss::WithItsDirectory => {
            disk.remove(&path).unwrap();
            disk.remove_dir(Path::new(DIR)).unwrap();
        }
        Loss::ReplacedByACopy => disk.put(&path, &bytes),
        Loss::CutToNothing => disk.truncate(&path, 0).unwrap(),
        Loss::CutInTheMiddle => disk.truncate(&path, bytes.len() as u64 / 2).unwrap(),
    }
}

fn append_all(wal: &Wal, log: &mut WorkerLog, count: u64) -> Lsn {
    for _ in 0..count {
        append(log);
        log.submit();
    }
    let last = wal.last_lsn();
    wal.sync_blocking(last).unwrap();
    last
}

/// A log that goes on behind what a checkpoint has, with all that was acknowledged since.
#[test]
fn a_segment_that_is_lost_is_a_failure_that_the_log_gets_over() {
    for (seed, loss) in LOSSES.into_iter().enumerate() {
        for policy in [Fsync::Always, Fsync::EverySec, Fsync::No] {
            let disk = FaultDisk::new(seed as u64);
            let wal = open(&disk, options(policy), Lsn::FIRST).unwrap();
            let mut log = wal.log();
            append_all(&wal, &mut log, 100);
            wal.look().unwrap();
            lose(&disk, loss);
            // Acknowledged, and in no file that a start would read: the longer it goes on, the more a file that was cut
            // looks like a whole one.
            let last = append_all(&wal, &mut log, 200);
            let told = wal.look().unwrap_err().to_string();
            let name = segment_name(Lsn::FIRST);
            assert!(told.contains(&name) && wal.is_failed() && wal.has_strayed(), "{told}");
            append(&mut log);
            log.submit();
            assert!(wal.sync_blocking(wal.last_lsn()).is_err(), "{loss:?}");
            wal.claim_dir().unwrap();
            let behind = wal.last_lsn();
            assert!(behind > last);
            wal.resume_behind(behind).unwrap();
            assert!(!wal.has_strayed());
            wal.look().unwrap();
            let last = append_all(&wal, &mut log, 100);
            wal.close().unwrap();
            let disk = disk.crash();
            let (records, tail) = read_from(&disk, behind.next()).unwrap();
            assert_eq!(
                (records.len() as u64, tail),
                (last.get() - behind.get(), None),
                "{loss:?}"
            );
            assert_prefix(&records, behind.next());
            // A file that somebody else has put there is not thrown away.
            let aside = Path::new(DIR).join(format!("{name}.damaged"));
            assert_eq!(disk.exists(&aside).unwrap(), loss == Loss::ReplacedByACopy);
        }
    }
}

/// The next one then has the same name, and a header of its own.
#[test]
fn a_segment_that_holds_no_record_yet_is_begun_anew() {
    for loss in LOSSES {
        let disk = FaultDisk::new(1);
        let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
        lose(&disk, loss);
        assert!(wal.look().is_err(), "{loss:?}");
        wal.claim_dir().unwrap();
        wal.resume_behind(Lsn::ZERO).unwrap();
        wal.look().unwrap();
        append_all(&wal, &mut wal.log(), 9);
        wal.close().unwrap();
        assert_eq!(read_all(&disk.crash()).unwrap().0.len(), 9, "{loss:?}");
    }
}

#[test]
fn it_is_noticed_without_being_asked_for() {
    for policy in [Fsync::Always, Fsync::EverySec, Fsync::No] {
        let disk = FaultDisk::new(1);
        let wal = open(&disk, options(policy), Lsn::FIRST).unwrap();
        append_all(&wal, &mut wal.log(), 1);
        lose(&disk, Loss::Removed);
        let since = Instant::now();
        while !wal.is_failed() {
            assert!(
                since.elapsed() < Duration::from_secs(30),
                "{policy:?}: it is never noticed"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(wal.failure().unwrap().contains("was removed or replaced"));
        assert!(wal.close().is_err());
    }
}

/// Whoever asks does not wait for the disk.
#[test]
fn somebody_who_asks_is_told_when_it_is_done() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::No), Lsn::FIRST).unwrap();
    let asked_and_told = || {
        let asked = wal.ask_to_look();
        let since = Instant::now();
        while !wal.has_looked(asked) {
            assert!(since.elapsed() < Duration::from_secs(30), "it never looks");
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = since.elapsed();
        assert!(!wal.is_failed() && !wal.has_looked(asked + 1));
        took
    };
    let is_soon = (0..5).any(|_| asked_and_told() < Duration::from_millis(900));
    assert!(is_soon, "not before its time");
}

/// Once the next segment is begun nobody looks at the one before.
#[test]
fn a_lost_segment_is_not_left_for_the_next_one() {
    for loss in LOSSES {
        let disk = FaultDisk::new(1);
        let small = segments_of(20_000, Fsync::No);
        let wal = open(&disk, small, Lsn::FIRST).unwrap();
        let mut log = wal.log();
        append_all(&wal, &mut log, 100);
        wal.look().unwrap();
        lose(&disk, loss);
        while wal.stats().segments == 1 && !wal.is_failed() {
            append(&mut log);
            log.submit();
            std::thread::yield_now();
        }
        assert!(wal.is_failed(), "{loss:?}");
    }
}

#[test]
fn a_clean_end_of_a_lost_segment_is_none() {
    for loss in LOSSES {
        let disk = FaultDisk::new(1);
        let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
        append_all(&wal, &mut wal.log(), 1);
        lose(&disk, loss);
        assert!(wal.close().is_err() && wal.has_strayed(), "{loss:?}");
    }
}

/// Whoever has moved away what the log's directory was in may bring it back.
#[test]
fn a_directory_is_not_made_together_with_what_it_is_in() {
    let disk = FaultDisk::new(1);
    let wal = open(&disk, options(Fsync::Always), Lsn::FIRST).unwrap();
    lose(&disk, Loss::WithItsDirectory);
    disk.remove_dir(Path::new("/data")).unwrap();
    let refused = wal.claim_dir().unwrap_err().to_string();
    assert!(refused.contains("cannot take /data/wal"), "{refused}");
    assert!(!disk.exists(Path::new("/data")).unwrap());
}

#[test]
fn a_directory_that_is_lost_to_another_process_is_not_gone_on_in() {
    let disk = FaultDisk::new(1);
    let claim = ClaimDir::new(|| Err(std::io::Error::other("in use by process 7")));
    let wal = open(
        &disk,
        WalOptions {
            claim,
            ..options(Fsync::No)
        },
        Lsn::FIRST,
    )
    .unwrap();
    let refused = wal.claim_dir().unwrap_err().to_string();
    assert!(refused.contains("in use by process 7"), "{refused}");
}

/// A start then refuses a log that has lost its tail.
#[test]
fn a_clean_end_is_noted() {
    let (disk, notes) = (FaultDisk::new(1), Path::new("/data/checkpoint"));
    let noting = || WalOptions {
        note_dir: Some(notes.to_owned()),
        ..options(Fsync::No)
    };
    let wal = open(&disk, noting(), Lsn::FIRST).unwrap();
    let last = append_all(&wal, &mut wal.log(), 9);
    wal.close().unwrap();
    let note = LogNote::read(&disk, notes).unwrap().unwrap();
    assert_eq!((note.reached, note.newest), (last, Lsn::FIRST));
    assert!(note.check_end(notes, last).is_err());
    note.check_end(notes, last.next()).unwrap();
    // Nothing new: nothing to be noted but the start.
    let wal = open(&disk, noting(), last.next()).unwrap();
    // The mark may have been written before: an idle log does so by itself.
    let before = disk.syncs();
    wal.close().unwrap();
    assert_eq!(disk.syncs() - before, 1, "that of the mark");
}
