//! Power cuts and kills at any point, with random producers, policies and sizes.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// One life of a process: opens the log, works until the disk stops or it has enough, and dies.
struct Life {
    disk: FaultDisk,
    next: Lsn,
    /// The highest LSN that was acknowledged as stable in any life.
    stable: Lsn,
    /// What is below may be trimmed, and a crash may bring any part of it back.
    keep_from: Lsn,
}

impl Life {
    fn live(&mut self, random: &mut SmallRng) {
        let fsync = [Fsync::Always, Fsync::EverySec, Fsync::No][random.random_range(0..3)];
        let segment_bytes = [300, 2_000, 30_000, 1 << 20][random.random_range(0..4)];
        if random.random_bool(0.8) {
            self.disk.stop_at(random.random_range(0..60));
        }
        let wal = open(
            &self.disk,
            WalOptions {
                segment_bytes,
                ..options(fsync)
            },
            self.next,
        );
        if let Ok(wal) = wal {
            self.work(&wal, random);
            // The process ends here: the log finds its disk gone.
            let after = if random.random_bool(0.7) {
                self.disk.crash()
            } else {
                self.disk.kill()
            };
            self.stable = self.stable.max(wal.stable_lsn());
            self.disk = after;
        } else {
            self.disk = self.disk.crash();
        }
    }

    fn work(&mut self, wal: &Wal, random: &mut SmallRng) {
        let mut logs: Vec<WorkerLog> = (0..random.random_range(1..4)).map(|_| wal.log()).collect();
        for _ in 0..random.random_range(0..150) {
            let at = random.random_range(0..logs.len());
            let log = &mut logs[at];
            append(log);
            match random.random_range(0..10) {
                0..2 => {
                    log.submit();
                }
                2..4 => {
                    log.submit_alone();
                }
                _ => {}
            }
            if random.random_bool(0.05) {
                self.keep_from = self.keep_from.max(wal.stable_lsn());
                // Fails when the disk has stopped.
                let _ = wal.trim(self.keep_from, 0, u64::MAX);
            }
            if random.random_bool(0.1) {
                logs.iter_mut().for_each(|log| {
                    log.submit();
                });
                let last = wal.last_lsn();
                if wal.sync_blocking(last).is_ok() {
                    assert!(wal.stable_lsn() >= last);
                }
            }
            if random.random_bool(0.1) {
                std::thread::yield_now();
            }
        }
    }

    /// What a start finds must be a contiguous prefix that holds all that was acknowledged.
    fn check(&mut self, seed: u64) {
        let disk = shared(&self.disk);
        repair_tail(&disk, Path::new(DIR)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let from = self.keep_from.max(Lsn::FIRST);
        let (records, tail) = read_from(&self.disk, from).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(tail, None, "seed {seed}");
        assert_prefix(&records, from);
        let end = from.saturating_add(records.len() as u64);
        assert!(
            end > self.stable,
            "seed {seed}: {} was acknowledged, the log ends before {end}",
            self.stable
        );
        self.next = end;
    }
}

#[test]
fn every_life_ends_in_a_prefix_with_all_that_was_acknowledged() {
    let count: u64 = std::env::var("LOKIKV_TEST_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(300);
    for seed in 0..count {
        let mut random = SmallRng::seed_from_u64(seed);
        let disk = FaultDisk::new(seed);
        disk.create_dir_all(Path::new(DIR)).unwrap();
        let mut life = Life {
            disk,
            next: Lsn::FIRST,
            stable: Lsn::ZERO,
            keep_from: Lsn::FIRST,
        };
        for _ in 0..6 {
            life.live(&mut random);
            life.check(seed);
        }
    }
}

/// An idle log writes its mark behind a segment that is full already; the next record begins another.
#[test]
fn the_mark_of_an_idle_log_is_not_torn_in_a_segment_that_is_left() {
    for seed in 0..12 {
        let disk = FaultDisk::new(seed);
        let options = segments_of(200, Fsync::Always);
        let wal = open(&disk, options, Lsn::FIRST).unwrap();
        let mut log = wal.log();
        while wal.core().segments.lock()[0].bytes < 200 {
            append(&mut log);
            log.submit();
            wal.sync_blocking(Lsn::MAX).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(120));
        let last = append(&mut log);
        log.submit();
        wal.sync_blocking(last).unwrap();
        let (records, _) = read_from(&disk.crash(), Lsn::FIRST).unwrap();
        assert_eq!(records.len() as u64, last.get(), "seed {seed}");
    }
}

/// Zeroes that were written ahead are no torn tail, and what a power cut leaves among them is judged as ever.
#[test]
fn a_power_cut_in_zeroes_written_ahead_loses_nothing_that_was_committed() {
    let (mut blank, mut torn) = (0, 0);
    for seed in 0..40 {
        let disk = FaultDisk::new(seed);
        let options = segments_of(100_000, Fsync::Always);
        let wal = open(&disk, options, Lsn::FIRST).unwrap();
        let mut log = wal.log();
        for _ in 0..30 {
            append(&mut log);
            log.submit_alone();
        }
        let since = std::time::Instant::now();
        while disk.len(&segment_path(Lsn::FIRST)).unwrap() < 100_000 && since.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        let stable = wal.stable_lsn();
        wal.set_fsync(Fsync::No);
        for _ in 0..seed {
            append(&mut log);
            log.submit();
        }
        let after = disk.crash();
        let (records, tail) = read_from(&after, Lsn::FIRST).unwrap();
        assert!(records.len() as u64 >= stable.get(), "seed {seed}");
        // The zeroes themselves may not have been synced yet.
        let is_blank = tail.map(|tail| tail.is_blank);
        blank += usize::from(is_blank == Some(true));
        torn += usize::from(is_blank == Some(false));
        repair_tail(&shared(&after), Path::new(DIR)).unwrap();
        assert_eq!(read_from(&after, Lsn::FIRST).unwrap().1, None);
    }
    assert!(blank > 5 && torn > 0, "{blank} {torn}");
}
