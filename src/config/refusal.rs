//! Why a value, or a change of the configuration, is refused.
//!
//! **Invariant:** the texts are Redis's where Redis has one.

use std::fmt;
use std::io;

use ::config::ConfigError as LayerError;

use super::percentiles::NotPercentiles;

/// Why a parameter does not take a value.
#[derive(Debug)]
pub enum Refusal {
    /// It cannot be set at run time.
    Immutable,
    /// It is set in the file only.
    Protected,
    /// It is named twice, perhaps by two names.
    Duplicate,
    /// The value is no text.
    NotText,
    /// It is no whole number.
    NotInteger,
    /// It is a number out of bounds.
    OutOfRange {
        /// The least.
        min: i128,
        /// The greatest.
        max: i128,
    },
    /// It is no amount of memory.
    NotMemory,
    /// It is no amount of memory and no share.
    NotShare,
    /// It is neither yes nor no.
    NotYesNo,
    /// It is none of these words.
    NotAmong(&'static [&'static str]),
    /// It has a character that stands for no class of keyspace events.
    Events,
    /// It has something that is no percentile.
    Percentiles(NotPercentiles),
    /// It asks for a last checkpoint, and for none.
    SaveAndNot,
    /// It has something that is no save point.
    SavePoints,
    /// A limit on replies is not of four words.
    LimitWords,
    /// A limit on replies is of an unknown class of clients.
    LimitClass,
    /// A limit on replies is no amount, or its time no time.
    LimitValue,
    /// The schema has no such value.
    Schema(LayerError),
    /// It does not go with other values.
    Conflict(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Immutable => "can't set immutable config",
            Self::Protected => "can't set protected config",
            Self::Duplicate => "duplicate parameter",
            Self::NotText => "argument must be UTF-8 text",
            Self::NotInteger => "argument couldn't be parsed into an integer",
            Self::OutOfRange { min, max } => {
                return write!(out, "argument must be between {min} and {max} inclusive");
            }
            Self::NotMemory => "argument must be a memory value",
            Self::NotShare => "argument must be a memory or percent value",
            Self::NotYesNo => "argument must be 'yes' or 'no'",
            Self::NotAmong(words) => {
                return write!(out, "argument(s) must be one of the following: {}", words.join(", "));
            }
            Self::Events => "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
            Self::Percentiles(fault) => return fault.fmt(out),
            Self::SaveAndNot => "shutdown options SAVE and NOSAVE can't be used simultaneously",
            Self::SavePoints => "Invalid save parameters",
            Self::LimitWords => "Wrong number of arguments in buffer limit configuration.",
            Self::LimitClass => "Invalid client class specified in buffer limit configuration.",
            Self::LimitValue => "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            Self::Schema(error) => return write!(out, "{}", bare(error)),
            Self::Conflict(reason) => reason,
        })
    }
}

impl std::error::Error for Refusal {}

impl From<LayerError> for Refusal {
    fn from(error: LayerError) -> Self {
        Self::Schema(error)
    }
}

/// An error without its place, which is known better by the caller.
pub(super) fn bare(error: &LayerError) -> &LayerError {
    match error {
        LayerError::At { error, .. } => bare(error),
        other => other,
    }
}

/// Why CONFIG SET or CONFIG REWRITE did nothing; the text is the whole reply.
#[derive(Debug)]
pub enum ParamsError {
    /// There is no such parameter.
    Unknown(String),
    /// A parameter does not take its value.
    Refused {
        /// The parameter, as it was named.
        name: String,
        /// Why.
        why: Refusal,
    },
    /// There is no file to rewrite.
    NoFile,
    /// The file cannot be rewritten.
    Rewrite(io::Error),
}

impl fmt::Display for ParamsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(
                    out,
                    "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                )
            }
            Self::Refused { name, why } => {
                write!(
                    out,
                    "ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"
                )
            }
            Self::NoFile => out.write_str("ERR The server is running without a config file"),
            Self::Rewrite(error) => {
                let text = error.to_string();
                let text = text.split(" (os error").next().unwrap_or_default();
                write!(out, "ERR Rewriting config file: {}", text.replace(['\r', '\n'], " "))
            }
        }
    }
}

impl std::error::Error for ParamsError {}

/// Why an argument of the command line is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentError {
    /// It has another form.
    Form(&'static str),
    /// It is no log sequence number.
    NotAnLsn(String),
    /// It is no number of a database.
    NotADatabase(String),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(form) => write!(out, "write {form}"),
            Self::NotAnLsn(text) => write!(out, "{text:?} is not an LSN"),
            Self::NotADatabase(text) => write!(out, "{text:?} is not the number of a database"),
        }
    }
}

impl std::error::Error for ArgumentError {}
