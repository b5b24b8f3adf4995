//! Percentiles as text: numbers from 0 to 100 with one blank between them.
//!
//! **Invariant:** what is a number, and the words of a refusal, are Redis's.

use std::fmt;

use crate::resp::double::parse_f64;

/// More are refused: INFO shows each of them for every command.
pub const PERCENTILES_MAX: usize = 64;

/// Why text does not tell percentiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPercentiles {
    /// Something in it is no number.
    NoNumber,
    /// A number is out of bounds.
    OutOfRange,
    /// There are too many of them.
    TooMany,
}

impl fmt::Display for NotPercentiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber => out.write_str("Invalid latency-tracking-info-percentiles parameters"),
            Self::OutOfRange => {
                out.write_str("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
            }
            Self::TooMany => write!(
                out,
                "latency-tracking-info-percentiles takes at most {PERCENTILES_MAX} parameters"
            ),
        }
    }
}

impl std::error::Error for NotPercentiles {}

/// The percentiles that `text` tells; none if it is empty.
pub fn from_text(text: &str) -> Result<Vec<f64>, NotPercentiles> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.split(' ').nth(PERCENTILES_MAX).is_some() {
        return Err(NotPercentiles::TooMany);
    }
    let percentile = |word: &str| match parse_f64(word.as_bytes()) {
        Some(number) if (0.0..=100.0).contains(&number) => Ok(number),
        Some(_) => Err(NotPercentiles::OutOfRange),
        None => Err(NotPercentiles::NoNumber),
    };
    text.split(' ').map(percentile).collect()
}

/// A percentile as it is shown: without what is beyond six decimals.
pub fn shown(percent: f64) -> String {
    let text = format!("{percent:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text for `percentiles`.
pub fn to_text(percentiles: &[f64]) -> String {
    let shown: Vec<String> = percentiles.iter().map(|percent| shown(*percent)).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for (text, back) in [
            ("", ""),
            ("50 99 99.9", "50 99 99.9"),
            ("0 100 1e1 5.50", "0 100 10 5.5"),
            ("-0 0 -0.0 99 50 99", "-0 0 -0 99 50 99"),
            ("0x10 0x1.8p1 +5 .5 5.", "16 3 5 0.5 5"),
            ("1e-310 0.0000001 99.9999999", "0 0 100"),
        ] {
            assert_eq!(to_text(&from_text(text).unwrap()), back);
        }
        for (text, fault) in [
            ("50 x", NotPercentiles::NoNumber),
            ("50  99", NotPercentiles::NoNumber),
            ("nan", NotPercentiles::NoNumber),
            ("1e400", NotPercentiles::NoNumber),
            ("1e-400", NotPercentiles::NoNumber),
            ("inf", NotPercentiles::OutOfRange),
            ("-0.1", NotPercentiles::OutOfRange),
            ("100.001", NotPercentiles::OutOfRange),
        ] {
            assert_eq!(from_text(text), Err(fault), "{text}");
        }
        assert_eq!(from_text(&["50"; 65].join(" ")), Err(NotPercentiles::TooMany));
        assert_eq!(from_text(&["50"; 64].join(" ")).map(|found| found.len()), Ok(64));
    }
}
