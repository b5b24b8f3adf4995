//! `f64` arguments: what `ZADD` and its like accept.
//!
//! **Invariant**: reading accepts what `strtod` does (hexadecimal floats and infinities too), but no NaN and nothing
//! that over- or underflows, unless a function says otherwise.

use super::float_text::{Digits, Literal, scan};
use super::magnitude::{Format, round};

const DOUBLE: Format = Format {
    precision: 53,
    exponent_min: -1074,
    exponent_max: 1024,
};

/// As many decimal digits as any double has.
const FEW_DIGITS: usize = 15;

/// Reads a whole text as a double. O(length).
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if let Some(whole) = few_digits(text) {
        return Some(whole);
    }
    let (negative, literal) = scan(text)?;
    let magnitude = match literal {
        Literal::Nan => return None,
        Literal::Infinite => f64::INFINITY,
        Literal::Decimal(digits) => {
            // The sign was judged already; what is left is within what the standard library reads.
            let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
            in_range(value.abs(), &digits)?
        }
        Literal::Hexadecimal(digits) => in_range(hexadecimal(&digits)?, &digits)?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// The number that a few decimal digits are, and nothing else: the most frequent ones, and exact.
fn few_digits(text: &[u8]) -> Option<f64> {
    if text.is_empty() || text.len() > FEW_DIGITS {
        return None;
    }
    let mut value: u64 = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value as f64)
}

/// Reads a text as the bounds of score ranges and weights of `SORT` are read: nothing at all is zero, what is too large
/// is infinite and what is too small is zero. A NUL ends the text. No NaN, and nothing hexadecimal.
pub fn parse_lenient(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let (negative, literal) = scan(text)?;
    let magnitude = match literal {
        Literal::Nan | Literal::Hexadecimal(_) => return None,
        Literal::Infinite => f64::INFINITY,
        Literal::Decimal(_) => std::str::from_utf8(text).ok()?.parse::<f64>().ok()?.abs(),
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn in_range(magnitude: f64, digits: &Digits<'_>) -> Option<f64> {
    let overflow = magnitude.is_infinite();
    let underflow = magnitude == 0.0 && !digits.is_zero();
    (!overflow && !underflow).then_some(magnitude)
}

fn hexadecimal(digits: &Digits<'_>) -> Option<f64> {
    let (value, exponent, inexact) = digits.hexadecimal_value();
    let (significand, exponent) = round(DOUBLE, value, exponent, inexact)?;
    // Rounding left at most 53 bits and an exponent of at least -1074, so shifting up stays in the format.
    let shift = i64::from(significand.leading_zeros())
        .saturating_sub(11)
        .min(exponent - DOUBLE.exponent_min)
        .max(0);
    let (significand, exponent) = (significand << shift, exponent - shift);
    let biased = if significand >> 52 == 0 { 0 } else { exponent + 1075 };
    Some(f64::from_bits((biased as u64) << 52 | (significand & ((1 << 52) - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_leniently() {
        for (text, expected) in [
            ("", Some(0.0)),
            ("+1.5", Some(1.5)),
            ("1e400", Some(f64::INFINITY)),
            ("-1e-400", Some(-0.0)),
            ("5\0x", Some(5.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            (" ", None),
            (" 1", None),
            ("0x1", None),
            ("1 ", None),
            ("nan", None),
            ("0x", None),
        ] {
            assert_eq!(parse_lenient(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn read() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("007", Some(7.0)),
            ("999999999999999", Some(999_999_999_999_999.0)),
            ("9007199254740993", Some(9_007_199_254_740_992.0)),
            ("+1.5e1", Some(15.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("0x10", Some(16.0)),
            ("-0x1.8p-2", Some(-0.375)),
            ("0x1.fffffffffffff8p0", Some(2.0)),
            ("0x1.00000000000008p0", Some(1.0)),
            (
                "0x1.000000000000080000000000000000000000000000001p0",
                Some(1.0000000000000002),
            ),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p1023", Some(8.98846567431158e307)),
            ("4e-324", Some(5e-324)),
            ("0e-999999999999999999999", Some(0.0)),
            ("0x1p1024", None),
            ("0x1p-1075", None),
            ("1e400", None),
            ("1e-400", None),
            ("nan", None),
            ("nan(1)", None),
            (" 1", None),
            ("1_0", None),
            ("", None),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), expected, "{text}");
        }
    }
}
