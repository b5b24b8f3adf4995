//! Whether the file systems have room: below `storage.free_bytes_min` commands that add data are refused, before a write
//! fails.
//!
//! **Invariants**
//! - Workers read one atomic. A thread of its own asks the file systems, which may not answer.
//! - A folder is a reason to refuse only for those who need it: log and checkpoints for writes, the third folder for
//!   `PERSIST`. What frees data is never refused, and neither is a checkpoint: those lead out.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The log.
    Log,
    /// Checkpoints.
    Checkpoints,
    /// Collections that are persisted.
    Persisted,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Log, Self::Checkpoints, Self::Persisted];

    /// As INFO names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "wal",
            Self::Checkpoints => "checkpoint",
            Self::Persisted => "persist",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// How much is free where a folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// What the folder is for.
    pub purpose: Purpose,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes; `None`: not known.
    pub free_bytes: Option<u64>,
    /// Whether that is less than it should be, and the folder is needed.
    pub is_low: bool,
}

/// See the module.
#[derive(Default)]
pub struct Space {
    low: AtomicU8,
    rooms: Mutex<Vec<Room>>,
}

impl Space {
    /// Whether writes are refused.
    #[inline]
    pub fn refuses_writes(&self) -> bool {
        self.low.load(Ordering::Relaxed) & (Purpose::Log.bit() | Purpose::Checkpoints.bit()) != 0
    }

    /// The folder that lacks room, of those for one of `purposes`.
    pub fn lacking(&self, purposes: &[Purpose]) -> Option<Room> {
        let rooms = self.rooms.lock();
        let mut lacking = rooms.iter().filter(|room| room.is_low);
        lacking.find(|room| purposes.contains(&room.purpose)).cloned()
    }

    /// What was found last.
    pub fn rooms(&self) -> Vec<Room> {
        self.rooms.lock().clone()
    }

    /// Takes over what was found.
    pub fn store(&self, rooms: Vec<Room>) {
        let low = rooms.iter().filter(|room| room.is_low);
        let low = low.fold(0, |low, room| low | room.purpose.bit());
        *self.rooms.lock() = rooms;
        self.low.store(low, Ordering::Relaxed);
    }
}
