//! Lua 5.1's patterns: what is one character of a pattern ([`classes`]), and the search for a match ([`matcher`]).
//!
//! A pattern is read as it is matched, as Lua does: what is wrong with it is an error only where a match gets there.

mod classes;
mod matcher;

pub(super) use matcher::{BYTES_PER_STEP, Captured, Match, Matcher};

/// A pattern as C sees it: it ends at its first NUL.
pub(super) fn until_nul(pattern: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, pattern).unwrap_or(pattern.len());
    pattern.get(..end).unwrap_or_default()
}

/// Whether a pattern is nothing but its own text.
pub(super) fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}
