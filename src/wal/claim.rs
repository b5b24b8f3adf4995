//! [`ClaimDir`]: how a log makes sure of its directory before it goes on in it.
//!
//! **Invariant:** a directory is never made together with what it is to be in: where that is missing, somebody has
//! moved it away, and may bring it back.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use crate::storage::Disk;

/// Locks the directory for this process, if its lock is lost; handed down by whoever holds the lock. By default nothing
/// is locked.
#[derive(Clone, Default)]
pub struct ClaimDir {
    lock: Option<Arc<dyn Fn() -> io::Result<()> + Send + Sync>>,
}

impl ClaimDir {
    /// One that is locked in this way.
    pub fn new(lock: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self {
            lock: Some(Arc::new(lock)),
        }
    }

    /// Makes `dir` if it is missing, and locks it.
    pub(super) fn claim(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        if !disk.exists(dir)? {
            let around = dir.parent().filter(|around| !around.as_os_str().is_empty());
            if let Some(around) = around
                && !disk.exists(around)?
            {
                return Err(ErrorKind::NotFound.into());
            }
            disk.create_dir_all(dir)?;
        }
        self.lock.as_ref().map_or(Ok(()), |lock| lock())
    }
}

impl fmt::Debug for ClaimDir {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_locked = self.lock.is_some();
        out.debug_struct("ClaimDir").field("is_locked", &is_locked).finish()
    }
}
