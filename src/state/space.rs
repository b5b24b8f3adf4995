//! Whether the file systems have room: below `storage.free_bytes_min` commands that add data are refused, before a
//! write fails.
//!
//! **Invariants**
//! - Workers read one atomic, or two. A thread of its own asks the file systems, which may not answer.
//! - Between two answers what the log has written counts, and what a request brings before it runs: neither a fast
//!   writer nor a large value gets below the limit, nor many of them at once.
//! - A folder is a reason to refuse only for those who need it: log and checkpoints for writes, the third folder for
//!   `PERSIST`. What frees data is never refused, and neither is a checkpoint: those lead out.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

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
pub struct Space {
    low: AtomicU8,
    /// How many bytes the log may have written, since the start, before too little is free; [`ROOMY`] where that is far
    /// away or not known.
    log_bytes_max: AtomicU64,
    /// So many it will have written, since the start, with the requests that have been let run, where room is near its
    /// end.
    claimed_bytes: AtomicU64,
    rooms: Mutex<Vec<Room>>,
}

/// No bound is near.
const ROOMY: u64 = u64::MAX;
/// What is further away than this is not near: no request is as large.
const NEAR_BYTES: u64 = 1 << 30;

impl Default for Space {
    fn default() -> Self {
        Self {
            low: AtomicU8::default(),
            log_bytes_max: AtomicU64::new(ROOMY),
            claimed_bytes: AtomicU64::default(),
            rooms: Mutex::default(),
        }
    }
}

impl Space {
    /// Whether each request is to have its room [claimed](Self::claim) first.
    #[inline]
    pub fn is_tight(&self) -> bool {
        self.log_bytes_max.load(Ordering::Relaxed) != ROOMY
    }

    /// Whether a request of that size leaves enough free, where the log has written `log_bytes` since the start.
    pub fn has_room_for(&self, log_bytes: u64, request_bytes: u64) -> bool {
        log_bytes.saturating_add(request_bytes) <= self.log_bytes_max.load(Ordering::Relaxed)
    }

    /// Claims room for a request of that size that is about to run, where the log has written `log_bytes` since the
    /// start; whether it leaves enough free. What it does not use in the end is free again with the next look.
    pub fn claim(&self, log_bytes: u64, request_bytes: u64) -> bool {
        let max = self.log_bytes_max.load(Ordering::Relaxed);
        let with_it = |claimed: u64| Some(claimed.max(log_bytes).saturating_add(request_bytes)).filter(|to| *to <= max);
        self.claimed_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it)
            .is_ok()
    }

    /// What has been claimed so far: to be asked before it is looked how much is free.
    pub fn claimed_bytes(&self) -> u64 {
        self.claimed_bytes.load(Ordering::Relaxed)
    }

    /// The log, which had written `log_bytes` and been given `pending_bytes` more, can write so many more before too little
    /// is free; `None`: not known. Before that was looked up so much [had been claimed](Self::claimed_bytes), most of
    /// which has been written by now, or given to the log: what has been claimed since stays so.
    pub fn store_log_room(&self, (log_bytes, pending_bytes): (u64, u64), claimed_before: u64, room_bytes: Option<u64>) {
        let near = room_bytes.filter(|bytes| *bytes < NEAR_BYTES);
        let max = near.map_or(ROOMY, |bytes| log_bytes.saturating_add(bytes));
        let base = log_bytes.saturating_add(pending_bytes);
        let since = |claimed: u64| claimed.saturating_sub(claimed_before.max(log_bytes));
        let anew = |claimed: u64| Some(base.saturating_add(since(claimed)));
        // It always has something to store.
        let _ = self
            .claimed_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, anew);
        self.log_bytes_max.store(max, Ordering::Relaxed);
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_between_two_looks_counts() {
        let space = Space::default();
        assert!(!space.is_tight() && space.has_room_for(1 << 40, 1 << 40));
        space.store_log_room((1_000, 0), 0, Some(500));
        assert!(space.is_tight());
        assert!(space.has_room_for(1_000, 500) && !space.has_room_for(1_000, 501));
        assert!(space.has_room_for(1_400, 100) && !space.has_room_for(1_401, 100));
        for room in [None, Some(NEAR_BYTES)] {
            space.store_log_room((1_000, 0), 0, room);
            assert!(!space.is_tight());
        }
    }

    #[test]
    fn what_runs_at_the_same_time_counts_before_it_is_written() {
        let space = Space::default();
        space.store_log_room((1_000, 100), 0, Some(500));
        assert!(space.claim(1_000, 300) && !space.claim(1_000, 101) && space.claim(1_000, 100));
        assert!(!space.claim(1_000, 1) && space.has_room_for(1_000, 500));
        // Looked at anew: they have written less than they might have.
        let before = space.claimed_bytes();
        space.store_log_room((1_200, 0), before, Some(300));
        assert!(space.claim(1_200, 200) && space.claim(1_450, 50) && !space.claim(1_450, 1));
        // Some is claimed while it is looked.
        space.store_log_room((1_450, 0), space.claimed_bytes(), Some(300));
        let before = space.claimed_bytes();
        assert!(space.claim(1_450, 200));
        space.store_log_room((1_450, 0), before, Some(300));
        assert!(!space.claim(1_450, 101) && space.claim(1_450, 100));
    }
}
