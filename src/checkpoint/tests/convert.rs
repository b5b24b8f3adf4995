//! `COLLECTION COPY` and `CONVERT`: exact while others write, and after a power cut at any moment the old or the new.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::checkpoint::{ConvertRequest, CopyRequest, LoadDone, Target};
use crate::engine::effect::Effect;
use crate::engine::index::Kind;
use crate::engine::settings::Settings;
use crate::engine::watch::WatchFlag;
use crate::page::list::ListOp;
use crate::page::packed::pack;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn copy(server: &Server, source: &str, target: &str, kind: Option<Kind>, replace: bool) -> Result<LoadDone, String> {
    block(server.checkpoints.copy(CopyRequest {
        source: source.to_owned(),
        target: Target {
            name: target.to_owned(),
            replace,
        },
        kind,
    }))
    .map_err(|error| error.to_string())
}

fn convert(checkpoints: &Checkpointer, name: &str, kind: Kind) -> Result<LoadDone, String> {
    block(checkpoints.convert(ConvertRequest {
        name: name.to_owned(),
        kind: Some(kind),
        is_kept: false,
    }))
    .map_err(|error| error.to_string())
}

fn kind_of(server: &Server, name: &str) -> Kind {
    let registry = server.engine.registry();
    registry.by_name(name).unwrap().collection.placement().kind
}

fn filled(disk: &FaultDisk, fsync: Option<Fsync>) -> Server {
    let mut server = Server::start_with(disk, fsync);
    for i in 0..900 {
        server.set(&format!("key:{i}"), &format!("value {i}"));
    }
    server.set("large", &"x".repeat(70_000));
    server.change(DatabaseId::DEFAULT, b"key:1", |txn| {
        txn.expire_at(b"key:1", Some(u64::MAX / 4))
    });
    server
}

#[test]
fn copies_of_every_kind_are_equal_and_durable() {
    let disk = FaultDisk::new(1);
    let server = filled(&disk, Some(Fsync::Always));
    let original = server.dump()["default"].1.clone();
    let mut last = "default".to_owned();
    for from in Kind::ALL {
        for to in Kind::ALL {
            for (name, kind) in [("from", from), ("to", to)] {
                let done = copy(&server, &last, name, Some(kind), true).unwrap();
                assert_eq!((done.entries, kind_of(&server, name)), (901, kind));
                assert_eq!(server.dump()[name].1, original);
                last = name.to_owned();
            }
            last = "default".to_owned();
        }
    }
    assert!(
        copy(&server, "default", "to", None, false)
            .unwrap_err()
            .contains("REPLACE")
    );
    assert!(
        copy(&server, "default", "default", None, true)
            .unwrap_err()
            .contains("itself")
    );
    assert!(copy(&server, "nobody", "x", None, true).unwrap_err().contains("nobody"));
    assert_eq!(dump(&read_back(&disk.crash()).unwrap().registry), server.dump());
}

#[test]
fn memory_stays_exact_and_watchers_are_not_told() {
    let disk = FaultDisk::new(1);
    let mut server = filled(&disk, None);
    let flag = WatchFlag::default();
    {
        let registry = server.engine.registry();
        let collection = &registry.slot(DatabaseId::DEFAULT).unwrap().collection;
        let shard = collection.shard_of(collection.key(b"key:5").hash);
        collection.note_interest();
        collection.shard(shard).lock().watches.add(b"key:5", &flag, 0);
    }
    for kind in [Kind::Bdef, Kind::Hmap, Kind::Bcust, Kind::Bcust] {
        convert(&server.checkpoints, "default", kind).unwrap();
        assert_eq!(kind_of(&server, "default"), kind);
    }
    copy(&server, "default", "copy", None, false).unwrap();
    assert!(!flag.is_raised());
    server.set("key:5", "changed");
    assert!(flag.is_raised());
    server.engine.reaper().stop();
    let slots: u64 = server
        .engine
        .registry()
        .slots()
        .map(|slot| slot.collection.bytes())
        .sum();
    assert_eq!(server.engine.meter().used_bytes(), slots);
}

/// Writes of one thread to keys of its own, each also done to the model.
fn write_until(engine: &Engine, worker: &mut Worker, (number, seed): (u64, u64), stop: &AtomicBool) -> Model {
    let mut random = SmallRng::seed_from_u64(seed ^ number);
    let mut model = Model::new();
    let mut steps = 0;
    while !stop.load(Ordering::Relaxed) || steps < 500 {
        steps += 1;
        let key = format!("w{number}:{}", random.random_range(0..400)).into_bytes();
        let choice = random.random_range(0..10);
        // Of large values few: what is converted is logged, and this disk is memory.
        let copies = random.random_range(0..200) == 0;
        let len = if random.random_range(0..200) == 0 {
            40_000
        } else {
            random.random_range(0..80)
        };
        let value: Vec<u8> = (0..len).map(|_| random.random()).collect();
        change(engine, worker, DatabaseId::DEFAULT, &key, |txn| match choice {
            0..6 if !copies => {
                put(txn, &key, &value);
                model.insert(key.clone(), (value.clone(), 0));
            }
            0..6 => {
                let largest = model.iter().max_by_key(|(_, (value, _))| value.len());
                if let Some((source, entry)) = largest.map(|(source, entry)| (source.clone(), entry.clone())) {
                    put_copy(txn, &key, &source, &entry);
                    model.insert(key.clone(), entry);
                }
            }
            6 | 7 => {
                txn.delete(&key);
                model.remove(&key);
            }
            8 => {
                if let Some(entry) = model.get_mut(&key) {
                    let offset = value.len().min(30);
                    txn.write_range(&key, offset, b"range");
                    entry.0.resize(entry.0.len().max(offset + 5), 0);
                    entry.0[offset..offset + 5].copy_from_slice(b"range");
                }
            }
            _ => {
                if let Some(entry) = model.get_mut(&key) {
                    entry.1 = u64::MAX / 4 + steps;
                    txn.expire_at(&key, Some(entry.1));
                }
            }
        });
        while engine.tap().pace() == crate::engine::pace::Pace::Hold {
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    }
    model
}

#[test]
fn conversions_under_writers_lose_and_invent_nothing() {
    let seed = seed();
    for fsync in [Some(Fsync::No), None] {
        let disk = FaultDisk::new(seed);
        let mut server = filled(&disk, fsync);
        let mut model = server.dump()["default"].1.clone();
        let stop = AtomicBool::new(false);
        let engine = Arc::clone(&server.engine);
        std::thread::scope(|scope| {
            let _stops = Stops(&stop);
            let writers: Vec<_> = (0..2)
                .map(|number| {
                    let (engine, stop) = (&engine, &stop);
                    let mut worker = engine.worker().unwrap();
                    scope.spawn(move || write_until(engine, &mut worker, (number, seed), stop))
                })
                .collect();
            let mut random = SmallRng::seed_from_u64(seed);
            for _ in 0..12 {
                let kind = Kind::ALL[random.random_range(0..3)];
                convert(&server.checkpoints, "default", kind).unwrap();
                assert_eq!(kind_of(&server, "default"), kind);
            }
            stop.store(true, Ordering::Relaxed);
            writers
                .into_iter()
                .for_each(|writer| model.extend(writer.join().unwrap()));
        });
        assert_eq!(server.dump()["default"].1, model, "seed {seed}");
        if fsync.is_some() {
            server.sync();
            assert_eq!(dump(&read_back(&disk.fork().crash()).unwrap().registry), server.dump());
        }
        server.set("goes", "on");
        server.checkpoints.checkpoint_blocking().unwrap();
        assert_eq!(
            dump(&read_back(&checkpoints_only(&disk)).unwrap().registry),
            server.dump()
        );
    }
}

/// Writers end, too, when what they write beside has failed.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_copy_is_of_one_instant() {
    let disk = FaultDisk::new(1);
    let server = filled(&disk, None);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stops = Stops(&stop);
        let mut worker = server.engine.worker().unwrap();
        let (engine, stop) = (&server.engine, &stop);
        scope.spawn(move || {
            // Each round over all keys, in order: at every instant they differ by one at most, and once.
            for round in 0_u64.. {
                for i in 0..300 {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let key = format!("key:{i:03}").into_bytes();
                    change(engine, &mut worker, DatabaseId::DEFAULT, &key, |txn| {
                        put(txn, &key, round.to_string().as_bytes())
                    });
                }
            }
        });
        for _ in 0..20 {
            copy(&server, "default", "copy", Some(Kind::Bdef), true).unwrap();
            let registry = server.engine.registry();
            let copied = dump(&registry)["copy"].1.clone();
            drop(registry);
            let numbers = (0..300).filter_map(|i| copied.get(format!("key:{i:03}").as_bytes()));
            let numbers: Vec<i64> = numbers
                .map(|(value, _)| String::from_utf8_lossy(value).parse().unwrap_or(-1))
                .collect();
            let steps = numbers.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(
                steps <= 1 && numbers.is_sorted_by(|one, next| one >= next),
                "{numbers:?}"
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_happens_to_the_whole_collection_meanwhile() {
    let seed = seed();
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut converted, mut refused) = (0, 0);
    for _ in 0..60 {
        let disk = FaultDisk::new(seed);
        let mut server = Server::start_with(&disk, Some(Fsync::No));
        server
            .exclusive(|txn| txn.create(None, "c", Kind::Hmap).map(drop))
            .unwrap();
        let database = server.engine.registry().by_name("c").unwrap().id;
        for i in 0..600 {
            let key = format!("key:{i}").into_bytes();
            server.change(database, &key, |txn| put(txn, &key, b"v"));
        }
        let flushes = random.random_range(0..2) == 0;
        let wait_us = random.random_range(0..1500);
        let checkpoints = &server.checkpoints;
        let (engine, mut worker) = (Arc::clone(&server.engine), server.engine.worker().unwrap());
        let outcome = std::thread::scope(|scope| {
            let running = scope.spawn(move || convert(checkpoints, "c", Kind::Bcust));
            std::thread::sleep(std::time::Duration::from_micros(wait_us));
            worker
                .with_exclusive(&engine, |worker, pass| {
                    let mut scope = Scope::exclusive(&engine, worker, pass);
                    let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
                    let id = txn.slot(database).unwrap().collection.id();
                    if flushes {
                        txn.flush(id)
                    } else {
                        txn.drop_collection(id)
                    }
                })
                .unwrap();
            worker.submit();
            if flushes {
                change(&engine, &mut worker, database, b"after", |txn| put(txn, b"after", b"v"));
            }
            running.join().unwrap()
        });
        let dumped = server.dump();
        if flushes {
            outcome.unwrap();
            converted += 1;
            assert_eq!(kind_of(&server, "c"), Kind::Bcust);
            let keys: Vec<_> = dumped["c"].1.keys().cloned().collect();
            assert_eq!(keys, [b"after".to_vec()], "seed {seed}");
        } else {
            refused += u32::from(outcome.is_err());
            assert!(!dumped.contains_key("c"), "seed {seed}");
        }
        // No tap stays, nothing of the attempt is left.
        assert_eq!(server.engine.registry().collections().count(), dumped.len());
        server.sync();
        assert_eq!(dump(&read_back(&disk.crash()).unwrap().registry), dumped, "seed {seed}");
    }
    println!("{converted} converted, {refused} refused");
}

#[test]
fn a_cache_with_keys_becomes_one_that_is_kept() {
    let disk = FaultDisk::new(1);
    let mut server = Server::start(&disk);
    let cache = Settings {
        is_cache: true,
        ..Settings::default()
    };
    server
        .exclusive(|txn| {
            let id = txn.slot(DatabaseId::DEFAULT).unwrap().collection.id();
            txn.configure(id, cache)
        })
        .unwrap();
    for i in 0..500 {
        server.set(&format!("key:{i}"), "v");
    }
    // A copy of a cache is one, under another name; into a collection that is kept it is kept.
    copy(&server, "default", "cached", None, false).unwrap();
    copy(&server, "default", "1", None, false).unwrap();
    let request = ConvertRequest {
        name: "default".to_owned(),
        kind: None,
        is_kept: true,
    };
    block(server.checkpoints.convert(request)).unwrap();
    server.set("after", "v");
    server.sync();
    let mut expected = server.dump();
    expected.get_mut("cached").unwrap().1.clear();
    assert_eq!(expected["1"].1.len(), 500);
    assert_eq!(dump(&read_back(&disk.crash()).unwrap().registry), expected);
}

/// Does `act` to a fresh fork, cut off at its `nth` operation on the disk, for every `nth` until it has passed a few
/// times: before or after, and after if it said so.
fn cut_off(act: impl Fn(&Server) -> Result<LoadDone, String>, is_after: impl Fn(&Registry) -> bool) {
    let base = FaultDisk::new(3);
    filled(&base, Some(Fsync::Always)).checkpoints.stop();
    cut_everywhere(|nth| {
        let disk = base.fork().kill();
        let server = Server::start(&disk);
        server.sync();
        let before = server.dump();
        disk.stop_at(nth);
        let acknowledged = act(&server).is_ok();
        let disk = disk.crash();
        let found = read_back(&disk).unwrap().registry;
        let data = dump(&found);
        assert_eq!(data["default"], before["default"], "operation {nth}");
        let is_after = is_after(&found);
        assert!(is_after || !acknowledged, "operation {nth}");
        let mut again = Server::start(&disk);
        again.set("x", "y");
        again.sync();
        let last = dump(&read_back(&disk.crash()).unwrap().registry);
        assert_eq!(last, again.dump(), "operation {nth}");
        is_after
    });
}

#[test]
fn a_power_cut_while_copying_leaves_all_or_nothing() {
    let is_after = |registry: &Registry| {
        let copied = registry.by_name("copy").map(|slot| slot.collection.key_count());
        assert!(matches!(copied, None | Some(901)), "{copied:?}");
        copied.is_some()
    };
    cut_off(
        |server| copy(server, "default", "copy", Some(Kind::Bcust), false),
        is_after,
    );
}

#[test]
fn a_power_cut_while_converting_leaves_the_old_or_the_new() {
    let is_after =
        |registry: &Registry| registry.slot(DatabaseId::DEFAULT).unwrap().collection.placement().kind == Kind::Bdef;
    cut_off(|server| convert(&server.checkpoints, "default", Kind::Bdef), is_after);
}

/// What is too long for one record is told before anything is there, and the log goes on. What is in parts needs no
/// long record.
#[test]
fn a_value_that_no_record_can_hold_is_refused() {
    let disk = FaultDisk::new(1);
    let options = WalOptions {
        note_dir: Some(CHECKPOINTS.into()),
        fsync: Fsync::Always,
        record_bytes_max: 4000,
        ..WalOptions::new(LOG)
    };
    let mut server = Server::start_over(&disk, Some(options), Kind::Hmap);
    let elements = pack([[b'x'; 1000].as_slice()]);
    let lengthen = |server: &mut Server, elements_len| {
        for _ in 0..elements_len {
            server.change(DatabaseId::DEFAULT, b"list", |txn| {
                let op = ListOp::Push {
                    front: false,
                    elements: &elements,
                };
                txn.apply(&Effect::List { key: b"list", op })
            });
        }
    };
    lengthen(&mut server, 6);
    let why = "a value is larger than what the log keeps as one change";
    let copied = copy(&server, "default", "to", None, false);
    assert!(copied.unwrap_err().contains(why));
    let converted = convert(&server.checkpoints, "default", Kind::Bcust);
    assert!(converted.unwrap_err().contains(why));
    assert!(server.engine.registry().by_name("to").is_none());
    server.set("after", "1");
    lengthen(&mut server, 6);
    copy(&server, "default", "to", None, false).unwrap();
    convert(&server.checkpoints, "default", Kind::Bcust).unwrap();
    server.sync();
    assert!(!server.engine.refuses_writes());
    let dumped = server.dump();
    assert_eq!((dumped["default"].1.len(), &dumped["to"].1), (2, &dumped["default"].1));
    drop(server);
    assert_eq!(Server::start(&disk).dump(), dumped);
}
