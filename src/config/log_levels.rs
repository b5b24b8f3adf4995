//! How much is logged: a level for all, and levels of their own for parts of the server: `notice,lokikv::wal=debug`.
//!
//! **Invariants**
//! - The text of a value is canonical: the level for all comes first, in Redis's word, and each part is named once.
//! - Of several levels for one part the last one holds.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::{LogLevel, NotAWord};

/// More parts, or longer names, are refused.
const TARGETS_MAX: usize = 64;
const TARGET_BYTES_MAX: usize = 128;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevels {
    /// For what is not named.
    pub all: LogLevel,
    /// By the path of a module, which stands for those within it, too.
    pub targets: Vec<(String, LogLevel)>,
}

impl Default for LogLevels {
    fn default() -> Self {
        Self {
            all: LogLevel::Notice,
            targets: Vec::new(),
        }
    }
}

/// Why text does not tell levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotLevels {
    /// A word is no level.
    Level(NotAWord),
    /// What stands before `=` is no path of a module.
    Target(String),
    /// There are two levels for all.
    TwoForAll,
    /// There are too many parts.
    TooMany,
}

impl fmt::Display for NotLevels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(fault) => fault.fmt(out),
            Self::Target(target) => write!(out, "{target:?} is not the path of a module, such as lokikv::wal"),
            Self::TwoForAll => out.write_str("there are two levels for all: name the part that one of them is for"),
            Self::TooMany => write!(out, "more than {TARGETS_MAX} parts have levels of their own"),
        }
    }
}

impl std::error::Error for NotLevels {}

fn is_target(text: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    text.len() <= TARGET_BYTES_MAX && text.split("::").all(is_name)
}

impl FromStr for LogLevels {
    type Err = NotLevels;

    fn from_str(text: &str) -> Result<Self, NotLevels> {
        let (mut all, mut targets) = (None, Vec::<(String, LogLevel)>::new());
        for part in text.split(',').map(str::trim) {
            let level = |word: &str| LogLevel::parse(word.trim()).map_err(NotLevels::Level);
            let Some((target, word)) = part.split_once('=') else {
                if all.replace(level(part)?).is_some() {
                    return Err(NotLevels::TwoForAll);
                }
                continue;
            };
            let (target, level) = (target.trim(), level(word)?);
            if !is_target(target) {
                return Err(NotLevels::Target(target.to_owned()));
            }
            targets.retain(|(known, _)| known != target);
            if targets.len() == TARGETS_MAX {
                return Err(NotLevels::TooMany);
            }
            targets.push((target.to_owned(), level));
        }
        Ok(Self {
            all: all.unwrap_or(LogLevel::Notice),
            targets,
        })
    }
}

impl fmt::Display for LogLevels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.all)?;
        self.targets
            .iter()
            .try_for_each(|(target, level)| write!(out, ",{target}={level}"))
    }
}

impl Serialize for LogLevels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogLevels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::de::word(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        let levels: Result<LogLevels, NotLevels> = text.parse();
        levels
            .map(|levels| levels.to_string())
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn levels_have_one_form() {
        for (text, form) in [
            ("notice", "notice"),
            ("info,lokikv::wal=debug", "notice,lokikv::wal=debug"),
            ("lokikv::net = trace , warn", "warning,lokikv::net=debug"),
            ("lokikv=error", "notice,lokikv=error"),
            ("off,a=info,b=off,a=warn", "nothing,b=nothing,a=warning"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(form), "{text}");
            assert_eq!(parsed(form).as_deref(), Ok(form), "{form}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, part) in [
            ("", "\"\" is not one of: debug"),
            ("loud", "\"loud\" is not one of: debug"),
            ("notice,lokikv::wal=loud", "\"loud\" is not one of"),
            ("notice,debug", "two levels for all"),
            ("notice,=debug", "\"\" is not the path"),
            ("notice,a b=debug", "\"a b\" is not the path"),
            ("notice,a::=debug", "\"a::\" is not the path"),
        ] {
            assert!(parsed(text).unwrap_err().contains(part), "{text}: {:?}", parsed(text));
        }
        let many: Vec<String> = (0..65).map(|n| format!("t{n}=debug")).collect();
        assert!(parsed(&many.join(",")).unwrap_err().contains("more than 64"));
        assert!(parsed(&many[1..].join(",")).is_ok());
        assert!(parsed(&[&many[1..], &many[1..]].concat().join(",")).is_ok());
    }
}
