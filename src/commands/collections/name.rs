//! Names of collections, as arguments give them.
//!
//! **Invariant:** a valid name for a new collection is safe as a folder's name, cannot be mistaken for a database's
//! number, and never needs quotes in a client.

use crate::commands::error::CmdError;
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

/// What to say of the ordered kinds.
pub const ORDERED_KINDS: CmdError =
    CmdError::text("ERR ordered kinds (bdef, bcust) are not in this version, only hmap is");

/// The kind an argument names.
pub fn kind(argument: &[u8]) -> Result<Kind, CmdError> {
    match argument.to_ascii_lowercase().as_slice() {
        b"hmap" => Ok(Kind::Hmap),
        b"bdef" | b"bcust" => Err(ORDERED_KINDS),
        _ => Err(format!(
            "ERR unknown collection kind '{}', known is hmap",
            String::from_utf8_lossy(argument)
        )
        .into()),
    }
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
        assert_eq!(kind(b"bdef"), Err(ORDERED_KINDS));
        assert!(kind(b"tree").is_err());
    }
}
