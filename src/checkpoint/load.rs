//! `LOAD`: a persisted collection back into the engine, through the log.
//!
//! All pages are read and verified before anything changes. Then the entries are put, page by page, into a collection
//! that nobody sees, each page a few records of the log; one more record puts it in its place. A crash before that
//! record leaves what was there, a crash after it has everything.
//!
//! **Invariant:** no pass is held while a file is read or the log is waited for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::catalog::open_page_files;
use super::error::{CheckpointError, Result};
use super::format::{ManifestKind, PAGE_HEADER_BYTES, PageRow};
use super::manifest::{CollectionPart, Manifest};
use super::page_file::PageFileReader;
use super::persist::MANIFEST;
use super::runner::Runner;
use super::{CLOSED, LoadDone, LoadRequest};
use crate::engine::collection::Collection;
use crate::engine::effect::Effect;
use crate::engine::keyspace::ExclusiveTxn;
use crate::engine::scope::Scope;
use crate::engine::txn::Txn;
use crate::engine::waiters;
use crate::page::image::{self, EntryImage};
use crate::page::value::INLINE_BYTES_MAX;
use crate::page::{Shared, StrRef, ValueRef};

/// Content of a record, roughly; a single entry may be longer.
const RECORD_BYTES: usize = 256 << 10;
/// Between two looks whether the log has room.
const ROOM_POLL: Duration = Duration::from_millis(1);

/// A persisted collection, verified.
struct Persisted {
    part: CollectionPart,
    entries: u64,
    files: Vec<PageFileReader>,
}

impl Persisted {
    /// Reads page `row` into `buffer` and gives its entries to `visit`.
    fn page(
        &self,
        row: &PageRow,
        buffer: &mut Vec<u8>,
        visit: impl FnOnce(&[EntryImage<'_>]) -> Result<()>,
    ) -> Result<()> {
        let file = self.files.get(row.file as usize);
        let file = file.ok_or_else(|| CheckpointError::Refused(format!("page {} is in no file", row.page_id)))?;
        file.read(self.part.row.id, row, buffer)?;
        let mut entries = Vec::with_capacity((row.entries as usize).min(buffer.len()));
        let content = buffer.get(PAGE_HEADER_BYTES..).unwrap_or_default();
        image::decode(content, row.entries, |entry| {
            entries.push(entry);
            Ok(())
        })
        .map_err(|reason| {
            let reason = format!("page {}: {reason}", row.page_id);
            CheckpointError::damaged(file.path(), row.offset, reason)
        })?;
        visit(&entries)
    }
}

impl Runner {
    pub(super) fn load(&mut self, request: &LoadRequest) -> Result<LoadDone> {
        let started = Instant::now();
        let persisted = self.open_persisted(&request.name)?;
        self.check_target(request)?;
        self.wait_for_room()?;
        let collection = self.exclusive(|txn| txn.begin_load(request.kind))?;
        let outcome = self
            .fill(&collection, &persisted)
            .and_then(|()| self.publish_load(request, &collection));
        if outcome.is_err() && !self.shared.engine.refuses_writes() {
            self.exclusive(|txn| txn.abandon_load(collection.id()))?;
        }
        outcome?;
        let wal = self.shared.engine.wal();
        wal.sync_blocking(wal.last_lsn())?;
        Ok(LoadDone {
            entries: persisted.entries,
            millis: started.elapsed().as_millis() as u64,
        })
    }

    /// Opens what was persisted as `name` and verifies every page.
    fn open_persisted(&self, name: &str) -> Result<Persisted> {
        let dir = self.persisted_dir(name)?;
        let path = dir.join(MANIFEST);
        let disk = self.shared.disk.as_ref();
        if !disk.exists(&path).map_err(CheckpointError::io("look for", &path))? {
            return Err(CheckpointError::Refused(format!("nothing is persisted as {name:?}")));
        }
        let manifest = Manifest::read(disk, &path)?;
        let files = open_page_files(disk, &dir, &manifest.head)?;
        let mut parts = manifest.collections.into_iter();
        let (Some(part), None, ManifestKind::Persisted) = (parts.next(), parts.next(), manifest.head.kind) else {
            return Err(CheckpointError::damaged(
                &path,
                16,
                "it is not that of one persisted collection",
            ));
        };
        let persisted = Persisted {
            part,
            entries: manifest.head.entries,
            files,
        };
        let mut buffer = Vec::new();
        for row in &persisted.part.pages {
            self.check_stop()?;
            persisted.page(row, &mut buffer, |_| Ok(()))?;
        }
        Ok(persisted)
    }

    fn check_stop(&self) -> Result<()> {
        if self.shared.stop.load(Ordering::Relaxed) {
            return Err(CheckpointError::Refused(CLOSED.to_owned()));
        }
        Ok(())
    }

    /// Whether the place is free, or may be taken. Looked at before the work, and again at its end.
    fn check_target(&self, request: &LoadRequest) -> Result<()> {
        let slot = self.shared.engine.registry().by_name(&request.as_name).cloned();
        let _pass = self.worker.enter(&self.shared.engine);
        match slot {
            Some(slot) if !request.replace && slot.collection.key_count() > 0 => Err(taken(request)),
            _ => Ok(()),
        }
    }

    fn fill(&mut self, collection: &Arc<Collection>, persisted: &Persisted) -> Result<()> {
        let mut buffer = Vec::new();
        for row in &persisted.part.pages {
            self.check_stop()?;
            persisted.page(row, &mut buffer, |entries| {
                let mut rest = entries;
                while !rest.is_empty() {
                    self.wait_for_room()?;
                    rest = self.put(collection, rest);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Puts the first of `entries` as one record; returns the others.
    fn put<'a>(&mut self, collection: &Collection, entries: &'a [EntryImage<'a>]) -> &'a [EntryImage<'a>] {
        let shared = Arc::clone(&self.shared);
        let mut rest = entries;
        self.worker.refresh_clock();
        {
            let _pass = self.worker.enter(&shared.engine);
            let mut scope = Scope::visiting(&shared.engine, &mut self.worker);
            let mut txn = Txn::new(&mut scope, collection, true);
            let mut bytes = 0;
            while let (Some((entry, behind)), true) = (rest.split_first(), bytes < RECORD_BYTES) {
                bytes += entry.key.len() + entry.value.rough_bytes();
                put_entry(&mut txn, entry);
                rest = behind;
            }
        }
        self.worker.submit();
        rest
    }

    fn wait_for_room(&self) -> Result<()> {
        let wal = self.shared.engine.wal();
        while wal.over_pending() && !wal.is_failed() {
            std::thread::sleep(ROOM_POLL);
        }
        match wal.failure() {
            Some(why) => Err(CheckpointError::Refused(format!("the WAL has failed: {why}"))),
            None => Ok(()),
        }
    }

    fn publish_load(&mut self, request: &LoadRequest, collection: &Collection) -> Result<()> {
        self.wait_for_room()?;
        let id = collection.id();
        self.exclusive(|txn| {
            let there = txn.slot_named(&request.as_name);
            let keys = there.map_or(0, |slot| slot.collection.key_count());
            if keys > 0 && !request.replace {
                return Ok(Err(taken(request)));
            }
            txn.publish_load(id, &request.as_name).map(Ok)
        })?
    }

    /// Runs `body` as one record while nobody else runs.
    fn exclusive<R>(
        &mut self,
        body: impl FnOnce(&mut ExclusiveTxn<'_, '_>) -> std::result::Result<R, String>,
    ) -> Result<R> {
        let shared = Arc::clone(&self.shared);
        self.worker.refresh_clock();
        let result = self.worker.with_exclusive(&shared.engine, |worker, pass| {
            let mut scope = Scope::exclusive(&shared.engine, worker, pass);
            body(&mut ExclusiveTxn::new(&mut scope, 0))
        });
        {
            let _pass = self.worker.enter(&shared.engine);
            waiters::serve(&shared.engine, &mut self.worker);
        }
        self.worker.submit();
        result.map_err(CheckpointError::Refused)
    }
}

fn taken(request: &LoadRequest) -> CheckpointError {
    let name = &request.as_name;
    CheckpointError::Refused(format!("collection {name:?} exists and has keys; use REPLACE"))
}

fn put_entry(txn: &mut Txn<'_, '_>, entry: &EntryImage<'_>) {
    // A large string is copied once, here; entry and log link it.
    let large = entry.value.as_str().filter(|text| text.len() > INLINE_BYTES_MAX);
    let large = large.map(|text| Shared::new(text.bytes().to_vec()));
    let value = large
        .as_ref()
        .map_or(entry.value, |shared| ValueRef::Str(StrRef::Shared(shared)));
    txn.apply(&Effect::Put {
        key: entry.key,
        expire_at_ms: entry.expire_at_ms,
        value,
    });
}
