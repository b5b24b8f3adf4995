//! Why a data set is not moved.
//!
//! **Invariant:** the text is one sentence for who runs the import or export.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::aof::CommandsError;
use super::live::LiveError;
use super::unwritable::Unwritable;
use crate::checkpoint::CheckpointError;
use crate::commands::CmdError;
use crate::engine::CollectionError;
use crate::rdb;
use crate::recovery::RecoveryError;
use crate::recovery::folders::FolderError;
use crate::tools::backup::BackupError;

/// So much is shown of a line.
const LINE_BYTES_MAX: usize = 100;
/// So much is shown of a command's name.
const NAME_BYTES_MAX: usize = 64;

/// A result of a move.
pub type Outcome<T> = Result<T, MigrateError>;

/// See the module.
#[derive(Debug)]
pub enum MigrateError {
    /// It concerns this file.
    OfFile(String, Box<MigrateError>),
    /// A running server is not copied.
    Live(LiveError),
    /// A backup is not taken.
    Backup(BackupError),
    /// It concerns this key.
    OfKey(Vec<u8>, Box<MigrateError>),
    /// A file cannot be read.
    Read(io::Error),
    /// A file cannot be written.
    Write(io::Error),
    /// A file is of no kind that is known.
    NoFormat,
    /// A file of commands, or a manifest of such files, cannot be used.
    Commands(CommandsError),
    /// A file cannot be written as it is asked for.
    Unwritable(Unwritable),
    /// The command at this byte, of this name, cannot be run.
    OfCommand(u64, Vec<u8>, Box<MigrateError>),
    /// A file is not in Redis's format.
    Format(rdb::Error),
    /// A value has no form there or here.
    Value(rdb::Reason),
    /// A key is in the file a second time, in this database.
    Twice(u64),
    /// There is no such database.
    NoDatabase {
        /// The one that the file has keys in.
        db: u64,
        /// How many there are.
        databases: u32,
    },
    /// A collection that is to be filled has keys.
    HasKeys {
        /// Its name.
        name: String,
        /// How many.
        keys: u64,
    },
    /// A collection is gone.
    Vanished,
    /// A library of functions is there already, with other code.
    HasLibrary(Vec<u8>),
    /// A library of functions is in the file twice.
    LibraryTwice(Vec<u8>),
    /// A library of functions has no name: its first line.
    Untitled(Vec<u8>),
    /// There is no kind of collection of this name.
    NoKind(String),
    /// No collection can have the name that was given, for this reason.
    NoName(CmdError),
    /// What stands where a file is to be is none.
    NoFile(PathBuf),
    /// There is no data directory.
    NoDirectory(PathBuf),
    /// The data directory cannot be made.
    Create(PathBuf, io::Error),
    /// One of the folders is in use, or cannot be taken.
    Folders(FolderError),
    /// A thread cannot be started.
    Thread(io::Error),
    /// All places for threads are taken.
    NoPlace,
    /// The data directory cannot be loaded.
    Recovery(RecoveryError),
    /// The data cannot be made durable.
    Checkpoint(CheckpointError),
    /// The registry of collections refuses.
    Collection(CollectionError),
}

impl MigrateError {
    /// The same, of the file `name`.
    pub(super) fn of_file(self, name: impl fmt::Display) -> Self {
        Self::OfFile(name.to_string(), Box::new(self))
    }

    /// The same, of the command that begins at the byte `at`.
    pub(super) fn of_command(self, at: u64, name: &[u8]) -> Self {
        let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
        Self::OfCommand(at, name.to_vec(), Box::new(self))
    }

    /// The same, of a key.
    pub(super) fn of_key(self, key: &[u8]) -> Self {
        Self::OfKey(key.to_vec(), Box::new(self))
    }
}

impl fmt::Display for MigrateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfFile(name, why) => write!(out, "{name}: {why}"),
            Self::OfKey(key, why) => write!(out, "key \"{}\": {why}", key.escape_ascii()),
            Self::Read(error) => write!(out, "cannot read: {error}"),
            Self::Write(error) => write!(out, "cannot write: {error}"),
            Self::NoFormat => out.write_str("this is neither an RDB file nor an append-only file"),
            Self::OfCommand(at, name, why) => {
                write!(
                    out,
                    "byte {at}: the command \"{}\" cannot be run: {why}",
                    name.escape_ascii()
                )
            }
            Self::Live(why) => why.fmt(out),
            Self::Backup(why) => why.fmt(out),
            Self::Commands(why) => why.fmt(out),
            Self::Unwritable(why) => why.fmt(out),
            Self::Format(error) => error.fmt(out),
            Self::Value(reason) => reason.fmt(out),
            Self::Twice(db) => write!(out, "it is there twice, the second time in database {db}"),
            Self::NoDatabase { db, databases } => {
                write!(out, "it has keys in database {db}, but server.databases is {databases}")
            }
            Self::HasKeys { name, keys } => write!(
                out,
                "collection \"{name}\" has {keys} keys already; --merge adds to them, --replace empties it first"
            ),
            Self::Vanished => out.write_str("the collection vanished"),
            Self::HasLibrary(name) => write!(
                out,
                "the library of functions \"{}\" is there already, with other code; --merge and --replace put the file's \
                 in its place",
                name.escape_ascii()
            ),
            Self::LibraryTwice(name) => {
                write!(
                    out,
                    "the library of functions \"{}\" is there twice",
                    name.escape_ascii()
                )
            }
            Self::Untitled(line) => write!(
                out,
                "a library of functions does not begin with \"#!lua name=…\": {}",
                line.get(..LINE_BYTES_MAX).unwrap_or(line).escape_ascii()
            ),
            Self::NoKind(name) => write!(out, "there is no kind \"{name}\""),
            Self::NoName(error) => out.write_str(error.to_string().trim_start_matches("ERR ")),
            Self::NoFile(path) => write!(out, "{} is not a regular file", path.display()),
            Self::NoDirectory(dir) => write!(out, "{}: no such directory", dir.display()),
            Self::Create(dir, error) => write!(out, "cannot create the data directory {}: {error}", dir.display()),
            Self::Folders(error) => error.fmt(out),
            Self::Thread(error) => write!(out, "cannot start a thread: {error}"),
            Self::NoPlace => out.write_str("all places for threads are taken"),
            Self::Recovery(error) => error.fmt(out),
            Self::Checkpoint(error) => error.fmt(out),
            Self::Collection(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for MigrateError {}

macro_rules! from {
    ($($variant:ident $error:ty),+) => {
        $(impl From<$error> for MigrateError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })+
    };
}

from!(
    Live LiveError,
    Backup BackupError,
    Commands CommandsError,
    Unwritable Unwritable,
    Format rdb::Error,
    Value rdb::Reason,
    Folders FolderError,
    Recovery RecoveryError,
    Checkpoint CheckpointError,
    Collection CollectionError
);
