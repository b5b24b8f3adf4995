//! Where the databases of what is imported go.
//!
//! **Invariant:** a collection is judged, and emptied if that was asked for, once: before the first of the import's
//! keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::aof::CommandsError;
use super::offline::Offline;
use super::{MigrateError, Outcome};
use crate::engine::collection::Collection;
use crate::engine::ids::DatabaseId;
use crate::engine::index::Kind;
use crate::engine::registry::{Slot, numbered_name};

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

/// See the module.
pub struct Targets<'a> {
    offline: &'a Offline,
    into: &'a Into,
    /// What to do with keys that are there.
    pub existing: Existing,
    judged: BTreeSet<u64>,
    collections: BTreeMap<u64, Arc<Collection>>,
}

impl<'a> Targets<'a> {
    /// None yet.
    pub fn new(offline: &'a Offline, into: &'a Into, existing: Existing) -> Self {
        Self {
            offline,
            into,
            existing,
            judged: BTreeSet::new(),
            collections: BTreeMap::new(),
        }
    }

    /// The same of an import that goes on: it has judged these databases before.
    pub fn resumed(mut self, judged: &[u64]) -> Self {
        self.judged.extend(judged);
        self
    }

    /// The file's databases so far.
    pub fn databases(&self) -> Vec<u64> {
        self.judged.iter().copied().collect()
    }

    /// How many keys their collections have.
    pub fn keys(&self) -> Outcome<u64> {
        let mut collections = BTreeMap::new();
        for db in &self.judged {
            let slot = self.slot(*db)?;
            collections.insert(slot.collection.id(), slot.collection);
        }
        Ok(collections.values().map(|collection| collection.key_count()).sum())
    }

    /// The collection for the file's database `db`.
    pub fn collection(&mut self, db: u64) -> Outcome<Arc<Collection>> {
        if let Some(collection) = self.collections.get(&db) {
            return Ok(Arc::clone(collection));
        }
        self.judge(db)?;
        let collection = self.slot(db)?.collection;
        self.collections.insert(db, Arc::clone(&collection));
        Ok(collection)
    }

    /// Has database `db` ready for commands. From here on none of the collections is held, so that what a command
    /// empties is freed.
    pub fn prepare_for_commands(&mut self, db: u64) -> Outcome<()> {
        self.collections.clear();
        let has_others = self.judged.iter().any(|other| *other != db);
        if has_others && matches!(self.into, Into::Collection(..)) {
            return Err(CommandsError::SeveralDatabases.into());
        }
        self.judge(db)
    }

    /// The request by which a client selects database `db`.
    pub fn selecting(&self, db: u64) -> Vec<Vec<u8>> {
        match self.into {
            Into::Numbers => vec![b"SELECT".to_vec(), db.to_string().into_bytes()],
            Into::Collection(name, _) => {
                let words = [&b"COLLECTION"[..], b"USE", name.as_bytes()];
                words.map(<[u8]>::to_vec).to_vec()
            }
        }
    }

    fn id(&self, db: u64) -> Outcome<DatabaseId> {
        let databases = self.offline.databases;
        let number = u32::try_from(db).ok().filter(|number| *number < databases);
        number
            .map(DatabaseId::new)
            .ok_or(MigrateError::NoDatabase { db, databases })
    }

    /// The number of a collection that is a numbered database.
    fn number_of(&self, name: &str) -> Outcome<Option<DatabaseId>> {
        if name == numbered_name(DatabaseId::DEFAULT) {
            return Ok(Some(DatabaseId::DEFAULT));
        }
        name.parse().ok().map(|db| self.id(db)).transpose()
    }

    fn slot(&self, db: u64) -> Outcome<Slot> {
        let registry = self.offline.engine().registry();
        let slot = match self.into {
            Into::Numbers => registry.slot(self.id(db)?).cloned(),
            Into::Collection(name, _) => registry.by_name(name).cloned(),
        };
        slot.ok_or(MigrateError::Vanished)
    }

    /// Makes the collection for `db` if there is none, and deals with it if it has keys.
    fn judge(&mut self, db: u64) -> Outcome<()> {
        let (id, name, kind) = match self.into {
            Into::Numbers => {
                let id = self.id(db)?;
                (Some(id), numbered_name(id), Kind::Hmap)
            }
            Into::Collection(name, kind) => (self.number_of(name)?, name.clone(), *kind),
        };
        // Another of the file's databases may have gone there before.
        let is_shared = matches!(self.into, Into::Collection(..)) && !self.judged.is_empty();
        if self.judged.insert(db) && !is_shared {
            self.prepare(id, &name, kind)?;
        }
        Ok(())
    }

    fn prepare(&self, id: Option<DatabaseId>, name: &str, kind: Kind) -> Outcome<()> {
        let existing = self.existing;
        self.offline.exclusively(|txn| {
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
                Existing::Replace if keys > 0 => Ok(txn.flush(slot.collection.id())?),
                _ => Ok(()),
            }
        })
    }
}
