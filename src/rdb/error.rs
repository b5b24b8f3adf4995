//! What can be wrong with a file or a payload.
//!
//! **Invariant:** an error of the bytes tells how far they made sense and, behind a key's name, of which key it is.

use std::borrow::Cow;
use std::fmt;
use std::io;

use super::code::kind;
use super::version::Version;

/// Why reading stops.
#[derive(Debug)]
pub enum Reason {
    /// The input could not be read.
    Io(io::Error),
    /// The input ends where there should be more.
    Short,
    /// The input is not a file of this format.
    NotRdb,
    /// The version is one that is not known.
    Version(Version),
    /// The bytes make no sense.
    Bad(Cow<'static, str>),
    /// The bytes are a value that cannot be kept.
    Unsupported(String),
}

impl Reason {
    pub(super) fn bad<T>(what: &'static str) -> Result<T, Self> {
        Err(Self::Bad(Cow::Borrowed(what)))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "reading failed: {error}"),
            Self::Short => f.write_str("the input ends too early"),
            Self::NotRdb => f.write_str("this is not an RDB file"),
            Self::Version(version) => {
                write!(f, "{version} is not known (Redis's 1 to 13 and Valkey's 80 are)")
            }
            Self::Bad(what) => f.write_str(what),
            Self::Unsupported(what) => f.write_str(what),
        }
    }
}

/// Why reading stops, and where.
#[derive(Debug)]
pub struct Error {
    /// How many bytes had been read.
    pub offset: u64,
    /// The version of the format, if that was known.
    pub version: Option<Version>,
    /// The key whose value it was.
    pub key: Option<Vec<u8>>,
    /// The type of that value, as the format numbers it.
    pub kind: Option<u8>,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "key \"{}\", ", key.escape_ascii())?;
        }
        if let Some(code) = self.kind {
            write!(f, "type {code} ({}), ", kind::name(code))?;
        }
        if let Some(version) = self.version {
            write!(f, "{version}, ")?;
        }
        write!(f, "before byte {}: {}", self.offset, self.reason)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Io(error) => Some(error),
            _ => None,
        }
    }
}
