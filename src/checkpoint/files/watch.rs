//! [`Watch`]: what a server remembers of its page files, so that one that was replaced, written to or found damaged
//! while it runs is not taken for what it was.
//!
//! **Invariants**
//! - A page file does not change once it is written: another stamp means another file, or foreign bytes in it.
//! - What is remembered of a file goes when the newest checkpoint does not name it any more, and not before.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use super::error::{CheckpointError, Result};
use super::names::page_file_name;
use crate::storage::{Disk, FileStamp};

/// See the module.
#[derive(Default)]
pub struct Watch {
    /// As they were when they were first seen.
    stamps: BTreeMap<u64, FileStamp>,
    /// Those in which reading back has found damage.
    damaged: BTreeSet<u64>,
}

/// What has become of a page file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is there, so many bytes of it.
    There(u64),
    /// It is not there.
    Missing,
    /// It is not what was seen first.
    Changed,
    /// There is damage in it.
    Damaged,
}

impl Seen {
    /// Its length; `None`: nothing in it can be relied on.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::There(bytes) => Some(bytes),
            Self::Missing | Self::Changed | Self::Damaged => None,
        }
    }
}

impl Watch {
    /// Looks at page files in `dir`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn look(&mut self, disk: &dyn Disk, dir: &Path, ids: &[u64]) -> Result<Vec<Seen>> {
        let see = |id: &u64| self.see(disk, &dir.join(page_file_name(*id)), *id);
        ids.iter().map(see).collect()
    }

    fn see(&mut self, disk: &dyn Disk, path: &Path, id: u64) -> Result<Seen> {
        let stamp = match disk.stamp(path) {
            Ok(stamp) => stamp,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Seen::Missing),
            Err(error) => return Err(CheckpointError::io("look at", path)(error)),
        };
        let first = *self.stamps.entry(id).or_insert(stamp);
        Ok(match first == stamp {
            _ if self.damaged.contains(&id) => Seen::Damaged,
            true => Seen::There(stamp.len),
            false => Seen::Changed,
        })
    }

    /// Remembers that there is damage in page file `id`.
    pub fn note_damaged(&mut self, id: u64) {
        self.damaged.insert(id);
    }

    /// Forgets all page files but these.
    pub fn keep_only(&mut self, ids: &[u64]) {
        self.stamps.retain(|id, _| ids.contains(id));
        self.damaged.retain(|id| ids.contains(id));
    }
}
