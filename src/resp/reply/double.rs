//! Doubles as Redis 8 prints them in replies, in the fewest digits; and in a number of digits that is asked for, as C's
//! `%.17g` does.

use std::fmt::Write as _;

/// Up to here Redis writes integers in full.
const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;

/// `value` in the fewest digits that are read as the same double: `3`, `3.1`, `100000000000000000`, `1e-7`, `1.5e+300`,
/// `inf`, `-inf`, `nan`.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub fn format_double(value: f64) -> String {
    if value.trunc() == value && value.abs() <= INTEGER_MAX && value != 0.0 {
        return (value as i64).to_string();
    }
    format_shortest(value)
}

/// As [`format_double`], but large integers have exponents, too: `1e+17`.
#[must_use]
pub fn format_shortest(value: f64) -> String {
    if let Some(name) = name_of(value) {
        return name.into();
    }
    Scientific::of(&format!("{value:e}")).written_shortest()
}

/// What no digits say.
fn name_of(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("nan"),
        f64::INFINITY => Some("inf"),
        f64::NEG_INFINITY => Some("-inf"),
        _ => None,
    }
}

/// `value` with so many significant digits, at least one.
#[must_use]
pub fn format_general(value: f64, digits: u8) -> String {
    if let Some(name) = name_of(value) {
        return name.into();
    }
    let count = usize::from(digits.max(1));
    // The fewest digits that are read as this number are those that it has with up to `SURE_DIGITS`, if they are
    // enough.
    let is_sure = count <= SURE_DIGITS && !value.is_subnormal();
    let shortest = is_sure.then(|| Scientific::of(&format!("{value:e}")));
    let shortest = shortest.filter(|shortest| shortest.digits.len() <= count);
    // Rust rounds correctly to the digits asked for, so this is C's `%.16e` of 17 but for how the exponent is written.
    let scientific = shortest.unwrap_or_else(|| Scientific::of(&format!("{value:.*e}", count - 1)));
    scientific.written(count)
}

/// Every decimal of up to so many digits is what is got back from the normal double that it is read as: C's `DBL_DIG`.
const SURE_DIGITS: usize = 15;

/// A number as digits, without zeros at their end, behind the first of which is the point; and a power of ten.
struct Scientific {
    is_negative: bool,
    digits: String,
    exponent: i32,
}

impl Scientific {
    /// Of what Rust writes.
    fn of(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(mantissa) => (true, mantissa),
            None => (false, mantissa),
        };
        let mut digits: String = mantissa.chars().filter(|digit| *digit != '.').collect();
        digits.truncate(digits.trim_end_matches('0').len().max(1));
        Self {
            is_negative,
            digits,
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    /// As Redis 8 chooses for the fewest digits: few zeros at either end, else an exponent.
    fn written_shortest(&self) -> String {
        let mut text = self.begun();
        let count = i32::try_from(self.digits.len()).unwrap_or(i32::MAX);
        let last = self.exponent - count + 1;
        let is_plain = match last {
            0.. => self.exponent < count + 7,
            _ => last > -7 || self.exponent.abs() < 4,
        };
        if is_plain {
            self.write_plain(&mut text);
        } else {
            write_with_point(&mut text, &self.digits, 1);
            let _ = write!(text, "e{:+}", self.exponent);
        }
        text
    }

    fn begun(&self) -> String {
        let mut text = String::with_capacity(32);
        if self.is_negative {
            text.push('-');
        }
        text
    }

    /// As `%g` chooses where `count` digits were asked for.
    fn written(&self, count: usize) -> String {
        let mut text = self.begun();
        let is_plain = match usize::try_from(self.exponent) {
            Ok(exponent) => exponent < count,
            Err(_) => self.exponent >= -4,
        };
        if is_plain {
            self.write_plain(&mut text);
        } else {
            write_with_point(&mut text, &self.digits, 1);
            let sign = if self.exponent < 0 { '-' } else { '+' };
            let _ = write!(text, "e{sign}{:02}", self.exponent.unsigned_abs());
        }
        text
    }

    fn write_plain(&self, text: &mut String) {
        let Ok(exponent) = usize::try_from(self.exponent) else {
            text.push_str("0.");
            let zeros = self.exponent.unsigned_abs() - 1;
            text.extend((0..zeros).map(|_| '0'));
            return text.push_str(&self.digits);
        };
        write_with_point(text, &self.digits, exponent + 1);
    }
}

/// Writes digits with the point behind the first `whole` of them, with zeros if there are not as many.
fn write_with_point(text: &mut String, digits: &str, whole: usize) {
    match digits.split_at_checked(whole) {
        Some((whole, "")) => text.push_str(whole),
        Some((whole, fraction)) => {
            text.push_str(whole);
            text.push('.');
            text.push_str(fraction);
        }
        None => {
            text.push_str(digits);
            text.extend((digits.len()..whole).map(|_| '0'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn printf(value: f64, digits: u8) -> String {
        let mut out = [0u8; 64];
        // SAFETY: `out` is writable for the length given, the format is NUL-terminated and takes a number of digits
        // and a double.
        let len = unsafe {
            let digits = std::ffi::c_int::from(digits);
            libc::snprintf(out.as_mut_ptr().cast(), out.len(), c"%.*g".as_ptr(), digits, value)
        };
        String::from_utf8(out[..len as usize].to_vec()).unwrap()
    }

    #[test]
    fn equals_printf() {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let special = [
            0.0,
            -0.0,
            1.0,
            3.1,
            -2.5,
            1e15,
            1e16,
            1e17,
            1e-4,
            1e-5,
            123_456.789,
            f64::MAX,
            f64::MIN_POSITIVE,
        ];
        let bits = (0..20_000).map(|_| f64::from_bits(rng.random()));
        let mut rng2 = StdRng::seed_from_u64(seed);
        let scores = (0..20_000).map(|_| (rng2.random::<f64>() - 0.5) * 10f64.powi(rng2.random_range(-6..20)));
        for value in special
            .into_iter()
            .chain([5e-324, f64::INFINITY, f64::NEG_INFINITY])
            .chain(bits)
            .chain(scores)
        {
            if !value.is_nan() {
                assert_eq!(format_double(value).parse::<f64>(), Ok(value), "seed {seed}");
                for digits in [1, 2, 14, 15, 16, 17] {
                    assert_eq!(format_general(value, digits), printf(value, digits), "seed {seed}");
                }
            }
        }
        assert_eq!(
            (format_general(0.1, 14), format_general(1e15, 14)),
            ("0.1".into(), "1e+15".into())
        );
    }

    #[test]
    fn digits_are_as_few_as_can_be() {
        let known = [
            (1.5, "1.5"),
            (0.1, "0.1"),
            (0.0, "0"),
            (-0.0, "-0"),
            (1e7, "10000000"),
            (-1e17, "-100000000000000000"),
            (9.2e18, "9.2e+18"),
            (1e21, "1e+21"),
            (-123_456_789_012_345_680_000.0, "-123456789012345680000"),
            (1e15 + 0.5, "1000000000000000.5"),
            (0.0001, "0.0001"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (123e-9, "1.23e-7"),
            (1.25e-5, "1.25e-5"),
            (2.682_209_014_892_578e-6, "2.682209014892578e-6"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (-f64::NAN, "nan"),
        ];
        for (number, text) in known {
            assert_eq!(format_double(number), text);
        }
        assert_eq!(
            (format_shortest(1e17), format_shortest(12.0)),
            ("1e+17".into(), "12".into())
        );
    }
}
