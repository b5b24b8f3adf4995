//! The folder that what is dropped goes to.
//!
//! **Invariant:** files keep their place relative to the data directory; one from outside of it lies under its folder's
//! name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::storage::{Disk, FileError};
use crate::time::compact;
use crate::tools::error::ToolError;

const COPY_BYTES: usize = 1 << 20;

/// See the module.
pub(super) struct Quarantine<'a> {
    disk: &'a Arc<dyn Disk>,
    data_dir: PathBuf,
    dir: PathBuf,
}

impl<'a> Quarantine<'a> {
    /// A new folder in `data_dir`, named by the time.
    pub fn new(disk: &'a Arc<dyn Disk>, data_dir: &Path, now_ms: u64) -> Result<Self, ToolError> {
        let name = format!("quarantine-{}", compact(now_ms));
        let names = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}-{n}")));
        for name in names {
            let dir = data_dir.join(name);
            if !disk.exists(&dir).map_err(FileError::at("look for", &dir))? {
                disk.create_dir_all(&dir).map_err(FileError::at("create", &dir))?;
                return Ok(Self {
                    disk,
                    data_dir: data_dir.to_owned(),
                    dir,
                });
            }
        }
        Err(ToolError::NoQuarantine)
    }

    /// The folder.
    pub fn into_dir(self) -> PathBuf {
        self.dir
    }

    /// Moves a file here.
    pub fn take(&self, path: &Path) -> Result<(), ToolError> {
        let to = self.place(path)?;
        match self.disk.rename(path, &to) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                self.copy_to(path, &to)?;
                self.disk.remove(path).map_err(FileError::at("remove", path))?;
            }
            moved => moved.map_err(FileError::at("move", path))?,
        }
        self.sync(&to)?;
        self.sync(path)
    }

    /// Copies a file here.
    pub fn copy(&self, path: &Path) -> Result<(), ToolError> {
        let to = self.place(path)?;
        self.copy_to(path, &to)
    }

    fn place(&self, path: &Path) -> Result<PathBuf, ToolError> {
        let relative = match path.strip_prefix(&self.data_dir) {
            Ok(relative) => relative.to_owned(),
            Err(_) => {
                let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
                Path::new(folder).join(path.file_name().unwrap_or_default())
            }
        };
        let to = self.dir.join(relative);
        let folder = to.parent().unwrap_or(&self.dir);
        self.disk
            .create_dir_all(folder)
            .map_err(FileError::at("create", folder))?;
        Ok(to)
    }

    fn copy_to(&self, path: &Path, to: &Path) -> Result<(), ToolError> {
        let from = self.disk.open_read(path).map_err(FileError::at("open", path))?;
        let mut copy = self.disk.create(to).map_err(FileError::at("create", to))?;
        let mut buffer = vec![0; COPY_BYTES];
        let mut offset = 0;
        loop {
            let read = from.read_at(offset, &mut buffer).map_err(FileError::at("read", path))?;
            if read == 0 {
                break;
            }
            copy.write_all(buffer.get(..read).unwrap_or_default())
                .map_err(FileError::at("write", to))?;
            offset += read as u64;
        }
        copy.sync_data().map_err(FileError::at("sync", to))?;
        self.sync(to)
    }

    /// Makes a file's directory entry, or its absence, durable.
    fn sync(&self, path: &Path) -> Result<(), ToolError> {
        let dir = path.parent().unwrap_or(&self.dir);
        Ok(self.disk.sync_dir(dir).map_err(FileError::at("sync", dir))?)
    }
}
