//! What the fault disk holds: each file as it is and as it was last synced, and the directory changes not yet synced.
//!
//! **Invariants**
//! - `entries` is `durable_entries` with `unsynced` applied in order.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::inode::{Image, Inode};

/// What kind of operation asks to be admitted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Look,
    Change,
    Rename,
    Sync,
    SyncDir,
}

/// Countdowns to the failures asked for.
#[derive(Clone, Default)]
pub(super) struct Faults {
    pub write: Option<u64>,
    pub sync: Option<u64>,
    pub rename: Option<u64>,
    pub sync_dir: Option<u64>,
    pub stop: Option<u64>,
    pub bytes_max: Option<u64>,
    pub is_broken: bool,
    pub refuses_removals: bool,
}

#[derive(Clone)]
enum DirOp {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf, u64),
}

#[derive(Clone)]
pub(super) struct State {
    pub faults: Faults,
    pub sync_pause: Duration,
    pub operations: u64,
    pub syncs: u64,
    pub boot: u64,
    random: SmallRng,
    inodes: BTreeMap<u64, Inode>,
    inode_next: u64,
    dirs: BTreeSet<PathBuf>,
    entries: BTreeMap<PathBuf, u64>,
    durable_entries: BTreeMap<PathBuf, u64>,
    unsynced: Vec<DirOp>,
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("no such file: {}", path.display()))
}

fn io_error(text: &str) -> io::Error {
    io::Error::other(text.to_owned())
}

/// Whether the countdown ends with this operation.
fn ends(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0) => {
            *countdown = None;
            true
        }
        Some(n) => {
            *n -= 1;
            false
        }
        None => false,
    }
}

impl State {
    pub fn new(seed: u64) -> Self {
        State {
            faults: Faults::default(),
            sync_pause: Duration::ZERO,
            operations: 0,
            syncs: 0,
            boot: 0,
            random: SmallRng::seed_from_u64(seed),
            inodes: BTreeMap::new(),
            inode_next: 1,
            dirs: BTreeSet::new(),
            entries: BTreeMap::new(),
            durable_entries: BTreeMap::new(),
            unsynced: Vec::new(),
        }
    }

    /// Lets the operation pass, or fails it as asked.
    pub fn admit(&mut self, boot: u64, op: Op) -> io::Result<()> {
        if boot != self.boot {
            return Err(io_error("the process of this handle has ended"));
        }
        if op == Op::Look {
            return Ok(());
        }
        self.operations += 1;
        if self.stopped() {
            return Err(io_error("the power is off"));
        }
        if self.faults.is_broken {
            return Err(io_error("the device does not answer"));
        }
        let countdown = match op {
            Op::Rename => &mut self.faults.rename,
            Op::Sync => &mut self.faults.sync,
            Op::SyncDir => &mut self.faults.sync_dir,
            Op::Change | Op::Look => return Ok(()),
        };
        if ends(countdown) {
            Err(io_error("injected failure"))
        } else {
            Ok(())
        }
    }

    /// Counts down to the stop, and stays there.
    fn stopped(&mut self) -> bool {
        match &mut self.faults.stop {
            Some(0) => true,
            Some(n) => {
                *n -= 1;
                false
            }
            None => false,
        }
    }

    pub fn inode(&mut self, id: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&id).ok_or_else(|| io_error("stale file handle"))
    }

    /// Writes at `end`, and moves it. What is behind it there were zeroes.
    pub fn write(&mut self, boot: u64, (id, end): (u64, &mut usize), bytes: &[u8]) -> io::Result<()> {
        let admitted = self.admit(boot, Op::Change);
        if boot != self.boot {
            return admitted;
        }
        let refused = ends(&mut self.faults.write);
        let used: u64 = self.inodes.values().map(|inode| inode.live.len() as u64).sum();
        let room = self.faults.bytes_max.map_or(u64::MAX, |max| max.saturating_sub(used));
        let present = self.inode(id)?.live.len().saturating_sub(*end);
        let fits = usize::try_from(room)
            .unwrap_or(usize::MAX)
            .saturating_add(present)
            .min(bytes.len());
        let part = if refused || admitted.is_err() {
            self.random.random_range(0..=fits / 2)
        } else {
            fits
        };
        self.inode(id)?.overwrite(*end, bytes.get(..part).unwrap_or_default());
        *end += part;
        admitted?;
        if refused || part < bytes.len() {
            return Err(io::Error::new(ErrorKind::StorageFull, "no space left on device"));
        }
        Ok(())
    }

    /// What a sync of the file that begins now will have made durable.
    pub fn begin_sync(&mut self, id: u64) -> io::Result<Image> {
        Ok(self.inode(id)?.begin_sync())
    }

    /// What was written since the sync began stays unsynced.
    pub fn sync(&mut self, id: u64, image: &Image) -> io::Result<()> {
        self.syncs += 1;
        self.inode(id)?.end_sync(image);
        Ok(())
    }

    /// Writes zeroes to a range behind what the writer has written; where there is room for them.
    pub fn write_zeroes(&mut self, id: u64, from: usize, to: usize) -> io::Result<()> {
        let used: u64 = self.inodes.values().map(|inode| inode.live.len() as u64).sum();
        let inode = self.inodes.get_mut(&id).ok_or_else(|| io_error("stale file handle"))?;
        let more = to.saturating_sub(inode.live.len()) as u64;
        if self.faults.bytes_max.is_some_and(|max| used + more > max) {
            return Err(ErrorKind::StorageFull.into());
        }
        inode.overwrite(from, &vec![0; to.saturating_sub(from)]);
        Ok(())
    }

    pub fn truncate(&mut self, id: u64, len: u64) -> io::Result<()> {
        self.inode(id)?.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(())
    }

    pub fn lookup(&self, path: &Path) -> io::Result<u64> {
        self.entries.get(path).copied().ok_or_else(|| not_found(path))
    }

    pub fn exists(&self, path: &Path) -> bool {
        self.entries.contains_key(path) || self.dirs.contains(path)
    }

    pub fn create(&mut self, path: &Path) -> io::Result<u64> {
        if self.exists(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.dir_of(path)?;
        let id = self.inode_new();
        self.record(DirOp::Link(path.to_owned(), id));
        Ok(id)
    }

    fn inode_new(&mut self) -> u64 {
        let id = self.inode_next;
        self.inode_next += 1;
        self.inodes.insert(id, Inode::default());
        id
    }

    fn dir_of(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(dir) if self.dirs.contains(dir) => Ok(()),
            _ => Err(not_found(path)),
        }
    }

    fn record(&mut self, op: DirOp) {
        apply(&mut self.entries, &op);
        self.unsynced.push(op);
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.lookup(from)?;
        self.dir_of(to)?;
        self.record(DirOp::Rename(from.to_owned(), to.to_owned(), id));
        Ok(())
    }

    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.lookup(path)?;
        if self.faults.refuses_removals {
            return Err(io_error("nothing can be removed"));
        }
        self.record(DirOp::Unlink(path.to_owned()));
        Ok(())
    }

    pub fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        self.dirs.remove(path);
        Ok(())
    }

    pub fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        if !self.dirs.contains(dir) {
            return Err(not_found(dir));
        }
        let paths = self
            .entries
            .keys()
            .chain(&self.dirs)
            .filter(|path| path.parent() == Some(dir));
        let mut names: Vec<OsString> = paths.filter_map(|path| path.file_name()).map(OsString::from).collect();
        names.sort();
        Ok(names)
    }

    pub fn create_dir_all(&mut self, dir: &Path) {
        self.dirs.extend(dir.ancestors().map(Path::to_owned));
    }

    /// A rename between two directories becomes durable with either: journals commit it whole.
    pub fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        if !self.dirs.contains(dir) {
            return Err(not_found(dir));
        }
        let touches = |path: &PathBuf| path.parent() == Some(dir);
        let (synced, rest) = std::mem::take(&mut self.unsynced).into_iter().partition(|op| match op {
            DirOp::Link(path, _) | DirOp::Unlink(path) => touches(path),
            DirOp::Rename(from, to, _) => touches(from) || touches(to),
        });
        self.unsynced = rest;
        let synced: Vec<DirOp> = synced;
        for op in &synced {
            apply(&mut self.durable_entries, op);
        }
        Ok(())
    }

    pub fn put(&mut self, path: PathBuf, bytes: &[u8]) {
        if let Some(dir) = path.parent() {
            self.create_dir_all(dir);
        }
        let id = self.inode_new();
        self.inodes.insert(id, Inode::new(bytes.to_vec()));
        self.entries.insert(path.clone(), id);
        self.durable_entries.insert(path, id);
    }

    pub fn flip(&mut self, path: &Path, offset: usize, mask: u8) -> io::Result<()> {
        let id = self.lookup(path)?;
        self.inode(id)?.flip(offset, mask);
        Ok(())
    }

    pub fn reboot(&mut self) {
        self.boot += 1;
        self.faults = Faults::default();
    }

    pub fn crash(&mut self) {
        self.reboot();
        self.crash_entries();
        let mut inodes = std::mem::take(&mut self.inodes);
        inodes.retain(|id, _| self.entries.values().any(|used| used == id));
        for inode in inodes.values_mut() {
            inode.crash(&mut self.random);
        }
        self.inodes = inodes;
    }

    /// Of the unsynced directory changes none, the first few, or any of them are there.
    fn crash_entries(&mut self) {
        let ops = std::mem::take(&mut self.unsynced);
        let kept = match self.random.random_range(0..4) {
            0 | 1 => 0,
            _ => self.random.random_range(0..=ops.len()),
        };
        let scattered = self.random.random_bool(0.25);
        for (index, op) in ops.iter().enumerate() {
            let keep = if scattered {
                self.random.random_bool(0.5)
            } else {
                index < kept
            };
            if keep {
                apply(&mut self.durable_entries, op);
            }
        }
        self.entries = self.durable_entries.clone();
    }
}

fn apply(entries: &mut BTreeMap<PathBuf, u64>, op: &DirOp) {
    match op {
        DirOp::Link(path, id) => {
            entries.insert(path.clone(), *id);
        }
        DirOp::Unlink(path) => {
            entries.remove(path);
        }
        DirOp::Rename(from, to, id) => {
            entries.remove(from);
            entries.insert(to.clone(), *id);
        }
    }
}
