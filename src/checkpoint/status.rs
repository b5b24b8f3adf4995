//! What the checkpointer tells of itself.
//!
//! **Invariant:** one lock, held for copying only; the act itself never waits for a reader.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::files::catalog::CheckpointInfo;
use super::kept::Snapshot;
use super::request::CheckpointDone;
use crate::engine::worker::unix_ms;
use crate::wal::Lsn;

/// Numbers for INFO and metrics.
#[derive(Clone, Debug, Default)]
pub struct CheckpointStats {
    /// Whether one is being taken.
    pub running: bool,
    /// How long the running one has taken so far.
    pub running_ms: u64,
    /// The last good one.
    pub last: Option<CheckpointInfo>,
    /// Pages in it; 0 if it was taken by an earlier process.
    pub last_pages: u64,
    /// Those that were written for it, since earlier ones did not have them; 0 as above.
    pub last_written_pages: u64,
    /// Bytes of it; 0 as above.
    pub last_bytes: u64,
    /// How long it took; 0 as above.
    pub last_ms: u64,
    /// How long everybody was kept waiting at its instant.
    pub last_pause_us: u64,
    /// The longest such wait since the start.
    pub max_pause_us: u64,
    /// Good ones since the start.
    pub completed: u64,
    /// Pages written for them.
    pub written_pages: u64,
    /// Bytes written for them.
    pub written_bytes: u64,
    /// Failed ones since the start.
    pub failed: u64,
    /// Checkpoints kept on disk.
    pub kept: u64,
}

/// When a collection was last persisted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Persisted {
    /// The instant: the last record in it.
    pub lsn: Lsn,
    /// Wall clock at the instant, Unix milliseconds.
    pub wall_ms: u64,
}

struct State {
    stats: CheckpointStats,
    begun_ms: u64,
    last_save_s: u64,
    last_error: Option<String>,
    persisted: HashMap<String, Persisted>,
    kept: Option<Arc<[Snapshot]>>,
}

/// See the module.
pub(super) struct Status {
    state: Mutex<State>,
    /// Whether the last one failed.
    is_failing: AtomicBool,
    /// Moves while one is being written.
    steps: Arc<AtomicU64>,
    /// The last record at the start: up to there nothing is lost with this process.
    begun: AtomicU64,
}

impl Status {
    pub fn new() -> Self {
        let state = State {
            last_save_s: unix_ms() / 1000,
            stats: CheckpointStats::default(),
            begun_ms: 0,
            last_error: None,
            persisted: HashMap::new(),
            kept: None,
        };
        Self {
            state: Mutex::new(state),
            is_failing: AtomicBool::new(false),
            steps: Arc::default(),
            begun: AtomicU64::new(0),
        }
    }

    /// Whether the last one failed. One load.
    #[inline]
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Counts the writes to a checkpoint's files.
    pub fn steps(&self) -> &Arc<AtomicU64> {
        &self.steps
    }

    /// The last record that a checkpoint has, or that was there before this process.
    pub fn kept_lsn(&self) -> Lsn {
        let begun = Lsn::new(self.begun.load(Ordering::Relaxed));
        self.last().map_or(begun, |last| last.lsn.max(begun))
    }

    /// What the data was recovered from, and its last record.
    pub fn note_origin(&self, checkpoint: Option<CheckpointInfo>, last: Lsn) {
        self.begun.store(last.get(), Ordering::Relaxed);
        let mut state = self.state.lock();
        state.stats.last = checkpoint;
        if let Some(checkpoint) = checkpoint {
            state.last_save_s = checkpoint.wall_ms / 1000;
        }
    }

    pub fn note_persisted(&self, name: String, persisted: Persisted) {
        self.state.lock().persisted.insert(name, persisted);
    }

    pub fn persisted(&self, name: &str) -> Option<Persisted> {
        self.state.lock().persisted.get(name).copied()
    }

    pub fn is_running(&self) -> bool {
        self.state.lock().stats.running
    }

    pub fn last(&self) -> Option<CheckpointInfo> {
        self.state.lock().stats.last
    }

    pub fn last_save_s(&self) -> u64 {
        self.state.lock().last_save_s
    }

    pub fn last_error(&self) -> Option<String> {
        self.state.lock().last_error.clone()
    }

    pub fn stats(&self) -> CheckpointStats {
        let state = self.state.lock();
        let mut stats = state.stats.clone();
        if stats.running {
            stats.running_ms = unix_ms().saturating_sub(state.begun_ms);
        }
        stats
    }

    pub fn begin(&self) {
        let mut state = self.state.lock();
        state.stats.running = true;
        state.begun_ms = unix_ms();
    }

    /// It was not needed: the log can go on where it was, or behind the last one.
    pub fn end_unneeded(&self) {
        self.state.lock().stats.running = false;
    }

    pub fn note_pause(&self, pause: Duration) {
        let stats = &mut self.state.lock().stats;
        stats.last_pause_us = pause.as_micros() as u64;
        stats.max_pause_us = stats.max_pause_us.max(stats.last_pause_us);
    }

    pub fn note_kept(&self, kept: Vec<Snapshot>) {
        let mut state = self.state.lock();
        state.stats.kept = kept.len() as u64;
        // What was known before is freed behind the lock.
        let before = state.kept.replace(kept.into());
        drop(state);
        drop(before);
    }

    pub fn kept(&self) -> Option<Arc<[Snapshot]>> {
        self.state.lock().kept.clone()
    }

    pub fn succeed(&self, done: CheckpointDone, wall_ms: u64) {
        let mut state = self.state.lock();
        state.last_error = None;
        self.is_failing.store(false, Ordering::Relaxed);
        state.last_save_s = wall_ms / 1000;
        let stats = &mut state.stats;
        stats.running = false;
        stats.completed += 1;
        stats.last = Some(CheckpointInfo {
            id: done.id,
            lsn: done.lsn,
            wall_ms,
        });
        (stats.last_pages, stats.last_bytes, stats.last_ms) = (done.pages, done.bytes, done.millis);
        stats.last_written_pages = done.written_pages;
        stats.written_pages += done.written_pages;
        stats.written_bytes += done.bytes;
    }

    pub fn fail(&self, error: &str) {
        let mut state = self.state.lock();
        state.last_error = Some(error.to_owned());
        self.is_failing.store(true, Ordering::Relaxed);
        state.stats.running = false;
        state.stats.failed += 1;
    }
}
