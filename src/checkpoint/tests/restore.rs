//! `CHECKPOINT RESTORE` and `COLLECTION ATTACH`, compared with copies of the data made at every LSN.

use std::sync::atomic::Ordering;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::checkpoint::queue::Job;
use crate::checkpoint::{AttachRequest, Moment, Only, RestoreDone, RestoreRequest, Target};
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::settings::Settings;
use crate::engine::worker::unix_ms;
use crate::test_histories::each;

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn restore(server: &Server, moment: Moment) -> Result<RestoreDone, String> {
    block(server.checkpoints.restore(RestoreRequest { moment, only: None })).map_err(|error| error.to_string())
}

fn restore_one(
    server: &Server,
    moment: Moment,
    name: &str,
    target: &str,
    replace: bool,
) -> Result<RestoreDone, String> {
    let target = Target {
        name: target.to_owned(),
        replace,
    };
    let name = name.to_owned();
    let only = Some(Only { name, target });
    block(server.checkpoints.restore(RestoreRequest { moment, only })).map_err(|error| error.to_string())
}

fn attach(server: &Server, checkpoint: u64, name: &str, as_name: &str) -> Result<u64, String> {
    let done = block(server.checkpoints.attach(AttachRequest {
        checkpoint,
        name: name.to_owned(),
        as_name: as_name.to_owned(),
    }));
    done.map(|done| done.entries).map_err(|error| error.to_string())
}

/// A server that keeps everything it ever logged, and every checkpoint.
fn keeping(disk: &FaultDisk) -> Server {
    let server = Server::start(disk);
    let settings = &server.checkpoints.shared.settings;
    settings.wal_keep_age_s.store(1 << 30, Ordering::Relaxed);
    settings.keep_count.store(1000, Ordering::Relaxed);
    server
}

/// One random step of a history over keys, collections and libraries.
fn step(server: &mut Server, random: &mut SmallRng) {
    let slots: Vec<Slot> = server.engine.registry().slots().cloned().collect();
    let slot = &slots[random.random_range(0..slots.len())];
    let key = format!("key:{}", random.random_range(0..60)).into_bytes();
    let value: Vec<u8> = (0..random.random_range(0..50)).map(|_| random.random()).collect();
    let name = format!("c{}", random.random_range(0..6));
    let kind = Kind::ALL[random.random_range(0..3)];
    match random.random_range(0..100) {
        0..70 => server.change(slot.id, &key, |txn| put(txn, &key, &value)),
        70..84 => {
            server.change(slot.id, &key, |txn| txn.delete(&key));
        }
        84..90 => server.change(slot.id, &key, |txn| {
            if txn.exists(&key) {
                txn.expire_at(&key, Some(u64::MAX / 4));
            }
        }),
        choice => server.exclusive(|txn| {
            let id = slot.collection.id();
            let is_free = txn.slot_named(&name).is_none();
            match choice {
                90 => txn.flush(id).unwrap(),
                91 => txn.swap(slot.id, slots[0].id).unwrap(),
                92 if !slot.id.is_numbered() => txn.drop_collection(id).unwrap(),
                93 | 94 if !slot.id.is_numbered() && is_free => txn.rename(id, &name).unwrap(),
                95 => txn
                    .configure(
                        id,
                        Settings {
                            max_bytes: 1 << 30,
                            ..Settings::default()
                        },
                    )
                    .unwrap(),
                96 => txn.put_library(name.as_bytes(), &value).unwrap(),
                97 => drop(txn.delete_library(name.as_bytes())),
                98 if value.len() > 40 => txn.flush_libraries().unwrap(),
                _ if is_free => drop(txn.create(None, &name, kind).unwrap()),
                _ => {}
            }
        }),
    }
}

/// Kinds and settings of all collections.
fn shapes(registry: &Registry) -> BTreeMap<String, (Kind, Settings)> {
    let shape = |slot: &Slot| (slot.collection.placement().kind, slot.collection.settings());
    registry
        .slots()
        .map(|slot| (slot.name.to_string(), shape(slot)))
        .collect()
}

#[test]
fn every_lsn_can_be_restored() {
    each(restores);
}

/// Restores of moments of one history; how many steps it had.
fn restores(seed: u64) -> u64 {
    let mut steps = 0;
    let mut random = SmallRng::seed_from_u64(seed);
    let disk = FaultDisk::new(seed);
    let mut server = keeping(&disk);
    let mut copies = BTreeMap::new();
    let mut checkpoints = Vec::new();
    for _ in 0..25 {
        for _ in 0..random.random_range(1..60) {
            step(&mut server, &mut random);
            steps += 1;
            let lsn = server.engine.wal().last_lsn();
            let shapes = shapes(&server.engine.registry());
            copies.insert(lsn, (server.dump(), shapes));
        }
        if random.random_range(0..3) == 0 {
            let done = server.checkpoints.checkpoint_blocking().unwrap();
            checkpoints.push((done.id, copies[&done.lsn].clone()));
        }
        let lsns: Vec<Lsn> = copies.keys().copied().collect();
        let lsn = lsns[random.random_range(0..lsns.len())];
        let (moment, expected) = match random.random_range(0..3) {
            0 if !checkpoints.is_empty() => {
                let (id, copy) = &checkpoints[random.random_range(0..checkpoints.len())];
                (Moment::Checkpoint(*id), copy.clone())
            }
            _ => (Moment::Lsn(lsn), copies[&lsn].clone()),
        };
        restore(&server, moment).unwrap_or_else(|error| panic!("seed {seed}, {moment:?}: {error}"));
        let found = (server.dump(), shapes(&server.engine.registry()));
        assert_eq!(found, expected, "seed {seed}, {moment:?}");
        // What is restored is in the log when the reply is there, and the time before it stays within reach.
        let recovered = read_back(&disk.fork().crash()).unwrap().registry;
        assert_eq!(
            (dump(&recovered), shapes(&recovered)),
            expected,
            "seed {seed}, {moment:?}"
        );
        copies.insert(server.engine.wal().last_lsn(), expected);
    }
    server.engine.reaper().stop();
    let registry = server.engine.registry();
    let held: u64 = registry.slots().map(|slot| slot.collection.bytes()).sum();
    let held = held + registry.libraries().bytes();
    assert_eq!(server.engine.meter().used_bytes(), held, "seed {seed}");
    steps
}

#[test]
fn one_collection_under_its_own_or_another_name() {
    let disk = FaultDisk::new(1);
    let mut server = keeping(&disk);
    server.set("key", "first");
    let first = server.engine.wal().last_lsn();
    server.checkpoints.checkpoint_blocking().unwrap();
    let then = server.dump()["default"].1.clone();
    server.set("key", "second");
    server.change(DatabaseId::new(1), b"other", |txn| put(txn, b"other", b"stays"));
    restore_one(&server, Moment::Lsn(first), "default", "then", false).unwrap();
    assert_eq!(server.dump()["then"].1, then);
    let refused = restore_one(&server, Moment::Checkpoint(1), "default", "then", false).unwrap_err();
    assert!(refused.contains("REPLACE"), "{refused}");
    restore_one(&server, Moment::Checkpoint(1), "default", "default", true).unwrap();
    assert_eq!(server.dump()["default"].1, then);
    assert_eq!(server.dump()["1"].1.len(), 1);
    let missing = restore_one(&server, Moment::Checkpoint(1), "nobody", "x", false).unwrap_err();
    assert!(missing.contains("no collection \"nobody\""), "{missing}");
    assert_eq!(dump(&read_back(&disk.crash()).unwrap().registry), server.dump());
}

#[test]
fn what_is_out_of_reach_is_told_with_what_is_not() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    server
        .checkpoints
        .shared
        .settings
        .keep_count
        .store(2, Ordering::Relaxed);
    for round in 0..4 {
        for i in 0..100 {
            server.set(&format!("key:{i}"), &format!("{round} {}", "x".repeat(100)));
        }
        server.checkpoints.checkpoint_blocking().unwrap();
    }
    server.set("after", "v");
    let (last, before) = (server.engine.wal().last_lsn(), server.dump());
    for (moment, expected) in [
        (Moment::Lsn(Lsn::ZERO), "LSN 0 is out of reach"),
        (Moment::Lsn(Lsn::new(5)), "LSN 5 is out of reach"),
        (Moment::Lsn(last.next()), "is out of reach"),
        (Moment::Time(5), "1970-01-01T00:00:00.005Z is out of reach"),
        (Moment::Time(u64::MAX), "future"),
        (Moment::Checkpoint(1), "there is no checkpoint 1"),
        (Moment::Checkpoint(9), "there is no checkpoint 9"),
    ] {
        let error = restore(&server, moment).unwrap_err();
        assert!(error.contains(expected), "{moment:?}: {error}");
        if error.contains("out of reach") {
            let stats = server.checkpoints.stats();
            let from = format!("LSN {} (", stats.last.unwrap().lsn);
            assert!(error.contains(&from) && error.contains("checkpoint 3 (LSN "), "{error}");
        }
    }
    assert_eq!(server.dump(), before);
    restore(&server, Moment::Time(crate::engine::worker::unix_ms())).unwrap();
    assert_eq!(server.dump(), before);
    restore(&server, Moment::Checkpoint(3)).unwrap();
    assert!(server.dump()["default"].1[b"key:1".as_slice()].0.starts_with(b"2 "));
}

#[test]
fn a_log_that_has_lost_its_newest_segment_is_not_restored_from() {
    let disk = FaultDisk::new(1);
    let mut server = keeping(&disk);
    while server.engine.wal().stats().segments < 3 {
        server.set("key", &"x".repeat(200));
    }
    let newest = files(&disk, LOG).pop().unwrap();
    disk.remove(&newest).unwrap();
    let before = server.dump();
    match restore(&server, Moment::Time(crate::engine::worker::unix_ms())) {
        // By then the log may have begun another segment behind it.
        Err(error) => {
            let is_told = error.contains(newest.to_str().unwrap()) || error.contains("is missing");
            assert!(is_told, "{error}");
        }
        // Or it has noticed, and gone on behind a checkpoint that has everything.
        Ok(_) => assert_eq!(server.dump(), before),
    }
}

#[test]
fn a_time_between_records_gives_what_was_then() {
    let disk = FaultDisk::new(1);
    let mut server = keeping(&disk);
    let mut copies = Vec::new();
    for i in 0..8 {
        server.set("key", &i.to_string());
        copies.push((crate::engine::worker::unix_ms(), server.dump()));
        std::thread::sleep(std::time::Duration::from_millis(3));
        if i == 4 {
            server.checkpoints.checkpoint_blocking().unwrap();
        }
    }
    for (at_ms, expected) in copies.into_iter().rev() {
        restore(&server, Moment::Time(at_ms)).unwrap();
        assert_eq!(server.dump(), expected);
    }
}

#[test]
fn a_power_cut_while_restoring_leaves_all_of_before_or_all_of_after() {
    let base = FaultDisk::new(3);
    let mut server = Server::start(&base);
    for i in 0..700 {
        server.set(&format!("key:{i}"), "then");
    }
    server
        .exclusive(|txn| txn.create(None, "gone later", Kind::Bdef).map(drop))
        .unwrap();
    server.checkpoints.checkpoint_blocking().unwrap();
    let then = server.dump();
    server
        .exclusive(|txn| {
            let id = txn.slot_named("gone later").unwrap().collection.id();
            txn.drop_collection(id).unwrap();
            txn.create(None, "made later", Kind::Hmap).map(drop)
        })
        .unwrap();
    server.set("key:1", "now");
    server.sync();
    let now = server.dump();
    server.checkpoints.stop();
    cut_everywhere(|nth| {
        let disk = base.fork().kill();
        let server = Server::start(&disk);
        server.sync();
        disk.stop_at(nth);
        let acknowledged = restore(&server, Moment::Checkpoint(1)).is_ok();
        let found = dump(&read_back(&disk.crash()).unwrap().registry);
        assert!(found == then || found == now && !acknowledged, "operation {nth}");
        found == then
    });
}

#[test]
fn damage_in_a_snapshot_is_named_and_changes_nothing() {
    let disk = FaultDisk::new(3);
    let mut server = keeping(&disk);
    for i in 0..300 {
        server.set(&format!("key:{i}"), "then");
    }
    server.checkpoints.checkpoint_blocking().unwrap();
    server.set("key:1", "now");
    let before = server.dump();
    let pages = files(&disk, CHECKPOINTS)
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "lkp"));
    let pages = pages.unwrap();
    let middle = disk.len(&pages).unwrap() as usize / 2;
    disk.flip(&pages, middle, 3).unwrap();
    for error in [
        restore(&server, Moment::Checkpoint(1)).unwrap_err(),
        restore_one(&server, Moment::Checkpoint(1), "default", "x", false).unwrap_err(),
        attach(&server, 1, "default", "x").unwrap_err(),
    ] {
        assert!(
            error.contains(pages.to_str().unwrap()) && error.contains("page "),
            "{error}"
        );
    }
    assert_eq!(server.dump(), before);
    assert_eq!(server.engine.registry().collections().count(), before.len());
}

#[test]
fn an_attached_collection_needs_no_file_and_leaves_no_trace() {
    let disk = FaultDisk::new(1);
    let mut server = keeping(&disk);
    for i in 0..500 {
        server.set(&format!("key:{i}"), &"v".repeat(i));
    }
    server.change(DatabaseId::DEFAULT, b"key:1", |txn| {
        txn.expire_at(b"key:1", Some(crate::engine::worker::unix_ms() + 1))
    });
    server.checkpoints.checkpoint_blocking().unwrap();
    let then = server.dump()["default"].1.clone();
    let used = server.engine.meter().used_bytes();
    assert_eq!(attach(&server, 1, "default", "old").unwrap(), 500);
    assert!(
        attach(&server, 1, "default", "old")
            .unwrap_err()
            .contains("exists already")
    );
    server.set("key:0", "now");
    server.checkpoints.checkpoint_blocking().unwrap();
    let mut without = server.dump();
    assert_eq!(without.remove("old").unwrap().1, then);
    assert_eq!(dump(&read_back(&disk.fork().crash()).unwrap().registry), without);
    // A restore of all leaves it; one that needs its name is refused.
    restore(&server, Moment::Checkpoint(1)).unwrap();
    assert_eq!(server.dump()["old"].1, then);
    let refused = restore_one(&server, Moment::Checkpoint(1), "default", "old", true).unwrap_err();
    assert!(refused.contains("attached"), "{refused}");
    server.exclusive(|txn| {
        let slot = txn.slot_named("old").unwrap();
        txn.detach(&slot).unwrap();
        assert!(txn.detach(&txn.slot(DatabaseId::DEFAULT).unwrap()).is_err());
    });
    server.set("key:0", "");
    server.engine.reaper().stop();
    let held: u64 = server
        .engine
        .registry()
        .slots()
        .map(|slot| slot.collection.bytes())
        .sum();
    assert_eq!(server.engine.meter().used_bytes(), held);
    assert!(held <= used + 4096, "{held} {used}");
}

#[test]
fn keys_of_an_attached_collection_count_as_used_when_it_was_attached() {
    let disk = FaultDisk::new(1);
    let mut server = keeping(&disk);
    server.set("key", "value");
    server.checkpoints.checkpoint_blocking().unwrap();
    // As if it had not looked at the clock for an hour.
    let an_hour_ago_ms = unix_ms() - 3_600_000;
    let act = Job::Act(Box::new(move |runner| runner.worker.set_clock(an_hour_ago_ms)));
    let shared = &server.checkpoints.shared;
    shared.ask(|requests| requests.jobs.push_back(act)).unwrap();
    assert_eq!(attach(&server, 1, "default", "old").unwrap(), 1);
    let registry = server.engine.registry();
    let mut idle_s = Vec::new();
    for shard in registry.by_name("old").unwrap().collection.shards_if_any() {
        let _ = shard.lock().index.for_each(|entry| {
            idle_s.push(entry.access().idle_s(unix_ms()));
            ControlFlow::<()>::Continue(())
        });
    }
    assert_eq!(idle_s.len(), 1);
    assert!(idle_s.iter().all(|idle_s| *idle_s < 1000), "{idle_s:?}");
}

/// What the clock showed at each change, in order: it goes back twice, and forth once.
const CLOCK_S: [u64; 9] = [10, 20, 30, 15, 25, 99, 40, 35, 50];

#[test]
fn a_time_where_clocks_went_back_has_all_that_was_written_by_then() {
    for checkpoint_after in 0..=CLOCK_S.len() {
        let disk = FaultDisk::new(1);
        let mut server = keeping(&disk);
        let base_ms = crate::engine::worker::unix_ms() - 1_000_000;
        let mut copies = Vec::new();
        for (at, second) in CLOCK_S.iter().enumerate() {
            if at == checkpoint_after {
                server.checkpoints.checkpoint_blocking().unwrap();
            }
            server.set_at("key", &at.to_string(), base_ms + second * 1000);
            copies.push(server.dump());
        }
        for second in (0..22).rev().map(|five| five * 5) {
            let expected = CLOCK_S.iter().rposition(|shown| *shown <= second);
            let restored = restore(&server, Moment::Time(base_ms + second * 1000));
            match expected {
                Some(at) => {
                    restored.unwrap();
                    assert_eq!(server.dump(), copies[at], "{second} s, checkpoint {checkpoint_after}");
                }
                None => assert!(restored.unwrap_err().contains("out of reach"), "{second} s"),
            }
        }
    }
}

#[test]
fn a_time_that_the_clock_has_yet_to_come_to_again_has_what_was_written_by_then() {
    let disk = FaultDisk::new(1);
    let mut server = keeping(&disk);
    let now_ms = unix_ms();
    server.set_at("key", "first", now_ms + 1_000_000);
    let then = server.dump();
    server.set_at("key", "second", now_ms + 2_000_000);
    let refused = restore(&server, Moment::Time(now_ms + 2_000_001)).unwrap_err();
    assert!(refused.contains("future"), "{refused}");
    restore(&server, Moment::Time(now_ms + 1_500_000)).unwrap();
    assert_eq!(server.dump(), then);
}
