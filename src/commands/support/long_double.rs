//! The numbers of `INCRBYFLOAT` and `HINCRBYFLOAT`: the 80-bit extended floats that Redis computes with on x86-64.
//!
//! **Invariants**: 64 bits of significand, exponents from the 80-bit format, every operation rounded once, to nearest,
//! ties to even; so results are those of the x87 unit, bit for bit, on every machine.

use std::cmp::Ordering;

use crate::resp::float_text::{Digits, Literal, scan};
use crate::resp::magnitude::{Format, Magnitude, round};

const EXTENDED: Format = Format {
    precision: 64,
    exponent_min: -16_445,
    exponent_max: 16_384,
};

/// Longest text that is read as a long double, in bytes.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// What `INCRBYFLOAT` answers when the sum is not a number it could store.
pub const NAN_OR_INFINITY: &str = "ERR increment would produce NaN or Infinity";

/// An 80-bit extended float other than NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    value: Value,
}

/// The magnitude: significand × 2^exponent, significand below 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Finite { significand: u64, exponent: i64 },
    Infinite,
}

impl LongDouble {
    /// Zero.
    pub const ZERO: Self = Self {
        negative: false,
        value: Value::Finite {
            significand: 0,
            exponent: 0,
        },
    };

    /// One.
    pub const ONE: Self = Self {
        negative: false,
        value: Value::Finite {
            significand: 1,
            exponent: 0,
        },
    };

    /// The greatest number.
    pub const HIGHEST: Self = Self {
        negative: false,
        value: Value::Finite {
            significand: u64::MAX,
            exponent: EXTENDED.exponent_max - EXTENDED.precision as i64,
        },
    };

    /// The least number.
    pub const LOWEST: Self = Self {
        negative: true,
        ..Self::HIGHEST
    };

    /// Reads a whole text as `strtold` does, without spaces; NaN, and what over- or underflows, is not a number here.
    /// Infinity is. Constant time for everyday numbers, microseconds for the longest texts.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, literal) = scan(text)?;
        let value = match literal {
            Literal::Nan => return None,
            Literal::Infinite => Value::Infinite,
            Literal::Decimal(digits) | Literal::Hexadecimal(digits) if digits.is_zero() => Value::Finite {
                significand: 0,
                exponent: 0,
            },
            Literal::Decimal(digits) => finite(decimal(&digits)?)?,
            Literal::Hexadecimal(digits) => finite(digits.hexadecimal_value())?,
        };
        // An underflow to zero is out of range.
        let underflow = matches!((literal, value), (
            Literal::Decimal(digits) | Literal::Hexadecimal(digits),
            Value::Finite { significand: 0, .. },
        ) if !digits.is_zero());
        (!underflow).then_some(Self { negative, value })
    }

    /// The same number; every `i64` is exact.
    pub fn from_i64(value: i64) -> Self {
        Self {
            negative: value < 0,
            value: Value::Finite {
                significand: value.unsigned_abs(),
                exponent: 0,
            },
        }
    }

    /// The same number; every `f64` is exact. `None` for NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        let negative = value.is_sign_negative();
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(Self {
                negative,
                value: Value::Infinite,
            });
        }
        let bits = value.to_bits();
        let biased = ((bits >> 52) & 0x7ff) as i64;
        let fraction = bits & ((1 << 52) - 1);
        let (significand, exponent) = if biased == 0 {
            (fraction, -1074)
        } else {
            (fraction | 1 << 52, biased - 1075)
        };
        Some(Self {
            negative,
            value: Value::Finite { significand, exponent },
        })
    }

    /// The rounded sum, or `None` when it is infinite or not a number.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (Some(mut left), Some(mut right)) = (self.normalised(), other.normalised()) else {
            return None;
        };
        // Order by size, so that a difference cannot be negative.
        let (mut negative, mut opposite) = (self.negative, other.negative);
        if (left.1, left.0) < (right.1, right.0) {
            (left, right) = (right, left);
            (negative, opposite) = (opposite, negative);
        }
        let distance = u32::try_from(left.1 - right.1).unwrap_or(u32::MAX);
        let large = u128::from(left.0) << 63;
        let small = (u128::from(right.0) << 63).checked_shr(distance).unwrap_or(0);
        let lost = small.checked_shl(distance).unwrap_or(0) != u128::from(right.0) << 63;
        let sum = if negative == opposite {
            large + small
        } else {
            large - small - u128::from(lost)
        };
        let exponent = left.1 - 63;
        let value = finite((sum, exponent, lost))?;
        Some(Self {
            negative: negative && sum != 0,
            value,
        })
    }

    /// The significand with its top bit set, and its exponent; zero is smaller than all. `None` for infinity.
    fn normalised(self) -> Option<(u64, i64)> {
        match self.value {
            Value::Infinite => None,
            Value::Finite { significand: 0, .. } => Some((0, EXTENDED.exponent_min - 64)),
            Value::Finite { significand, exponent } => {
                let shift = significand.leading_zeros();
                Some((significand << shift, exponent - i64::from(shift)))
            }
        }
    }

    /// The same on the other side of zero.
    pub fn negated(self) -> Self {
        Self {
            negative: !self.negative,
            ..self
        }
    }

    /// How it compares with another; zeros are equal.
    pub fn compare(self, other: Self) -> Ordering {
        // Its sign, and its magnitude in an order: exponent before significand, infinity last.
        let order = |number: Self| match number.normalised() {
            Some((0, _)) => (0, (0, 0)),
            magnitude => {
                let sign = if number.negative { -1 } else { 1 };
                let (significand, exponent) = magnitude.unwrap_or((0, i64::MAX));
                (sign, (exponent, significand))
            }
        };
        let ((sign, magnitude), (other_sign, other_magnitude)) = (order(self), order(other));
        let by_magnitude = magnitude.cmp(&other_magnitude);
        let by_magnitude = if sign < 0 { by_magnitude.reverse() } else { by_magnitude };
        sign.cmp(&other_sign).then(by_magnitude)
    }

    /// Whether this is one of the infinities.
    pub fn is_infinite(self) -> bool {
        self.value == Value::Infinite
    }

    /// The text that Redis stores: fixed point, rounded to 17 decimals, without trailing zeros, never `-0`.
    pub fn to_text(self) -> String {
        let magnitude = match self.value {
            Value::Infinite => "inf".to_owned(),
            Value::Finite { significand, exponent } => match u32::try_from(-exponent) {
                Ok(scale) => fixed_point(significand, scale),
                Err(_) => {
                    let mut integer = Magnitude::from(significand);
                    integer.shift_left(exponent.unsigned_abs());
                    integer.into_decimal()
                }
            },
        };
        if self.negative && magnitude != "0" {
            format!("-{magnitude}")
        } else {
            magnitude
        }
    }
}

/// `significand` / 2^`scale` with 17 decimals, ties to even, trailing zeros removed.
fn fixed_point(significand: u64, scale: u32) -> String {
    const DECIMALS: usize = 17;
    let scaled = u128::from(significand) * 10u128.pow(DECIMALS as u32);
    let kept = scaled.checked_shr(scale).unwrap_or(0);
    let rest = scaled ^ kept.checked_shl(scale).unwrap_or(0);
    // Half a unit; at 2^128 and beyond it is more than any rest.
    let half = if scale == 0 {
        u128::MAX
    } else {
        1u128.checked_shl(scale - 1).unwrap_or(u128::MAX)
    };
    let rounded = kept + u128::from(rest > half || (rest == half && kept & 1 == 1));
    let digits = format!("{rounded:018}");
    let (integer, fraction) = digits
        .split_at_checked(digits.len() - DECIMALS)
        .unwrap_or((&digits, ""));
    match fraction.trim_end_matches('0') {
        "" => integer.to_owned(),
        fraction => format!("{integer}.{fraction}"),
    }
}

fn finite((value, exponent, inexact): (u128, i64, bool)) -> Option<Value> {
    round(EXTENDED, value, exponent, inexact).map(|(significand, exponent)| Value::Finite { significand, exponent })
}

/// Decimal digits as a binary number of more than 64 bits, or exact; `None` when far out of range.
fn decimal(digits: &Digits<'_>) -> Option<(u128, i64, bool)> {
    let Digits {
        integer,
        fraction,
        exponent,
    } = *digits;
    let all = || integer.iter().chain(fraction);
    let leading = all().take_while(|&&digit| digit == b'0').count();
    let trailing = all().rev().take_while(|&&digit| digit == b'0').count();
    let count = integer.len() + fraction.len() - leading - trailing;
    let exponent = exponent - fraction.len() as i64 + trailing as i64;
    let point = count as i64 + exponent;
    if !(-5_000..=5_000).contains(&point) {
        return None;
    }
    let significant = all().skip(leading).take(count);
    if count <= 19 && (-27..=0).contains(&exponent) {
        let value = significant.fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        return Some(small_ratio(value, exponent.unsigned_abs() as u32));
    }
    let mut value = Magnitude::from_decimal(significant);
    let power = Magnitude::power_of_5(exponent.unsigned_abs() as u32);
    if exponent < 0 {
        let (quotient, shift, inexact) = value.ratio(power);
        return Some((quotient, shift + exponent, inexact));
    }
    for _ in 0..exponent / 19 {
        value.multiply_add(10u64.pow(19), 0);
    }
    value.multiply_add(10u64.pow((exponent % 19) as u32), 0);
    Some(value.top())
}

/// `value` / 10^`power` where both `value` and 5^`power` fit a word: one wide division.
fn small_ratio(value: u64, power: u32) -> (u128, i64, bool) {
    let divisor = u128::from(5u64.pow(power));
    let shift = u128::from(value).leading_zeros();
    let dividend = u128::from(value) << shift;
    (
        dividend / divisor,
        -i64::from(shift) - i64::from(power),
        dividend % divisor != 0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(left: &str, right: &str) -> Option<String> {
        let sum = LongDouble::parse(left.as_bytes())?.checked_add(LongDouble::parse(right.as_bytes())?)?;
        Some(sum.to_text())
    }

    #[test]
    fn everyday_sums() {
        for (left, right, expected) in [
            ("10.5", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3", "1.2", "4.2"),
            ("1", "-1", "0"),
            ("0", "-1e-30", "0"),
            ("0.1", "0.2", "0.3"),
        ] {
            assert_eq!(sum(left, right).as_deref(), Some(expected), "{left} + {right}");
        }
        assert_eq!(sum("inf", "1"), None);
        assert_eq!(sum("1e4932", "1e4932"), None);
    }

    #[test]
    fn recorded_sums() {
        for line in include_str!("testdata/incrbyfloat.txt").lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let [left, right, expected] = fields[..] else {
                panic!("bad vector {line}")
            };
            assert_eq!(sum(left, right).as_deref(), Some(expected), "{left} + {right}");
        }
    }

    #[test]
    fn numbers_in_order() {
        let order = [
            "-inf", "-1e4932", "-1e10", "-2", "-1.5", "-1e-30", "0", "1e-30", "1", "1.5", "2", "3", "1e10", "inf",
        ];
        let numbers = order.map(|text| LongDouble::parse(text.as_bytes()).unwrap());
        for (at, one) in numbers.iter().enumerate() {
            for (other_at, other) in numbers.iter().enumerate() {
                assert_eq!(
                    one.compare(*other),
                    at.cmp(&other_at),
                    "{} {}",
                    order[at],
                    order[other_at]
                );
            }
        }
        let zero = LongDouble::ZERO;
        assert_eq!(zero.compare(zero.negated()), Ordering::Equal);
        assert_eq!(LongDouble::HIGHEST.compare(numbers[13]), Ordering::Less);
        assert_eq!(LongDouble::HIGHEST.checked_add(LongDouble::HIGHEST), None);
        assert_eq!(LongDouble::LOWEST.negated(), LongDouble::HIGHEST);
        assert_eq!(LongDouble::HIGHEST.to_text().len(), 4933);
    }

    #[test]
    fn limits() {
        for text in [
            "nan",
            "1e5000",
            "-1e5000",
            "1e-5000",
            "0x1p20000",
            "0x1p-20000",
            "",
            "1 ",
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert!(LongDouble::parse(b"-inf").is_some_and(LongDouble::is_infinite));
        assert!(LongDouble::parse(&[b'1'; 4000]).is_some());
        assert!(LongDouble::parse(&[b'0'; TEXT_BYTES_MAX]).is_some());
        assert!(LongDouble::parse(&[b'0'; TEXT_BYTES_MAX + 1]).is_none());
        assert_eq!(
            LongDouble::parse(b"1e-4950").map(LongDouble::to_text).as_deref(),
            Some("0")
        );
        assert_eq!(LongDouble::from_i64(i64::MIN).to_text(), i64::MIN.to_string());
        assert_eq!(
            LongDouble::from_f64(0.1).map(LongDouble::to_text).as_deref(),
            Some("0.10000000000000001")
        );
        assert_eq!(LongDouble::from_f64(f64::NAN), None);
    }
}
