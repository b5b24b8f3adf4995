//! Why a file of commands is not imported.

use std::fmt;

use crate::resp::ProtocolError;

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub enum CommandsError {
    /// A manifest cannot be used.
    Manifest(&'static str),
    /// What begins at this byte is no command.
    NoCommand(u64),
    /// What begins at this byte is no command, for this reason.
    BadCommand(u64, ProtocolError),
    /// What was answered instead of running a command.
    NotRun(String),
    /// A file that others follow ends within what begins at this byte.
    Torn(u64),
    /// Commands cannot be run on data that is there.
    Merged,
    /// Commands on several databases cannot be run on one collection.
    SeveralDatabases,
}

impl fmt::Display for CommandsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(what) => out.write_str(what),
            Self::NoCommand(at) => write!(out, "byte {at}: no command begins there"),
            Self::BadCommand(at, why) => write!(out, "byte {at}: no command begins there: {why}"),
            Self::NotRun(why) => out.write_str(why),
            Self::Torn(at) => write!(
                out,
                "it ends in the middle of a command or transaction, which begins at byte {at}, though other files follow"
            ),
            Self::Merged => out.write_str("commands cannot be run on data that is there: --merge takes RDB files"),
            Self::SeveralDatabases => out.write_str(
                "commands on several databases cannot be run on one collection: leave --into-collection out",
            ),
        }
    }
}

impl std::error::Error for CommandsError {}
