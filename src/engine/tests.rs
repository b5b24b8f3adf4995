//! Model-based tests of the engine: random operations against the obvious structure, from printed seeds.

mod blocked;
mod collections;
mod containers;
mod defrag;
mod eviction;
mod fields;
mod flush;
mod guarantees;
mod libraries;
mod model;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Engine;
use super::collection::Collection;
use super::ids::DatabaseId;
use super::index::Kind;
use super::keyspace::{ExclusiveTxn, KeyspaceTxn};
use super::registry::{Registry, numbered_name};
use super::scope::Scope;
use super::txn::Txn;
use super::worker::Worker;
use crate::page::StrRef;
use crate::shared::Shared;
use crate::wal::{Lsn, Wal};

/// What a model knows of a key: its value, and when it dies.
type Value = (Vec<u8>, Option<u64>);
type Model = BTreeMap<Vec<u8>, Value>;

const START_MS: u64 = 1_700_000_000_000;

/// An engine without a log, and the one worker that uses it.
struct Harness {
    engine: Arc<Engine>,
    worker: Worker,
    now_ms: u64,
}

impl Harness {
    /// With hashed numbered databases `0..databases`.
    fn new(databases: u32) -> Self {
        Self::of(&vec![Kind::Hmap; databases as usize])
    }

    /// With numbered databases of these kinds.
    fn of(kinds: &[Kind]) -> Self {
        Self::over(Wal::disabled(Lsn::FIRST), kinds)
    }

    /// The same with this log.
    fn over(wal: Wal, kinds: &[Kind]) -> Self {
        let engine = Arc::new(Engine::new(Registry::default(), wal, 1, 0).unwrap());
        let worker = engine.worker().unwrap();
        let mut harness = Self {
            engine,
            worker,
            now_ms: 0,
        };
        harness.set_clock(START_MS);
        for (id, kind) in (0..).zip(kinds) {
            harness
                .exclusive(DatabaseId::DEFAULT, |txn| {
                    txn.create(Some(DatabaseId::new(id)), &numbered_name(DatabaseId::new(id)), *kind)
                })
                .unwrap();
        }
        harness
    }

    fn set_clock(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.worker.set_clock(now_ms);
    }

    fn collection(&self, database: DatabaseId) -> Arc<Collection> {
        let slot = self.engine.registry().slot(database).cloned();
        slot.unwrap().collection
    }

    /// Runs `body` with `keys` locked.
    fn with_keys<R>(&mut self, database: DatabaseId, keys: &[&[u8]], body: impl FnOnce(&mut Txn<'_, '_>) -> R) -> R {
        let _pass = self.worker.enter(&self.engine);
        let slot = self.engine.registry().slot(database).cloned().unwrap();
        let collection = slot.collection;
        let mut scope = match keys {
            [key] => Scope::for_key(&self.engine, &mut self.worker, &collection, collection.key(key)),
            keys => Scope::for_keys(&self.engine, &mut self.worker, &collection, keys.iter().copied()),
        };
        body(&mut Txn::new(&mut scope, &collection, false))
    }

    fn keyspace<R>(&mut self, database: DatabaseId, body: impl FnOnce(&mut KeyspaceTxn<'_, '_>) -> R) -> R {
        let _pass = self.worker.enter(&self.engine);
        let slot = self.engine.registry().slot(database).cloned().unwrap();
        let mut scope = Scope::visiting(&self.engine, &mut self.worker);
        body(&mut KeyspaceTxn::new(&mut scope, &slot.collection))
    }

    fn exclusive<R>(&mut self, database: DatabaseId, body: impl FnOnce(&mut ExclusiveTxn<'_, '_>) -> R) -> R {
        let engine = Arc::clone(&self.engine);
        self.worker.with_exclusive(&engine, |worker, pass| {
            let mut scope = Scope::exclusive(&engine, worker, pass);
            body(&mut ExclusiveTxn::new(&mut scope, database))
        })
    }

    fn put(&mut self, database: DatabaseId, key: &[u8], value: &[u8], expire_at_ms: Option<u64>) {
        let shared = Shared::new(value.to_vec());
        let text = if value.len() > 4096 {
            StrRef::Shared(&shared)
        } else {
            StrRef::Inline(value)
        };
        self.with_keys(database, &[key], |txn| txn.put_str(key, text, expire_at_ms));
    }

    fn get(&mut self, database: DatabaseId, key: &[u8]) -> Option<Value> {
        self.with_keys(database, &[key], |txn| {
            let entry = txn.get(key)?;
            let text = entry.value().as_str().unwrap();
            Some((text.contiguous().into_owned(), entry.expire_at_ms()))
        })
    }

    /// All that `for_each` shows.
    fn content(&mut self, database: DatabaseId) -> Model {
        let mut content = Model::new();
        self.keyspace(database, |txn| {
            txn.for_each(|entry| {
                let text = entry.value().as_str().unwrap();
                let value = (text.contiguous().into_owned(), entry.expire_at_ms());
                assert!(content.insert(entry.key().to_vec(), value).is_none(), "visited twice");
                std::ops::ControlFlow::Continue(())
            });
        });
        content
    }

    /// Waits until the background drops have brought the used bytes to `bytes`.
    fn wait_for_used(&self, bytes: u64) {
        let since = Instant::now();
        while self.engine.meter().used_bytes() != bytes {
            assert!(
                since.elapsed() < Duration::from_secs(60),
                "{} bytes in use, expected {bytes}",
                self.engine.meter().used_bytes()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Bytes that collections, libraries and what was evicted are said to take.
    fn held_bytes(&self) -> u64 {
        let slots: Vec<_> = self.engine.registry().slots().cloned().collect();
        let collections: u64 = slots.iter().map(|slot| slot.collection.totals(Lsn::ZERO).bytes).sum();
        collections + self.engine.registry().libraries().bytes() + self.engine.eviction().retired_bytes()
    }
}
