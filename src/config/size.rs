//! Sizes in bytes as people write them: `512mb`, `1gb`, `64k`.
//!
//! **Invariants**
//! - Units mean what they mean to Redis: `k`/`m`/`g` are powers of 1000, `kb`/`mb`/`gb` powers of 1024.
//! - A size never exceeds `i64::MAX`, so that it always fits a TOML integer and a reply.

/// Unit suffixes, longest first, so that `kb` is not read as `b`.
const UNITS: [(&str, u64); 7] = [
    ("kb", 1 << 10),
    ("mb", 1 << 20),
    ("gb", 1 << 30),
    ("k", 1_000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("b", 1),
];

/// Bytes meant by `text`, or `None` when it is no size.
pub fn parse(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((lower.strip_suffix(suffix)?, *unit)))
        .unwrap_or((&lower, 1));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bytes = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    i64::try_from(bytes).is_ok().then_some(bytes)
}

/// `bytes` with the largest unit that divides it, as one would write it in a file.
pub(super) fn format(bytes: u64) -> String {
    for (suffix, unit) in [("gb", 1u64 << 30), ("mb", 1 << 20), ("kb", 1 << 10)] {
        if bytes != 0 && bytes.is_multiple_of(unit) {
            return format!("{}{suffix}", bytes / unit);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_redis() {
        for (text, bytes) in [
            ("0", 0),
            ("7b", 7),
            ("1k", 1000),
            ("1KB", 1024),
            ("64k", 64_000),
            ("2m", 2_000_000),
            ("512mb", 512 << 20),
            ("1g", 1_000_000_000),
            ("1Gb", 1 << 30),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for bad in [
            "",
            "kb",
            "-1",
            "1.5gb",
            " 1",
            "1 kb",
            "5%",
            "1tb",
            "9223372036854775808",
            "99999999999gb",
            "+1",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_formatted_parses_back() {
        for bytes in [0, 1, 1000, 1024, 1536, 1 << 20, 3 << 30, (1 << 30) + 1, i64::MAX as u64] {
            assert_eq!(parse(&format(bytes)), Some(bytes));
        }
        assert_eq!(format(512 << 20), "512mb");
        assert_eq!(format(1 << 30), "1gb");
    }
}
