//! The directory of checkpoints: names, publication, retention.
//!
//! **Invariants**
//! - A manifest appears under its name by a rename, after it and every file it names are durable, entries included.
//! - What a manifest takes over from the one before was there when it was published, in full length and as it was first
//!   seen.
//! - A page file is removed only when no readable manifest names it and every manifest can be read.
//! - The control file tells of a checkpoint once its manifest is durable, and is there before the first one.
//! - A checkpoint that is pinned stays.
//! - None counts as older than the one before it, whatever clocks showed.
//! - After a failed publication whose rename may have happened, the files stay: the manifest is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::base::Base;
use super::control::Control;
use super::error::{CheckpointError, Result};
use super::format::ManifestHead;
use super::manifest::Manifest;
use super::packing::Compression;
use super::page_file::{PageFileReader, PageFileWriter};
use super::refusal::Refusal;
use super::watch::{Seen, Watch};
use crate::storage::Disk;
use crate::storage::fault_point::fault_point;
use crate::wal::Lsn;

pub use super::names::{manifest_name, page_file_name};

const TEMPORARY: &str = ".tmp";

/// A checkpoint that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// Its identity; ascending.
    pub id: u64,
    /// The instant: all records up to this LSN are in it, none after.
    pub lsn: Lsn,
    /// Wall clock at the instant, Unix milliseconds.
    pub wall_ms: u64,
}

/// Which checkpoint is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotId {
    /// The one with this identity.
    Number(u64),
    /// The newest.
    Latest,
}

fn parse(name: &OsStr, prefix: &str, suffix: &str) -> Option<u64> {
    let digits = name.to_str()?.strip_prefix(prefix)?.strip_suffix(suffix)?;
    let canonical = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if canonical { digits.parse().ok() } else { None }
}

/// The page file that `path` names, if it does.
pub fn page_file_id(path: &Path) -> Option<u64> {
    parse(path.file_name()?, "pages-", ".lkp")
}

/// What is in a directory of checkpoint files.
#[derive(Default)]
pub(crate) struct Listing {
    manifests: BTreeSet<u64>,
    pub page_files: BTreeSet<u64>,
    leftovers: Vec<PathBuf>,
}

impl Listing {
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Self> {
        let mut listing = Self::default();
        for name in disk.list(dir).map_err(CheckpointError::io("list", dir))? {
            if let Some(id) = parse(&name, "manifest-", ".lkm") {
                listing.manifests.insert(id);
            } else if let Some(id) = parse(&name, "pages-", ".lkp") {
                listing.page_files.insert(id);
            } else if parse(&name, "manifest-", ".lkm.tmp").is_some() {
                listing.leftovers.push(dir.join(name));
            }
        }
        Ok(listing)
    }

    /// The control file of a directory that has none: a new one is made where nothing else is.
    fn first_control(&self, disk: &dyn Disk, dir: &Path) -> Result<Control> {
        self.check_fresh(dir)?;
        let control = Control::fresh();
        control.write(disk, dir)?;
        Ok(control)
    }

    fn check_fresh(&self, dir: &Path) -> Result<()> {
        if self.manifests.is_empty() && self.page_files.is_empty() {
            return Ok(());
        }
        Err(Refusal::ControlMissing(Control::path(dir)).into())
    }
}

/// The control file of `dir` and its newest manifest by name, in agreement; neither if there is no checkpoint yet.
///
/// # Errors
/// When one of them is missing, or what was committed last is.
pub fn committed(disk: &dyn Disk, dir: &Path) -> Result<Option<(Control, u64, PathBuf)>> {
    if !disk.exists(dir).map_err(CheckpointError::io("look for", dir))? {
        return Ok(None);
    }
    let listing = Listing::read(disk, dir)?;
    let newest = listing.manifests.last().copied();
    let Some(control) = Control::read(disk, dir)? else {
        listing.check_fresh(dir)?;
        return Ok(None);
    };
    control.check_newest(dir, newest)?;
    Ok(newest.map(|id| (control, id, dir.join(manifest_name(id)))))
}

/// The manifests in `dir` by name, oldest first; none if there is no such directory.
pub fn manifests(disk: &dyn Disk, dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    if !disk.exists(dir).map_err(CheckpointError::io("look for", dir))? {
        return Ok(Vec::new());
    }
    let ids = Listing::read(disk, dir)?.manifests;
    Ok(ids.into_iter().map(|id| (id, dir.join(manifest_name(id)))).collect())
}

/// Readers of all page files that `head`, a manifest in `dir`, names.
pub fn open_page_files(disk: &dyn Disk, dir: &Path, head: &ManifestHead) -> Result<Vec<PageFileReader>> {
    let open = |id: &u64| PageFileReader::open(disk, dir.join(page_file_name(*id)), *id);
    head.files.iter().map(open).collect()
}

/// A directory of checkpoint files that is being written to.
pub struct Catalog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    heads: BTreeMap<u64, ManifestHead>,
    /// Some manifest could not be read: what it names is not known, so no page file is removed.
    blind: bool,
    next_id: u64,
    control: Control,
    /// When each counts as taken, by the clock that [`Self::retain`] is told of; from the first time that it is called.
    taken_ms: BTreeMap<u64, u64>,
    /// Whether pages are packed.
    pub is_lz4: bool,
}

impl Catalog {
    /// Takes stock of `dir`, which is made if missing, and removes what an interrupted act left there.
    pub fn open(disk: Arc<dyn Disk>, dir: PathBuf) -> Result<Self> {
        disk.create_dir_all(&dir).map_err(CheckpointError::io("create", &dir))?;
        let listing = Listing::read(disk.as_ref(), &dir)?;
        let control = match Control::read(disk.as_ref(), &dir)? {
            Some(control) => control,
            None => listing.first_control(disk.as_ref(), &dir)?,
        };
        control.check_newest(&dir, listing.manifests.last().copied())?;
        Control::remove_leftover(disk.as_ref(), &dir)?;
        let last = listing.manifests.last().max(listing.page_files.last()).copied();
        let mut catalog = Self {
            disk,
            dir,
            heads: BTreeMap::new(),
            blind: false,
            next_id: last.map_or(1, |id| id.saturating_add(1)),
            control,
            taken_ms: BTreeMap::new(),
            is_lz4: false,
        };
        for id in listing.manifests {
            match Manifest::read_head(catalog.disk.as_ref(), &catalog.path(&manifest_name(id))) {
                Ok(head) => drop(catalog.heads.insert(id, head)),
                Err(error) => {
                    tracing::warn!("checkpoint: {error}; no page file will be removed while it is there");
                    catalog.blind = true;
                }
            }
        }
        for path in listing.leftovers {
            catalog.remove(&path)?;
        }
        catalog.remove_unnamed()?;
        Ok(catalog)
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The heads of all checkpoints that can be read, oldest first.
    pub fn heads(&self) -> impl ExactSizeIterator<Item = &ManifestHead> {
        self.heads.values()
    }

    /// The identity that is meant.
    ///
    /// # Errors
    /// When there is no such checkpoint.
    pub fn resolve(&self, id: SnapshotId) -> Result<u64> {
        let found = match id {
            SnapshotId::Latest => self.heads.keys().next_back(),
            SnapshotId::Number(id) => self.heads.get_key_value(&id).map(|(id, _)| id),
        };
        let missing = || match id {
            SnapshotId::Latest => Refusal::NoCheckpointYet,
            SnapshotId::Number(id) => Refusal::NoCheckpoint(id),
        };
        found.copied().ok_or_else(|| missing().into())
    }

    /// Reads a checkpoint's manifest.
    ///
    /// # Errors
    /// When it is damaged or missing.
    pub fn manifest(&self, id: u64) -> Result<Manifest> {
        Manifest::read(self.disk.as_ref(), &self.path(&manifest_name(id)))
    }

    /// What all that is here is of.
    pub fn data_set(&self) -> u128 {
        self.control.data_set
    }

    /// Whether a checkpoint is pinned.
    pub fn is_pinned(&self, id: u64) -> bool {
        self.control.pins.contains(&id)
    }

    /// Pins a checkpoint or unpins it, durably.
    ///
    /// # Errors
    /// When the disk refuses; whether it is pinned then is not certain.
    pub fn set_pinned(&mut self, id: u64, is_pinned: bool) -> Result<()> {
        let has_changed = if is_pinned {
            self.control.pins.insert(id)
        } else {
            self.control.pins.remove(&id)
        };
        if has_changed {
            self.control.write(self.disk.as_ref(), &self.dir)?;
        }
        Ok(())
    }

    /// Deletes a checkpoint, and the page files that nobody names any more.
    ///
    /// # Errors
    /// When it is the newest or pinned, or the disk refuses.
    pub fn delete(&mut self, id: u64) -> Result<()> {
        if self.heads.keys().next_back() == Some(&id) {
            return Err(Refusal::Newest(id).into());
        }
        if self.is_pinned(id) {
            return Err(Refusal::Pinned(id).into());
        }
        self.remove_manifests(&[id])
    }

    /// An id that no file here has had since it was opened.
    pub fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Begins page file `id`.
    pub fn create_page_file(&self, id: u64) -> Result<PageFileWriter> {
        let compression = if self.is_lz4 {
            Compression::Lz4
        } else {
            Compression::None
        };
        PageFileWriter::create(self.disk.as_ref(), self.path(&page_file_name(id)), id, compression)
    }

    /// What checkpoint `id`, the newest, has, for the next one to build on.
    ///
    /// # Errors
    /// When its manifest is damaged or missing, or the disk refuses.
    pub fn base(&self, id: u64, watch: &mut Watch) -> Result<Base> {
        self.base_of(self.manifest(id)?, watch)
    }

    /// What `manifest`, the newest, has, whose page files are here. The others need not be watched any more.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn base_of(&self, manifest: Manifest, watch: &mut Watch) -> Result<Base> {
        watch.keep_only(&manifest.head.files);
        let seen = watch.look(self.disk.as_ref(), &self.dir, &manifest.head.files)?;
        Ok(Base::new(manifest, &bytes_of(&seen)))
    }

    /// That all that `base` has to give is there, as far as can be told without reading it.
    ///
    /// # Errors
    /// When it is not, or the disk refuses.
    pub fn check_base(&self, base: &Base, watch: &mut Watch) -> Result<()> {
        let seen = watch.look(self.disk.as_ref(), &self.dir, base.files())?;
        let Some((at, end)) = base.lost_file(&bytes_of(&seen)) else {
            return Ok(());
        };
        let id = base.files().get(at).copied().unwrap_or_default();
        let seen = seen.get(at).copied().unwrap_or(Seen::Missing);
        let reason = match seen {
            Seen::There(_) => format!("it ends there, though there were pages up to byte {end}"),
            Seen::Missing => "it is missing".to_owned(),
            Seen::Changed => "it was replaced or written to while the server ran".to_owned(),
            Seen::Damaged => "reading it back has found damage".to_owned(),
        };
        let path = self.path(&page_file_name(id));
        Err(CheckpointError::damaged(&path, seen.bytes().unwrap_or(0), reason))
    }

    /// Commits `manifest`, whose page files have been synced; returns its length.
    pub fn publish(&mut self, manifest: &mut Manifest) -> Result<u64> {
        manifest.head.data_set = self.control.data_set;
        let name = manifest_name(manifest.head.id);
        let bytes = publish(self.disk.as_ref(), &self.dir, &name, manifest)?;
        self.heads.insert(manifest.head.id, manifest.head.clone());
        fault_point("checkpoint.manifest_durable");
        self.control.checkpoint = manifest.head.id;
        self.control.lsn = manifest.head.lsn;
        self.control.write(self.disk.as_ref(), &self.dir)?;
        Ok(bytes)
    }

    /// Removes what a failed act `id` left, as far as the disk lets it.
    pub fn discard(&self, id: u64) {
        let manifest = manifest_name(id);
        let temporary = self.path(&format!("{manifest}{TEMPORARY}"));
        let _ = self.disk.remove(&temporary);
        // Where the manifest may be in place its page file must stay.
        if matches!(self.disk.exists(&self.path(&manifest)), Ok(false)) {
            let _ = self.disk.remove(&self.path(&page_file_name(id)));
        }
        let _ = self.disk.sync_dir(&self.dir);
    }

    /// Removes checkpoints that are neither among the newest `keep_count` nor younger than `keep_age_s`, and the page
    /// files that nobody names any more. `now_ms` is of a clock that goes forward only as fast as time passes.
    pub fn retain(&mut self, keep_count: u64, keep_age_s: u64, now_ms: u64) -> Result<()> {
        self.note_times(now_ms);
        let keep_count = usize::try_from(keep_count.max(1)).unwrap_or(usize::MAX);
        let age_ms = keep_age_s.saturating_mul(1000);
        let is_old = |id: u64| {
            let taken_ms = self.taken_ms.get(&id);
            taken_ms.is_some_and(|taken_ms| now_ms.saturating_sub(*taken_ms) >= age_ms)
        };
        let beyond = self.heads.keys().copied().rev().skip(keep_count);
        let doomed: Vec<u64> = beyond.filter(|id| is_old(*id) && !self.is_pinned(*id)).collect();
        self.remove_manifests(&doomed)
    }

    /// Finds out when each checkpoint counts as taken. Clocks may have been wrong: a time to come counts as that of the
    /// next one, or as now; and none is older than the one before it.
    fn note_times(&mut self, now_ms: u64) {
        let mut newer_ms = now_ms;
        for (id, head) in self.heads.iter().rev() {
            let taken_ms = self.taken_ms.entry(*id).or_insert(head.wall_ms);
            if *taken_ms > now_ms {
                *taken_ms = newer_ms;
            }
            newer_ms = *taken_ms;
        }
        let mut older_ms = 0;
        for taken_ms in self.taken_ms.values_mut() {
            older_ms = older_ms.max(*taken_ms);
            *taken_ms = older_ms;
        }
    }

    /// Removes checkpoints, and the page files that nobody names any more.
    fn remove_manifests(&mut self, doomed: &[u64]) -> Result<()> {
        for id in doomed {
            self.remove(&self.path(&manifest_name(*id)))?;
            self.heads.remove(id);
            self.taken_ms.remove(id);
            fault_point("retention.manifest_removed");
        }
        if !doomed.is_empty() {
            // A manifest must not come back after a power cut without its page files.
            self.sync()?;
            fault_point("retention.manifests_durable");
        }
        self.remove_unnamed()
    }

    fn remove_unnamed(&self) -> Result<()> {
        if self.blind {
            return Ok(());
        }
        let named: BTreeSet<u64> = self.heads.values().flat_map(|head| &head.files).copied().collect();
        let files = Listing::read(self.disk.as_ref(), &self.dir)?.page_files;
        let unnamed: Vec<u64> = files.difference(&named).copied().collect();
        for id in &unnamed {
            self.remove(&self.path(&page_file_name(*id)))?;
            fault_point("retention.page_file_removed");
        }
        if unnamed.is_empty() { Ok(()) } else { self.sync() }
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.disk.remove(path).map_err(CheckpointError::io("remove", path))
    }

    fn sync(&self) -> Result<()> {
        self.disk
            .sync_dir(&self.dir)
            .map_err(CheckpointError::io("sync", &self.dir))
    }
}

fn bytes_of(seen: &[Seen]) -> Vec<Option<u64>> {
    seen.iter().map(|seen| seen.bytes()).collect()
}

/// Puts `manifest` under `name` in `dir`, atomically and durably, replacing what was there.
pub fn publish(disk: &dyn Disk, dir: &Path, name: &str, manifest: &Manifest) -> Result<u64> {
    let temporary = dir.join(format!("{name}{TEMPORARY}"));
    let bytes = manifest.write(disk, &temporary)?;
    // The page file's entry must be durable before a manifest that names it can be.
    disk.sync_dir(dir).map_err(CheckpointError::io("sync", dir))?;
    fault_point("checkpoint.before_manifest_rename");
    disk.rename(&temporary, &dir.join(name))
        .map_err(CheckpointError::io("rename", &temporary))?;
    fault_point("checkpoint.after_manifest_rename");
    disk.sync_dir(dir).map_err(CheckpointError::io("sync", dir))?;
    Ok(bytes)
}
