//! The instant of a checkpoint, and the walk that saves every page as it was then.
//!
//! A writer that changes a page which the walk has not reached hands over the page as it was, before it releases the
//! shard's lock. So once the walk has visited every shard, each page that existed at the instant is
//! either among those the walk imaged or in the queue of pre-images; the queue is drained a last time after that.
//!
//! **Invariants**
//! - Shards are touched only under a pass, held for a fraction of a millisecond; no file is touched under it.
//! - The collections are those of the instant: one that is emptied, dropped or replaced meanwhile is walked to its end
//!   in the object that the capture holds.
//! - A page that the base has in the same version is not written again: its row is taken over.
//! - The epoch ends when the [`Capture`] is dropped, however the walk ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::files::base::{Base, Known};
use super::files::error::Result;
use super::files::format::{
    CollectionRow, LibraryRow, ManifestHead, ManifestKind, PAGE_FILE_HEADER_BYTES, PAGE_HEADER_BYTES, PageRow, PartRow,
    Versions,
};
use super::files::libraries;
use super::files::manifest::{CollectionPages, Manifest};
use super::files::page_file::PageFileWriter;
use super::files::refusal::Refusal;
use crate::engine::Engine;
use crate::engine::background::give_way;
use crate::engine::collection::Collection;
use crate::engine::ids::CollectionId;
use crate::engine::ids::ShardNo;
use crate::engine::index::Visited;
use crate::engine::libraries::Libraries;
use crate::engine::preimage::Located;
use crate::engine::registry::Slot;
use crate::engine::settings::Settings;
use crate::engine::worker::{Worker, unix_ms};
use crate::page::PageId;
use crate::page::image::PageImage;
use crate::page::thresholds::Limits;
use crate::storage::fault_point::fault_point;
use crate::wal::Lsn;

/// How long the walk holds a pass at a time.
const PASS: Duration = Duration::from_micros(200);
/// Images gathered under one pass, at most.
const PASS_BYTES: usize = 256 << 10;

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
    limits: Limits,
    /// The libraries of functions; none where one collection is wanted.
    libraries: Arc<Libraries>,
    /// Where those are that the walk has come to.
    filed: Vec<FiledLibrary>,
    /// What need not be written again.
    base: Option<&'e Base>,
    collections: Vec<Captured>,
    /// Which of them each collection is.
    places: HashMap<CollectionId, usize>,
    /// Where the walk is: in which collection, and where in it.
    at: usize,
    position: Position,
}

/// A page as it was at the instant.
pub struct Saved {
    /// Which of the collections.
    pub at: usize,
    /// Which shard.
    pub shard: ShardNo,
    /// Its content.
    pub image: PageImage,
}

struct FiledLibrary {
    library: LibraryRow,
    /// Whether it is where the base has it.
    is_known: bool,
}

struct Captured {
    slot: Slot,
    settings: Settings,
    /// Its pages are not wanted.
    is_left_out: bool,
    next_page_id: PageId,
    /// Pages written, in the new page file.
    pages: Vec<PageRow>,
    /// Pages that are where the base has them, with the parts that they name.
    known: Vec<PageRow>,
    /// Parts of containers written, in the new page file.
    parts: Vec<PartRow>,
    /// Parts named by pages that were written, which are where the base has them.
    known_parts: Vec<PartRow>,
}

impl<'e> Capture<'e> {
    /// Stops everybody for the instant, and begins the epoch. `only`: the one collection wanted.
    pub fn begin(engine: &'e Engine, worker: &mut Worker, only: Option<&str>) -> Self {
        Self::begin_with(engine, worker, only, |_| ())
    }

    /// The same; `at_instant` is told of each collection within the instant.
    pub fn begin_with(
        engine: &'e Engine,
        worker: &mut Worker,
        only: Option<&str>,
        mut at_instant: impl FnMut(&Slot),
    ) -> Self {
        // From the first thread that has to wait for the others to the last that goes on: an upper bound for each.
        let stopped = Instant::now();
        let exclusive = engine.exclusive(worker);
        let (epoch, lsn) = engine.begin_checkpoint(&exclusive);
        let (next_collection, limits, libraries, collections): (_, _, _, Vec<Captured>) = {
            let registry = engine.registry();
            let libraries = match only {
                Some(_) => Arc::default(),
                None => Arc::clone(registry.libraries()),
            };
            let wanted = registry.slots().filter(|slot| match only {
                Some(name) => *slot.name == *name,
                // What is attached from a snapshot is no data of this server.
                None => !slot.collection.traits().is_read_only(),
            });
            let captured = wanted.map(|slot| Captured {
                next_page_id: slot.collection.page_ids().peek(),
                settings: slot.collection.settings(),
                // A cache is kept on disk only when it is asked for by name.
                is_left_out: only.is_none() && slot.collection.settings().is_cache,
                slot: slot.clone(),
                pages: Vec::new(),
                known: Vec::new(),
                parts: Vec::new(),
                known_parts: Vec::new(),
            });
            let limits = registry.thresholds().limits();
            (registry.next_collection_id(), limits, libraries, captured.collect())
        };
        collections.iter().for_each(|captured| at_instant(&captured.slot));
        drop(exclusive);
        let places = collections.iter().enumerate();
        let places = places.filter(|(_, captured)| !captured.is_left_out);
        let places = places
            .map(|(at, captured)| (captured.slot.collection.id(), at))
            .collect();
        Self {
            engine,
            epoch,
            lsn,
            wall_ms: unix_ms(),
            pause: engine.stops.note_capture(stopped.elapsed()),
            next_collection,
            limits,
            libraries,
            filed: Vec::new(),
            base: None,
            collections,
            places,
            at: 0,
            position: Position::default(),
        }
    }

    /// What `base` has need not be written again.
    pub fn build_on(mut self, base: &'e Base) -> Self {
        self.base = Some(base);
        self
    }

    /// Whether nothing was captured.
    pub fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    /// The first collection captured.
    pub fn first(&self) -> Option<Arc<Collection>> {
        let first = self.collections.first()?;
        Some(Arc::clone(&first.slot.collection))
    }

    /// Writes every page of the instant that the base does not have to `file`, and every library. Gives up when `stop`
    /// is set.
    pub fn walk(&mut self, worker: &Worker, file: &mut PageFileWriter, stop: &AtomicBool) -> Result<()> {
        let mut batch = Vec::new();
        loop {
            let more = self.next_batch(worker, stop, &mut batch)?;
            fault_point("checkpoint.within_walk");
            for Saved { at, shard, image } in batch.drain(..) {
                if let Some(captured) = self.collections.get_mut(at) {
                    let known = self.base.and_then(|base| base.of(captured.slot.collection.id()));
                    captured.write(known, shard, image, (&mut *file, stop))?;
                }
                give_way();
            }
            if !more {
                return self.write_libraries(file, stop);
            }
        }
    }

    fn write_libraries(&mut self, file: &mut PageFileWriter, stop: &AtomicBool) -> Result<()> {
        for (number, library) in self.libraries.numbered() {
            check_stop(stop)?;
            let known = self.base.and_then(|base| base.library(number));
            let row = match known {
                Some(row) => *row,
                None => libraries::append(file, number, library)?,
            };
            let name = library.name.to_vec();
            self.filed.push(FiledLibrary {
                library: LibraryRow { name, row },
                is_known: known.is_some(),
            });
            give_way();
        }
        Ok(())
    }

    /// Appends pages that the walk has come to or writers have handed over since; whether there may be more.
    pub fn next_batch(&mut self, worker: &Worker, stop: &AtomicBool, batch: &mut Vec<Saved>) -> Result<bool> {
        check_stop(stop)?;
        self.gather(worker, batch);
        give_way();
        // After the walk's last step, too: what was handed over before it is in the queue by now.
        self.drain(batch);
        Ok(self.at < self.collections.len())
    }

    /// Images pages from where the walk is for as long as a pass is held.
    fn gather(&mut self, worker: &Worker, batch: &mut Vec<Saved>) {
        let Some(captured) = self.collections.get_mut(self.at) else {
            return;
        };
        let collection = &captured.slot.collection;
        let rows = self.base.and_then(|base| base.of(collection.id()));
        let find = |page_id, version| rows.and_then(|rows| rows.find(page_id, version));
        let is_known = |page_id, version| find(page_id, version).is_some();
        let shards = if captured.is_left_out {
            &[]
        } else {
            collection.shards_if_any()
        };
        let _pass = worker.enter(self.engine);
        let (started, mut bytes) = (Instant::now(), 0);
        while let Some(shard) = shards.get(self.position.shard.index()) {
            let visited = shard
                .lock()
                .index
                .save_next(self.position.cursor, self.epoch, &is_known);
            let (page, next) = visited;
            match page {
                Some(Visited::Image(image)) => {
                    bytes += image.content.len();
                    batch.push(Saved {
                        at: self.at,
                        shard: self.position.shard,
                        image,
                    });
                }
                Some(Visited::Known { page_id, version }) => captured.known.extend(find(page_id, version)),
                None => {}
            }
            self.position = self.position.after(next);
            if bytes >= PASS_BYTES || started.elapsed() >= PASS {
                return;
            }
        }
        self.at += 1;
        self.position = Position::default();
    }

    /// Takes what writers have handed over. Images of collections that are not wanted, or newer than the instant, are
    /// let go.
    fn drain(&mut self, batch: &mut Vec<Saved>) {
        for Located {
            collection_id,
            shard,
            image,
        } in self.engine.pre_images().drain()
        {
            let Some(at) = self.places.get(&collection_id).copied() else {
                continue;
            };
            let rows = self.base.and_then(|base| base.of(collection_id));
            match rows.and_then(|rows| rows.find(image.page_id, image.version)) {
                Some(row) => {
                    if let Some(captured) = self.collections.get_mut(at) {
                        captured.known.push(*row);
                    }
                }
                None => batch.push(Saved { at, shard, image }),
            }
        }
    }

    /// The manifest of what was walked, with all pages that the base does not have in `file`, which is page file `id`.
    pub fn into_manifest(mut self, kind: ManifestKind, (id, term): (u64, u32), file: &PageFileWriter) -> Manifest {
        let base_files = self.base.map_or(&[][..], Base::files);
        let mut files = FileTable::new(base_files.len());
        let captured = std::mem::take(&mut self.collections).into_iter();
        let base = self.base;
        let collections: Vec<_> = captured.map(|captured| captured.into_part(base, &mut files)).collect();
        let filed = std::mem::take(&mut self.filed).into_iter();
        let libraries: Vec<_> = filed.map(|filed| filed.into_row(&mut files)).collect();
        let rows = collections.iter().flat_map(CollectionPages::rows);
        let rows = rows.chain(libraries.iter().map(|library| &library.row));
        let pages = || collections.iter().flat_map(|part: &CollectionPages| &part.pages);
        let has_written = file.bytes() > PAGE_FILE_HEADER_BYTES as u64;
        // What one collection holds means the same under all thresholds.
        let limits = match kind {
            ManifestKind::Checkpoint => self.limits,
            ManifestKind::Persisted => Limits::DEFAULT,
        };
        Manifest {
            head: ManifestHead {
                versions: Versions::CURRENT,
                kind,
                term,
                id,
                lsn: self.lsn,
                wall_ms: self.wall_ms,
                pages: pages().count() as u64,
                entries: pages().map(|page| u64::from(page.entries)).sum(),
                next_collection: self.next_collection,
                collections: collections.len() as u32,
                data_set: 0,
                referenced_bytes: rows.map(|row| row.len + PAGE_HEADER_BYTES as u64).sum(),
                written_pages: file.pages(),
                written_bytes: if has_written { file.bytes() } else { 0 },
                files: files.into_ids(base_files, id),
            },
            limits,
            libraries,
            next_library: self.libraries.next_number(),
            collections,
        }
    }
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        self.engine.end_checkpoint();
    }
}

/// Numbers the page files that rows point into, in the order in which they are met.
struct FileTable {
    /// By the index in the base; the last one is the new file's.
    numbers: Vec<Option<u32>>,
    met: Vec<usize>,
}

impl FileTable {
    fn new(base_files: usize) -> Self {
        Self {
            numbers: vec![None; base_files + 1],
            met: Vec::new(),
        }
    }

    fn number(&mut self, at: usize) -> u32 {
        let next = self.met.len() as u32;
        match self.numbers.get_mut(at) {
            Some(Some(number)) => *number,
            Some(number) => {
                *number = Some(next);
                self.met.push(at);
                next
            }
            // Rows of the base point into its files; a manifest with this number would be refused.
            None => u32::MAX,
        }
    }

    /// The new file's.
    fn new_file(&mut self) -> u32 {
        self.number(self.numbers.len() - 1)
    }

    fn into_ids(self, base_files: &[u64], new: u64) -> Vec<u64> {
        let id_of = |at: &usize| base_files.get(*at).copied().unwrap_or(new);
        self.met.iter().map(id_of).collect()
    }
}

/// Gives up once `stop` is set.
pub(super) fn check_stop(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) {
        return Err(Refusal::ShuttingDown.into());
    }
    Ok(())
}

impl FiledLibrary {
    fn into_row(self, files: &mut FileTable) -> LibraryRow {
        let mut library = self.library;
        library.row.file = if self.is_known {
            files.number(library.row.file as usize)
        } else {
            files.new_file()
        };
        library
    }
}

impl Captured {
    /// Writes a page, and those parts of its containers that the base does not have.
    fn write(
        &mut self,
        known: Option<Known<'_>>,
        shard: ShardNo,
        mut image: PageImage,
        (file, stop): (&mut PageFileWriter, &AtomicBool),
    ) -> Result<()> {
        let (id, page_id) = (self.slot.collection.id(), image.page_id);
        for whole in image.content.parted() {
            for (index, part) in whole.parts().iter().enumerate() {
                if let Some(row) = known.and_then(|known| known.find_part(part.id, part.version)) {
                    self.known_parts.push(PartRow { page_id, row: *row });
                    continue;
                }
                check_stop(stop)?;
                let row = file.append_part((id, shard), part, whole.part(index))?;
                self.parts.push(PartRow { page_id, row });
                give_way();
            }
        }
        self.pages.push(file.append(id, shard, &mut image)?);
        Ok(())
    }

    fn into_part(self, base: Option<&Base>, files: &mut FileTable) -> CollectionPages {
        let known = base.and_then(|base| base.of(self.slot.collection.id()));
        let mut parts = self.known_parts;
        for row in &self.known {
            parts.extend(known.into_iter().flat_map(|known| known.parts_of(row.page_id)));
        }
        let mut pages = self.known;
        for row in pages.iter_mut().chain(parts.iter_mut().map(|part| &mut part.row)) {
            row.file = files.number(row.file as usize);
        }
        for mut row in self.pages {
            row.file = files.new_file();
            pages.push(row);
        }
        for mut part in self.parts {
            part.row.file = files.new_file();
            parts.push(part);
        }
        pages.sort_unstable_by_key(|row| row.page_id);
        parts.sort_unstable_by_key(|part| part.row.page_id);
        CollectionPages {
            row: CollectionRow {
                id: self.slot.collection.id(),
                database: self.slot.id,
                name: self.slot.name.to_string(),
                placement: self.slot.collection.placement(),
                next_page_id: self.next_page_id,
                settings: self.settings,
                pages: pages.len() as u64,
                parts: parts.len() as u64,
            },
            pages,
            parts,
        }
    }
}

/// Where the walk is within a collection.
#[derive(Clone, Copy, Default)]
struct Position {
    shard: ShardNo,
    cursor: u64,
}

impl Position {
    fn after(self, next: Option<u64>) -> Self {
        match next {
            Some(cursor) => Self { cursor, ..self },
            None => Self {
                shard: self.shard.next(),
                cursor: 0,
            },
        }
    }
}
