//! Integers as command arguments: what counts as one, in which range, and Redis's words when it does not.
//!
//! **Invariants**: [`parse_i64`] accepts exactly the texts that printing an `i64` can give, so a value accepted here is
//! the same bytes when it is printed again; that is also what makes a string "int" for `OBJECT ENCODING`.

/// What a command answers to an argument that should have been an integer.
pub const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
/// What a command answers to an argument that should have been a float.
pub const NOT_A_FLOAT: &str = "ERR value is not a valid float";
/// What a command answers to a negative number where only positive ones make sense.
pub const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";

pub use crate::resp::parse_i64;

use crate::resp::is_c_space;

/// A `u64` in canonical form.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => decimal(text),
        _ => None,
    }
}

/// The integer a string value is stored as, when it is the canonical text of one (`OBJECT ENCODING` `int`).
pub fn is_canonical_int(value: &[u8]) -> Option<i64> {
    parse_i64(value)
}

/// A `u64` as `strtoull` reads it, where Redis does (stream ids): spaces before, a sign and leading zeros are taken,
/// and a minus sign wraps around, except for canonical negative numbers, which are refused.
pub fn parse_u64_lenient(text: &[u8]) -> Option<u64> {
    if let Some(value) = parse_i64(text) {
        return u64::try_from(value).ok();
    }
    let (negative, magnitude) = strto_digits(text)?;
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// An `i64` as `strtoll` in base 10 reads it, if it reads to the end: spaces before, a sign and leading zeros are
/// taken.
pub fn parse_i64_lenient(text: &[u8]) -> Option<i64> {
    let (negative, magnitude) = strto_digits(text)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

fn strto_digits(text: &[u8]) -> Option<(bool, u64)> {
    let start = text.iter().position(|&byte| !is_c_space(byte))?;
    let (negative, digits) = match text.get(start..)? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        None
    } else {
        decimal(digits).map(|magnitude| (negative, magnitude))
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Why a ranged integer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// Not an integer at all.
    NotAnInteger,
    /// An integer, but not in the range.
    OutOfRange {
        /// Least value taken.
        min: i64,
        /// Greatest value taken.
        max: i64,
    },
    /// Negative, where the range is "zero and up".
    NotPositive,
}

impl std::fmt::Display for RangeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAnInteger => f.write_str(NOT_AN_INTEGER),
            Self::NotPositive => f.write_str(NOT_POSITIVE),
            Self::OutOfRange { min, max } => {
                write!(f, "ERR value is out of range, value must between {min} and {max}")
            }
        }
    }
}

impl std::error::Error for RangeError {}

/// A canonical integer between `min` and `max`, both included.
pub fn parse_i64_in(text: &[u8], min: i64, max: i64) -> Result<i64, RangeError> {
    let value = parse_i64(text).ok_or(RangeError::NotAnInteger)?;
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(RangeError::OutOfRange { min, max })
    }
}

/// A canonical integer that is zero or more.
pub fn parse_non_negative(text: &[u8]) -> Result<i64, RangeError> {
    parse_i64_in(text, 0, i64::MAX).map_err(|error| match error {
        RangeError::OutOfRange { .. } => RangeError::NotPositive,
        other => other,
    })
}

/// An amount of memory: digits and an optional unit, `b`, `k` (1000), `kb` (1024), `m`, `mb`, `g`, `gb`, in either
/// case.
///
/// As in Redis a bare unit is zero of it; unlike there, an amount above `u64::MAX` is refused instead of wrapping.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits_end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(digits_end)?;
    let multiplier: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    decimal(digits)?.checked_mul(multiplier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_integers() {
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        for text in [&b"18446744073709551616"[..], b"01", b"-1", b"+1", b""] {
            assert_eq!(parse_u64(text), None);
        }
        assert_eq!(parse_u64_lenient(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64_lenient(b" +007"), Some(7));
        assert_eq!(parse_u64_lenient(b"-1"), None);
        assert_eq!(parse_u64_lenient(b"-01"), Some(u64::MAX));
        assert_eq!(parse_u64_lenient(b"1 "), None);
        assert_eq!(parse_i64_lenient(b"\x0b-08"), Some(-8));
        assert_eq!(parse_i64_lenient(b"+"), None);
    }

    #[test]
    fn ranges() {
        assert_eq!(parse_i64_in(b"5", 0, 10), Ok(5));
        assert_eq!(
            parse_i64_in(b"11", 0, 10).map_err(|error| error.to_string()),
            Err("ERR value is out of range, value must between 0 and 10".to_owned())
        );
        assert_eq!(parse_non_negative(b"-1"), Err(RangeError::NotPositive));
        assert_eq!(parse_non_negative(b"x"), Err(RangeError::NotAnInteger));
    }

    #[test]
    fn memory_amounts() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("100B", Some(100)),
            ("2k", Some(2000)),
            ("2kb", Some(2048)),
            ("3Mb", Some(3 << 20)),
            ("3m", Some(3_000_000)),
            ("1GB", Some(1 << 30)),
            ("1g", Some(1_000_000_000)),
            ("kb", Some(0)),
            ("-1", None),
            ("1tb", None),
            ("1 kb", None),
            ("20000000000gb", None),
        ] {
            assert_eq!(parse_memory(text.as_bytes()), bytes, "{text}");
        }
    }
}
