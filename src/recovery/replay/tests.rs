//! Replay by several threads: the same data as a model, whatever their number; what cannot be applied is named.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::engine::effect::{Effect, Placement};
use crate::engine::ids::{CollectionId, DatabaseId};
use crate::engine::index::Kind;
use crate::page::{Access, StrRef, ValueRef};
use crate::recovery::observer::Observer;
use crate::storage::fault::FaultDisk;
use crate::wal::{Fsync, Wal, WalOptions};

const DIR: &str = "/data/wal";

type Model = HashMap<CollectionId, BTreeMap<Vec<u8>, Vec<u8>>>;

fn open(disk: &FaultDisk) -> Wal {
    let options = WalOptions {
        segment_bytes: 20_000,
        fsync: Fsync::No,
        ..WalOptions::new(DIR)
    };
    Wal::open(Arc::new(disk.clone()), options, Lsn::FIRST).unwrap()
}

fn replayed(disk: &FaultDisk, threads: usize) -> (Registry, Result<Replayed, RecoveryError>) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut registry = Registry::default();
    let outcome = replay(
        &disk,
        Path::new(DIR),
        Lsn::FIRST,
        &mut registry,
        (threads, Access::default(), Lsn::MAX),
        &mut Observer::new(Path::new(DIR), &mut |_| ControlFlow::Continue(())),
    );
    (registry, outcome)
}

fn contents(registry: &Registry) -> Model {
    let mut model = Model::new();
    for slot in registry.slots() {
        let entries = model.entry(slot.collection.id()).or_default();
        for shard in slot.collection.shards_if_any() {
            let state = shard.lock();
            let _ = state.index.for_each(|entry| {
                let value = entry.value().as_str().unwrap().contiguous().into_owned();
                entries.insert(entry.key().to_vec(), value);
                ControlFlow::<()>::Continue(())
            });
        }
    }
    model
}

fn create<'a>(database: DatabaseId, name: &'a str, seed: u64) -> Effect<'a> {
    Effect::CollectionCreate {
        database,
        name,
        placement: Placement {
            kind: Kind::Hmap,
            seed,
            shard_bits: Kind::Hmap.shard_bits(),
        },
    }
}

/// One random effect on an existing collection, done to the model and encoded.
fn change(rng: &mut SmallRng, model: &mut Model, out: &mut Vec<u8>) {
    let ids: Vec<CollectionId> = model.keys().copied().collect();
    let id = ids[rng.random_range(0..ids.len())];
    let entries = model.get_mut(&id).unwrap();
    let key = format!("key:{}", rng.random_range(0..400)).into_bytes();
    match rng.random_range(0..1000) {
        0 => {
            entries.clear();
            Effect::CollectionFlush.encode(id, out);
        }
        1 => {
            let with = ids[rng.random_range(0..ids.len())];
            if with != id {
                Effect::CollectionSwap { with }.encode(id, out);
            }
        }
        2 if ids.len() > 2 => {
            model.remove(&id);
            Effect::CollectionDrop.encode(id, out);
        }
        3..30 => {
            let source_collection = ids[rng.random_range(0..ids.len())];
            let source_key = format!("key:{}", rng.random_range(0..400)).into_bytes();
            Effect::Copy {
                key: &key,
                expire_at_ms: 0,
                source_collection,
                source_key: &source_key,
                value: None,
                takes_parts: false,
            }
            .encode(id, out);
            let copied = model[&source_collection].get(&source_key).cloned();
            let entries = model.get_mut(&id).unwrap();
            match copied {
                Some(value) => drop(entries.insert(key, value)),
                None => drop(entries.remove(&key)),
            }
        }
        30..200 => {
            entries.remove(&key);
            Effect::Delete { key: &key }.encode(id, out);
        }
        200..300 if entries.contains_key(&key) => {
            let text = entries.get_mut(&key).unwrap();
            text.extend_from_slice(b"tail");
            let offset = (text.len() - 4) as u64;
            Effect::StrRange {
                key: &key,
                offset,
                bytes: b"tail",
            }
            .encode(id, out);
        }
        _ => {
            let value = vec![rng.random::<u8>(); rng.random_range(0..100)];
            Effect::Put {
                key: &key,
                expire_at_ms: 0,
                value: ValueRef::Str(StrRef::Inline(&value)),
            }
            .encode(id, out);
            entries.insert(key, value);
        }
    }
}

fn append(wal: &Wal, payload: &[u8]) {
    let mut log = wal.log();
    log.begin();
    log.write(payload);
    log.commit(1);
    log.submit();
}

#[test]
fn any_number_of_threads_gives_the_same_data() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let disk = FaultDisk::new(1);
    let wal = open(&disk);
    let mut model = Model::new();
    for id in 0..5 {
        let mut payload = Vec::new();
        let database = DatabaseId::new(DatabaseId::NAMED_FIRST.get() + id);
        create(database, &format!("c{id}"), u64::from(id)).encode(CollectionId::new(id), &mut payload);
        append(&wal, &payload);
        model.insert(CollectionId::new(id), BTreeMap::new());
    }
    for _ in 0..20_000 {
        let mut payload = Vec::new();
        for _ in 0..rng.random_range(1..4) {
            change(&mut rng, &mut model, &mut payload);
        }
        append(&wal, &payload);
    }
    wal.close().unwrap();
    let mut effects = None;
    for threads in [1, 2, 3, 7] {
        let (registry, outcome) = replayed(&disk, threads);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.next_lsn, Lsn::new(20_006));
        assert_eq!(*effects.get_or_insert(outcome.effects), outcome.effects);
        assert!(contents(&registry) == model, "{threads} threads");
        let keys: u64 = registry.slots().map(|slot| slot.collection.key_count()).sum();
        assert_eq!(keys, model.values().map(|entries| entries.len() as u64).sum::<u64>());
    }
}

#[test]
fn a_record_that_cannot_be_applied_is_named_by_any_number_of_threads() {
    let mut unknown = Vec::new();
    Effect::Delete { key: b"k" }.encode(CollectionId::new(99), &mut unknown);
    let mut twice = Vec::new();
    create(DatabaseId::DEFAULT, "default", 1).encode(CollectionId::new(0), &mut twice);
    for bad in [&unknown, &twice, &vec![0xff; 9]] {
        let disk = FaultDisk::new(1);
        let wal = open(&disk);
        append(&wal, &twice);
        for n in 0..3000 {
            let mut payload = Vec::new();
            let key = format!("k{n}");
            Effect::Delete { key: key.as_bytes() }.encode(CollectionId::new(0), &mut payload);
            append(&wal, if n == 1500 { bad } else { &payload });
        }
        wal.close().unwrap();
        for threads in [1, 2, 5] {
            match replayed(&disk, threads).1 {
                Err(RecoveryError::Replay { lsn, file, offset, .. }) => {
                    assert_eq!(lsn, Lsn::new(1502));
                    assert!(
                        offset > 32 && file.to_string_lossy().ends_with(".log"),
                        "{file:?} {offset}"
                    );
                }
                Err(other) => panic!("{other}"),
                Ok(_) => panic!("applied"),
            }
        }
    }
}
