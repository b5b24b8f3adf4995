//! Why a running server is not copied, or not wholly.
//!
//! **Invariant:** the text is one sentence for who runs it, and says whether the same command goes on.

use std::fmt;
use std::path::PathBuf;

use crate::tls::TlsError;

/// See the module.
#[derive(Debug)]
pub enum LiveError {
    /// TLS cannot be had.
    Tls(TlsError),
    /// A server cannot be reached, or does not answer, for too long.
    Lost {
        /// Which one.
        server: String,
        /// What was asked of it.
        doing: &'static str,
        /// The last failure.
        why: String,
    },
    /// A server refuses.
    Refused {
        /// Which one.
        server: String,
        /// What was asked of it.
        doing: &'static str,
        /// Its error.
        text: String,
    },
    /// A thread cannot be started.
    Thread(std::io::Error),
    /// The user has ended it.
    Interrupted,
    /// The state file cannot be read or written.
    State(PathBuf, String),
    /// The state file tells of another copy.
    OtherCopy(PathBuf, String),
    /// There are keys already.
    HasKeys {
        /// Which server.
        server: String,
        /// Where in it.
        place: String,
        /// How many.
        keys: i64,
    },
    /// Source and target are one server.
    Same {
        /// The source.
        from: String,
        /// The target.
        to: String,
    },
    /// The target is something else.
    NotLokikv(String),
    /// More than one database would go into one collection.
    SeveralDatabases,
    /// All was done, but for what cannot be read or is not alike.
    Incomplete(String),
    /// It ended early, and goes on where it was.
    Resumable(Box<crate::migrate::MigrateError>),
}

impl fmt::Display for LiveError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => error.fmt(out),
            Self::Lost { server, doing, why } => write!(out, "{server}: {doing}: {why}"),
            Self::Refused { server, doing, text } => write!(out, "{server}: {doing} is refused: {text}"),
            Self::Thread(error) => write!(out, "cannot start a thread: {error}"),
            Self::Interrupted => out.write_str("interrupted"),
            Self::State(path, why) => write!(out, "{}: {why}", path.display()),
            Self::OtherCopy(path, what) => write!(
                out,
                "{}: it tells how far another copy is ({what}); finish that one, or remove the file",
                path.display()
            ),
            Self::HasKeys { server, place, keys } => write!(
                out,
                "{server}: {place} has {keys} keys already; --merge adds to them, --replace empties it first"
            ),
            Self::Same { from, to } => write!(out, "{from} and {to} are the same server: nothing is copied"),
            Self::NotLokikv(server) => write!(
                out,
                "{server}: it is not LokiKV; what else is to be filled can load the file of `lokikv export`"
            ),
            Self::SeveralDatabases => out.write_str(
                "keys of several databases do not go into one collection: name one of them by redis://host:port/DB",
            ),
            Self::Incomplete(what) => out.write_str(what),
            Self::Resumable(why) => write!(out, "{why}; the same command goes on from here"),
        }
    }
}

impl std::error::Error for LiveError {}

impl From<TlsError> for LiveError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}
