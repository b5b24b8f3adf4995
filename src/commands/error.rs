//! What a command can answer instead of its reply: Redis's errors, with their exact texts.

use std::borrow::Cow;
use std::fmt;

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
    /// Wrong number of arguments; holds the command's name (`config|set` for a subcommand).
    Arity(String),
    /// Any other text, prefix included.
    Text(Cow<'static, str>),
}

impl CmdError {
    /// A fixed text, prefix included.
    pub const fn text(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
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
            Self::Arity(name) => write!(out, "ERR wrong number of arguments for '{name}' command"),
            Self::Text(text) => out.write_str(text),
        }
    }
}

impl From<WrongType> for CmdError {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}

impl From<String> for CmdError {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}
