//! Names of collections, as arguments give them.
//!
//! **Invariant:** a valid name for a new collection is safe as a folder's name, cannot be mistaken for a database's
//! number, and never needs quotes in a client.

use crate::commands::error::{CmdError, QUOTED_BYTES_MAX};
use crate::engine::index::Kind;

/// Longest name, bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// The name of a collection that should exist.
pub fn existing(argument: &[u8]) -> Result<&str, CmdError> {
    std::str::from_utf8(argument).map_err(|_| no_such(argument))
}

/// What to say when there is no collection of that name.
pub fn no_such(argument: &[u8]) -> CmdError {
    format!("ERR no such collection '{}'", String::from_utf8_lossy(argument)).into()
}

/// The name of a collection to be made.
pub fn fresh(argument: &[u8]) -> Result<&str, CmdError> {
    let invalid = |reason: &str| CmdError::from(format!("ERR invalid collection name: {reason}"));
    let name = std::str::from_utf8(argument).map_err(|_| invalid("it is not UTF-8"))?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(invalid("it must have 1 to 128 bytes"));
    }
    if name.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(invalid("it contains spaces or control characters"));
    }
    if name.contains(['/', '\\']) {
        return Err(invalid("it contains a slash"));
    }
    if name.starts_with('.') {
        return Err(invalid("it begins with a dot"));
    }
    let digits = name.strip_prefix(['-', '+']).unwrap_or(name);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid("it is a number, and numbers mean numbered databases"));
    }
    Ok(name)
}

/// A name that a collection may have: one that somebody could give, or a numbered database's.
pub fn any(argument: &[u8]) -> Result<String, CmdError> {
    let is_number = !argument.is_empty() && argument.iter().all(u8::is_ascii_digit);
    let name = if is_number { existing(argument) } else { fresh(argument) };
    name.map(|name| if name == "0" { "default" } else { name }.to_owned())
}

/// The kind an argument names.
pub fn kind(argument: &[u8]) -> Result<Kind, CmdError> {
    let named = |kind: &Kind| kind.name().as_bytes().eq_ignore_ascii_case(argument);
    Kind::ALL.into_iter().find(named).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::name).join(", ");
        CmdError::quoting(
            "ERR unknown collection kind '",
            argument,
            QUOTED_BYTES_MAX,
            &format!("', known are {known}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_given() {
        for name in ["users", "a", "übersicht", "a-b_c.d", "v2", "1a", "-", &"x".repeat(128)] {
            assert_eq!(fresh(name.as_bytes()).ok(), Some(name));
        }
    }

    #[test]
    fn names_that_may_not() {
        let long = "x".repeat(129);
        for name in [
            "", &long, "a b", "a\tb", "a\nb", "a/b", "/a", "a\\b", "..", ".hidden", "7", "-7", "+007", "a\u{7f}",
            "a\u{a0}b",
        ] {
            assert!(fresh(name.as_bytes()).is_err(), "{name:?}");
        }
        assert!(fresh(b"\xff\xfe").is_err());
    }

    #[test]
    fn kinds() {
        assert_eq!(kind(b"HMAP"), Ok(Kind::Hmap));
        assert_eq!(kind(b"bdef"), Ok(Kind::Bdef));
        assert_eq!(kind(b"bCust"), Ok(Kind::Bcust));
        let error = kind(b"tree").expect_err("there is no such kind");
        assert_eq!(
            error.to_string(),
            "ERR unknown collection kind 'tree', known are hmap, bdef, bcust"
        );
    }
}
