//! What a command can answer instead of its reply: Redis's errors, with their exact texts.

use std::borrow::Cow;
use std::fmt;

use crate::config::refusal::ParamsError;
use crate::engine::txn::WrongType;

/// An error reply. `Display` gives the text clients match on, prefix included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CmdError {
    /// `ERR syntax error`
    Syntax,
    /// The value or argument is not an integer in range.
    NotInteger,
    /// The value or argument is not a float.
    NotFloat,
    /// The key holds another type.
    WrongType,
    /// An argument is outside what the command allows.
    OutOfRange,
    /// `ERR no such key`
    NoSuchKey,
    /// There is no memory for what needs some.
    OutOfMemory,
    /// Wrong number of arguments; holds the command's name (`config|set` for a subcommand).
    Arity(String),
    /// Any other text, prefix included.
    Text(Cow<'static, str>),
    /// A text that quotes what the client sent, byte for byte.
    Quoting(Vec<u8>),
}

/// Longest part of a name that most errors quote, bytes.
pub const QUOTED_BYTES_MAX: usize = 128;

impl CmdError {
    /// The data is not there yet.
    pub const LOADING: Self = Self::text("LOADING Redis is loading the dataset in memory");

    /// A fixed text, prefix included.
    pub const fn text(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A text around bytes of the client, of which at most `bytes_max` are shown.
    pub fn quoting(before: &str, quoted: &[u8], bytes_max: usize, after: &str) -> Self {
        Self::Quoting([before.as_bytes(), shown(quoted, bytes_max), after.as_bytes()].concat())
    }

    /// The whole text as it is sent.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Quoting(bytes) => Cow::Borrowed(bytes),
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            other => Cow::Owned(other.to_string().into_bytes()),
        }
    }
}

/// What an error shows of a client's bytes: like Redis, which prints C strings, only what is before a NUL.
pub fn shown(bytes: &[u8], bytes_max: usize) -> &[u8] {
    let bytes = bytes.get(..bytes_max).unwrap_or(bytes);
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

impl fmt::Display for CmdError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => out.write_str("ERR syntax error"),
            Self::NotInteger => out.write_str("ERR value is not an integer or out of range"),
            Self::NotFloat => out.write_str("ERR value is not a valid float"),
            Self::WrongType => out.write_str("WRONGTYPE Operation against a key holding the wrong kind of value"),
            Self::OutOfRange => out.write_str("ERR value is out of range, must be positive"),
            Self::NoSuchKey => out.write_str("ERR no such key"),
            Self::OutOfMemory => out.write_str("OOM command not allowed when used memory > 'maxmemory'."),
            Self::Arity(name) => write!(out, "ERR wrong number of arguments for '{name}' command"),
            Self::Text(text) => out.write_str(text),
            Self::Quoting(bytes) => out.write_str(&String::from_utf8_lossy(bytes)),
        }
    }
}

impl From<WrongType> for CmdError {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}

impl From<ParamsError> for CmdError {
    fn from(error: ParamsError) -> Self {
        error.to_string().into()
    }
}

impl From<String> for CmdError {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

#[cfg(test)]
mod tests {
    use super::{CmdError, shown};

    #[test]
    fn quotes_like_c() {
        assert_eq!(shown(b"ab\0c", 9), b"ab");
        assert_eq!(shown(b"abcd", 3), b"abc");
        assert_eq!(shown(b"", 3), b"");
        let error = CmdError::quoting("ERR '", b"\xff\0x", 128, "'");
        assert_eq!(&*error.bytes(), b"ERR '\xff'");
        assert_eq!(&*CmdError::Syntax.bytes(), b"ERR syntax error");
    }
}
