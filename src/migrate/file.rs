//! Files on the [`Disk`] as the format's reader and writer want them.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::storage::{Disk, DiskFile, DiskRead};

/// Reads a file front to back.
pub struct InputFile {
    file: Box<dyn DiskRead>,
    at: u64,
}

impl InputFile {
    /// Opens `path`; with how long it is.
    pub fn open(disk: &dyn Disk, path: &Path) -> io::Result<(Self, u64)> {
        let file = disk.open_read(path)?;
        let len = file.len()?;
        Ok((Self { file, at: 0 }, len))
    }
}

impl Read for InputFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(self.at, out)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// A file that gets its name when it is whole.
pub struct OutputFile<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
    part: PathBuf,
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    is_whole: bool,
}

impl<'a> OutputFile<'a> {
    /// Begins to write what will be `path`.
    pub fn create(disk: &'a dyn Disk, path: &'a Path) -> io::Result<Self> {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(".part");
        let part = path.with_file_name(name);
        if disk.exists(&part)? {
            disk.remove(&part)?;
        }
        Ok(Self {
            file: disk.create(&part)?,
            disk,
            path,
            part,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            is_whole: false,
        })
    }

    /// Makes it durable under its name; returns its length.
    pub fn publish(mut self) -> io::Result<u64> {
        self.flush()?;
        self.file.sync_data()?;
        let len = self.file.len()?;
        self.disk.rename(&self.part, self.path)?;
        self.is_whole = true;
        let dir = match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        self.disk.sync_dir(dir)?;
        Ok(len)
    }
}

impl Write for OutputFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.write_all(&self.buffer);
        self.buffer.clear();
        result
    }
}

impl Drop for OutputFile<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            // What is left of it says by its name that it is a part.
            let _ = self.disk.remove(&self.part);
        }
    }
}
