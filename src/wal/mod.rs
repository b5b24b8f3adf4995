//! The write-ahead log: records, group write and fsync, reading back. A record's payload is opaque bytes here.
//!
//! The way of a record: a worker's [`WorkerLog`] takes an LSN and gathers bytes in a chunk of its own. `submit` hands
//! the chunk over, and writes it, too, with those of all workers that wait (`appender`): merged by LSN, each record
//! sealed (CRC), the contiguous prefix in one write. The `keeper` syncs as the policy says. [`Reader`] reads it back,
//! [`repair_tail`] removes what a crash left half written. `feed` follows the log while it is written. The layout on
//! disk is in `docs/format-wal.md`.
//!
//! **Invariants**
//! - LSNs are contiguous from 1; the files hold exactly a contiguous run of them, in order, at any instant.
//! - Every begun record is committed and submitted: there is no abandoning, an LSN taken is an LSN written.
//! - `stable_lsn ≤ written_lsn ≤ last_lsn`; a record at or below `stable_lsn` survives a power cut.
//! - After a failed write or sync nothing is retried. Nothing moves until all that was begun is durable by other means
//!   (a checkpoint); then the log goes on in a new segment. A segment that is lost while it is written to, or replaced,
//!   is such a failure.

mod ahead;
mod appender;
mod chunk;
mod claim;
mod core;
mod error;
mod feed;
mod format;
mod handle;
mod keeper;
mod merge;
mod note;
mod open;
mod positions;
mod producer;
mod reader;
mod repair;
mod resume;
mod runs;
mod segment;
mod segment_reader;
#[cfg(test)]
mod tests;
mod unsynced;
mod waiters;
mod walk;
mod watch;
mod writer;

use std::path::PathBuf;

pub use claim::ClaimDir;
pub use error::WalError;
pub use format::{RECORD_BYTES_MAX, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES};
pub use handle::{Wal, WalStats};
pub use note::{LOG_NOTE, LogNote};
pub use producer::{LogMark, WorkerLog};
pub use reader::{Reader, Record};
pub use repair::{Repair, repair_damage, repair_tail};
pub use runs::{Run, runs};
pub use segment::{segment_name, segments};
pub use segment_reader::Tail;
pub use waiters::WaitLsn;
pub use walk::{Found, SegmentSummary, Walk};

pub use crate::lsn::Lsn;

/// When the log is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fsync {
    /// After each gathered write; replies wait for it (group commit).
    Always = 0,
    /// Once a second, if there is anything to sync.
    EverySec = 1,
    /// When a segment ends, on request, and at the close.
    No = 2,
}

/// How a log is opened.
#[derive(Debug, Clone)]
pub struct WalOptions {
    /// The directory of the segment files; created if missing.
    pub dir: PathBuf,
    /// The folder of checkpoints, where a [`LogNote`] tells of the log; `None`: nowhere.
    pub note_dir: Option<PathBuf>,
    /// When to sync; [`Wal::set_fsync`] changes it later.
    pub fsync: Fsync,
    /// A segment ends with the first record that makes it at least this long; [`Wal::set_segment_bytes`] changes it
    /// later.
    pub segment_bytes: u64,
    /// The replication group that the records belong to.
    pub group: u16,
    /// The leader term that the records belong to.
    pub term: u32,
    /// Above this much submitted and not yet written, sessions wait before they execute more.
    pub pending_bytes_max: u64,
    /// The longest payload of a record: [`RECORD_BYTES_MAX`], less in tests.
    pub record_bytes_max: u64,
    /// Takes the directory for this process once more, before the log goes on in it after it has failed.
    pub claim: ClaimDir,
}

impl WalOptions {
    /// Usual sizes for a log in `dir`: 256 MiB segments, 256 MiB pending, everysec.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        WalOptions {
            dir: dir.into(),
            note_dir: None,
            fsync: Fsync::EverySec,
            segment_bytes: 256 << 20,
            group: 0,
            term: 0,
            pending_bytes_max: 256 << 20,
            record_bytes_max: RECORD_BYTES_MAX,
            claim: ClaimDir::default(),
        }
    }
}
