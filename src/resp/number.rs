//! Strict decimal integers, as the protocol and most commands want them, and what C takes for a space.

/// Parses a whole decimal `i64`: an optional `-`, no `+`, no leading zero, no space, no `-0`. O(length), length ≤ 20.
#[must_use]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.len() > 19 || (digits.first() == Some(&b'0') && text.len() > 1) {
        return None;
    }
    let magnitude = parse_digits(digits)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Up to 19 digits (which cannot overflow); at least one.
fn parse_digits(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + u64::from(digit))
    })
}

/// C's `isspace` in the C locale (unlike Rust's, it includes the vertical tab).
pub fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_exactly_the_canonical_form() {
        for n in [
            0,
            1,
            -1,
            9,
            10,
            -10,
            1_234_567_890_123,
            i64::MAX,
            i64::MAX - 1,
            i64::MIN,
            i64::MIN + 1,
        ] {
            assert_eq!(parse_i64(n.to_string().as_bytes()), Some(n));
        }
        for bad in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "-01",
            "00",
            " 1",
            "1 ",
            "1a",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
            "-9223372036854775809",
            "99999999999999999999",
            "18446744073709551616",
            "1\r",
            "1\0",
            "1.0",
            "1e3",
            "a",
            "--1",
            "٣",
        ] {
            assert_eq!(parse_i64(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
