//! `f64` arguments and replies: what `ZADD` and its like accept, and how Redis prints a double.
//!
//! **Invariants**: reading accepts what `strtod` does (hexadecimal floats and infinities too), but no NaN and nothing
//! that over- or underflows; printing is C's `%.17g`, so that what is printed reads back as the same double.

use super::float_text::{Digits, Literal, scan};
use super::long_double::LongDouble;
use super::magnitude::{Format, round};
use super::number::is_c_space;

const DOUBLE: Format = Format {
    precision: 53,
    exponent_min: -1074,
    exponent_max: 1024,
};

/// Reads a whole text as a double. O(length).
pub fn parse_f64(text: &[u8]) -> Option<f64> {
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

/// Reads a text as `strtod` alone does, for the bounds of score ranges: space may stand before the number, nothing at
/// all is zero, what is too large is infinite and what is too small is zero. A NUL ends the text. No NaN.
pub fn parse_strtod(text: &[u8]) -> Option<f64> {
    let text = strtod_text(text)?;
    if text.is_empty() {
        return Some(0.0);
    }
    let (negative, literal) = scan(text)?;
    let magnitude = match literal {
        Literal::Nan => return None,
        Literal::Infinite => f64::INFINITY,
        Literal::Decimal(_) => std::str::from_utf8(text).ok()?.parse::<f64>().ok()?.abs(),
        Literal::Hexadecimal(digits) => hexadecimal(&digits).unwrap_or(f64::INFINITY),
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Reads a text as a weight of `SORT`: as [`parse_strtod`], but nothing that is too large or too small.
pub fn parse_sort_weight(text: &[u8]) -> Option<f64> {
    match strtod_text(text)? {
        [] => Some(0.0),
        text => parse_f64(text),
    }
}

/// What `strtod` reads of a text that it takes for a C string; nothing of nothing, but not nothing of spaces.
fn strtod_text(text: &[u8]) -> Option<&[u8]> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(text);
    }
    let start = text.iter().position(|byte| !is_c_space(*byte))?;
    text.get(start..)
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

/// A double as `addReplyDouble` prints it: `%.17g`, or `inf`, `-inf`, `nan`.
pub fn format_f64(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 {
            "inf".to_owned()
        } else {
            "-inf".to_owned()
        };
    }
    let scientific = format!("{value:.16e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    format!("{sign}{}", place_point(digits, exponent))
}

/// `digits` (without trailing zeros) with the point after the first one, × 10^`exponent`, in the style of `%g`.
fn place_point(digits: &str, exponent: i32) -> String {
    let (head, tail) = digits.split_at_checked(1).unwrap_or(("0", ""));
    if !(-4..17).contains(&exponent) {
        let point = if tail.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{head}{point}{tail}e{sign}{:02}", exponent.unsigned_abs());
    }
    let size = exponent.unsigned_abs() as usize;
    if digits.is_empty() {
        return "0".to_owned();
    }
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat(size - 1));
    }
    match digits.split_at_checked(size + 1) {
        None | Some((_, "")) => format!("{digits:0<width$}", width = size + 1),
        Some((integer, fraction)) => format!("{integer}.{fraction}"),
    }
}

/// A double in the fixed-point form of `INCRBYFLOAT` (geo coordinates, for example); `nan` for NaN.
pub fn format_human(value: f64) -> String {
    LongDouble::from_f64(value).map_or_else(|| "nan".to_owned(), LongDouble::to_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (10.0, "10"),
            (0.1, "0.10000000000000001"),
            (-1.5, "-1.5"),
            (100.25, "100.25"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (4e-324, "4.9406564584124654e-324"),
            (2f64.powi(49) + 0.125, "562949953421312.12"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(format_f64(value), expected);
        }
        assert_eq!(format_human(13.5), "13.5");
    }

    #[test]
    fn read_as_strtod_does() {
        for (text, expected) in [
            ("", Some(0.0)),
            (" \t1.5", Some(1.5)),
            ("1e400", Some(f64::INFINITY)),
            ("-1e-400", Some(-0.0)),
            ("0x1p2000", Some(f64::INFINITY)),
            ("5\0x", Some(5.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            (" ", None),
            ("1 ", None),
            ("nan", None),
            ("0x", None),
        ] {
            assert_eq!(parse_strtod(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn read() {
        for (text, expected) in [
            ("1", Some(1.0)),
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
