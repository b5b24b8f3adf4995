//! Copies of collections with values in parts: shared with the source, named in the log, and values of their own
//! nevertheless.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::containers::check::check;
use super::fixture::{fill_containers, fill_containers_of};
use super::*;
use crate::checkpoint::{ConvertRequest, CopyRequest, LoadDone, Target};
use crate::engine::effect::{Effect, decode_all};
use crate::engine::settings::Settings;
use crate::engine::worker::unix_ms;
use crate::page::hash::HashOp;
use crate::page::packed::pack;
use crate::recovery::{Until, recover_past};
use crate::wal::Reader;

const CONTAINERS: [&str; 5] = ["hash", "list", "set", "stream", "zset"];
const TEXT: &str = "text";
/// More than this takes no key of these tests by itself, but those in parts.
const SMALL_BYTES: usize = 4 << 10;

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn try_copy(checkpoints: &Checkpointer, source: &str, target: &str, kind: Option<Kind>) -> Result<LoadDone, String> {
    let request = CopyRequest {
        source: source.to_owned(),
        target: Target {
            name: target.to_owned(),
            replace: true,
        },
        kind,
    };
    block(checkpoints.copy(request)).map_err(|error| error.to_string())
}

fn copy(server: &Server, target: &str, kind: Option<Kind>) {
    try_copy(&server.checkpoints, "default", target, kind).unwrap();
}

/// A server that keeps all that it logs and every checkpoint, with containers of all types and a long string in parts.
fn filled(disk: &FaultDisk, kind: Kind) -> Server {
    let mut server = Server::start_of(disk, Some(Fsync::No), kind);
    let settings = &server.checkpoints.shared.settings;
    settings.wal_keep_age_s.store(1 << 30, Ordering::Relaxed);
    settings.keep_count.store(1000, Ordering::Relaxed);
    fill_containers(&mut server, 0..1000);
    server.set(TEXT, &"text".repeat(50_000));
    server.change(DatabaseId::DEFAULT, TEXT.as_bytes(), |txn| {
        txn.write_range(TEXT.as_bytes(), 9, b"is in chunks")
    });
    for number in 0..500 {
        server.set(&format!("small:{number}"), "small");
    }
    server
}

/// Changes each of the containers and the string, in a place that is there and in one that is new.
fn change_all(server: &mut Server, database: DatabaseId, number: u64) {
    fill_containers_of(server, database, number..number + 3);
    let fields = pack([b"name-00100".as_slice(), number.to_string().as_bytes()]);
    change_field(server, database, b"hash", &fields);
    server.change(database, TEXT.as_bytes(), |txn| {
        txn.write_range(TEXT.as_bytes(), 100_000, number.to_string().as_bytes())
    });
}

fn change_field(server: &mut Server, database: DatabaseId, key: &[u8], pairs: &[u8]) {
    let op = HashOp::Set {
        pairs,
        keeps_expiry: false,
    };
    server.change(database, key, |txn| txn.apply(&Effect::Hash { key, op }));
}

fn database_of(server: &Server, name: &str) -> DatabaseId {
    server.engine.registry().by_name(name).unwrap().id
}

/// The keys that the log names as copied since `from`, and those whose large values it has.
fn logged(server: &Server, disk: &FaultDisk, from: Lsn) -> (BTreeSet<String>, BTreeSet<String>) {
    server.sync();
    let mut reader = Reader::open(Arc::new(disk.clone()), Path::new(LOG), from).unwrap();
    let (mut named, mut whole) = (BTreeSet::new(), BTreeSet::new());
    while let Some(record) = reader.next().unwrap() {
        for effect in decode_all(record.payload).filter(|_| record.lsn >= from) {
            let (_, effect) = effect.unwrap();
            match effect {
                Effect::Copy { key, source_key, .. } => {
                    assert_eq!(key, source_key);
                    named.insert(String::from_utf8_lossy(key).into_owned());
                }
                Effect::Put { key, value, .. } if value.rough_bytes() > SMALL_BYTES => {
                    whole.insert(String::from_utf8_lossy(key).into_owned());
                }
                _ => {}
            }
        }
    }
    (named, whole)
}

fn next_lsn(server: &Server) -> Lsn {
    server.engine.wal().last_lsn().next()
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn all_parted() -> BTreeSet<String> {
    set_of(&[&CONTAINERS[..], &[TEXT]].concat())
}

/// What is counted is what is there, once all that goes has gone.
#[track_caller]
pub(super) fn assert_counted(server: &Server) {
    let begun = Instant::now();
    loop {
        let slots = server.engine.registry();
        let there: u64 = slots.slots().map(|slot| slot.collection.bytes()).sum();
        drop(slots);
        let counted = server.engine.meter().used_bytes();
        if counted == there {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{counted} counted, {there} there"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn flush(server: &mut Server, name: &str) {
    server.exclusive(|txn| {
        let id = txn.slot_named(name).unwrap().collection.id();
        txn.flush(id).unwrap();
    });
}

#[test]
fn a_copy_of_any_kind_shares_what_is_in_parts_and_is_counted() {
    for from in Kind::ALL {
        let disk = FaultDisk::new(1);
        let mut server = filled(&disk, from);
        let original = server.dump()["default"].1.clone();
        let alone = server.engine.meter().used_bytes();
        for to in Kind::ALL {
            let first = next_lsn(&server);
            copy(&server, "copy", Some(to));
            assert_eq!(server.dump()["copy"].1, original);
            assert_eq!(logged(&server, &disk, first), (all_parted(), BTreeSet::new()));
            assert_counted(&server);
        }
        assert_eq!(dump(&read_back(&disk.fork().crash()).unwrap().registry), server.dump());
        // Of two that share, each counts as long as it is there.
        let database = database_of(&server, "copy");
        change_all(&mut server, DatabaseId::DEFAULT, 2000);
        change_all(&mut server, database, 3000);
        assert_counted(&server);
        flush(&mut server, "default");
        assert_counted(&server);
        assert!(server.engine.meter().used_bytes() > alone / 2);
        assert_eq!(server.dump()["copy"].1.len(), original.len());
        flush(&mut server, "copy");
        assert_counted(&server);
        assert_eq!(server.engine.meter().used_bytes(), 0);
    }
}

#[test]
fn neither_sees_changes_of_the_other_at_any_moment_of_the_past() {
    for kind in Kind::ALL {
        let disk = FaultDisk::new(2);
        let mut server = filled(&disk, kind);
        let mut moments = vec![(server.engine.wal().last_lsn(), server.dump())];
        let checkpoint = |server: &Server| {
            let done = server.checkpoints.checkpoint_blocking().unwrap();
            check(&disk, done.id, None);
            assert_eq!(
                dump(&read_back(&checkpoints_only(&disk)).unwrap().registry),
                server.dump()
            );
        };
        checkpoint(&server);
        copy(&server, "copy", None);
        let copied = server.dump();
        assert_eq!(copied["copy"].1, copied["default"].1);
        let mut note = |server: &Server| {
            server.sync();
            moments.push((server.engine.wal().last_lsn(), server.dump()));
            assert_eq!(dump(&read_back(&disk.fork().crash()).unwrap().registry), server.dump());
        };
        note(&server);
        let database = database_of(&server, "copy");
        let ways = [(DatabaseId::DEFAULT, "default", "copy"), (database, "copy", "default")];
        for round in 0..2 {
            for (changed, own, other) in ways {
                let before = server.dump();
                change_all(&mut server, changed, 5000 + 10 * round);
                let after = server.dump();
                assert_eq!(after[other], before[other]);
                let of = |dump: &Dump, key: &str| dump[own].1[key.as_bytes()].clone();
                all_parted()
                    .iter()
                    .for_each(|key| assert_ne!(of(&after, key), of(&before, key), "{key}"));
                note(&server);
                if round == 0 {
                    checkpoint(&server);
                }
            }
        }
        checkpoint(&server);
        // What one has left goes on in the other.
        for key in all_parted() {
            server.change(DatabaseId::DEFAULT, key.as_bytes(), |txn| txn.delete(key.as_bytes()));
        }
        note(&server);
        checkpoint(&server);
        flush(&mut server, "default");
        note(&server);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let at = |lsn| {
            let past = recover_past(&shared, &options(2), Until::Lsn(lsn), |_| ControlFlow::Continue(()));
            dump(&past.unwrap().registry)
        };
        for (lsn, expected) in &moments {
            assert_eq!(at(*lsn), *expected, "at LSN {lsn}");
        }
        // Within the copy nothing of it is there; its last record shows all of it.
        let (mut lsn, published) = (moments[0].0, moments[1].0);
        while lsn < published {
            let there = at(lsn);
            assert!(there == moments[0].1 || there == copied, "at LSN {lsn}");
            lsn = lsn.next();
        }
        server.checkpoints.stop();
    }
}

/// Has a thread change four hashes in one record, and keys beside them, while `body` runs.
fn beside_changes<R>(engine: &Arc<Engine>, body: impl FnOnce() -> R) -> R {
    struct Stops<'a>(&'a AtomicBool);
    impl Drop for Stops<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (stop, mut worker) = (AtomicBool::new(false), engine.worker().unwrap());
    std::thread::scope(|scope| {
        let _stops = Stops(&stop);
        scope.spawn(|| {
            for round in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let number = round.to_string();
                change(engine, &mut worker, DatabaseId::DEFAULT, b"beside", |txn| {
                    put(txn, b"beside", number.as_bytes())
                });
                if !round.is_multiple_of(4) {
                    continue;
                }
                let field = format!("name-{:05}", round % 900);
                let pairs = pack([field.as_bytes(), number.as_bytes()]);
                let _pass = worker.enter(engine);
                let collection = Arc::clone(&engine.registry().slot(DatabaseId::DEFAULT).unwrap().collection);
                let keys = HOT.iter().map(|key| key.as_bytes());
                let mut scope = Scope::for_keys(engine, &mut worker, &collection, keys);
                for key in HOT {
                    let (key, keeps_expiry) = (key.as_bytes(), false);
                    let op = HashOp::Set {
                        pairs: &pairs,
                        keeps_expiry,
                    };
                    Txn::new(&mut scope, &collection, true).apply(&Effect::Hash { key, op });
                }
                drop(scope);
                worker.submit();
            }
        });
        body()
    })
}

const HOT: [&str; 4] = ["hot:0", "hot:1", "hot:2", "hot:3"];

#[test]
fn what_changes_meanwhile_is_copied_as_it_was() {
    let (mut named, mut whole) = (BTreeSet::new(), BTreeSet::new());
    for kind in Kind::ALL {
        let disk = FaultDisk::new(3);
        let mut server = filled(&disk, kind);
        let names: Vec<Vec<u8>> = (0..1000)
            .map(|number| format!("name-{number:05}").into_bytes())
            .collect();
        let pairs = pack(names.iter().flat_map(|name| [name.as_slice(), b"a value"]));
        for key in HOT {
            change_field(&mut server, DatabaseId::DEFAULT, key.as_bytes(), &pairs);
        }
        let cold = server.dump()["default"].1.clone();
        let engine = Arc::clone(&server.engine);
        for round in 0..3 {
            let first = next_lsn(&server);
            beside_changes(&engine, || {
                if round == 1 {
                    let request = ConvertRequest {
                        name: "default".to_owned(),
                        kind: Some(Kind::ALL[(kind as usize + 1) % 3]),
                        is_kept: false,
                    };
                    block(server.checkpoints.convert(request)).unwrap();
                }
                copy(&server, "copy", None);
            });
            let (copied, all) = (server.dump()["copy"].1.clone(), server.dump());
            let digests: BTreeSet<_> = HOT.iter().map(|key| copied[key.as_bytes()].clone()).collect();
            assert_eq!(digests.len(), 1, "they are of several moments");
            for key in all_parted() {
                assert_eq!(copied[key.as_bytes()], cold[key.as_bytes()]);
            }
            server.sync();
            assert_eq!(dump(&read_back(&disk.fork().crash()).unwrap().registry), all);
            let (some, others) = logged(&server, &disk, first);
            named.extend(some);
            whole.extend(others);
        }
        server.checkpoints.checkpoint_blocking().unwrap();
        assert_eq!(
            dump(&read_back(&checkpoints_only(&disk)).unwrap().registry),
            server.dump()
        );
        assert_counted(&server);
    }
    // What a page has besides keeps nothing from being named; what has changed itself is.
    assert!(named.is_superset(&all_parted()), "{named:?}");
    assert!(HOT.iter().any(|key| whole.contains(*key)), "{whole:?}");
}

#[test]
fn what_goes_meanwhile_is_copied_and_a_start_finds_it() {
    let mut fates = BTreeSet::new();
    for round in 0..18 {
        let disk = FaultDisk::new(round);
        let mut server = filled(&disk, Kind::ALL[round as usize % 3]);
        server.exclusive(|txn| txn.create(None, "other", Kind::Hmap).map(drop).unwrap());
        let original = server.dump()["default"].1.clone();
        try_copy(&server.checkpoints, "default", "source", None).unwrap();
        let first = next_lsn(&server);
        let checkpoints = Arc::clone(&server.checkpoints);
        let copied = std::thread::scope(|scope| {
            let running = scope.spawn(move || try_copy(&checkpoints, "source", "copy", None));
            std::thread::sleep(Duration::from_micros(200 * round));
            server.exclusive(|txn| {
                let id = txn.slot_named("source").unwrap().collection.id();
                match round % 3 {
                    0 => txn.flush(id).unwrap(),
                    1 => txn.drop_collection(id).unwrap(),
                    _ => txn.rename(id, "renamed").unwrap(),
                }
            });
            running.join().unwrap()
        });
        let dumped = server.dump();
        match copied {
            // It may have been emptied before the instant.
            Ok(done) => assert!(dumped["copy"].1 == original || round % 3 == 0 && done.entries == 0),
            Err(error) => assert!(error.contains("source") && !dumped.contains_key("copy"), "{error}"),
        }
        let (named, whole) = logged(&server, &disk, first);
        fates.insert((named.len(), whole.len()));
        assert_eq!(dump(&read_back(&disk.fork().crash()).unwrap().registry), dumped);
        assert_counted(&server);
    }
    println!("named and not: {fates:?}");
}

#[test]
fn what_is_about_to_die_is_written_whole() {
    for (in_ms, is_named) in [(0, false), (500, false), (3_600_000, true)] {
        let disk = FaultDisk::new(4);
        let mut server = filled(&disk, Kind::Hmap);
        let fields = pack([b"name-00100".as_slice()]);
        let op = HashOp::ExpireAt {
            fields: &fields,
            expire_at_ms: unix_ms() + in_ms,
        };
        server.change(DatabaseId::DEFAULT, b"hash", |txn| {
            txn.apply(&Effect::Hash { key: b"hash", op })
        });
        let first = next_lsn(&server);
        copy(&server, "copy", None);
        let (named, whole) = logged(&server, &disk, first);
        assert_eq!((named.contains("hash"), whole.contains("hash")), (is_named, !is_named));
        assert_eq!(named.len() + whole.len(), all_parted().len());
        assert_eq!(server.dump()["copy"].1, server.dump()["default"].1);
        assert_eq!(dump(&read_back(&disk.fork().crash()).unwrap().registry), server.dump());
    }
}

/// The log has nothing of what is in a cache: it cannot name it.
#[test]
fn a_cache_is_copied_to_one_and_becomes_a_collection_that_is_kept() {
    let disk = FaultDisk::new(5);
    let mut server = filled(&disk, Kind::Hmap);
    server.exclusive(|txn| {
        let settings = Settings {
            is_cache: true,
            ..Settings::default()
        };
        let id = txn.slot(DatabaseId::DEFAULT).unwrap().collection.id();
        txn.configure(id, settings).unwrap();
        txn.create(None, "kept", Kind::Bcust).unwrap();
    });
    change_all(&mut server, DatabaseId::DEFAULT, 7000);
    let original = server.dump()["default"].1.clone();
    let first = next_lsn(&server);
    copy(&server, "cache", None);
    assert_eq!(logged(&server, &disk, first), (BTreeSet::new(), BTreeSet::new()));
    copy(&server, "kept", None);
    assert_eq!(logged(&server, &disk, first), (BTreeSet::new(), all_parted()));
    assert_counted(&server);
    let dumped = server.dump();
    assert_eq!((&dumped["cache"].1, &dumped["kept"].1), (&original, &original));
    server.checkpoints.stop();
    let found = dump(&read_back(&disk.crash()).unwrap().registry);
    assert_eq!(found["kept"].1, original);
    assert!(found["cache"].1.is_empty() && found["default"].1.is_empty());
}
