//! Why an act on checkpoints or whole collections cannot be done as things are, though nothing is broken.

use std::fmt;
use std::path::PathBuf;

use super::names::manifest_name;
use crate::page::PageId;
use crate::wal::Lsn;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The server is about to end.
    ShuttingDown,
    /// There is no collection of this name.
    NoCollection(String),
    /// There was none at the moment asked for.
    NoCollectionThen(String),
    /// There is none in the checkpoint.
    NoCollectionIn {
        /// The name.
        name: String,
        /// The checkpoint.
        checkpoint: u64,
    },
    /// The collection has keys, and may not be replaced.
    HasKeys(String),
    /// Source and target are one.
    ToItself(String),
    /// The collection can no longer be followed.
    Lost(&'static str),
    /// The name cannot be that of a directory.
    BadName(String),
    /// Nothing is persisted under this name.
    NotPersisted(String),
    /// There is no such checkpoint.
    NoCheckpoint(u64),
    /// There is no checkpoint yet.
    NoCheckpointYet,
    /// The newest checkpoint cannot go.
    Newest(u64),
    /// A pinned checkpoint cannot go.
    Pinned(u64),
    /// Nothing is deleted while files are held.
    Held,
    /// There are as many holds as there can be.
    TooManyHolds,
    /// The log is switched off.
    NoLog,
    /// The log has failed.
    LogFailed(String),
    /// The moment has not come.
    InFuture,
    /// The past cannot be built.
    Past(String),
    /// There is not enough memory.
    Memory {
        /// Bytes in use.
        used: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// A value is larger than what the log keeps as one change.
    TooLarge,
    /// The page is in none of the manifest's files.
    PageInNoFile(PageId),
    /// The control file is missing beside checkpoint files.
    ControlMissing(PathBuf),
    /// What was committed last is not there.
    ManifestMissing {
        /// The control file.
        control: PathBuf,
        /// The checkpoint.
        checkpoint: u64,
        /// Its LSN.
        lsn: Lsn,
        /// The newest one that is there.
        newest: Option<u64>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShuttingDown => out.write_str("the server is shutting down"),
            Self::TooLarge => out.write_str("a value is larger than what the log keeps as one change (4 GiB)"),
            Self::NoCollection(name) => write!(out, "there is no collection {name:?}"),
            Self::NoCollectionThen(name) => write!(out, "there was no collection {name:?} then"),
            Self::NoCollectionIn { name, checkpoint } => {
                write!(out, "there is no collection {name:?} in checkpoint {checkpoint}")
            }
            Self::HasKeys(name) => write!(out, "collection {name:?} exists and has keys; use REPLACE"),
            Self::ToItself(name) => write!(out, "{name:?} cannot be copied to itself"),
            Self::Lost(why) => out.write_str(why),
            Self::BadName(name) => write!(out, "{name:?} cannot be a directory's name"),
            Self::NotPersisted(name) => write!(out, "nothing is persisted as {name:?}"),
            Self::NoCheckpoint(id) => write!(out, "there is no checkpoint {id}"),
            Self::NoCheckpointYet => out.write_str("there is no checkpoint yet"),
            Self::Newest(id) => write!(out, "checkpoint {id} is the newest one: the log goes on from it"),
            Self::Pinned(id) => write!(out, "checkpoint {id} is pinned"),
            Self::Held => out.write_str("a backup is being taken, and no checkpoint is deleted meanwhile"),
            Self::TooManyHolds => out.write_str("too many programs hold checkpoints already"),
            Self::NoLog => out.write_str("the write-ahead log is disabled, only checkpoints can be restored"),
            Self::LogFailed(why) => write!(out, "the WAL has failed: {why}"),
            Self::InFuture => out.write_str("that time is in the future"),
            Self::Past(why) => out.write_str(why),
            Self::Memory { used, max } => {
                write!(out, "it does not fit: {used} bytes are in use, 'maxmemory' is {max}")
            }
            Self::PageInNoFile(page) => write!(out, "page {page} is in no file"),
            Self::ControlMissing(control) => write!(
                out,
                "{} is missing, though there are checkpoint files beside it; which of them was committed last is not known",
                control.display()
            ),
            Self::ManifestMissing {
                control,
                checkpoint,
                lsn,
                newest,
            } => {
                write!(
                    out,
                    "{} says that checkpoint {checkpoint} at LSN {lsn} was committed, but its manifest {} is missing; ",
                    control.display(),
                    manifest_name(*checkpoint)
                )?;
                match newest {
                    Some(id) => write!(out, "the newest one is that of checkpoint {id}"),
                    None => out.write_str("there is none"),
                }
            }
        }
    }
}
