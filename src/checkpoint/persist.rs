//! `PERSIST`: one collection at one instant, as a page file and a manifest in a directory of its own.
//!
//! **Invariants**
//! - `manifest.lkm` changes by a rename, after its page file is durable: there is the old version or the new one.
//! - Page files that the manifest does not name go after that, not before.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::capture::Capture;
use super::files::catalog::{Listing, page_file_name, publish};
use super::files::error::{CheckpointError, Result};
use super::files::format::ManifestKind;
use super::files::manifest::Manifest;
use super::files::packing::Compression;
use super::files::page_file::PageFileWriter;
use super::files::persisted::{MANIFEST, persisted_manifests};
use super::files::refusal::Refusal;
use super::queue::Context;
use super::request::PersistDone;
use super::runner::Runner;
use super::status::Persisted;
use crate::storage::fault_point::fault_point;

/// Looks what is persisted already, for those who ask when that was.
pub(super) fn note_persisted(shared: &Context) {
    let (disk, dir) = (shared.disk.as_ref(), &shared.options.persist_dir);
    let found = persisted_manifests(disk, dir).unwrap_or_default();
    for (name, path) in found {
        // One that cannot be read is told of by whoever loads or verifies it.
        if let Ok(head) = Manifest::read_head(disk, &path) {
            let (lsn, wall_ms) = (head.lsn, head.wall_ms);
            shared.status.note_persisted(name, Persisted { lsn, wall_ms });
        }
    }
}

impl Runner {
    /// Where collection `name` is persisted; refuses a name that is not one directory's.
    pub(super) fn persisted_dir(&self, name: &str) -> Result<PathBuf> {
        let unsafe_name = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']);
        if unsafe_name {
            return Err(Refusal::BadName(name.to_owned()).into());
        }
        Ok(self.shared.options.persist_dir.join(name))
    }

    pub(super) fn persist(&mut self, name: &str) -> Result<PersistDone> {
        let dir = self.persisted_dir(name)?;
        let missing = || CheckpointError::from(Refusal::NoCollection(name.to_owned()));
        if self.shared.engine.registry().by_name(name).is_none() {
            return Err(missing());
        }
        let disk = Arc::clone(&self.shared.disk);
        disk.create_dir_all(&dir).map_err(CheckpointError::io("create", &dir))?;
        let files = Listing::read(disk.as_ref(), &dir)?.page_files;
        let id = files.last().map_or(1, |last| last + 1);
        let temporary = dir.join(format!("{MANIFEST}.tmp"));
        // A crash may have left it.
        if disk
            .exists(&temporary)
            .map_err(CheckpointError::io("look for", &temporary))?
        {
            disk.remove(&temporary)
                .map_err(CheckpointError::io("remove", &temporary))?;
        }
        let path = dir.join(page_file_name(id));
        let done = self
            .write_persisted(name, &dir, id, &path)
            .and_then(|done| done.ok_or_else(missing));
        if done.is_err() {
            let _ = disk.remove(&temporary);
            if !self.may_be_named(&dir, id) {
                let _ = disk.remove(&path);
            }
            // Goes only if nothing was ever persisted there.
            let _ = disk.remove_dir(&dir);
            return done;
        }
        fault_point("persist.before_old_files_go");
        for old in files {
            // What stays is removed the next time.
            let _ = disk.remove(&dir.join(page_file_name(old)));
        }
        let _ = disk.sync_dir(&dir);
        done
    }

    /// Whether the manifest in `dir` may point to page file `id`.
    fn may_be_named(&self, dir: &Path, id: u64) -> bool {
        let path = dir.join(MANIFEST);
        match self.shared.disk.exists(&path) {
            Ok(false) => false,
            Ok(true) => {
                Manifest::read_head(self.shared.disk.as_ref(), &path).map_or(true, |head| head.files.contains(&id))
            }
            Err(_) => true,
        }
    }

    /// `None`: the collection went before its instant.
    fn write_persisted(&mut self, name: &str, dir: &Path, id: u64, path: &Path) -> Result<Option<PersistDone>> {
        let started = Instant::now();
        let shared = Arc::clone(&self.shared);
        let is_lz4 = shared.settings.is_lz4();
        let compression = if is_lz4 { Compression::Lz4 } else { Compression::None };
        let mut file = PageFileWriter::create(shared.disk.as_ref(), path.to_owned(), id, compression)?;
        let mut capture = Capture::begin(&shared.engine, &mut self.worker, Some(name));
        shared.status.note_pause(capture.pause);
        if capture.is_empty() {
            return Ok(None);
        }
        let lsn = capture.lsn;
        capture.walk(&self.worker, &mut file, &shared.stop)?;
        let manifest = capture.into_manifest(ManifestKind::Persisted, (id, shared.options.term), &file);
        let mut bytes = file.finish()?;
        fault_point("persist.page_file_durable");
        shared.engine.wal().sync_blocking(lsn)?;
        bytes += publish(shared.disk.as_ref(), dir, MANIFEST, &manifest)?;
        let (lsn, wall_ms) = (manifest.head.lsn, manifest.head.wall_ms);
        shared
            .status
            .note_persisted(name.to_owned(), Persisted { lsn, wall_ms });
        Ok(Some(PersistDone {
            pages: manifest.head.pages,
            entries: manifest.head.entries,
            bytes,
            millis: started.elapsed().as_millis() as u64,
        }))
    }
}
