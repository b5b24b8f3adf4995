//! What commands ask of the checkpointer.

use super::Checkpointer;
use crate::wal::Lsn;

/// A committed checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointDone {
    /// Its number.
    pub id: u64,
    /// The last record that it contains.
    pub lsn: Lsn,
    /// Pages written.
    pub pages: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long it took.
    pub millis: u64,
}

/// A persisted collection.
#[derive(Clone, Copy, Debug)]
pub struct PersistDone {
    /// Pages written.
    pub pages: u64,
    /// Keys written.
    pub entries: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long it took.
    pub millis: u64,
}

/// A loaded collection.
#[derive(Clone, Copy, Debug)]
pub struct LoadDone {
    /// Keys loaded.
    pub entries: u64,
}

const UNAVAILABLE: &str = "checkpoints are not part of this build";

impl Checkpointer {
    /// Takes a checkpoint of everything; returns once it is committed.
    ///
    /// # Errors
    /// A sentence when it cannot be taken.
    pub async fn checkpoint(&self) -> Result<CheckpointDone, String> {
        Err(UNAVAILABLE.to_owned())
    }

    /// Writes a collection to files of its own.
    ///
    /// # Errors
    /// A sentence when it cannot be written.
    pub async fn persist(&self, _name: &str) -> Result<PersistDone, String> {
        Err(UNAVAILABLE.to_owned())
    }

    /// Loads a persisted collection under the name `as_name`, in place of what is there if `replace` is set.
    ///
    /// # Errors
    /// A sentence when it cannot be loaded.
    pub async fn load(&self, _name: &str, _as_name: &str, _replace: bool) -> Result<LoadDone, String> {
        Err(UNAVAILABLE.to_owned())
    }

    /// The last record that the newest checkpoint contains; 0 = there is none.
    pub fn last_lsn(&self) -> Lsn {
        0
    }
}
