//! `CHECKPOINT RESTORE` and `COLLECTION ATTACH`: what was, brought back or shown.
//!
//! Restored collections go through the log like loaded ones: a crash leaves all the old data or all the restored data.
//! An attached collection is neither logged nor in checkpoints.
//!
//! **Invariants**
//! - A whole restore is published by one record.
//! - All pages of a snapshot are verified before anything changes, and once a collection is attached its files are not
//!   needed any more.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::files::catalog::{manifest_name, open_page_files};
use super::files::error::{CheckpointError, Result};
use super::files::format::ManifestKind;
use super::files::libraries::read_all;
use super::files::manifest::Manifest;
use super::files::page_file::PageBuffer;
use super::files::refusal::Refusal;
use super::load::Filed;
use super::request::{AttachRequest, LoadDone, Moment, RestoreDone, RestoreRequest, Target};
use super::runner::Runner;
use crate::engine::Engine;
use crate::engine::apply::apply;
use crate::engine::collection::Collection;
use crate::engine::effect::{Effect, Placement};
use crate::engine::ids::ShardNo;
use crate::engine::ids::{CollectionId, DatabaseId};
use crate::engine::index::{Misfit, PageWrite, ScanBudget};
use crate::engine::libraries::Libraries;
use crate::engine::load::Restored;
use crate::engine::settings::Settings;
use crate::engine::worker::unix_ms;
use crate::page::image::EntryImage;
use crate::page::thresholds::Thresholds;
use crate::page::{Access, Change, Entry, Stamp};
use crate::recovery::{Past, RecoverOptions, RecoveryError, Until, recover_past};
use crate::storage::fault_point::fault_point;
use crate::wal::{Lsn, runs};

/// Entries put together.
const BATCH_ENTRIES: usize = 512;
/// How often long work tells where it is.
const REPORT: Duration = Duration::from_secs(2);

/// A collection as it was.
struct Was {
    database: DatabaseId,
    name: String,
    placement: Placement,
    settings: Settings,
    content: Content,
}

/// All that there was.
struct WasAll {
    lsn: Lsn,
    collections: Vec<Was>,
    libraries: Arc<Libraries>,
}

enum Content {
    Filed(Filed),
    Built(Built),
}

/// A collection that was built to be copied from; it counts as used memory as long as it is there.
struct Built {
    collection: Arc<Collection>,
    engine: Arc<Engine>,
    cell: usize,
    bytes: i64,
}

impl Drop for Built {
    fn drop(&mut self) {
        self.engine.meter().add(self.cell, -self.bytes);
    }
}

impl Runner {
    pub(super) fn restore(&mut self, request: &RestoreRequest) -> Result<RestoreDone> {
        let started = Instant::now();
        let WasAll {
            lsn,
            collections: mut found,
            libraries,
        } = match request.moment {
            Moment::Checkpoint(id) => self.snapshot(id)?,
            Moment::Lsn(lsn) => self.past(Until::Lsn(lsn))?,
            Moment::Time(at_ms) => self.past(Until::Time(at_ms))?,
        };
        if let Some(only) = &request.only {
            found.retain(|was| was.name == only.name);
            if found.is_empty() {
                return Err(Refusal::NoCollectionThen(only.name.clone()).into());
            }
        }
        for was in &found {
            if let Content::Filed(filed) = &was.content {
                self.verify(filed)?;
            }
        }
        let collections = found.len() as u64;
        let entries = match &request.only {
            Some(only) => self.restore_one(found, &only.target)?,
            None => self.restore_all(found, &libraries)?,
        };
        let millis = started.elapsed().as_millis() as u64;
        tracing::info!("restored {collections} collections as of LSN {lsn}: {entries} keys in {millis} ms");
        Ok(RestoreDone {
            lsn,
            collections,
            entries,
            millis,
        })
    }

    /// What is in snapshot `id`.
    fn snapshot(&self, id: u64) -> Result<WasAll> {
        let dir = &self.shared.options.dir;
        let (disk, path) = (self.shared.disk.as_ref(), dir.join(manifest_name(id)));
        if !disk.exists(&path).map_err(CheckpointError::io("look for", &path))? {
            return Err(Refusal::NoCheckpoint(id).into());
        }
        let manifest = Manifest::read(disk, &path)?;
        if manifest.head.id != id || manifest.head.kind != ManifestKind::Checkpoint {
            return Err(CheckpointError::damaged(
                &path,
                16,
                format!("it is not that of checkpoint {id}"),
            ));
        }
        let files = Arc::new(open_page_files(disk, dir, &manifest.head)?);
        let libraries = read_all(&files, &manifest)?;
        let collections = manifest.collections.into_iter().map(|part| Was {
            database: part.row.database,
            name: part.row.name.clone(),
            placement: part.row.placement,
            settings: part.row.settings,
            content: Content::Filed(Filed {
                entries: part.pages.iter().map(|page| u64::from(page.entries)).sum(),
                part,
                files: Arc::clone(&files),
            }),
        });
        Ok(WasAll {
            lsn: manifest.head.lsn,
            collections: collections.collect(),
            libraries: Arc::new(libraries),
        })
    }

    /// What there was at an earlier moment, built from a checkpoint and the log.
    fn past(&mut self, until: Until) -> Result<WasAll> {
        if !self.shared.engine.wal().is_enabled() {
            return Err(Refusal::NoLog.into());
        }
        // What is not written yet cannot be read back.
        self.sync_all()?;
        if let Until::Time(at_ms) = until
            && at_ms > unix_ms()
            && at_ms > self.last_logged_ms()?
        {
            return Err(Refusal::InFuture.into());
        }
        let options = RecoverOptions {
            checkpoint_dir: self.shared.options.dir.clone(),
            wal_dir: self.shared.options.wal_dir.clone(),
            wal_enabled: true,
            threads: 1,
        };
        let mut told = Instant::now();
        let past = recover_past(&self.shared.disk, &options, until, |progress| {
            if told.elapsed() >= REPORT {
                told = Instant::now();
                let what = progress.stage.what();
                tracing::info!("restore: read {} of {} {what}", progress.done, progress.total);
            }
            match self.shared.stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let Past { registry, lsn, .. } = past.map_err(|error| match error {
            RecoveryError::Checkpoint { error, .. } => error,
            RecoveryError::CalledOff => Refusal::ShuttingDown.into(),
            other => Refusal::Past(other.to_string()).into(),
        })?;
        let mut collections = Vec::new();
        for slot in registry.slots() {
            let collection = Arc::clone(&slot.collection);
            collections.push(Was {
                database: slot.id,
                name: slot.name.to_string(),
                placement: collection.placement(),
                settings: collection.settings(),
                content: Content::Built(self.count(collection)),
            });
        }
        Ok(WasAll {
            lsn,
            collections,
            libraries: Arc::clone(registry.libraries()),
        })
    }

    /// When the last record of the log was written, by a clock that may have gone back since; 0: not known. The file of
    /// the segment in use tells; as long as that has no record, the log knows it of the segment before.
    fn last_logged_ms(&self) -> Result<u64> {
        let on_disk = runs(self.shared.disk.as_ref(), &self.shared.options.wal_dir)?;
        let known = self.shared.engine.wal().runs();
        let ends = on_disk.last().into_iter().chain(known.last());
        Ok(ends.map(|run| run.last_wall_ms).max().unwrap_or(0))
    }

    fn count(&self, collection: Arc<Collection>) -> Built {
        let (engine, cell) = (Arc::clone(&self.shared.engine), self.worker.cell());
        let bytes = collection.bytes() as i64;
        engine.meter().add(cell, bytes);
        Built {
            collection,
            engine,
            cell,
            bytes,
        }
    }

    fn restore_one(&mut self, found: Vec<Was>, target: &Target) -> Result<u64> {
        let mut entries = 0;
        for was in found {
            let there = self.check_target(target)?;
            let settings = there.unwrap_or(was.settings);
            entries += self.with_hidden((was.placement.kind, settings), |runner, hidden| {
                let entries = runner.bring_in(hidden, was.content)?;
                runner.publish_at(target, hidden.id())?;
                Ok(entries)
            })?;
        }
        Ok(entries)
    }

    fn restore_all(&mut self, found: Vec<Was>, libraries: &Libraries) -> Result<u64> {
        let mut restored: Vec<Restored> = Vec::with_capacity(found.len());
        let outcome = self.fill_all(found, &mut restored).and_then(|entries| {
            self.wait_for_room()?;
            fault_point("fill.before_publish");
            self.exclusive(|txn| txn.publish_restored(&restored, libraries))?;
            Ok(entries)
        });
        if outcome.is_err() {
            let ids: Vec<CollectionId> = restored.iter().map(|restored| restored.id).collect();
            self.give_up(&ids);
        }
        let entries = outcome?;
        self.settle()?;
        Ok(entries)
    }

    fn fill_all(&mut self, found: Vec<Was>, restored: &mut Vec<Restored>) -> Result<u64> {
        let (mut entries, total, mut told) = (0, found.len(), Instant::now());
        for (at, was) in found.into_iter().enumerate() {
            let hidden = self.begin_hidden(was.placement.kind, was.settings)?;
            restored.push(Restored {
                id: hidden.id(),
                database: was.database,
                name: was.name,
            });
            entries += self.bring_in(&hidden, was.content)?;
            fault_point("fill.collection_filled");
            if told.elapsed() >= REPORT {
                told = Instant::now();
                tracing::info!("restore: brought in {} of {total} collections, {entries} keys", at + 1);
            }
        }
        Ok(entries)
    }

    fn bring_in(&mut self, hidden: &Collection, content: Content) -> Result<u64> {
        match content {
            Content::Filed(filed) => {
                self.fill(hidden, &filed)?;
                Ok(filed.entries)
            }
            Content::Built(built) => self.put_collection(hidden, &built.collection),
        }
    }

    /// Puts all that `source` holds, which nobody else has.
    fn put_collection(&mut self, hidden: &Collection, source: &Collection) -> Result<u64> {
        let (mut entries, mut cursor) = (0, 0);
        for shard in source.shards_if_any() {
            let mut next = Some(cursor);
            while let Some(from) = next {
                self.check_stop()?;
                let mut batch = Vec::with_capacity(BATCH_ENTRIES);
                next = shard
                    .lock()
                    .index
                    .scan(from, &mut ScanBudget::of_entries(BATCH_ENTRIES), &mut |entry| {
                        batch.push(Entry::new(entry.key(), entry.value(), entry.expire_at_ms(), 0));
                    });
                let images: Vec<EntryImage<'_>> = batch
                    .iter()
                    .map(|entry| EntryImage {
                        key: entry.key(),
                        expire_at_ms: entry.expire_at_ms().unwrap_or(0),
                        value: entry.value(),
                    })
                    .collect();
                self.put_entries(hidden, &images)?;
                entries += images.len() as u64;
            }
            cursor = 0;
        }
        Ok(entries)
    }

    pub(super) fn attach(&mut self, request: &AttachRequest) -> Result<LoadDone> {
        let started = Instant::now();
        let found = self.snapshot(request.checkpoint)?.collections;
        let was = found.into_iter().find(|was| was.name == request.name);
        let Some(Was {
            placement,
            content: Content::Filed(filed),
            ..
        }) = was
        else {
            let (name, checkpoint) = (request.name.clone(), request.checkpoint);
            return Err(Refusal::NoCollectionIn { name, checkpoint }.into());
        };
        let attached = Arc::new(Collection::new(self.next_attached_id(), placement));
        let engine = Arc::clone(&self.shared.engine);
        let mut counted = 0;
        let outcome = self.show(&attached, &filed, &mut counted).and_then(|()| {
            attached.carried().set_read_only();
            let name = &request.as_name;
            self.exclusive(|txn| txn.attach(name, &attached))
        });
        if let Err(error) = outcome {
            engine.meter().add(self.worker.cell(), -counted);
            return Err(error);
        }
        Ok(LoadDone {
            entries: filed.entries,
            millis: started.elapsed().as_millis() as u64,
        })
    }

    /// An identity that no collection of the log will ever have.
    fn next_attached_id(&self) -> CollectionId {
        let registry = self.shared.engine.registry();
        let used = registry.collections().map(|collection| collection.id());
        let lowest = used.filter(|id| *id >= CollectionId::ATTACHED_FIRST).min();
        lowest.unwrap_or(CollectionId::MAX).before()
    }

    /// Fills a collection that is in no registry from files; `counted`: its bytes as the meter has them.
    fn show(&mut self, attached: &Collection, filed: &Filed, counted: &mut i64) -> Result<()> {
        self.worker.refresh_clock();
        let (access, thresholds) = (Access::in_second(self.worker.now_ms()), self.shared.engine.thresholds());
        let (mut buffer, parts) = (PageBuffer::default(), filed.parts());
        for row in &filed.part.pages {
            self.check_stop()?;
            self.check_memory()?;
            filed.page(row, &mut buffer)?.for_each(&parts, |entry, _| {
                let bytes = insert(attached, row.shard, entry, (access, thresholds))?;
                *counted += bytes;
                self.shared.engine.meter().add(self.worker.cell(), bytes);
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn insert(
    attached: &Collection,
    shard: ShardNo,
    entry: &EntryImage<'_>,
    (access, thresholds): (Access, &Thresholds),
) -> std::result::Result<i64, Misfit> {
    let key = attached.key_in(entry.key, shard)?;
    let effect = Effect::Put {
        key: entry.key,
        expire_at_ms: entry.expire_at_ms,
        value: entry.value,
    };
    let write = PageWrite {
        change: Change {
            mark: attached.mark(Lsn::FIRST),
            thresholds,
        },
        epoch: 0,
        sink: None,
        collection_id: attached.id(),
        shard,
    };
    let shard = attached.shard(shard);
    Ok(apply(shard, &mut shard.lock(), key, &effect, &write, Stamp::of(access)).bytes)
}
