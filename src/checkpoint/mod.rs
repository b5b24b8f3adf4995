//! Point-in-time images of all collections: page files and the manifest that commits them; and the same for one
//! collection (`PERSIST`), and back (`LOAD`). The layout on disk is in `docs/format-checkpoint.md`.
//!
//! One thread does all of it, one act at a time, so that there is one epoch at a time.
//!
//! **Invariants**
//! - A checkpoint that was asked for while one runs is the next one: it covers all that was done before it was asked.
//! - A failed act leaves the previous checkpoint and the WAL as they were; the server goes on and tells of it.
//! - The WAL is trimmed only after the manifest is durable, and the manifest is committed only after the WAL is stable
//!   up to its LSN.

mod by_name;
mod capture;
mod checkpointer;
mod copy;
pub mod files;
mod fill;
mod holds;
mod kept;
mod load;
mod persist;
mod queue;
mod request;
mod restore;
mod runner;
mod settings;
mod snapshots;
mod status;
#[cfg(test)]
mod tests;

pub use checkpointer::Checkpointer;
pub use files::catalog::{CheckpointInfo, SnapshotId};
pub use files::error::CheckpointError;
pub use holds::Held;
pub use kept::Snapshot;
pub use request::{
    AttachRequest, CheckpointDone, CheckpointOptions, ConvertRequest, CopyRequest, LoadDone, Moment, Only, Origin,
    PersistDone, RestoreDone, RestoreRequest, Target,
};
pub use settings::{CheckpointSettings, CheckpointValues};
pub use snapshots::{
    Compared, Difference, LibraryDifference, SnapshotCollection, SnapshotContent, SnapshotLibrary, Verified,
};
pub use status::{CheckpointStats, Persisted};
