//! Numbers as texts, in each of the ways that scripts see them.

use crate::resp::format_shortest;

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

/// The fewest digits that are read as the same double, written as Redis 8 does; what is no number has a sign, too.
pub(super) fn shortest(number: f64) -> String {
    match number.is_nan() && number.is_sign_negative() {
        true => "-nan".into(),
        false => format_shortest(number),
    }
}

#[cfg(test)]
mod tests {
    use super::{exact_i64, shortest, to_i64};

    #[test]
    fn what_is_no_number_has_a_sign() {
        assert_eq!((shortest(-f64::NAN), shortest(f64::NAN)), ("-nan".into(), "nan".into()));
        assert_eq!((shortest(-0.5), shortest(1e17)), ("-0.5".into(), "1e+17".into()));
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
