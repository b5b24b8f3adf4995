//! [`RealDisk`]: the operating system's files.
//!
//! **Invariants**
//! - A file is written by one handle, at the end of what that has written: two writes never overlap.
//! - A durable write goes past the page cache only when nothing else of the file waits there for a sync.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::direct::{DirectFile, is_at, is_same, overwrites_in_place};
use super::{Disk, DiskFile, DiskRead, DiskSync, FileStamp};

/// Zeroes are written so many at a time.
static ZEROES: [u8; 64 << 10] = [0; 64 << 10];

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

/// A file that is read, or synced beside its writer.
struct RealFile(File);

/// A file that is written to.
struct Appended {
    file: File,
    path: PathBuf,
    /// Where the next write goes.
    end: u64,
    /// Something was written through the page cache and not synced by this handle.
    is_dirty: bool,
    direct: Direct,
}

/// The way past the page cache.
enum Direct {
    Untried,
    Open(DirectFile),
    Absent,
}

impl Appended {
    fn new(file: File, path: &Path, end: u64) -> Box<Self> {
        Box::new(Self {
            file,
            path: path.to_owned(),
            end,
            is_dirty: end > 0,
            direct: Direct::Untried,
        })
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Appended::new(file, path, 0))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let end = file.metadata()?.len();
        Ok(Appended::new(file, path, end))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskRead>> {
        // What is no file, such as a pipe, might be waited for for ever.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            names.push(entry?.file_name());
        }
        names.sort();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        if dir.as_os_str().is_empty() || dir.is_dir() {
            return Ok(());
        }
        let parent = dir
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        self.create_dir_all(parent)?;
        match std::fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_dir(parent)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<Option<u64>> {
        let is_there = |dir: &&Path| !dir.as_os_str().is_empty() && dir.exists();
        let dir = dir.ancestors().find(is_there).unwrap_or(Path::new("."));
        let found = rustix::fs::statvfs(dir)?;
        // Some file systems do not count.
        let counts = found.f_blocks > 0;
        Ok(counts.then(|| found.f_bavail.saturating_mul(found.f_frsize)))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(std::fs::metadata(path)?.len())
    }

    fn stamp(&self, path: &Path) -> io::Result<FileStamp> {
        let found = std::fs::metadata(path)?;
        Ok(FileStamp {
            len: found.len(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    }
}

impl DiskFile for Appended {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.is_dirty = true;
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.is_dirty = false;
        Ok(())
    }

    fn write_direct(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if self.is_dirty {
            return Ok(false);
        }
        if matches!(self.direct, Direct::Untried) {
            let opened = DirectFile::open(&self.path, &self.file)?;
            self.direct = opened.map_or(Direct::Absent, Direct::Open);
        }
        let Direct::Open(direct) = &mut self.direct else {
            return Ok(false);
        };
        match direct.write(&self.file, self.end, bytes) {
            Ok(()) => {
                self.end += bytes.len() as u64;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.direct = Direct::Absent;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn is_direct(&self) -> bool {
        matches!(self.direct, Direct::Open(_))
    }

    fn syncer(&self) -> io::Result<Arc<dyn DiskSync>> {
        Ok(Arc::new(RealFile(self.file.try_clone()?)))
    }

    fn start_writeback(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: the descriptor is open as long as the file lives; 0, 0 means the whole file, of which only dirty
        // parts are touched. The outcome does not matter: a failed write is told by the sync.
        unsafe {
            use std::os::fd::AsRawFd;
            libc::sync_file_range(self.file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE);
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.is_dirty = true;
        self.file.set_len(len)?;
        self.end = len;
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

impl DiskSync for RealFile {
    fn is_at(&self, path: &Path) -> io::Result<bool> {
        is_at(&self.0, path)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn apart(&self, path: &Path) -> io::Result<Arc<dyn DiskSync>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if !is_same(&file.metadata()?, &self.0.metadata()?) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "another file is in its place"));
        }
        Ok(Arc::new(Self(file)))
    }

    fn gains_by_zeroes(&self) -> bool {
        overwrites_in_place(&self.0)
    }

    fn write_zeroes(&self, from: u64, to: u64) -> io::Result<()> {
        let mut at = from;
        while at < to {
            let count = (to - at).min(ZEROES.len() as u64);
            self.0
                .write_all_at(ZEROES.get(..count as usize).unwrap_or_default(), at)?;
            at += count;
        }
        Ok(())
    }
}

impl DiskRead for RealFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_one_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("f"), dir.path().join("g"));
        let file = RealDisk.create(&path).unwrap().syncer().unwrap();
        assert!(file.is_at(&path).unwrap() && !file.is_at(&other).unwrap());
        file.apart(&path).unwrap().write_zeroes(0, 10).unwrap();
        assert_eq!(file.len().unwrap(), 10);
        assert!(!file.is_at(&path.join("below")).unwrap());
        std::fs::copy(&path, &other).unwrap();
        RealDisk.rename(&other, &path).unwrap();
        assert!(!file.is_at(&path).unwrap() && file.apart(&path).is_err());
        RealDisk.remove(&path).unwrap();
        assert!(!file.is_at(&path).unwrap());
    }

    /// The way past the page cache is opened by name, with the first durable write.
    #[test]
    fn a_durable_write_goes_to_no_other_file() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_owned() + "/target").unwrap();
        for is_replaced in [false, true] {
            let path = dir.path().join(format!("f{is_replaced}"));
            let mut file = RealDisk.create(&path).unwrap();
            RealDisk.remove(&path).unwrap();
            if is_replaced {
                drop(RealDisk.create(&path).unwrap());
            }
            let wrote = file.write_direct(b"durable");
            let is_told = wrote
                .as_ref()
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            assert!(is_told || matches!(wrote, Ok(false)) && !file.is_direct(), "{wrote:?}");
            let Ok(there) = RealDisk.read(&path) else { continue };
            assert!(there.is_empty());
        }
    }

    #[test]
    fn files_behave_as_the_trait_says() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("a/b");
        RealDisk.create_dir_all(&sub).unwrap();
        RealDisk.create_dir_all(&sub).unwrap();
        let path = sub.join("f");
        let mut file = RealDisk.create(&path).unwrap();
        assert_eq!(
            RealDisk.create(&path).err().unwrap().kind(),
            io::ErrorKind::AlreadyExists
        );
        file.write_all(b"hello world").unwrap();
        file.truncate(5).unwrap();
        file.write_all(b"!").unwrap();
        file.sync_data().unwrap();
        assert_eq!(RealDisk.read(&path).unwrap(), b"hello!");
        let mut buf = [0; 10];
        assert_eq!(RealDisk.read_at(&path, 4, &mut buf).unwrap(), 2);
        RealDisk.truncate(&path, 2).unwrap();
        RealDisk.rename(&path, &sub.join("g")).unwrap();
        RealDisk.sync_dir(&sub).unwrap();
        assert_eq!(RealDisk.list(&sub).unwrap(), ["g"]);
        let (len, stamp) = (RealDisk.len(&sub.join("g")), RealDisk.stamp(&sub.join("g")).unwrap());
        assert_eq!((len.unwrap(), stamp.len), (2, 2));
        std::fs::copy(sub.join("g"), sub.join("h")).unwrap();
        RealDisk.rename(&sub.join("h"), &sub.join("g")).unwrap();
        assert_ne!(RealDisk.stamp(&sub.join("g")).unwrap(), stamp);
        assert!(!RealDisk.exists(&path).unwrap());
        let free = RealDisk.free_bytes(&sub).unwrap();
        assert!(free.is_some() && RealDisk.free_bytes(&sub.join("not/there")).unwrap().is_some());
        assert!(RealDisk.free_bytes(Path::new("not-there")).unwrap().is_some());
        RealDisk.remove(&sub.join("g")).unwrap();
        RealDisk.remove_dir(&sub).unwrap();
    }
}
