//! Long histories of a collection of each kind, and of libraries beside it, compared with a B-tree: through splits and
//! merges, checkpoints, kills and power cuts, each snapshot with what there was at its instant, and restores to moments
//! before.

use std::sync::atomic::Ordering::Relaxed;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::incremental::snapshot;
use super::*;
use crate::checkpoint::{Moment, RestoreRequest};
use crate::test_histories::each;

/// Steps of a history: all that it ever logged is kept.
const STEPS: u64 = 20_000;
/// So many in a row make the collection grow, then so many make it shrink.
const PHASE: u64 = 3_000;
const KEYS: u32 = 6_000;
const KEPT: usize = 4;

/// Keys, and behind them libraries.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

/// What names of libraries begin with in a model: no key does.
const LIBRARY: &[u8] = b"\xff library ";

/// What a record did: to a key or library, or to all of them.
enum Change {
    Key(Vec<u8>, Option<(Vec<u8>, u64)>),
    Flush,
    FlushLibraries,
}

fn is_library(key: &[u8]) -> bool {
    key.starts_with(LIBRARY)
}

/// The default collection and the libraries of a dump.
fn model_of(mut dump: Dump) -> Model {
    let mut model = dump.remove("default").unwrap().1;
    let libraries = dump.remove(LIBRARIES).map_or_else(Model::new, |(_, codes)| codes);
    model.extend(
        libraries
            .into_iter()
            .map(|(name, code)| ([LIBRARY, &name].concat(), code)),
    );
    model
}

impl Change {
    fn apply(self, model: &mut Model) {
        match self {
            Self::Key(key, Some(value)) => drop(model.insert(key, value)),
            Self::Key(key, None) => drop(model.remove(&key)),
            Self::Flush => model.retain(|key, _| is_library(key)),
            Self::FlushLibraries => model.retain(|key, _| !is_library(key)),
        }
    }
}

struct Run {
    kind: Kind,
    disk: FaultDisk,
    server: Server,
    random: SmallRng,
    step: u64,
    model: Model,
    /// What no power cut can take, and what came after it.
    durable: (Lsn, Model),
    since: Vec<(Lsn, Change)>,
    /// Moments to go back to.
    copies: BTreeMap<Lsn, Model>,
    taken: BTreeMap<u64, Model>,
}

fn start(disk: &FaultDisk, kind: Kind) -> Server {
    let server = Server::start_of(disk, Some(Fsync::EverySec), kind);
    let settings = &server.checkpoints.shared.settings;
    settings.wal_keep_age_s.store(1 << 30, Relaxed);
    settings.keep_count.store(KEPT as u64, Relaxed);
    server
}

impl Run {
    fn new(seed: u64, kind: Kind) -> Self {
        let disk = FaultDisk::new(seed);
        let mut run = Self {
            kind,
            server: start(&disk, kind),
            disk,
            random: SmallRng::seed_from_u64(seed),
            step: 0,
            model: Model::new(),
            durable: (Lsn::ZERO, Model::new()),
            since: Vec::new(),
            copies: BTreeMap::new(),
            taken: BTreeMap::new(),
        };
        run.sync();
        run
    }

    fn below(&mut self, n: u32) -> u32 {
        self.random.random_range(0..n)
    }

    fn last_lsn(&self) -> Lsn {
        self.server.engine.wal().last_lsn()
    }

    fn step(&mut self) {
        self.step += 1;
        let grows = (self.step / PHASE).is_multiple_of(2);
        match self.below(6_000) {
            0..4_200 if grows => self.put(),
            0..1_200 => self.put(),
            1_200..1_230 => self.copy(),
            1_230..5_000 => self.delete(),
            5_000..5_300 => self.write_range(),
            5_300..5_593 => self.expire(),
            5_593..5_600 => self.library(),
            5_600..5_960 => self.look(),
            5_960..5_970 => self.delete_run(),
            5_970..5_980 => self.take_back(),
            5_980..5_990 => drop(self.copies.insert(self.last_lsn(), self.model.clone())),
            5_990..5_993 => self.checkpoint(),
            5_993 => self.crash(),
            5_994 => self.kill(),
            5_995 => self.restore(),
            5_996 if self.below(4) == 0 => self.flush(),
            _ => self.sync(),
        }
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.below(KEYS);
        match number % 60 {
            0 if number == 0 => Vec::new(),
            7 => format!("k:{number}:{}", "long".repeat(70)).into_bytes(),
            _ => format!("k:{number:05}").into_bytes(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.below(1000) {
            0 => 5_000,
            1..20 => self.below(600),
            _ => self.below(40),
        };
        (0..len).map(|_| self.random.random()).collect()
    }

    /// Notes what the last record did.
    fn note(&mut self, key: Vec<u8>) {
        let value = self.model.get(&key).cloned();
        self.since.push((self.last_lsn(), Change::Key(key, value)));
    }

    fn put(&mut self) {
        let (key, value) = (self.key(), self.value());
        self.server
            .change(DatabaseId::DEFAULT, &key, |txn| put(txn, &key, &value));
        self.model.insert(key.clone(), (value, 0));
        self.note(key);
    }

    /// Copies a value, a large one if there is one near.
    fn copy(&mut self) {
        let (from, key) = (self.key(), self.key());
        let near = self.model.range(from..LIBRARY.to_vec()).take(200);
        let Some((source, entry)) = near.max_by_key(|(_, (value, _))| value.len()) else {
            return;
        };
        let (source, entry) = (source.clone(), entry.clone());
        self.server
            .change(DatabaseId::DEFAULT, &key, |txn| put_copy(txn, &key, &source, &entry));
        self.model.insert(key.clone(), entry);
        self.note(key);
    }

    fn delete(&mut self) {
        let key = self.key();
        self.remove(key);
    }

    fn remove(&mut self, key: Vec<u8>) {
        let existed = self.server.change(DatabaseId::DEFAULT, &key, |txn| txn.delete(&key));
        assert_eq!(existed, self.model.remove(&key).is_some());
        self.note(key);
    }

    /// Deletes neighbours, so that pages of the ordered kinds vanish.
    fn delete_run(&mut self) {
        let (from, len) = (self.key(), self.below(400) as usize);
        let run: Vec<_> = self
            .model
            .range(from..LIBRARY.to_vec())
            .take(len)
            .map(|(key, _)| key.clone())
            .collect();
        run.into_iter().for_each(|key| self.remove(key));
    }

    /// Many changes that are taken back: pages are split and vanish, and are there again.
    fn take_back(&mut self) {
        let run: Vec<_> = self
            .model
            .range(..LIBRARY.to_vec())
            .map(|(key, _)| key)
            .skip(self.random.random_range(0..1_000))
            .take(400)
            .cloned()
            .collect();
        let fresh: Vec<_> = (0..self.below(600)).map(|_| (self.key(), self.value())).collect();
        let before = self.below(2) == 0;
        let engine = Arc::clone(&self.server.engine);
        self.server.worker.with_exclusive(&engine, |kit, gate| {
            let failed = Scope::exclusive(&engine, kit, gate).attempt(|scope| {
                let mut txn = ExclusiveTxn::new(scope, DatabaseId::DEFAULT);
                let collection = txn.slot(DatabaseId::DEFAULT).unwrap().collection;
                let mut keys = txn.keys(&collection);
                let add = |keys: &mut Txn<'_, '_>| fresh.iter().for_each(|(key, value)| put(keys, key, value));
                if before {
                    add(&mut keys);
                }
                for key in &run {
                    keys.delete(key);
                }
                add(&mut keys);
                txn.put_library(b"l0", b"taken back").unwrap();
                txn.flush_libraries().unwrap();
                txn.put_library(b"l1", b"taken back").unwrap();
                Err::<(), ()>(())
            });
            assert!(failed.is_err());
        });
        self.server.worker.submit();
        self.compare("after something was taken back");
    }

    fn write_range(&mut self) {
        let (key, offset) = (self.key(), self.below(30) as usize);
        let Some((value, _)) = self.model.get_mut(&key) else {
            return;
        };
        value.resize(value.len().max(offset + 5), 0);
        value[offset..offset + 5].copy_from_slice(b"range");
        self.server
            .change(DatabaseId::DEFAULT, &key, |txn| txn.write_range(&key, offset, b"range"));
        self.note(key);
    }

    fn expire(&mut self) {
        let (key, at_ms) = (self.key(), 4_000_000_000_000 + u64::from(self.below(1000)));
        let Some(entry) = self.model.get_mut(&key) else {
            return;
        };
        entry.1 = at_ms;
        self.server
            .change(DatabaseId::DEFAULT, &key, |txn| txn.expire_at(&key, Some(at_ms)));
        self.note(key);
    }

    fn look(&mut self) {
        let key = self.key();
        let found = self.server.change(DatabaseId::DEFAULT, &key, |txn| txn.exists(&key));
        assert_eq!(found, self.model.contains_key(&key));
    }

    fn flush(&mut self) {
        let id = self.server.default_id();
        self.server.exclusive(|txn| txn.flush(id).unwrap());
        self.change_all(Change::Flush);
    }

    fn change_all(&mut self, change: Change) {
        match change {
            Change::Flush => Change::Flush.apply(&mut self.model),
            _ => Change::FlushLibraries.apply(&mut self.model),
        }
        self.since.push((self.last_lsn(), change));
    }

    /// Puts a library, deletes one, or all.
    fn library(&mut self) {
        let name = format!("l{}", self.below(5)).into_bytes();
        let key = [LIBRARY, &name].concat();
        match self.below(10) {
            0 => {
                self.server.exclusive(|txn| txn.flush_libraries().unwrap());
                return self.change_all(Change::FlushLibraries);
            }
            1..4 => {
                let deleted = self.server.exclusive(|txn| txn.delete_library(&name));
                assert_eq!(deleted.is_ok(), self.model.remove(&key).is_some());
            }
            _ => {
                let len = if self.below(4) == 0 { 200_000 } else { self.below(900) };
                let code: Vec<u8> = (0..len).map(|_| self.random.random_range(b' '..b'z')).collect();
                self.server.exclusive(|txn| txn.put_library(&name, &code).unwrap());
                self.model.insert(key.clone(), (code, 0));
            }
        }
        self.note(key);
    }

    fn sync(&mut self) {
        self.server.sync();
        self.settle();
    }

    /// All that there is cannot be lost any more.
    fn settle(&mut self) {
        self.durable = (self.last_lsn(), self.model.clone());
        self.since.clear();
    }

    fn compare(&self, what: &str) {
        let found = model_of(self.server.dump());
        let (keys, expected) = (found.len(), self.model.len());
        assert!(found == self.model, "{what}: {keys} keys, {expected} expected");
        let collection = Arc::clone(
            &self
                .server
                .engine
                .registry()
                .slot(DatabaseId::DEFAULT)
                .unwrap()
                .collection,
        );
        assert_eq!(collection.placement().kind, self.kind);
        let keys = self.model.keys().filter(|key| !is_library(key)).count();
        assert_eq!(collection.totals(Lsn::MAX).keys, keys as u64, "{what}");
    }

    fn checkpoint(&mut self) {
        let is_lz4 = self.random.random_bool(0.5);
        self.server.checkpoints.shared.settings.is_lz4.store(is_lz4, Relaxed);
        let done = self.server.checkpoints.checkpoint_blocking().unwrap();
        assert_eq!(done.lsn, self.last_lsn());
        self.taken.insert(done.id, self.model.clone());
        self.settle();
        let ids = manifest_ids(&self.disk);
        assert!(ids.len() <= KEPT && ids.last() == Some(&done.id), "{ids:?}");
        let id = ids[self.random.random_range(0..ids.len())];
        let found = model_of(snapshot(&self.disk, id));
        assert!(found == self.taken[&id], "checkpoint {id} differs");
    }

    /// A power cut: what was synced is there, and of what came after it the first records.
    fn crash(&mut self) {
        let disk = self.disk.crash();
        self.start_again(disk);
        let lsn = self.last_lsn();
        let (durable, mut model) = std::mem::take(&mut self.durable);
        assert!(lsn >= durable, "LSN {lsn} after a power cut, {durable} was durable");
        let kept = std::mem::take(&mut self.since).into_iter();
        kept.take_while(|(at, _)| *at <= lsn)
            .for_each(|(_, change)| change.apply(&mut model));
        self.model = model;
        self.copies.split_off(&lsn.next());
        self.compare("after a power cut");
        self.sync();
    }

    /// The process ends: what was written is there.
    fn kill(&mut self) {
        self.sync();
        let disk = self.disk.kill();
        self.start_again(disk);
        self.compare("after a kill");
    }

    fn start_again(&mut self, disk: FaultDisk) {
        self.server = start(&disk, self.kind);
        self.disk = disk;
    }

    fn restore(&mut self) {
        let checkpoints: Vec<u64> = manifest_ids(&self.disk);
        let (moment, model) = if self.random.random_bool(0.3) && !checkpoints.is_empty() {
            let id = checkpoints[self.random.random_range(0..checkpoints.len())];
            (Moment::Checkpoint(id), self.taken[&id].clone())
        } else if self.copies.is_empty() {
            return;
        } else {
            let nth = self.random.random_range(0..self.copies.len());
            let (lsn, model) = self.copies.iter().nth(nth).unwrap();
            (Moment::Lsn(*lsn), model.clone())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let request = RestoreRequest { moment, only: None };
        runtime.block_on(self.server.checkpoints.restore(request)).unwrap();
        self.model = model;
        self.compare("after a restore");
        self.settle();
    }
}

fn histories_of(kind: Kind) {
    each(|seed| {
        let mut run = Run::new(seed, kind);
        (0..STEPS).for_each(|_| run.step());
        run.compare("at the end");
        run.checkpoint();
        STEPS
    });
}

#[test]
fn hmap_is_what_the_model_is() {
    histories_of(Kind::Hmap);
}

#[test]
fn bdef_is_what_the_model_is() {
    histories_of(Kind::Bdef);
}

#[test]
fn bcust_is_what_the_model_is() {
    histories_of(Kind::Bcust);
}
