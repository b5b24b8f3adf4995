//! Numbers as texts, in each of the ways that scripts see them.

/// What C makes of a double as an integer: the lowest for all that is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the range is checked"
)]
#[must_use]
pub(super) fn to_i64(number: f64) -> i64 {
    if number >= i64::MIN as f64 && number < i64::MAX as f64 {
        number as i64
    } else {
        i64::MIN
    }
}

/// What C makes of a double as an integer without a sign, what is out of range included.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
#[must_use]
pub(super) fn to_u64(number: f64) -> u64 {
    const END: f64 = 18_446_744_073_709_551_616.0;
    if number < 0.0 {
        to_i64(number).cast_unsigned()
    } else if number < END {
        number as u64
    } else if number.is_nan() {
        1 << 63
    } else {
        0
    }
}

/// The integer that a double is, if it is one.
#[expect(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "equal or not is the question"
)]
pub(super) fn exact_i64(number: f64) -> Option<i64> {
    let integer = to_i64(number);
    (integer as f64 == number && integer != i64::MIN).then_some(integer)
}

/// The fewest digits that are read as the same double, written as Redis 8 does.
pub(super) fn shortest(number: f64) -> String {
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if !number.is_finite() {
        return format!("{sign}{}", if number.is_nan() { "nan" } else { "inf" });
    }
    if number == 0.0 {
        return format!("{sign}0");
    }
    let text = format!("{:e}", number.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{sign}{}", placed(&digits, exponent))
}

/// `digits`, the first of which counts `10^exponent`.
fn placed(digits: &str, exponent: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let last = exponent - count + 1;
    let (first, others) = digits.split_at(1);
    if last >= 0 && exponent.abs() < count + 7 {
        return format!("{digits}{}", zeros(last));
    }
    if last < 0 && (last > -7 || exponent.abs() < 4) {
        let whole = usize::try_from(exponent + 1).unwrap_or(0);
        return match digits.split_at_checked(whole) {
            Some((whole, rest)) if !whole.is_empty() => format!("{whole}.{rest}"),
            _ => format!("0.{}{digits}", zeros(-exponent - 1)),
        };
    }
    let point = if others.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{others}e{sign}{}", exponent.abs())
}

fn zeros(n: i32) -> String {
    "0".repeat(usize::try_from(n).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{exact_i64, shortest, to_i64};

    #[test]
    fn digits_are_as_few_as_can_be() {
        let known = [
            (1.5, "1.5"),
            (0.1, "0.1"),
            (-0.0, "-0"),
            (1e100, "1e+100"),
            (1e21, "1e+21"),
            (1e7, "10000000"),
            (1e15 + 0.5, "1000000000000000.5"),
            (1e-7, "1e-7"),
            (0.000_001, "0.000001"),
            (123e-9, "1.23e-7"),
            (1.25e-5, "1.25e-5"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, text) in known {
            assert_eq!(shortest(number), text);
        }
    }

    #[test]
    fn what_is_no_integer_is_the_lowest() {
        assert_eq!(
            (to_i64(3.99), to_i64(-3.99), to_i64(1e300), to_i64(f64::NAN)),
            (3, -3, i64::MIN, i64::MIN)
        );
        assert_eq!((exact_i64(2.0), exact_i64(2.5), exact_i64(1e19)), (Some(2), None, None));
    }
}
