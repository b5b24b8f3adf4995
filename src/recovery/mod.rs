//! Start-up: newest checkpoint, then the WAL after it, through the engine's own apply.
//!
//! A log that is there is replayed also when `wal.enabled` is off: data is data. LSNs go on from it, unlogged; the next
//! checkpoint lies beyond the old log and so supersedes it. When the log is switched on again it goes on behind that
//! checkpoint in a new segment; the old segments, before a gap by then, are below every checkpoint's LSN, never
//! read again and trimmed with the next one. Without a checkpoint, what happened unlogged is lost, as it would be
//! anyway, and its LSNs are given out anew: nothing on disk has them.
//!
//! **Invariants**
//! - Recovery fails closed: whatever is damaged, missing or unknown stops the start and is named; a torn tail, which
//!   was never acknowledged as durable, is cut off and reported.
//! - A log that the folder of checkpoints tells of ([`LogNote`]) is there, is that one, and is as long as it was.
//! - Nothing on disk is changed before all of it was read, and then only the torn tail.
//! - The engine's figures (keys, bytes) are exact after it.

mod error;
pub mod exchange;
pub mod folders;
pub mod moment;
mod newest;
mod observer;
mod pages;
mod past;
pub mod reach;
mod replay;
pub mod unfinished;
pub mod verify;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::checkpoint::CheckpointInfo;
use crate::engine::collection::Totals;
use crate::engine::registry::Registry;
use crate::engine::worker::unix_ms;
use crate::page::Access;
use crate::storage::{Disk, FileError};
use crate::wal::{LogNote, Lsn, Tail, WalError, repair_tail};
use observer::Observer;

pub use error::RecoveryError;
pub use observer::{Progress, Stage};
pub use past::{Past, recover_past};

/// Where the data is.
#[derive(Clone, Debug)]
pub struct RecoverOptions {
    /// Checkpoints; need not exist.
    pub checkpoint_dir: PathBuf,
    /// The log; need not exist.
    pub wal_dir: PathBuf,
    /// Whether the server will go on logging.
    pub wal_enabled: bool,
    /// Threads that load pages, and that apply the log.
    pub threads: usize,
}

/// A moment of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When this record was the last one.
    Lsn(Lsn),
    /// When the last record that is not later than this had been written, Unix milliseconds. Where clocks went back
    /// that may include records that bear later times, but nothing is missing that was written by then.
    Time(u64),
}

/// What was on disk.
pub struct Recovered {
    /// All collections.
    pub registry: Registry,
    /// The LSN of the next record.
    pub next_lsn: Lsn,
    /// The checkpoint it began with.
    pub checkpoint: Option<CheckpointInfo>,
    /// Keys, dead but not yet removed ones included.
    pub keys: u64,
    /// Pages.
    pub pages: u64,
    /// Effects replayed.
    pub effects: u64,
    /// Bytes of records replayed.
    pub wal_bytes: u64,
    /// Heap bytes of the data, exactly.
    pub data_bytes: u64,
    /// What was cut off the log's end.
    pub torn_tail: Option<Tail>,
    /// How long it took.
    pub millis: u64,
}

/// What the folder of checkpoints tells of the log, if anything; the log is that one, and its newest segment is there.
fn log_note(disk: &dyn Disk, options: &RecoverOptions) -> Result<Option<LogNote>, RecoveryError> {
    let note = LogNote::read(disk, &options.checkpoint_dir)?;
    if let Some(note) = &note {
        note.check(disk, &options.checkpoint_dir, &options.wal_dir)?;
    }
    Ok(note)
}

/// Reads everything back. `progress` is told how far it is, and may call it off.
///
/// # Errors
/// What is damaged, missing or unknown, and where; or that it was called off.
pub fn recover(
    disk: Arc<dyn Disk>,
    options: RecoverOptions,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Recovered, RecoveryError> {
    let started = Instant::now();
    let note = log_note(disk.as_ref(), &options)?;
    let access = Access::in_second(unix_ms());
    let mut registry = Registry::default();
    let mut observer = Observer::new(&options.wal_dir, &mut progress);
    let loaded = newest::Loading {
        disk: disk.as_ref(),
        dir: &options.checkpoint_dir,
        threads: options.threads,
        access,
        registry: &mut registry,
        observer: &mut observer,
    }
    .run();
    let checkpoint = observer.check(loaded)?;
    let after = checkpoint.map_or(Lsn::ZERO, |checkpoint| checkpoint.lsn);
    let dir = &options.wal_dir;
    let replayed = if disk.exists(dir).map_err(|error| wal_io(dir, error))? {
        let appliers = (options.threads, access, Lsn::MAX);
        let replayed = replay::replay(&disk, dir, after.next(), &mut registry, appliers, &mut observer);
        observer.check(replayed)?
    } else {
        replay::Replayed::default()
    };
    if let Some(note) = &note {
        note.check_end(&options.checkpoint_dir, replayed.end)?;
    }
    if replayed.torn_tail.is_some() {
        repair_tail(&disk, dir)?;
    }
    if !options.wal_enabled && replayed.effects > 0 {
        tracing::warn!(
            "the WAL is off, but there was one: {} changes were replayed from it; new changes are not logged",
            replayed.effects
        );
    }
    registry.drop_unfinished_loads();
    registry.empty_caches();
    let totals = sum(&registry);
    Ok(Recovered {
        registry,
        next_lsn: replayed.next_lsn.max(after.next()),
        checkpoint,
        keys: totals.keys,
        pages: totals.pages,
        effects: replayed.effects,
        wal_bytes: replayed.bytes,
        data_bytes: totals.bytes,
        torn_tail: replayed.torn_tail.filter(|tail| !tail.is_blank),
        millis: started.elapsed().as_millis() as u64,
    })
}

fn wal_io(dir: &Path, error: std::io::Error) -> RecoveryError {
    RecoveryError::Wal(WalError::Io(FileError::at("look for", dir)(error)))
}

fn sum(registry: &Registry) -> Totals {
    let mut sum = Totals {
        bytes: registry.libraries().bytes(),
        ..Totals::default()
    };
    for slot in registry.slots() {
        let totals = slot.collection.totals(Lsn::MAX);
        sum.keys += totals.keys;
        sum.pages += totals.pages;
        sum.bytes += totals.bytes;
    }
    sum
}
