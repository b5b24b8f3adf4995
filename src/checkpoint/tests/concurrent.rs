//! A checkpoint under load is the data exactly at its LSN.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// What a writer did, in its order: LSN, key, value (`None`: deleted).
type History = Vec<(Lsn, Vec<u8>, Option<Vec<u8>>)>;

fn write(engine: &Engine, mut random: SmallRng, writer: usize, stop: &AtomicBool, total: &AtomicU64) -> History {
    let mut worker = engine.worker().unwrap();
    let mut history = History::new();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("{writer}:{}", random.random_range(0..4000)).into_bytes();
        let value = match random.random_range(0..100) {
            0..20 => None,
            20 => Some(vec![b'x'; random.random_range(0..60_000)]),
            _ => Some(format!("{}", history.len()).into_bytes()),
        };
        let lsn = change(engine, &mut worker, DatabaseId::DEFAULT, &key, |txn| {
            match &value {
                Some(value) => put(txn, &key, value),
                None => drop(txn.delete(&key)),
            }
            txn.record_lsn()
        });
        history.push((lsn, key, value));
        total.fetch_add(1, Ordering::Relaxed);
        if history.len().is_multiple_of(16) {
            // The disk is memory: the writers must not fill it while a checkpoint is slow.
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    }
    history
}

fn state_at(histories: &[History], lsn: Lsn) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut state = BTreeMap::new();
    for (at, key, value) in histories.iter().flatten() {
        if *at <= lsn {
            match value {
                Some(value) => drop(state.insert(key.clone(), value.clone())),
                None => drop(state.remove(key)),
            }
        }
    }
    state
}

fn values(registry: &Registry) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (_, keys) = dump(registry).remove("default").unwrap();
    keys.into_iter().map(|(key, (value, _))| (key, value)).collect()
}

fn wait_for(total: &AtomicU64, count: u64) {
    let until = total.load(Ordering::Relaxed) + count;
    while total.load(Ordering::Relaxed) < until {
        std::thread::yield_now();
    }
}

#[test]
fn a_checkpoint_under_load_is_the_data_at_its_lsn() {
    let seed = seed();
    for (round, kind) in (0..6).zip(Kind::ALL.into_iter().cycle()) {
        let disk = FaultDisk::new(seed + round);
        let server = Server::start_of(&disk, Some(Fsync::No), kind);
        let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
        let mut taken = Vec::new();
        let histories: Vec<History> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|writer| {
                    let random = SmallRng::seed_from_u64(seed ^ (round << 8) ^ writer as u64);
                    let (engine, stop, total) = (&server.engine, &stop, &total);
                    scope.spawn(move || write(engine, random, writer, stop, total))
                })
                .collect();
            for _ in 0..3 {
                wait_for(&total, 2000);
                let done = server.checkpoints.checkpoint_blocking().unwrap();
                taken.push((done, checkpoints_only(&disk)));
            }
            wait_for(&total, 500);
            stop.store(true, Ordering::Relaxed);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (done, files) in taken {
            let found = read_back(&files).unwrap();
            assert_eq!(found.checkpoint.unwrap().lsn, done.lsn);
            assert!(
                values(&found.registry) == state_at(&histories, done.lsn),
                "round {round}: the checkpoint at {} differs from the model",
                done.lsn
            );
        }
        server.sync();
        let found = read_back(&disk.crash()).unwrap();
        assert!(
            values(&found.registry) == state_at(&histories, Lsn::MAX),
            "round {round}"
        );
        assert_eq!(found.data_bytes, exact_bytes(&found.registry));
    }
}

fn exact_bytes(registry: &Registry) -> u64 {
    registry
        .slots()
        .map(|slot| slot.collection.totals(Lsn::ZERO).bytes)
        .sum()
}

#[test]
fn async_requests_work_on_any_runtime_and_cover_what_was_before() {
    let disk = FaultDisk::new(2);
    let mut server = Server::start(&disk);
    server.set("a", "1");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let before = server.engine.wal().last_lsn();
    let done = runtime.block_on(async {
        let (one, other) = tokio::join!(server.checkpoints.checkpoint(), server.checkpoints.checkpoint());
        assert!(other.unwrap().lsn >= before);
        one.unwrap()
    });
    assert!(done.lsn >= before && server.checkpoints.last_error().is_none());
    assert!(server.checkpoints.stats().completed >= 1);
    server.checkpoints.stop();
    assert!(runtime.block_on(server.checkpoints.checkpoint()).is_err());
}

/// Where the log's disk is nearly full of what a checkpoint would let go.
#[test]
fn the_thread_takes_a_checkpoint_that_makes_room_for_the_log() {
    let disk = FaultDisk::new(5);
    let mut server = Server::start(&disk);
    let settings = Arc::clone(&server.checkpoints.shared.settings);
    settings.wal_bytes_max.store(u64::MAX, Ordering::Relaxed);
    for number in 0..20 {
        server.set("a", &number.to_string().repeat(1 << 20));
    }
    server.sync();
    server.checkpoints.note_log_room(Some(1 << 30));
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(server.checkpoints.stats().completed, 0, "there is room");
    server.checkpoints.note_log_room(Some(1 << 20));
    let due = std::time::Instant::now();
    while server.checkpoints.stats().completed == 0 {
        assert!(due.elapsed().as_secs() < 20, "no checkpoint was taken");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn the_thread_takes_checkpoints_by_itself_when_due() {
    let disk = FaultDisk::new(3);
    let mut server = Server::start(&disk);
    let settings = Arc::clone(&server.checkpoints.shared.settings);
    server.set("a", "1");
    settings.wal_bytes_max.store(1, Ordering::Relaxed);
    server.sync();
    let due = std::time::Instant::now();
    while server.checkpoints.stats().completed == 0 {
        assert!(due.elapsed().as_secs() < 20, "no checkpoint was taken");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(server.checkpoints.stats().completed, 1, "nothing has changed since");
}
