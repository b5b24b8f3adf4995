//! The grammar of a float argument: what C's `strtod` family accepts when it must read the text to its end.
//!
//! **Invariants**: only syntax is judged here; no leading space is accepted, nothing may follow the number.

use super::number::is_c_space;

/// A float as it was written, sign apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal<'a> {
    Nan,
    Infinite,
    Decimal(Digits<'a>),
    Hexadecimal(Digits<'a>),
}

/// The digits of a finite float: `integer.fraction` × 10^exponent, or in hexadecimal × 2^exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits<'a> {
    pub integer: &'a [u8],
    pub fraction: &'a [u8],
    pub exponent: i64,
}

/// Exponents are read up to this size; no argument is long enough to bring a larger one back into range.
const EXPONENT_MAX: i64 = 1 << 48;

/// Reads the whole of `text` as a float; whether it is negative, and its magnitude as written.
pub fn scan(text: &[u8]) -> Option<(bool, Literal<'_>)> {
    if text.first().is_some_and(|&byte| is_c_space(byte)) {
        return None;
    }
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    Some((negative, magnitude(rest)?))
}

fn magnitude(text: &[u8]) -> Option<Literal<'_>> {
    if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
        return Some(Literal::Infinite);
    }
    if text.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"nan")) {
        return Some(Literal::Nan);
    }
    match text {
        [b'0', b'x' | b'X', digits @ ..] => finite(digits, u8::is_ascii_hexdigit, b'p').map(Literal::Hexadecimal),
        digits => finite(digits, u8::is_ascii_digit, b'e').map(Literal::Decimal),
    }
}

fn finite(text: &[u8], is_digit: fn(&u8) -> bool, exponent_mark: u8) -> Option<Digits<'_>> {
    let (integer, rest) = split_digits(text, is_digit)?;
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => split_digits(rest, is_digit)?,
        rest => (&[][..], rest),
    };
    if integer.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match rest {
        [] => 0,
        [mark, rest @ ..] if mark.eq_ignore_ascii_case(&exponent_mark) => exponent(rest)?,
        _ => return None,
    };
    Some(Digits {
        integer,
        fraction,
        exponent,
    })
}

fn split_digits(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !is_digit(byte)).unwrap_or(text.len());
    text.split_at_checked(end)
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0i64, |size, byte| {
        (size * 10 + i64::from(byte - b'0')).min(EXPONENT_MAX)
    });
    Some(if negative { -size } else { size })
}

impl Digits<'_> {
    /// Whether every digit is zero.
    pub fn is_zero(&self) -> bool {
        self.integer.iter().chain(self.fraction).all(|&digit| digit == b'0')
    }

    /// Hexadecimal digits as an integer: `value` × 2^`exponent`, and whether anything non-zero lies below `value`.
    pub fn hexadecimal_value(&self) -> (u128, i64, bool) {
        let (mut value, mut inexact) = (0u128, false);
        let mut exponent = self
            .exponent
            .saturating_sub(4 * i64::try_from(self.fraction.len()).unwrap_or(EXPONENT_MAX));
        for &byte in self.integer.iter().chain(self.fraction) {
            let digit = (byte as char).to_digit(16).unwrap_or(0);
            if value >> 124 == 0 {
                value = value << 4 | u128::from(digit);
            } else {
                inexact |= digit != 0;
                exponent += 4;
            }
        }
        (value, exponent, inexact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        for text in [
            "1",
            "-1",
            "+1.",
            ".5",
            "1e5",
            "1E+5",
            "1.5e-5",
            "inf",
            "-INFINITY",
            "nan",
            "0x1",
            "0X.8p-1",
            "00",
        ] {
            assert!(scan(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "", " 1", "1 ", "-", ".", "e5", "1e", "1e+", "0x", "0x.", "0x1p", "0x1e+5", "infi", "1,5", "--1", "1\0",
        ] {
            assert!(scan(text.as_bytes()).is_none(), "{text}");
        }
    }
}
