//! Loading the pages of a manifest, by several threads.
//!
//! **Invariants**
//! - Pages are built by all threads at once, those of one shard too; whoever has built the last one of a shard installs
//!   them all.
//! - A page counts only when its checksum, its identity and the place of each of its keys are right.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use parking_lot::Mutex;

use super::observer::{Observer, Stage};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::files::catalog::open_page_files;
use crate::checkpoint::files::error::Result;
use crate::checkpoint::files::format::PageRow;
use crate::checkpoint::files::manifest::{CollectionPages, Manifest};
use crate::checkpoint::files::page_file::{PageBuffer, PageFileReader, file_of};
use crate::checkpoint::files::parts::Parts;
use crate::engine::collection::Collection;
use crate::engine::ids::ShardNo;
use crate::engine::index::loaded::LoadedPage;
use crate::page::Access;
use crate::storage::Disk;

const REPORT: Duration = Duration::from_millis(100);

/// So many pages are taken at a time.
const CHUNK: usize = 32;

/// A shard whose pages are being built.
struct Target<'a> {
    collection: &'a Collection,
    parts: &'a Parts<'a>,
    shard: ShardNo,
    /// Pages built, and how many there will be.
    built: Mutex<Vec<LoadedPage>>,
    pages: usize,
}

/// Pages to read.
struct Chunk<'a> {
    target: usize,
    rows: &'a [PageRow],
}

struct Loader<'a> {
    path: &'a Path,
    targets: Vec<Target<'a>>,
    chunks: Vec<Chunk<'a>>,
    files: &'a [PageFileReader],
    next: AtomicUsize,
    /// Bytes of pages that are there.
    done: AtomicU64,
    /// The others are to end.
    failed: AtomicBool,
    access: Access,
}

/// Fills `collections`, in the manifest's order, from the page files beside the manifest.
pub(super) fn load(
    disk: &dyn Disk,
    path: &Path,
    manifest: &mut Manifest,
    collections: &[Arc<Collection>],
    (threads, access): (usize, Access),
    observer: &mut Observer<'_>,
) -> Result<()> {
    let rows = manifest.collections.iter().flat_map(CollectionPages::rows);
    let bytes: u64 = rows.map(|row| row.len).sum();
    observer.begin(disk, bytes, manifest.head.lsn);
    for part in &mut manifest.collections {
        // As they lie in the files.
        part.pages
            .sort_unstable_by_key(|page| (page.shard, page.file, page.offset));
    }
    let files = open_page_files(disk, path.parent().unwrap_or(Path::new(".")), &manifest.head)?;
    let parts = |part| Parts::new(part, files.iter().map(Some)).with_threads(threads);
    let parts: Vec<Parts<'_>> = manifest.collections.iter().map(parts).collect();
    let (targets, chunks) = plan(manifest, collections, &parts);
    let loader = Loader {
        path,
        targets,
        chunks,
        files: &files,
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        access,
    };
    std::thread::scope(|scope| {
        let (sender, results) = channel();
        for _ in 0..threads.clamp(1, loader.chunks.len().max(1)) {
            let (sender, loader) = (sender.clone(), &loader);
            scope.spawn(move || {
                // The receiver stays until every thread has ended.
                let _ = sender.send(loader.work());
            });
        }
        drop(sender);
        let mut note = || {
            let goes_on = observer.note(Stage::Pages, loader.done.load(Ordering::Relaxed), bytes);
            // Threads that are to end find nothing to do.
            loader.failed.fetch_or(!goes_on, Ordering::Relaxed);
        };
        let outcome = wait(&results, &mut note);
        note();
        outcome
    })
}

/// Waits for all threads; the first error is the outcome.
fn wait(results: &Receiver<Result<()>>, mut report: impl FnMut()) -> Result<()> {
    let mut outcome = Ok(());
    loop {
        match results.recv_timeout(REPORT) {
            Ok(result) => outcome = outcome.and(result),
            Err(RecvTimeoutError::Timeout) => report(),
            Err(RecvTimeoutError::Disconnected) => return outcome,
        }
    }
}

/// The shards that have pages, and their pages in portions.
fn plan<'a>(
    manifest: &'a Manifest,
    collections: &'a [Arc<Collection>],
    parts: &'a [Parts<'a>],
) -> (Vec<Target<'a>>, Vec<Chunk<'a>>) {
    let (mut targets, mut chunks) = (Vec::new(), Vec::new());
    for ((part, collection), parts) in manifest.collections.iter().zip(collections).zip(parts) {
        for rows in part.pages.chunk_by(|one, other| one.shard == other.shard) {
            let target = targets.len();
            targets.push(Target {
                collection,
                parts,
                shard: rows.first().map_or(ShardNo::FIRST, |row| row.shard),
                built: Mutex::new(Vec::with_capacity(rows.len())),
                pages: rows.len(),
            });
            chunks.extend(rows.chunks(CHUNK).map(|rows| Chunk { target, rows }));
        }
    }
    (targets, chunks)
}

impl Loader<'_> {
    fn work(&self) -> Result<()> {
        let mut buffer = PageBuffer::default();
        while let Some(chunk) = self.chunks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.chunk(chunk, &mut buffer)
                .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
            let bytes = chunk.rows.iter().map(|row| row.len).sum();
            self.done.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    fn chunk(&self, chunk: &Chunk<'_>, buffer: &mut PageBuffer) -> Result<()> {
        let Some(target) = self.targets.get(chunk.target) else {
            return Ok(());
        };
        let mut pages = Vec::with_capacity(chunk.rows.len());
        for row in chunk.rows {
            let page = file_of(self.files, row)?.read(target.collection.id(), row, buffer)?;
            pages.push(page.build(target.collection, target.parts, self.access)?);
            self.done.fetch_add(target.parts.take_read_bytes(), Ordering::Relaxed);
        }
        let all = {
            let mut built = target.built.lock();
            built.append(&mut pages);
            if built.len() < target.pages {
                return Ok(());
            }
            std::mem::take(&mut *built)
        };
        target.collection.shard(target.shard).install(all).map_err(|reason| {
            let (shard, id) = (target.shard, target.collection.id());
            CheckpointError::damaged(self.path, 0, format!("shard {shard} of collection {id}: {reason}"))
        })
    }
}
