//! A data directory as the target.
//!
//! **Invariant:** what the state file tells of is in a checkpoint.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::copy::Part;
use super::fetch::decode;
use super::libraries::libraries_of;
use super::state::{State, StateFile};
use crate::engine::collection::Collection;
use crate::engine::keyspace::KeyspaceTxn;
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::migrate::library::put_libraries;
use crate::migrate::offline::{Incoming, Offline};
use crate::migrate::targets::Targets;
use crate::migrate::{MigrateError, Outcome};
use crate::page::thresholds::Thresholds;
use crate::rdb::Object;
use crate::rdb::convert::{Stored, object_of, stored};

/// So long nothing is made durable at least; and so many times as long as the last time took.
const SAVE_INTERVAL: Duration = Duration::from_secs(60);
const SAVE_SHARE: u32 = 10;

/// See the module.
pub struct Folder<'a> {
    offline: &'a Offline,
    pub targets: Targets<'a>,
    saved: Instant,
    saving: Duration,
}

/// A value and when it expires (Unix milliseconds), if there is one.
pub type Seen = Option<(Object, Option<u64>)>;

/// A key on its way in.
pub struct Prepared {
    pub key: Vec<u8>,
    pub expires_at_ms: Option<u64>,
    pub idle_s: Option<u64>,
    pub stored: Stored,
}

/// What the engine is to keep of a payload; `None`: nothing of it is alive.
pub fn prepare(payload: &[u8], thresholds: &Thresholds, now_ms: u64) -> Result<Option<Stored>, String> {
    let object = decode(payload)?;
    stored(object, thresholds, now_ms).map_err(|reason| reason.to_string())
}

impl<'a> Folder<'a> {
    pub fn new(offline: &'a Offline, targets: Targets<'a>) -> Self {
        Self {
            offline,
            targets,
            saved: Instant::now(),
            saving: Duration::ZERO,
        }
    }

    pub fn thresholds(&self) -> &'a Thresholds {
        self.offline.engine().thresholds()
    }

    /// Puts keys in their places.
    pub fn take(&mut self, part: &Part) -> Outcome<()> {
        let collection = self.targets.collection(part.db)?;
        self.offline.turn();
        for item in &part.items {
            let incoming = Incoming {
                key: &item.key,
                value: item.stored.value(),
                expires_at_ms: item.expires_at_ms,
                idle_s: item.idle_s,
            };
            self.offline.put(&collection, &incoming, true);
        }
        Ok(())
    }

    /// Puts the libraries of functions of a payload; how many there are.
    pub fn take_libraries(&self, payload: &[u8]) -> Outcome<u64> {
        put_libraries(self.offline, self.targets.existing, &libraries_of(payload)?)
    }

    /// The code of a library of functions.
    pub fn library(&self, name: &[u8]) -> Outcome<Option<Vec<u8>>> {
        self.offline.exclusively(|txn| {
            let libraries = txn.libraries();
            Ok(libraries.get(name).map(|library| library.code.to_vec()))
        })
    }

    /// Whether it is time to make what is there durable.
    pub fn is_due(&self) -> bool {
        self.saved.elapsed() >= SAVE_INTERVAL.max(self.saving * SAVE_SHARE)
    }

    /// Makes all durable, then tells so.
    pub fn save(&mut self, state: &mut State, file: &StateFile<'_>) -> Outcome<()> {
        let begun = Instant::now();
        self.offline.checkpoint()?;
        state.ready = self.targets.databases();
        file.save(state)?;
        (self.saved, self.saving) = (Instant::now(), begun.elapsed());
        Ok(())
    }

    /// Tells `visit` every key of the source's database `db`.
    pub fn each_key(&mut self, db: u64, mut visit: impl FnMut(&[u8]) -> ControlFlow<()>) -> Outcome<()> {
        let collection = self.targets.collection(db)?;
        self.offline.turn();
        let engine = &**self.offline.engine();
        let worker = &mut *self.offline.cx.worker.borrow_mut();
        let _pass = worker.enter(engine);
        let mut scope = Scope::visiting(engine, worker);
        KeyspaceTxn::new(&mut scope, &collection).for_each(|entry| visit(entry.key()));
        Ok(())
    }

    /// Values as they are now, and when they expire.
    pub fn look(&mut self, db: u64, keys: &[Vec<u8>]) -> Outcome<Vec<Seen>> {
        let collection = self.targets.collection(db)?;
        self.offline.turn();
        keys.iter().map(|key| look_at(self.offline, &collection, key)).collect()
    }
}

fn look_at(offline: &Offline, collection: &Arc<Collection>, key: &[u8]) -> Outcome<Seen> {
    let engine = &**offline.engine();
    let worker = &mut *offline.cx.worker.borrow_mut();
    let now_ms = worker.now_ms();
    let _pass = worker.enter(engine);
    let mut scope = Scope::for_key(engine, worker, collection, collection.key(key));
    let mut txn = Txn::new(&mut scope, collection, true);
    let Some(entry) = txn.get(key) else { return Ok(None) };
    let object = object_of(entry.value(), now_ms).map_err(|reason| MigrateError::Value(reason).of_key(key))?;
    let expires_at_ms = entry.expire_at_ms();
    Ok(object.map(|object| (object, expires_at_ms)))
}
