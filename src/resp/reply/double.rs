//! Doubles as Redis 7.0 prints them in replies, and others with fewer digits: C's `%.17g`, `%.14g`.

use std::fmt::Write as _;

/// `value` as `%.17g`, enough digits to read every double back exactly: `3`, `3.1000000000000001`, `1e+17`, `inf`, `-inf`,
/// `nan`.
#[must_use]
pub fn format_double(value: f64) -> String {
    format_general(value, 17)
}

/// `value` with so many significant digits, at least one.
#[must_use]
pub fn format_general(value: f64, digits: u8) -> String {
    let last = i32::from(digits.max(1)) - 1;
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    // Rust rounds correctly to the digits asked for, so this is `%.16e` of 17 but for how the exponent is written.
    let scientific = format!("{value:.*e}", usize::try_from(last).unwrap_or(0));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..=last).contains(&exponent) {
        let decimals = usize::try_from(last - exponent).unwrap_or(0);
        return trim_zeros(&format!("{value:.decimals$}")).into();
    }
    let mut text: String = trim_zeros(mantissa).into();
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(text, "e{sign}{:02}", exponent.unsigned_abs());
    text
}

/// Without the zeros at the end of a fraction, and without a point that has nothing after it.
fn trim_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
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
                assert_eq!(format_double(value), printf(value, 17), "seed {seed}");
                for digits in [1, 2, 14] {
                    assert_eq!(format_general(value, digits), printf(value, digits), "seed {seed}");
                }
            }
        }
        assert_eq!(format_double(-f64::NAN), "nan");
        assert_eq!(
            (format_general(0.1, 14), format_general(1e15, 14)),
            ("0.1".into(), "1e+15".into())
        );
    }
}
