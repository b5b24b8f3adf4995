//! From a Redis file into a data directory.
//!
//! **Invariant:** nothing is dropped without a word: what is skipped is counted or noted, all else is an error.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::file::InputFile;
use super::library::{check_new, titled};
use super::offline::Offline;
use super::{MigrateError, Observer, Outcome};
use crate::checkpoint::CheckpointDone;
use crate::engine::collection::Collection;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::libraries::Library;
use crate::engine::registry::{Slot, numbered_name};
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::page::Access;
use crate::rdb::convert::stored;
use crate::rdb::{Entry, Event, Reader};
use crate::storage::Disk;

/// How many keys between two looks at the clock and two words to the observer.
const BATCH_KEYS: u64 = 1024;

/// What to do with keys that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The collections must be empty.
    Refuse,
    /// They stay; the file's keys take the place of those of the same name.
    Merge,
    /// Collections that the file has keys for are emptied first. So are the libraries of functions, if it has some.
    Replace,
}

/// Where a file's databases go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Into {
    /// Each to the one of its number.
    Numbers,
    /// All to one collection, made with this kind if there is none.
    Collection(String, Kind),
}

/// What to import, and how.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The file.
    pub file: PathBuf,
    /// Where to.
    pub into: Into,
    /// What to do with keys that are there.
    pub existing: Existing,
}

/// What an import did.
#[derive(Clone, Copy, Debug)]
pub struct Imported {
    /// Keys that are there now.
    pub keys: u64,
    /// Libraries of functions in the file.
    pub libraries: u64,
    /// Keys left out because they had expired.
    pub expired: u64,
    /// Containers left out because they had no elements.
    pub void: u64,
    /// The checkpoint that has them.
    pub checkpoint: CheckpointDone,
}

/// Imports a file.
///
/// # Errors
/// The file is damaged or holds what cannot be kept, or there are keys already. Nothing has changed.
pub fn import(
    mut offline: Offline,
    disk: &dyn Disk,
    options: &ImportOptions,
    observer: &mut dyn Observer,
) -> Outcome<Imported> {
    let of_file = |error: MigrateError| error.of_file(options.file.display());
    let (file, len) = InputFile::open(disk, &options.file).map_err(|error| of_file(MigrateError::Read(error)))?;
    let mut reader = Reader::new(file).map_err(|error| of_file(error.into()))?;
    let mut import = Import {
        offline: &mut offline,
        options,
        targets: BTreeMap::new(),
        libraries: Vec::new(),
        counts: Counts::default(),
    };
    while let Some(event) = reader.next().map_err(|error| of_file(error.into()))? {
        match event {
            Event::Entry(entry) => import.entry(entry).map_err(of_file)?,
            Event::Function { code } => import.library(&code).map_err(of_file)?,
            Event::OldFunction { name } => {
                let name = name.escape_ascii();
                observer.note(&format!(
                    "skipped a library of functions from before Redis 7.0.0: {name}"
                ));
            }
            Event::ModuleData { module } => observer.note(&format!("skipped data of the module type {module}")),
            Event::Remark { .. } | Event::Size { .. } => {}
        }
        if import.counts.seen.is_multiple_of(BATCH_KEYS) {
            observer.progress("bytes of the file", reader.position(), len);
        }
    }
    let libraries = import.put_libraries().map_err(of_file)?;
    let Counts {
        keys, expired, void, ..
    } = import.counts;
    observer.progress("bytes of the file", len, len);
    Ok(Imported {
        keys,
        libraries,
        expired,
        void,
        checkpoint: offline.checkpoint()?,
    })
}

#[derive(Default)]
struct Counts {
    seen: u64,
    keys: u64,
    expired: u64,
    void: u64,
}

struct Import<'a> {
    offline: &'a mut Offline,
    options: &'a ImportOptions,
    /// Collections by the file's databases.
    targets: BTreeMap<u64, Arc<Collection>>,
    /// The file's libraries of functions.
    libraries: Vec<Arc<Library>>,
    counts: Counts,
}

impl Import<'_> {
    fn entry(&mut self, entry: Entry) -> Outcome<()> {
        self.counts.seen += 1;
        if self.counts.seen.is_multiple_of(BATCH_KEYS) {
            self.offline.worker.submit();
            self.offline.worker.refresh_clock();
        }
        let collection = self.target(entry.db)?;
        let Offline { engine, worker, .. } = &mut *self.offline;
        let (key, now_ms) = (entry.key, worker.now_ms());
        if entry.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms as i64) {
            self.counts.expired += 1;
            return Ok(());
        }
        if entry.object.is_void() {
            self.counts.void += 1;
            return Ok(());
        }
        let stored = stored(entry.object, engine.thresholds(), now_ms)
            .map_err(|reason| MigrateError::Value(reason).of_key(&key))?;
        let Some(stored) = stored else {
            // A hash all of whose fields have expired.
            self.counts.expired += 1;
            return Ok(());
        };
        let _pass = worker.enter(engine);
        let mut scope = Scope::for_key(engine, worker, &collection, collection.key(&key));
        let mut txn = Txn::new(&mut scope, &collection, true);
        if self.options.existing != Existing::Merge && txn.exists(&key) {
            return Err(MigrateError::Twice(entry.db).of_key(&key));
        }
        txn.put(&key, stored.value(), entry.expires_at_ms.map(|at_ms| at_ms as u64));
        if let Some(idle_s) = entry.idle_s {
            let idle_s = u32::try_from(idle_s).unwrap_or(u32::MAX);
            txn.set_access(&key, Access::in_second(now_ms).before(idle_s));
        }
        self.counts.keys += 1;
        Ok(())
    }

    fn library(&mut self, code: &[u8]) -> Outcome<()> {
        let library = titled(code)?;
        if self.libraries.iter().any(|other| other.name == library.name) {
            return Err(MigrateError::LibraryTwice(library.name.to_vec()));
        }
        self.libraries.push(Arc::new(library));
        Ok(())
    }

    /// Puts the file's libraries; how many there are.
    fn put_libraries(&mut self) -> Outcome<u64> {
        if self.libraries.is_empty() {
            return Ok(0);
        }
        let Offline { engine, worker, .. } = &mut *self.offline;
        let engine = &**engine;
        worker.with_exclusive(engine, |worker, pass| {
            let mut scope = Scope::exclusive(engine, worker, pass);
            let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
            if self.options.existing == Existing::Refuse {
                check_new(&self.libraries, &txn.libraries())?;
            }
            txn.put_libraries(&self.libraries, self.options.existing == Existing::Replace)?;
            Ok(self.libraries.len() as u64)
        })
    }

    /// The collection for the file's database `db`.
    fn target(&mut self, db: u64) -> Outcome<Arc<Collection>> {
        if let Some(collection) = self.targets.get(&db) {
            return Ok(Arc::clone(collection));
        }
        let (id, name, kind) = match &self.options.into {
            Into::Numbers => {
                let number = u32::try_from(db).ok().filter(|number| *number < self.offline.databases);
                let id = number.map(DatabaseId::new);
                let databases = self.offline.databases;
                let id = id.ok_or(MigrateError::NoDatabase { db, databases })?;
                (Some(id), numbered_name(id), Kind::Hmap)
            }
            Into::Collection(name, kind) => (None, name.clone(), *kind),
        };
        // Another of the file's databases may have gone there before.
        let seen = |slot: &Slot| self.targets.values().any(|target| target.id() == slot.collection.id());
        let existing = self.offline.engine.registry().by_name(&name).cloned();
        let fresh = existing.filter(seen).map(|slot| slot.collection);
        let collection = match fresh {
            Some(collection) => collection,
            None => self.prepare(id, &name, kind)?,
        };
        self.targets.insert(db, Arc::clone(&collection));
        Ok(collection)
    }

    /// The collection `name`, made if there is none, and dealt with if it has keys.
    fn prepare(&mut self, id: Option<DatabaseId>, name: &str, kind: Kind) -> Outcome<Arc<Collection>> {
        let Offline { engine, worker, .. } = &mut *self.offline;
        let engine = &**engine;
        let existing = self.options.existing;
        worker.with_exclusive(engine, |worker, pass| {
            let mut scope = Scope::exclusive(engine, worker, pass);
            let mut txn = ExclusiveTxn::new(&mut scope, DatabaseId::DEFAULT);
            let slot = match txn.slot_named(name) {
                Some(slot) => slot,
                None => txn.create(id, name, kind)?,
            };
            let keys = slot.collection.key_count();
            match existing {
                Existing::Refuse if keys > 0 => Err(MigrateError::HasKeys {
                    name: name.to_owned(),
                    keys,
                }),
                Existing::Replace if keys > 0 => {
                    txn.flush(slot.collection.id())?;
                    let emptied = txn.slot(slot.id).ok_or(MigrateError::Vanished)?;
                    Ok(emptied.collection)
                }
                _ => Ok(slot.collection),
            }
        })
    }
}
