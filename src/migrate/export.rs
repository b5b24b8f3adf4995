//! From a data directory into a file that Redis loads.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::file::OutputFile;
use super::offline::Offline;
use super::unwritable::Unwritable;
use super::{MigrateError, Observer, Outcome};
use crate::engine::keyspace::KeyspaceTxn;
use crate::engine::libraries::Libraries;
use crate::engine::registry::Slot;
use crate::engine::scope::Scope;
use crate::page::entry::EntryRef;
use crate::rdb::convert::object_of;
use crate::rdb::{Newer, Version, Writer};
use crate::storage::Disk;
use crate::wal::Lsn;

/// How many keys between two words to the observer.
const BATCH_KEYS: u64 = 1024;

/// What to export, and how.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The file.
    pub file: PathBuf,
    /// Named collections with the database that each is in the file.
    pub named: Vec<(String, u32)>,
    /// Named collections that are not among them are left out.
    pub skip_named: bool,
    /// The file may be there already.
    pub force: bool,
    /// The version of the format; else the usual one, or a newer one where the data needs that.
    pub version: Option<Version>,
    /// Libraries of functions are left out.
    pub skip_functions: bool,
}

/// What an export did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Keys in the file.
    pub keys: u64,
    /// Libraries of functions in it.
    pub libraries: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The version of its format.
    pub version: Version,
}

/// Writes a file.
///
/// # Errors
/// There is one already, a collection has no place in it, the version that was asked for does not hold something, or it
/// cannot be written. Then there is no new file.
pub fn export(
    offline: &Offline,
    disk: &dyn Disk,
    options: &ExportOptions,
    observer: &mut dyn Observer,
) -> Outcome<Exported> {
    let of_file = |error: MigrateError| error.of_file(options.file.display());
    let failed = |error| of_file(MigrateError::Write(error));
    if !options.force && disk.exists(&options.file).map_err(failed)? {
        return Err(of_file(Unwritable::Exists.into()));
    }
    let databases = databases(offline, options)?;
    let libraries = match options.skip_functions {
        true => Arc::default(),
        false => Arc::clone(offline.engine().registry().libraries()),
    };
    let mut version = options.version.unwrap_or(Version::USUAL);
    loop {
        if !version.has_functions() && !libraries.is_empty() {
            return Err(of_file(Unwritable::NoFunctions(version).into()));
        }
        let file = OutputFile::create(disk, &options.file).map_err(failed)?;
        let writer = Writer::new(file, version).map_err(failed)?;
        let mut export = Export {
            writer,
            version,
            keys: 0,
            observer,
            total: databases.values().map(|slot| slot.collection.key_count()).sum(),
        };
        match export.write(offline, &databases, &libraries) {
            Err(Stop::TooOld(newer, key)) if options.version.is_some() => {
                let why = MigrateError::from(Unwritable::TooOld(newer, version));
                return Err(of_file(why.of_key(&key)));
            }
            Err(Stop::TooOld(newer, key)) => {
                version = newer.version();
                let (key, readers) = (key.escape_ascii(), newer.readers());
                observer.note(&format!(
                    "\"{key}\" is {newer}: the file is of {version}, which {readers} load"
                ));
            }
            Err(Stop::Failed(why)) => return Err(of_file(why)),
            Ok(()) => {
                let keys = export.keys;
                let file = export.writer.finish().map_err(failed)?;
                let bytes = file.publish().map_err(failed)?;
                return Ok(Exported {
                    keys,
                    libraries: libraries.len() as u64,
                    bytes,
                    version,
                });
            }
        }
    }
}

/// Which collection is which database of the file.
fn databases(offline: &Offline, options: &ExportOptions) -> Outcome<BTreeMap<u32, Slot>> {
    let registry = offline.engine().registry();
    let has_keys = |slot: &&Slot| slot.collection.key_count() > 0;
    let mut databases: BTreeMap<u32, Slot> = registry
        .slots()
        .filter(|slot| slot.id.is_numbered())
        .filter(has_keys)
        .map(|slot| (slot.id.get(), slot.clone()))
        .collect();
    for (name, db) in &options.named {
        let slot = registry
            .by_name(name)
            .ok_or_else(|| Unwritable::NoCollection(name.clone()))?;
        if let Some(other) = databases.insert(*db, slot.clone()) {
            return Err(Unwritable::SameNumber {
                db: *db,
                one: other.name.to_string(),
                other: name.clone(),
            }
            .into());
        }
    }
    let homeless = registry
        .slots()
        .filter(has_keys)
        .filter(|slot| databases.values().all(|taken| taken.id != slot.id))
        .map(|slot| format!("\"{}\"", slot.name))
        .collect::<Vec<_>>();
    if !options.skip_named && !homeless.is_empty() {
        return Err(Unwritable::Homeless(homeless).into());
    }
    Ok(databases)
}

/// Why writing stopped.
enum Stop {
    /// This value needs a newer version.
    TooOld(Newer, Vec<u8>),
    Failed(MigrateError),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(MigrateError::Write(error))
    }
}

struct Export<'a, W> {
    writer: Writer<W>,
    version: Version,
    keys: u64,
    total: u64,
    observer: &'a mut dyn Observer,
}

impl<W: Write> Export<'_, W> {
    fn write(&mut self, offline: &Offline, databases: &BTreeMap<u32, Slot>, libraries: &Libraries) -> Result<(), Stop> {
        self.writer
            .remark(b"lokikv-ver", env!("CARGO_PKG_VERSION").as_bytes())?;
        self.writer.remark(b"redis-bits", b"64")?;
        let worker = &mut *offline.cx.worker.borrow_mut();
        let now_s = worker.now_ms() / 1000;
        self.writer.remark(b"ctime", now_s.to_string().as_bytes())?;
        for library in libraries.iter() {
            self.writer.function(&library.code)?;
        }
        for (db, slot) in databases {
            let totals = slot.collection.totals(Lsn::MAX);
            self.writer.database(u64::from(*db), totals.keys, totals.expires)?;
            let now_ms = worker.now_ms();
            let mut result = Ok(());
            let _pass = worker.enter(offline.engine());
            let mut scope = Scope::visiting(offline.engine(), worker);
            KeyspaceTxn::new(&mut scope, &slot.collection).for_each(|entry| {
                result = self.entry(entry, now_ms);
                if result.is_ok() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            result?;
        }
        self.observer.progress("keys", self.total, self.total);
        Ok(())
    }

    fn entry(&mut self, entry: EntryRef<'_>, now_ms: u64) -> Result<(), Stop> {
        let object = object_of(entry.value(), now_ms)
            .map_err(|reason| Stop::Failed(MigrateError::Value(reason).of_key(entry.key())))?;
        // A hash all of whose fields have expired is none.
        let Some(object) = object else { return Ok(()) };
        if let Some(newer) = object.newer().filter(|_| !self.version.holds(&object)) {
            return Err(Stop::TooOld(newer, entry.key().to_vec()));
        }
        let expires_at_ms = entry.expire_at_ms().map(|at_ms| at_ms as i64);
        self.writer.entry(entry.key(), expires_at_ms, &object)?;
        self.keys += 1;
        if self.keys.is_multiple_of(BATCH_KEYS) {
            self.observer.progress("keys", self.keys, self.total);
        }
        Ok(())
    }
}
