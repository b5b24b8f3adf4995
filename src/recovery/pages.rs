//! Loading the pages of a manifest, by several threads.
//!
//! **Invariants**
//! - A shard is filled by one thread, so threads do not wait for each other.
//! - A page counts only when its checksum, its identity and the place of each of its keys are right.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::{Progress, Stage};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::catalog::open_page_files;
use crate::checkpoint::error::Result;
use crate::checkpoint::format::{PAGE_HEADER_BYTES, PageRow};
use crate::checkpoint::manifest::Manifest;
use crate::checkpoint::page_file::PageFileReader;
use crate::engine::apply::apply;
use crate::engine::collection::Collection;
use crate::engine::effect::Effect;
use crate::engine::index::PageWrite;
use crate::page::{image, thresholds};
use crate::storage::Disk;

const REPORT: Duration = Duration::from_millis(500);

/// The pages of one shard.
struct Group<'a> {
    collection: &'a Collection,
    pages: Vec<PageRow>,
}

struct Loader<'a> {
    groups: Vec<Group<'a>>,
    files: Vec<PageFileReader>,
    next: AtomicUsize,
    done: AtomicU64,
    failed: AtomicBool,
    access_s: u32,
}

/// Fills `collections`, in the manifest's order, from the page files beside the manifest.
pub(super) fn load(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    collections: &[Arc<Collection>],
    (threads, access_s): (usize, u32),
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let loader = Loader {
        groups: groups(manifest, collections),
        files: open_page_files(disk, dir, &manifest.head)?,
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        access_s,
    };
    std::thread::scope(|scope| {
        let (sender, results) = channel();
        for _ in 0..threads.clamp(1, loader.groups.len().max(1)) {
            let (sender, loader) = (sender.clone(), &loader);
            scope.spawn(move || {
                // The receiver stays until every thread has ended.
                let _ = sender.send(loader.work());
            });
        }
        drop(sender);
        wait(&results, || {
            progress(Progress {
                stage: Stage::Pages,
                done: loader.done.load(Ordering::Relaxed),
                total: manifest.head.pages,
            });
        })
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

fn groups<'a>(manifest: &Manifest, collections: &'a [Arc<Collection>]) -> Vec<Group<'a>> {
    let mut groups = Vec::new();
    for (part, collection) in manifest.collections.iter().zip(collections) {
        let mut pages = part.pages.clone();
        pages.sort_unstable_by_key(|page| (page.shard, page.file, page.offset));
        let of_shard = pages.chunk_by(|one, other| one.shard == other.shard);
        groups.extend(of_shard.map(|pages| Group {
            collection,
            pages: pages.to_vec(),
        }));
    }
    groups
}

impl Loader<'_> {
    fn work(&self) -> Result<()> {
        let mut buffer = Vec::new();
        while let Some(group) = self.groups.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            for page in &group.pages {
                if self.failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.page(group.collection, page, &mut buffer)
                    .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
                self.done.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn page(&self, collection: &Collection, row: &PageRow, buffer: &mut Vec<u8>) -> Result<()> {
        let file = self.files.get(row.file as usize);
        let file = file.ok_or_else(|| CheckpointError::Refused(format!("page {} is in no file", row.page_id)))?;
        let header = file.read(collection.id(), row, buffer)?;
        let content = buffer.get(PAGE_HEADER_BYTES..).unwrap_or_default();
        self.insert(collection, row, header.version, content).map_err(|reason| {
            let reason = format!("page {} of collection {}: {reason}", row.page_id, collection.id());
            CheckpointError::damaged(file.path(), row.offset, reason)
        })
    }

    fn insert(
        &self,
        collection: &Collection,
        row: &PageRow,
        version: u64,
        content: &[u8],
    ) -> std::result::Result<(), String> {
        let shard = collection.shard(row.shard as usize);
        let write = PageWrite {
            lsn: version,
            epoch: 0,
            sink: None,
            collection_id: collection.id(),
            shard: row.shard,
            page_ids: collection.page_ids(),
            thresholds: &thresholds::DEFAULT,
        };
        let mut state = shard.lock();
        image::decode(content, row.entries, |entry| {
            let key = collection.key_in(entry.key, row.shard)?;
            let effect = Effect::Put {
                key: entry.key,
                expire_at_ms: entry.expire_at_ms,
                value: entry.value,
            };
            apply(shard, &mut state, key, &effect, &write, self.access_s);
            Ok(())
        })
    }
}
