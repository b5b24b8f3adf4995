//! A disk in memory that fails on demand and can lose what was not synced: for the tests of every layer.
//!
//! [`FaultDisk::crash`] is a power cut: of each file the synced part stays and of the rest a random prefix, perhaps
//! without some of its pages or sectors, which hold zeroes or old bytes; un-synced directory entries stay or vanish.
//! [`FaultDisk::kill`] is the end of the process only: all that was written stays. Both return the disk to start again
//! with; the old handle is dead, so a thread left over from before cannot write to it.
//!
//! **Invariants**
//! - Synced data in a file whose entry was synced is never lost or changed by a crash.
//! - Everything random comes from the seed: the same calls give the same disk.

mod inode;
mod model;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile, DiskRead, DiskSync, FileStamp};
use model::{Op, State};

/// The disk; clones are the same disk.
#[derive(Clone)]
pub struct FaultDisk {
    state: Arc<Mutex<State>>,
    boot: u64,
}

impl FaultDisk {
    /// An empty disk whose crashes are decided by `seed`.
    pub fn new(seed: u64) -> Self {
        FaultDisk {
            state: Arc::new(Mutex::new(State::new(seed))),
            boot: 0,
        }
    }

    /// The `nth` write from now (0 is the next) fails with "no space left" after part of it was written.
    pub fn fail_write(&self, nth: u64) {
        self.state.lock().faults.write = Some(nth);
    }

    /// The `nth` file sync from now (0 is the next) fails, and what it should have synced stays unsynced.
    pub fn fail_sync(&self, nth: u64) {
        self.state.lock().faults.sync = Some(nth);
    }

    /// The `nth` rename from now (0 is the next) fails.
    pub fn fail_rename(&self, nth: u64) {
        self.state.lock().faults.rename = Some(nth);
    }

    /// The `nth` directory sync from now (0 is the next) fails.
    pub fn fail_sync_dir(&self, nth: u64) {
        self.state.lock().faults.sync_dir = Some(nth);
    }

    /// The disk is full when its files hold `bytes` in all.
    pub fn limit_bytes(&self, bytes: u64) {
        self.state.lock().faults.bytes_max = Some(bytes);
    }

    /// No file can be removed, until the faults are cleared.
    pub fn refuse_removals(&self) {
        self.state.lock().faults.refuses_removals = true;
    }

    /// Every changing operation fails, until the faults are cleared.
    pub fn break_down(&self) {
        self.state.lock().faults.is_broken = true;
    }

    /// From the `nth` changing operation (write, sync, create, rename, …) on, each fails: the world stops there.
    /// A write that hits it is done in part. Follow it with [`FaultDisk::crash`].
    pub fn stop_at(&self, nth: u64) {
        self.state.lock().faults.stop = Some(nth);
    }

    /// Forgets all faults that were asked for.
    pub fn clear_faults(&self) {
        self.state.lock().faults = model::Faults::default();
    }

    /// Each file sync takes this long (the disk is not locked meanwhile).
    pub fn slow_sync(&self, pause: std::time::Duration) {
        self.state.lock().sync_pause = pause;
    }

    /// The count of changing operations so far.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// The count of file syncs so far.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Cuts the power: see the module's text. All faults are forgotten.
    pub fn crash(&self) -> FaultDisk {
        let mut state = self.state.lock();
        state.crash();
        FaultDisk {
            state: self.state.clone(),
            boot: state.boot,
        }
    }

    /// Ends the process: what was written stays, handles are dead, faults are forgotten.
    pub fn kill(&self) -> FaultDisk {
        let mut state = self.state.lock();
        state.reboot();
        FaultDisk {
            state: self.state.clone(),
            boot: state.boot,
        }
    }

    /// A copy of this disk as it is now, synced and unsynced alike; for tests that try many damages of one state.
    pub fn fork(&self) -> FaultDisk {
        let state = self.state.lock().clone();
        FaultDisk {
            boot: state.boot,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Puts a file there, durably, replacing what was there.
    pub fn put(&self, path: impl Into<PathBuf>, bytes: &[u8]) {
        self.state.lock().put(path.into(), bytes);
    }

    /// Changes one byte of a file, durably: bit rot.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) -> io::Result<()> {
        self.state.lock().flip(path, offset, mask)
    }

    fn file(&self, id: u64, end: usize) -> FaultFile {
        let disk = self.clone();
        FaultFile { disk, id, end }
    }

    fn with<T>(&self, op: Op, run: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        state.admit(self.boot, op)?;
        run(&mut state)
    }
}

struct FaultFile {
    disk: FaultDisk,
    id: u64,
    /// Where its next write goes.
    end: usize,
}

impl Disk for FaultDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let id = self.with(Op::Change, |state| state.create(path))?;
        Ok(Box::new(self.file(id, 0)))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (id, end) = self.with(Op::Look, |state| {
            let id = state.lookup(path)?;
            Ok((id, state.inode(id)?.live.len()))
        })?;
        Ok(Box::new(self.file(id, end)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskRead>> {
        let id = self.with(Op::Look, |state| state.lookup(path))?;
        Ok(Box::new(self.file(id, 0)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with(Op::Rename, |state| state.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.with(Op::Change, |state| state.remove(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.with(Op::Change, |state| state.remove_dir(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.with(Op::Look, |state| state.list(dir))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.with(Op::Look, |state| Ok(state.exists(path)))
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.with(Op::Change, |state| {
            state.create_dir_all(dir);
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.with(Op::SyncDir, |state| state.sync_dir(dir))
    }

    fn stamp(&self, path: &Path) -> io::Result<FileStamp> {
        self.with(Op::Look, |state| {
            let id = state.lookup(path)?;
            Ok(state.inode(id)?.stamp(id))
        })
    }
}

impl DiskFile for FaultFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.write(self.disk.boot, (self.id, &mut self.end), bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        DiskSync::sync_data(self)
    }

    fn syncer(&self) -> io::Result<Arc<dyn DiskSync>> {
        Ok(Arc::new(self.disk.file(self.id, self.end)))
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk.with(Op::Change, |state| state.truncate(self.id, len))?;
        self.end = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.disk
            .with(Op::Look, |state| Ok(state.inode(self.id)?.live.len() as u64))
    }
}

impl DiskSync for FaultFile {
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.disk.with(Op::Look, |state| {
            Ok(state.lookup(path).is_ok_and(|found| found == self.id))
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let (pause, image) = {
            let mut state = self.disk.state.lock();
            (state.sync_pause, state.begin_sync(self.id)?)
        };
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        self.disk.with(Op::Sync, |state| state.sync(self.id, &image))
    }

    fn apart(&self, path: &Path) -> io::Result<Arc<dyn DiskSync>> {
        if !self.is_at(path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.syncer()
    }

    fn gains_by_zeroes(&self) -> bool {
        true
    }

    fn write_zeroes(&self, from: u64, to: u64) -> io::Result<()> {
        self.disk.with(Op::Change, |state| {
            state.write_zeroes(self.id, from as usize, to as usize)
        })
    }
}

impl DiskRead for FaultFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.disk.with(Op::Look, |state| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = state.inode(self.id)?.live.get(start..).unwrap_or_default();
            let count = rest.len().min(buf.len());
            for (to, from) in buf.iter_mut().zip(rest) {
                *to = *from;
            }
            Ok(count)
        })
    }

    fn len(&self) -> io::Result<u64> {
        DiskFile::len(self)
    }
}
