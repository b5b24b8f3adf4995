//! [`RealDisk`]: the operating system's files.
//!
//! **Invariants**: writes go to the end of the file (`O_APPEND`), so two writes can never overlap.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::{Disk, DiskFile, DiskRead, DiskSync};

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

struct RealFile(File);

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskRead>> {
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
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

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(std::fs::metadata(path)?.len())
    }
}

impl DiskFile for RealFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn syncer(&self) -> io::Result<Arc<dyn DiskSync>> {
        Ok(Arc::new(RealFile(self.0.try_clone()?)))
    }

    fn start_writeback(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: the descriptor is open as long as the file lives; 0, 0 means the whole file, of which only dirty parts
        // are touched. The outcome does not matter: a failed write is told by the sync.
        unsafe {
            use std::os::fd::AsRawFd;
            libc::sync_file_range(self.0.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE);
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

impl DiskSync for RealFile {
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
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
        assert_eq!(RealDisk.len(&sub.join("g")).unwrap(), 2);
        assert!(!RealDisk.exists(&path).unwrap());
        RealDisk.remove(&sub.join("g")).unwrap();
        RealDisk.remove_dir(&sub).unwrap();
    }
}
