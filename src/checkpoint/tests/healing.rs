//! A log that fails, on a disk that is mended later: nothing acknowledged is lost, nothing refused is seen, and writes
//! are accepted again by themselves.

use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// How soon after the cause has gone.
const HEALED_MAX: Duration = Duration::from_secs(20);
/// One for each fault and policy.
const LIVES: u64 = 18;

/// Clients that write, each its own keys, and what they were told.
#[derive(Default)]
struct Clients {
    writes: u64,
    /// What was acknowledged, or waits to be.
    expected: BTreeMap<String, String>,
    refused: u64,
    waiting: Vec<Lsn>,
}

impl Clients {
    fn write(&mut self, server: &mut Server, random: &mut SmallRng) {
        self.writes += 1;
        if server.engine.refuses_writes() {
            self.refused += 1;
            return;
        }
        let key = format!("key{}", random.random_range(0..200));
        let value = format!("{} {}", self.writes, "x".repeat(random.random_range(0..100)));
        server.set(&key, &value);
        self.expected.insert(key, value);
        let wal = server.engine.wal();
        let lsn = wal.last_lsn();
        if wal.written_lsn() < lsn {
            self.waiting.push(lsn);
        }
    }

    /// A new segment takes its moment.
    fn await_written(&self, server: &Server, seed: u64) {
        let (waiting, since) = (self.waiting.last().copied().unwrap_or(Lsn::ZERO), Instant::now());
        while server.engine.wal().written_lsn() < waiting {
            assert!(
                since.elapsed() < HEALED_MAX,
                "seed {seed}: LSN {waiting} is never written"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What a start from `disk` finds.
    fn assert_all_there(&self, disk: &FaultDisk, seed: u64) {
        let found = dump(
            &read_back(disk)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"))
                .registry,
        );
        let found = &found["default"].1;
        for (key, value) in &self.expected {
            let there = found.get(key.as_bytes()).map(|(value, _)| value.as_slice());
            assert_eq!(there, Some(value.as_bytes()), "seed {seed}: {key}");
        }
        assert_eq!(found.len(), self.expected.len(), "seed {seed}");
    }
}

fn await_healed(server: &Server, seed: u64) {
    let since = Instant::now();
    // Nor is a checkpoint told of that is none.
    while server.engine.wal().is_failed() || server.checkpoints.stats().running {
        assert!(
            since.elapsed() < HEALED_MAX,
            "seed {seed}: {:?}",
            server.engine.wal().failure()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn strike(disk: &FaultDisk, seed: u64, random: &mut SmallRng) {
    match seed % 6 {
        0 => disk.fail_write(random.random_range(0..20)),
        1 => disk.fail_sync(random.random_range(0..5)),
        2 => disk.fail_sync_dir(random.random_range(0..3)),
        3 => disk.fail_rename(0),
        4 => disk.limit_bytes(random.random_range(5_000..40_000)),
        _ => disk.break_down(),
    }
}

fn live_through(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let disk = FaultDisk::new(seed);
    disk.create_dir_all(Path::new(LOG)).unwrap();
    let policy = [Fsync::Always, Fsync::EverySec, Fsync::No][(seed / 6) as usize % 3];
    let mut server = Server::start_with(&disk, Some(policy));
    let mut clients = Clients::default();
    for _ in 0..random.random_range(0..200) {
        clients.write(&mut server, &mut random);
    }
    if random.random_bool(0.5) {
        server.checkpoints.checkpoint_blocking().unwrap();
    }
    for _ in 0..2 {
        strike(&disk, seed, &mut random);
        for _ in 0..300 {
            clients.write(&mut server, &mut random);
            if random.random_bool(0.05) {
                let _ = server.engine.wal().sync_blocking(Lsn::MAX);
            }
        }
        if random.random_bool(0.3) && server.engine.wal().is_failed() {
            // It has tried in vain by then.
            std::thread::sleep(Duration::from_millis(300));
        }
        disk.clear_faults();
        await_healed(&server, seed);
        clients.await_written(&server, seed);
        await_healed(&server, seed);
    }
    let refused = clients.refused;
    clients.write(&mut server, &mut random);
    assert_eq!(clients.refused, refused, "seed {seed}: writes are accepted again");
    clients.await_written(&server, seed);
    if random.random_bool(0.5) {
        // The process dies: all that was acknowledged is there.
        clients.assert_all_there(&disk.fork().kill(), seed);
    }
    server.sync();
    let after = disk.crash();
    clients.assert_all_there(&after, seed);
    drop(server);
    let mut server = Server::start(&after);
    server.set("key", "value");
    server.sync();
}

#[test]
fn a_log_goes_on_by_itself_once_the_disk_does() {
    let base = seed();
    for number in 0..LIVES {
        live_through(base.wrapping_mul(LIVES).wrapping_add(number));
    }
}

/// A process that dies while the log is about to go on: with the checkpoint, and without the segment behind it.
#[test]
fn a_start_between_the_checkpoint_and_the_segment_behind_it_finds_all() {
    for seed in 0..12 {
        let disk = FaultDisk::new(seed);
        disk.create_dir_all(Path::new(LOG)).unwrap();
        let mut server = Server::start_with(&disk, Some(Fsync::EverySec));
        let (mut clients, mut random) = (Clients::default(), SmallRng::seed_from_u64(seed));
        for _ in 0..50 {
            clients.write(&mut server, &mut random);
        }
        server.sync();
        disk.break_down();
        while !server.engine.wal().is_failed() {
            clients.write(&mut server, &mut random);
        }
        let stop = 10 + seed;
        disk.clear_faults();
        disk.stop_at(stop);
        std::thread::sleep(Duration::from_millis(1500));
        let healed = !server.engine.wal().is_failed();
        let after = disk.crash();
        drop(server);
        let found = dump(&read_back(&after).unwrap().registry);
        // Nothing was synced before: unless the checkpoint is there, any prefix may be, an empty one too.
        let keys = found.get("default").map_or(0, |found| found.1.len());
        println!("stopped at {stop}: healed {healed}, {keys} keys");
        assert!(!healed || keys == clients.expected.len(), "seed {seed}: {keys} keys");
        let mut server = Server::start(&after);
        server.set("key", "value");
        server.sync();
    }
}
