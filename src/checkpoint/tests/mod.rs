//! Checkpoints and recovery against a disk that fails, and against a model.

mod ages;
mod capture;
mod concurrent;
mod containers;
mod convert;
mod crash;
mod cut_short;
mod damage;
mod document;
mod fixture;
mod flips;
mod healing;
mod history;
mod incremental;
mod libraries;
mod mending;
mod merged;
mod named;
mod parts;
mod persist;
mod restore;
mod settings;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{CheckpointOptions, Checkpointer};
use crate::checkpoint::{CheckpointSettings, Origin};
use crate::engine::Engine;
use crate::engine::collection::Totals;
use crate::engine::ids::{CollectionId, DatabaseId};
use crate::engine::index::Kind;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::registry::{Registry, Slot};
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::engine::worker::Worker;
use crate::page::digest::digest;
use crate::page::{StrRef, ValueRef};
use crate::recovery::{RecoverOptions, Recovered, RecoveryError, recover};
use crate::shared::Shared;
use crate::storage::Disk;
use crate::storage::fault::FaultDisk;
use crate::test_histories::seed;
use crate::wal::{Fsync, LogNote, Lsn, Wal, WalOptions};

pub(super) const CHECKPOINTS: &str = "/data/checkpoint";
pub(super) const LOG: &str = "/data/wal";

/// Everything that is in a registry: name → (database, key → (value, expiry)). The libraries of functions are there as
/// if they were a collection, if there are any.
pub(super) type Dump = BTreeMap<String, (u32, BTreeMap<Vec<u8>, (Vec<u8>, u64)>)>;

pub(super) const LIBRARIES: &str = "<libraries>";

pub(super) fn dump(registry: &Registry) -> Dump {
    let keys_of = |slot: &Slot| {
        let mut keys = BTreeMap::new();
        for shard in slot.collection.shards_if_any() {
            let _ = shard.lock().index.for_each(|entry| {
                let value = (content_of(entry.value()), entry.expire_at_ms().unwrap_or(0));
                assert!(keys.insert(entry.key().to_vec(), value).is_none());
                ControlFlow::<()>::Continue(())
            });
        }
        keys
    };
    let slots = registry.slots();
    let mut dump: Dump = slots
        .map(|slot| (slot.name.to_string(), (slot.id.get(), keys_of(slot))))
        .collect();
    if !registry.libraries().is_empty() {
        let libraries = registry.libraries().iter();
        let codes = libraries.map(|library| (library.name.to_vec(), (library.code.to_vec(), 0)));
        dump.insert(LIBRARIES.to_owned(), (u32::MAX, codes.collect()));
    }
    dump
}

/// A string; of a container its type, its length and a digest of its elements.
pub(super) fn content_of(value: ValueRef<'_>) -> Vec<u8> {
    match value.as_str() {
        Some(text) => text.contiguous().into_owned(),
        None => format!("{:?} {} {:x}", value.value_type(), value.len(), digest(value)).into_bytes(),
    }
}

pub(super) fn options(threads: usize) -> RecoverOptions {
    RecoverOptions {
        checkpoint_dir: CHECKPOINTS.into(),
        wal_dir: LOG.into(),
        wal_enabled: true,
        threads,
    }
}

pub(super) fn read_back(disk: &FaultDisk) -> Result<Recovered, RecoveryError> {
    recover(Arc::new(disk.clone()), options(2), |_| ControlFlow::Continue(()))
}

/// A disk with nothing but the checkpoint files of `disk`; they tell of no log.
pub(super) fn checkpoints_only(disk: &FaultDisk) -> FaultDisk {
    let copy = FaultDisk::new(0);
    copy.create_dir_all(Path::new(CHECKPOINTS)).unwrap();
    let note = LogNote::path(Path::new(CHECKPOINTS));
    for path in files(disk, CHECKPOINTS).into_iter().filter(|path| *path != note) {
        copy.put(&path, &disk.read(&path).unwrap());
    }
    copy
}

pub(super) fn files(disk: &FaultDisk, dir: &str) -> Vec<PathBuf> {
    let names = disk.list(Path::new(dir)).unwrap();
    names.into_iter().map(|name| Path::new(dir).join(name)).collect()
}

/// The checkpoints on a disk, oldest first.
pub(super) fn manifest_ids(disk: &FaultDisk) -> Vec<u64> {
    let found = super::files::catalog::manifests(disk, Path::new(CHECKPOINTS)).unwrap();
    found.into_iter().map(|(id, _)| id).collect()
}

/// A running server, as far as these tests need one.
pub(super) struct Server {
    pub engine: Arc<Engine>,
    pub checkpoints: Arc<Checkpointer>,
    pub settings: Arc<CheckpointSettings>,
    pub worker: Worker,
}

impl Server {
    pub fn start(disk: &FaultDisk) -> Self {
        Self::start_with(disk, Some(Fsync::Always))
    }

    /// `fsync`: of the log; `None` for no log.
    pub fn start_with(disk: &FaultDisk, fsync: Option<Fsync>) -> Self {
        Self::start_of(disk, fsync, Kind::Hmap)
    }

    /// `kind`: of the default collection, where there is none yet.
    pub fn start_of(disk: &FaultDisk, fsync: Option<Fsync>, kind: Kind) -> Self {
        let options = fsync.map(|fsync| WalOptions {
            note_dir: Some(CHECKPOINTS.into()),
            fsync,
            segment_bytes: if fsync == Fsync::No { 1 << 20 } else { 4096 },
            ..WalOptions::new(LOG)
        });
        Self::start_over(disk, options, kind)
    }

    /// `options`: of the log.
    pub fn start_over(disk: &FaultDisk, options: Option<WalOptions>, kind: Kind) -> Self {
        Self::start_through(Arc::new(disk.clone()), disk, options, kind)
    }

    /// The same, over a disk that stands before it.
    pub fn start_through(shared: Arc<dyn Disk>, disk: &FaultDisk, options: Option<WalOptions>, kind: Kind) -> Self {
        let found = read_back(disk).unwrap();
        let wal = match options {
            None => Wal::disabled(found.next_lsn),
            Some(options) => Wal::open(Arc::clone(&shared), options, found.next_lsn).unwrap(),
        };
        let engine = Arc::new(Engine::new(found.registry, wal, 4, found.data_bytes).unwrap());
        let options = CheckpointOptions {
            dir: CHECKPOINTS.into(),
            persist_dir: "/data/persist".into(),
            wal_dir: LOG.into(),
            term: 0,
        };
        let settings = Arc::new(CheckpointSettings::default());
        let checkpoints = Arc::new(Checkpointer::new(
            Arc::clone(&engine),
            shared,
            options,
            Arc::clone(&settings),
        ));
        checkpoints
            .start(Origin {
                checkpoint: found.checkpoint,
                wal_bytes: found.wal_bytes,
            })
            .unwrap();
        let worker = engine.worker().unwrap();
        let mut server = Self {
            engine,
            checkpoints,
            settings,
            worker,
        };
        server.exclusive(|txn| {
            if txn.slot(DatabaseId::DEFAULT).is_none() {
                txn.create(Some(DatabaseId::DEFAULT), "default", kind).unwrap();
            }
            txn.create_numbered(2).unwrap();
        });
        server
    }

    pub fn exclusive<R>(&mut self, body: impl FnOnce(&mut ExclusiveTxn<'_, '_>) -> R) -> R {
        let engine = Arc::clone(&self.engine);
        let result = self.worker.with_exclusive(&engine, |worker, pass| {
            let mut scope = Scope::exclusive(&engine, worker, pass);
            body(&mut ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT))
        });
        self.worker.submit();
        result
    }

    pub fn change<R>(&mut self, database: DatabaseId, key: &[u8], body: impl FnOnce(&mut Txn<'_, '_>) -> R) -> R {
        change(&self.engine, &mut self.worker, database, key, body)
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.change(DatabaseId::DEFAULT, key.as_bytes(), |txn| {
            put(txn, key.as_bytes(), value.as_bytes())
        });
    }

    /// The same while the clock shows `at_ms`.
    pub fn set_at(&mut self, key: &str, value: &str, at_ms: u64) {
        let engine = Arc::clone(&self.engine);
        let _pass = self.worker.enter(&engine);
        self.worker.set_clock(at_ms);
        let collection = Arc::clone(&engine.registry().slot(DatabaseId::DEFAULT).unwrap().collection);
        let mut scope = Scope::for_key(&engine, &mut self.worker, &collection, collection.key(key.as_bytes()));
        put(
            &mut Txn::new(&mut scope, &collection, true),
            key.as_bytes(),
            value.as_bytes(),
        );
        drop(scope);
        self.worker.submit();
    }

    /// Loads a library.
    pub fn put_library(&mut self, name: &str, code: &str) {
        self.exclusive(|txn| txn.put_library(name.as_bytes(), code.as_bytes()).unwrap());
    }

    /// The default collection's number.
    pub fn default_id(&self) -> CollectionId {
        let registry = self.engine.registry();
        registry.slot(DatabaseId::DEFAULT).unwrap().collection.id()
    }

    /// What the collection `name` holds.
    pub fn totals_of(&self, name: &str) -> Totals {
        let registry = self.engine.registry();
        registry.by_name(name).unwrap().collection.totals(Lsn::ZERO)
    }

    /// All that was changed is on disk.
    pub fn sync(&self) {
        self.engine.wal().sync_blocking(Lsn::MAX).unwrap();
    }

    pub fn dump(&self) -> Dump {
        dump(&self.engine.registry())
    }
}

/// Changes one key's shard as one command.
pub(super) fn change<R>(
    engine: &Engine,
    worker: &mut Worker,
    database: DatabaseId,
    key: &[u8],
    body: impl FnOnce(&mut Txn<'_, '_>) -> R,
) -> R {
    let _pass = worker.enter(engine);
    worker.refresh_clock();
    let collection = Arc::clone(&engine.registry().slot(database).unwrap().collection);
    let result = {
        let mut scope = Scope::for_key(engine, worker, &collection, collection.key(key));
        body(&mut Txn::new(&mut scope, &collection, true))
    };
    worker.submit();
    result
}

pub(super) fn put(txn: &mut Txn<'_, '_>, key: &[u8], value: &[u8]) {
    if value.len() > crate::page::value::INLINE_BYTES_MAX {
        txn.put_str(key, StrRef::Shared(&Shared::new(value.to_vec())), None);
    } else {
        txn.put_str(key, StrRef::Inline(value), None);
    }
}

/// Gives `key` the value that `source` has, a link to it, with its expiry (0: none).
pub(super) fn put_copy(txn: &mut Txn<'_, '_>, key: &[u8], source: &[u8], (value, at_ms): &(Vec<u8>, u64)) {
    let shared = Shared::new(value.clone());
    let expire_at_ms = (*at_ms > 0).then_some(*at_ms);
    let source = txn.source(source);
    txn.put_copy(key, ValueRef::Str(StrRef::Shared(&shared)), expire_at_ms, source);
}

/// Cuts behind the moment from which on it has happened.
const PASSED_MIN: u32 = 8;
const CUTS: std::ops::Range<u64> = 60..3000;

/// Has `cut` do something that is cut off at the `nth` operation on the disk, for every `nth` until it has happened, as
/// `cut` tells, a few times. How many operations it takes depends on how much the log writes at a time.
pub(super) fn cut_everywhere(mut cut: impl FnMut(u64) -> bool) {
    let (mut olds, mut news) = (0, 0);
    for nth in 0..CUTS.end {
        if nth >= CUTS.start && news >= PASSED_MIN {
            break;
        }
        if cut(nth) { news += 1 } else { olds += 1 }
    }
    println!("{olds} before, {news} after");
    assert!(olds > 3 && news >= PASSED_MIN, "{olds} {news}");
}
