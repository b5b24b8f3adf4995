//! What the checkpointer is asked for, and what it answers.

use std::path::PathBuf;

use super::files::catalog::CheckpointInfo;
use crate::engine::index::Kind;
use crate::wal::Lsn;

/// Where a [`super::Checkpointer`] keeps its files.
#[derive(Clone, Debug)]
pub struct CheckpointOptions {
    /// Where checkpoints are.
    pub dir: PathBuf,
    /// Where persisted collections are.
    pub persist_dir: PathBuf,
    /// Where the log is.
    pub wal_dir: PathBuf,
    /// The replication term, noted in manifests.
    pub term: u32,
}

/// What the data of a [`super::Checkpointer`] was made from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// The checkpoint that it was recovered from.
    pub checkpoint: Option<CheckpointInfo>,
    /// Bytes of WAL replayed after it; they count towards `checkpoint.wal_bytes_max`.
    pub wal_bytes: u64,
}

/// What a checkpoint did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointDone {
    /// Its identity.
    pub id: u64,
    /// Its instant.
    pub lsn: Lsn,
    /// Pages in it.
    pub pages: u64,
    /// Pages written for it; the others were on disk already.
    pub written_pages: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long it took.
    pub millis: u64,
}

/// What `PERSIST` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersistDone {
    /// Pages written.
    pub pages: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long it took.
    pub millis: u64,
}

/// What brought a collection in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadDone {
    /// Entries loaded.
    pub entries: u64,
    /// How long it took.
    pub millis: u64,
}

/// What to load, and where to.
pub(super) struct LoadRequest {
    pub name: String,
    pub target: Target,
    pub kind: Kind,
}

/// Where a collection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name; a collection of this name is made if there is none.
    pub name: String,
    /// Whether keys that are there may go.
    pub replace: bool,
}

/// What `COLLECTION COPY` does.
#[derive(Clone, Debug)]
pub struct CopyRequest {
    /// What to copy.
    pub source: String,
    /// Where to.
    pub target: Target,
    /// Of which kind the copy is; `None`: as the source.
    pub kind: Option<Kind>,
}

/// What `COLLECTION CONVERT` does, and what makes a cache a collection that is kept on disk.
#[derive(Clone, Debug)]
pub struct ConvertRequest {
    /// Which collection.
    pub name: String,
    /// Of which kind it will be; `None`: as it is.
    pub kind: Option<Kind>,
    /// Whether a cache becomes one that is kept.
    pub is_kept: bool,
}

/// A moment whose data there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// That of a checkpoint.
    Checkpoint(u64),
    /// Right after a record.
    Lsn(Lsn),
    /// A time, Unix milliseconds.
    Time(u64),
}

/// One of the collections that were there.
#[derive(Clone, Debug)]
pub struct Only {
    /// Its name then.
    pub name: String,
    /// Where it goes.
    pub target: Target,
}

/// What `CHECKPOINT RESTORE` does.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// As of when.
    pub moment: Moment,
    /// One collection; `None`: all of them, and what else there is goes.
    pub only: Option<Only>,
}

/// What a restore did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreDone {
    /// The last record that is in it.
    pub lsn: Lsn,
    /// Collections brought back.
    pub collections: u64,
    /// Keys in them.
    pub entries: u64,
    /// How long it took.
    pub millis: u64,
}

/// What `COLLECTION ATTACH` does.
#[derive(Clone, Debug)]
pub struct AttachRequest {
    /// Which checkpoint.
    pub checkpoint: u64,
    /// Which collection in it.
    pub name: String,
    /// Under what name it is shown.
    pub as_name: String,
}
