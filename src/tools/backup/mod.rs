//! Backups: folders beside each other in one directory, each with what it takes to restore every moment in it. The
//! layout is in `docs/backup.md`.
//!
//! A backup has the folders of a data directory, `checkpoint` and `wal`, and its manifest, which names every file with
//! its length and SHA-256. Files that two backups have in common are one file with two names, where the file system can
//! do that.
//!
//! **Invariants**
//! - The manifest gets its name last, when all that it names is durable and has been read back; a folder without one is
//!   no backup. It loses it first when a backup is removed. Under its other name it is there before and after.
//! - Nothing of a backup is used before all of it was compared with its manifest.

mod apart;
mod check;
mod cli;
mod digest;
mod error;
mod manifest;
mod order;
mod remove;
mod source;
mod store;
mod take;
#[cfg(test)]
mod tests;

pub use apart::{check_outside_backups, check_outside_folders};
pub use check::check;
pub use cli::{list, verify};
pub use error::BackupError;
pub use manifest::{BackupFile, LogPart, Manifest, Snapshot};
pub use source::Source;
pub use store::{Backup, Place, Store};
pub use take::{Options, Taken, Watcher, take};
