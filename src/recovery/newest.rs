//! Loading the newest checkpoint.
//!
//! **Invariant:** it is what the control file says was committed, or newer; and it is the newest manifest by name or
//! none: an older one is never taken in its stead.

use std::path::Path;

use super::observer::Observer;
use super::{RecoveryError, pages};
use crate::checkpoint::files::catalog::{self, open_page_files};
use crate::checkpoint::files::error::Result;
use crate::checkpoint::files::format::{DATA_SET_AT, ManifestKind};
use crate::checkpoint::files::libraries::read_all;
use crate::checkpoint::files::manifest::Manifest;
use crate::checkpoint::{CheckpointError, CheckpointInfo};
use crate::engine::CollectionError;
use crate::engine::effect::Effect;
use crate::engine::libraries::Libraries;
use crate::engine::registry::Registry;
use crate::page::Access;
use crate::storage::Disk;
use crate::wal::Lsn;

/// What is needed for it.
pub(super) struct Loading<'a, 'o> {
    pub disk: &'a dyn Disk,
    pub dir: &'a Path,
    pub threads: usize,
    pub access: Access,
    pub registry: &'a mut Registry,
    pub observer: &'a mut Observer<'o>,
}

impl Loading<'_, '_> {
    /// Fills the registry; `None` when there is no checkpoint.
    pub fn run(mut self) -> std::result::Result<Option<CheckpointInfo>, RecoveryError> {
        let newest = catalog::committed(self.disk, self.dir).map_err(RecoveryError::Control)?;
        let Some((control, id, path)) = newest else {
            self.observer.begin(self.disk, 0, Lsn::ZERO);
            return Ok(None);
        };
        match self.load(id, &path, control.data_set) {
            Ok(info) => Ok(Some(info)),
            Err(error) => Err(RecoveryError::Checkpoint { manifest: path, error }),
        }
    }

    /// Fills the registry from this checkpoint.
    pub fn run_from(
        mut self,
        id: u64,
        path: &Path,
        data_set: u128,
    ) -> std::result::Result<CheckpointInfo, RecoveryError> {
        self.load(id, path, data_set)
            .map_err(|error| RecoveryError::Checkpoint {
                manifest: path.to_owned(),
                error,
            })
    }

    fn load(&mut self, id: u64, path: &Path, data_set: u128) -> Result<CheckpointInfo> {
        // A killed process may have left the manifest's entry in the cache only; what is believed must stay.
        self.disk
            .sync_dir(self.dir)
            .map_err(CheckpointError::io("sync", self.dir))?;
        let mut manifest = Manifest::read(self.disk, path)?;
        let head = manifest.head.clone();
        if head.id != id || head.kind != ManifestKind::Checkpoint {
            let reason = format!("its name says checkpoint {id}, its head {:?} {}", head.kind, head.id);
            return Err(CheckpointError::damaged(path, 16, reason));
        }
        if head.data_set != data_set {
            let reason = format!(
                "it is of data set {:032x}, the control file of {data_set:032x}",
                head.data_set
            );
            return Err(CheckpointError::damaged(path, DATA_SET_AT, reason));
        }
        self.fill(path, &mut manifest)?;
        Ok(CheckpointInfo {
            id,
            lsn: head.lsn,
            wall_ms: head.wall_ms,
        })
    }

    /// Makes the manifest's collections and loads their pages.
    fn fill(&mut self, path: &Path, manifest: &mut Manifest) -> Result<()> {
        let mut collections = Vec::with_capacity(manifest.collections.len());
        for part in &manifest.collections {
            let row = &part.row;
            let create = Effect::CollectionCreate {
                database: row.database,
                name: &row.name,
                placement: row.placement,
            };
            let refused = |reason: CollectionError| CheckpointError::damaged(path, 0, reason.to_string());
            self.registry.apply(row.id, &create).map_err(refused)?;
            let collection = self.registry.collection(row.id);
            let collection = collection.ok_or_else(|| refused(CollectionError::Missing(row.id)))?;
            collection.configure(row.settings);
            collection.page_ids().continue_with(row.next_page_id);
            collections.push(collection);
        }
        self.registry.reserve_collection_ids(manifest.head.next_collection);
        self.registry.thresholds().set(&manifest.limits);
        self.registry.restore_libraries(self.libraries(path, manifest)?);
        let access = self.access;
        pages::load(
            self.disk,
            path,
            manifest,
            &collections,
            (self.threads, access),
            self.observer,
        )?;
        let keys: u64 = collections.iter().map(|collection| collection.key_count()).sum();
        if keys != manifest.head.entries {
            let reason = format!("{} entries were expected, {keys} keys are there", manifest.head.entries);
            return Err(CheckpointError::damaged(path, 56, reason));
        }
        Ok(())
    }

    /// The manifest's libraries of functions.
    fn libraries(&self, path: &Path, manifest: &Manifest) -> Result<Libraries> {
        let files = if manifest.libraries.is_empty() {
            Vec::new()
        } else {
            open_page_files(self.disk, path.parent().unwrap_or(Path::new(".")), &manifest.head)?
        };
        read_all(&files, manifest)
    }
}
