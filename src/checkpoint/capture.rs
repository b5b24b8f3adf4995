//! The instant of a checkpoint, and the walk that saves every page as it was then.
//!
//! A writer that changes a page which the walk has not reached hands over the page as it was, under the shard's lock
//! and before it lets go of it. So once the walk has visited every shard, each page that existed at the instant is
//! either among those the walk imaged or in the queue of pre-images; the queue is drained a last time after that.
//!
//! **Invariants**
//! - Shards are touched only under a pass, held for about a millisecond; no file is touched under it.
//! - The collections are those of the instant: one that is emptied, dropped or replaced meanwhile is walked to its end
//!   in the object that the capture holds.
//! - The epoch ends when the [`Capture`] is dropped, however the walk ended.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::{CheckpointError, Result};
use super::format::{CollectionRow, ManifestHead, ManifestKind, PageRow};
use super::manifest::{CollectionPart, Manifest};
use super::page_file::PageFileWriter;
use crate::engine::Engine;
use crate::engine::effect::CollectionId;
use crate::engine::registry::Slot;
use crate::engine::settings::Settings;
use crate::engine::worker::{Worker, unix_ms};
use crate::page::image::PageImage;
use crate::wal::Lsn;

/// How long the walk holds a pass at a time.
const PASS: Duration = Duration::from_millis(1);
/// Images gathered under one pass, at most.
const PASS_BYTES: usize = 1 << 20;

/// What was there at the instant.
pub struct Capture<'e> {
    engine: &'e Engine,
    epoch: u64,
    /// LSN of the last record before the instant.
    pub lsn: Lsn,
    /// Wall clock at the instant.
    pub wall_ms: u64,
    /// How long the instant kept everybody waiting.
    pub pause: Duration,
    next_collection: CollectionId,
    collections: Vec<Captured>,
}

struct Captured {
    slot: Slot,
    settings: Settings,
    /// Its pages are not wanted.
    is_left_out: bool,
    next_page_id: u64,
    pages: Vec<PageRow>,
}

impl<'e> Capture<'e> {
    /// Stops everybody for the instant, and begins the epoch. `only`: the one collection wanted.
    pub fn begin(engine: &'e Engine, only: Option<&str>) -> Self {
        // From the first thread that has to wait for the others to the last that goes on: an upper bound for each.
        let stopped = Instant::now();
        let exclusive = engine.exclusive();
        let (epoch, lsn) = engine.begin_checkpoint(&exclusive);
        let (next_collection, collections) = {
            let registry = engine.registry();
            let wanted = registry
                .slots()
                .filter(|slot| only.is_none_or(|name| *slot.name == *name));
            let captured = wanted.map(|slot| Captured {
                next_page_id: slot.collection.page_ids().load(Ordering::Relaxed),
                settings: slot.collection.settings(),
                // A cache is kept on disk only when it is asked for by name.
                is_left_out: only.is_none() && slot.collection.settings().is_cache,
                slot: slot.clone(),
                pages: Vec::new(),
            });
            (registry.next_collection_id(), captured.collect())
        };
        drop(exclusive);
        Self {
            engine,
            epoch,
            lsn,
            wall_ms: unix_ms(),
            pause: stopped.elapsed(),
            next_collection,
            collections,
        }
    }

    /// Whether nothing was captured.
    pub fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    /// Writes every page of the instant to `file`. Gives up when `stop` is set.
    pub fn walk(&mut self, worker: &Worker, file: &mut PageFileWriter, stop: &AtomicBool) -> Result<()> {
        let places = self.collections.iter().enumerate();
        let places = places.filter(|(_, captured)| !captured.is_left_out);
        let places = places
            .map(|(at, captured)| (captured.slot.collection.id(), at))
            .collect();
        for at in 0..self.collections.len() {
            self.walk_collection(at, &places, worker, file, stop)?;
        }
        self.drain(&places, file)
    }

    fn walk_collection(
        &mut self,
        at: usize,
        places: &HashMap<CollectionId, usize>,
        worker: &Worker,
        file: &mut PageFileWriter,
        stop: &AtomicBool,
    ) -> Result<()> {
        let is_left_out = self.collections.get(at).is_none_or(|captured| captured.is_left_out);
        let mut position = (!is_left_out).then(Position::default);
        let mut images = Vec::new();
        while let Some(from) = position {
            if stop.load(Ordering::Relaxed) {
                return Err(CheckpointError::Refused("the server is shutting down".to_owned()));
            }
            position = self.gather(at, from, worker, &mut images);
            if let Some(captured) = self.collections.get_mut(at) {
                for (shard, mut image) in images.drain(..) {
                    captured
                        .pages
                        .push(file.append(captured.slot.collection.id(), shard, &mut image)?);
                }
            }
            self.drain(places, file)?;
        }
        Ok(())
    }

    /// Images pages from `position` on for about a millisecond; returns where to go on.
    fn gather(
        &self,
        at: usize,
        mut position: Position,
        worker: &Worker,
        images: &mut Vec<(u32, PageImage)>,
    ) -> Option<Position> {
        let collection = &self.collections.get(at)?.slot.collection;
        let _pass = worker.enter(self.engine);
        let (started, mut bytes) = (Instant::now(), 0);
        loop {
            let shard = collection.shards_if_any().get(position.shard)?;
            let (image, next) = shard.lock().index.save_next(position.cursor, self.epoch);
            if let Some(image) = image {
                bytes += image.content.len();
                images.push((position.shard as u32, image));
            }
            position = position.after(next);
            if bytes >= PASS_BYTES || started.elapsed() >= PASS {
                return Some(position);
            }
        }
    }

    /// Writes what writers have handed over. Images of collections that are not wanted, or newer than the instant,
    /// are let go.
    fn drain(&mut self, places: &HashMap<CollectionId, usize>, file: &mut PageFileWriter) -> Result<()> {
        for mut located in self.engine.pre_images().drain() {
            let captured = places
                .get(&located.collection_id)
                .and_then(|at| self.collections.get_mut(*at));
            if let Some(captured) = captured {
                let row = file.append(located.collection_id, located.shard, &mut located.image)?;
                captured.pages.push(row);
            }
        }
        Ok(())
    }

    /// The manifest of what was walked, with all pages in page file `id`.
    pub fn into_manifest(mut self, kind: ManifestKind, id: u64, term: u32) -> Manifest {
        let collections: Vec<_> = std::mem::take(&mut self.collections)
            .into_iter()
            .map(Captured::into_part)
            .collect();
        let pages = || collections.iter().flat_map(|part: &CollectionPart| &part.pages);
        Manifest {
            head: ManifestHead {
                kind,
                term,
                id,
                lsn: self.lsn,
                wall_ms: self.wall_ms,
                pages: pages().count() as u64,
                entries: pages().map(|page| u64::from(page.entries)).sum(),
                next_collection: self.next_collection,
                collections: collections.len() as u32,
                files: vec![id],
            },
            collections,
        }
    }
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        self.engine.end_checkpoint();
    }
}

impl Captured {
    fn into_part(self) -> CollectionPart {
        CollectionPart {
            row: CollectionRow {
                id: self.slot.collection.id(),
                database: self.slot.id,
                name: self.slot.name.to_string(),
                placement: self.slot.collection.placement(),
                next_page_id: self.next_page_id,
                settings: self.settings,
                pages: self.pages.len() as u64,
            },
            pages: self.pages,
        }
    }
}

/// Where the walk is within a collection.
#[derive(Clone, Copy, Default)]
struct Position {
    shard: usize,
    cursor: u64,
}

impl Position {
    fn after(self, next: Option<u64>) -> Self {
        match next {
            Some(cursor) => Self { cursor, ..self },
            None => Self {
                shard: self.shard + 1,
                cursor: 0,
            },
        }
    }
}
