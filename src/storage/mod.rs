//! The only door to files: a small trait, so that tests can stop the world at any sync point.
//!
//! The WAL and the checkpoints reach files through [`Disk`] and nothing else. [`RealDisk`] is the operating
//! system; [`fault::FaultDisk`] is a disk in memory that fails on demand and can lose what was not synced.
//!
//! **Invariants**
//! - Data is durable only after [`DiskFile::sync_data`] returned `Ok`, a directory entry (create, rename, remove)
//!   only after [`Disk::sync_dir`] on its directory returned `Ok`. `create_dir_all` alone is durable by itself.
//! - After an error of a write or a sync the state of the file is unknown: callers never retry, they refuse.

mod direct;
mod error;
pub mod fault;
pub mod fault_point;
mod lock;
mod real;
mod signals;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use error::FileError;
pub use lock::{DirLock, LOCK_FILE, lock_dir};
pub use real::RealDisk;
pub use signals::make_file_limit_an_error;

/// See [`Disk::stamp`]. Not the times that change when a file is read or backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// Its length.
    pub len: u64,
    /// Its number in its file system.
    pub inode: u64,
    /// When it was last written to: seconds and nanoseconds.
    pub modified: (i64, i64),
}

/// All that the WAL and the checkpoints need of a file system.
pub trait Disk: Send + Sync {
    /// Creates a new file, open for appending; `AlreadyExists` if there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file; writes go to its end.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading at any offset.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskRead>>;

    /// Replaces `to` by `from`, atomically; durable after `sync_dir` on both directories.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name, `to`, in the same file system; `Unsupported` where there is no such thing.
    fn link(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Names of the entries (files and directories) of `dir`, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;

    /// Whether there is a file or a directory at `path`.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Creates `dir` and its missing ancestors, durably.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Makes the entries of `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// How many bytes can still be written to the file system of `dir`, which need not be there yet; `None` where that
    /// is not known.
    fn free_bytes(&self, _dir: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// The length of a file.
    fn len(&self, path: &Path) -> io::Result<u64> {
        self.open_read(path)?.len()
    }

    /// What tells the file from another one in its place, and from itself before it was written to.
    fn stamp(&self, path: &Path) -> io::Result<FileStamp>;

    /// Cuts a file to `len` bytes and syncs it.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut file = self.open_append(path)?;
        file.truncate(len)?;
        file.sync_data()
    }

    /// Reads from `offset` until `buf` is full or the file ends; returns the count of bytes read.
    fn read_at(&self, path: &Path, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.open_read(path)?.read_at(offset, buf)
    }

    /// The whole of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open_read(path)?;
        let len = usize::try_from(file.len()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let mut bytes = vec![0; len];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// A file open for appending.
#[expect(
    clippy::len_without_is_empty,
    reason = "asking costs a system call that may fail; emptiness is no question here"
)]
pub trait DiskFile: Send {
    /// Appends all of `bytes`; after an error an unknown part of them is in the file.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was written durable (data and length; `fdatasync`).
    fn sync_data(&mut self) -> io::Result<()>;

    /// Appends all of `bytes` durably by one operation of the disk, if it has such a one and nothing that was written
    /// before waits for a sync; whether it did. If not, nothing is written. `NotFound` when its path does not name it
    /// any more, if that is noticed.
    fn write_direct(&mut self, _bytes: &[u8]) -> io::Result<bool> {
        Ok(false)
    }

    /// Whether [`DiskFile::write_direct`] has been done, and is not known to be impossible.
    fn is_direct(&self) -> bool {
        false
    }

    /// A way to sync the file while it is written to.
    fn syncer(&self) -> io::Result<Arc<dyn DiskSync>>;

    /// Has what was written go to the disk soon, without waiting for it; a hint that makes nothing durable.
    fn start_writeback(&mut self) {}

    /// Ends the file at `len` bytes; the next write goes there.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// The length of the file.
    fn len(&self) -> io::Result<u64>;
}

/// Syncs a file beside its writer, looks after it, and prepares it.
pub trait DiskSync: DiskRead {
    /// Whether `path` still names the file: not where it was removed, or another one is in its place.
    fn is_at(&self, path: &Path) -> io::Result<bool>;

    /// Makes all durable that had been written when this was called (data and length; `fdatasync`).
    fn sync_data(&self) -> io::Result<()>;

    /// The file, which is at `path`, opened once more; `NotFound` when it is not there any more. The system tells each
    /// that has a file open once of an error with a sync: who syncs by this takes none away from others.
    fn apart(&self, path: &Path) -> io::Result<Arc<dyn DiskSync>>;

    /// Whether writes are cheaper where zeroes were written before.
    fn gains_by_zeroes(&self) -> bool;

    /// Writes zeroes over the bytes from `from` to before `to`, behind the end of what the writer has written; not
    /// durable by itself.
    fn write_zeroes(&self, from: u64, to: u64) -> io::Result<()>;
}

/// A file open for reading.
#[expect(
    clippy::len_without_is_empty,
    reason = "asking costs a system call that may fail; emptiness is no question here"
)]
pub trait DiskRead: Send + Sync {
    /// Reads from `offset` until `buf` is full or the file ends; returns the count of bytes read.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// The length of the file.
    fn len(&self) -> io::Result<u64>;
}
