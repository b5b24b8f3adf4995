//! The first line of a library: `#!lua name=…`.

use crate::resp::words;
use std::fmt;

/// What names of libraries and functions are.
pub(super) const NAME_RULE: &str =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether a library or a function may have this name.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Why a first line names no library. `Display` is in Redis's words.
#[derive(Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// There is none.
    Missing,
    /// It has no end, or quotes that have none.
    Invalid,
    /// It says something else.
    Unknown(Vec<u8>),
    /// It gives several names.
    NamedTwice,
    /// It gives none.
    Unnamed,
    /// The name is none.
    BadName,
    /// The library is in another language.
    Engine(Vec<u8>),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("Missing library metadata"),
            Self::Invalid => f.write_str("Invalid library metadata"),
            Self::Unknown(part) => write!(f, "Invalid metadata value given: {}", String::from_utf8_lossy(part)),
            Self::NamedTwice => f.write_str("Invalid metadata value, name argument was given multiple times"),
            Self::Unnamed => f.write_str("Library name was not given"),
            Self::BadName => f.write_str(NAME_RULE),
            Self::Engine(name) => write!(f, "Engine '{}' not found", String::from_utf8_lossy(name)),
        }
    }
}

impl std::error::Error for HeaderError {}

/// The name that the first line gives.
///
/// # Errors
/// When that line is wrong.
pub fn library_name(code: &[u8]) -> Result<Vec<u8>, HeaderError> {
    if !code.starts_with(b"#!") {
        return Err(HeaderError::Missing);
    }
    // As C sees it, the code ends at its first NUL.
    let end = memchr::memchr2(b'\n', 0, code).filter(|end| code.get(*end) == Some(&b'\n'));
    let line = code.get(..end.ok_or(HeaderError::Invalid)?).unwrap_or_default();
    let line = words(line).map_err(|_| HeaderError::Invalid)?;
    let args = line.args();
    let engine = args.get(0).and_then(|engine| engine.get(2..)).unwrap_or_default();
    let mut name: Option<&[u8]> = None;
    for part in args.iter().skip(1) {
        let given = part
            .split_at_checked(b"name=".len())
            .filter(|(key, _)| key.eq_ignore_ascii_case(b"name="));
        let Some((_, given)) = given else {
            return Err(HeaderError::Unknown(part.to_vec()));
        };
        if name.replace(given).is_some() {
            return Err(HeaderError::NamedTwice);
        }
    }
    let name = name.ok_or(HeaderError::Unnamed)?;
    if !is_name(name) {
        return Err(HeaderError::BadName);
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(HeaderError::Engine(engine.to_vec()));
    }
    Ok(name.to_vec())
}

#[cfg(test)]
mod tests {
    use super::{NAME_RULE, library_name};

    #[test]
    fn the_first_line_names_a_library() {
        for (code, expected) in [
            ("#!lua name=a\n", "a"),
            ("#!LUA NAME=Ab_1\nx", "Ab_1"),
            ("#!lua name=\"a\"\nx", "a"),
            ("return 1", "Missing library metadata"),
            ("", "Missing library metadata"),
            ("#!lua name=a", "Invalid library metadata"),
            ("#!lua name=a\0b\nx", "Invalid library metadata"),
            ("#!lua \"\nx", "Invalid library metadata"),
            ("#!lua\nx", "Library name was not given"),
            ("#!\nx", "Library name was not given"),
            ("#! name=a\nx", "Engine '' not found"),
            ("#!js name=a\nx", "Engine 'js' not found"),
            ("#!lua name=a foo\nx", "Invalid metadata value given: foo"),
            (
                "#!lua name=a name=b\nx",
                "Invalid metadata value, name argument was given multiple times",
            ),
            ("#!js name=a-b\nx", NAME_RULE),
        ] {
            let said = match library_name(code.as_bytes()) {
                Ok(name) => String::from_utf8_lossy(&name).into_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(said, expected, "{code:?}");
        }
    }
}
