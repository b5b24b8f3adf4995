//! Moments that people name: `lsn 4711`, Unix milliseconds, or a date and time.
//!
//! **Invariant:** a text means one moment or none; a time without a zone is UTC.

use super::Until;
use crate::wal::Lsn;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// The moment that `words` name: `lsn N`, `N` (Unix milliseconds), or `2026-11-25T08:00:00.5Z` and the like (seconds
/// and zone may be left out, a space may stand for the `T`).
pub fn parse(words: &str) -> Option<Until> {
    let words = words.trim();
    if let Some(lsn) = words.get(..4).filter(|word| word.eq_ignore_ascii_case("lsn ")) {
        let lsn = words.get(lsn.len()..)?.trim();
        return number(lsn).map(|lsn| Until::Lsn(Lsn::new(lsn)));
    }
    number(words).or_else(|| unix_ms(words)).map(Until::Time)
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn unix_ms(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let days = days_of(year, month, day);
    // There is no 30th of February.
    let first_ms = u64::try_from(days * DAY_MS).ok()?;
    if !(1..=12).contains(&month) || !show(first_ms).starts_with(date) {
        return None;
    }
    let at_ms = days * DAY_MS + time_ms(time)? - zone_ms(zone)?;
    u64::try_from(at_ms).ok()
}

/// Numbers of exactly so many digits each, with `separator` between them.
fn fields<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        *number = i64::try_from(self::number(part)?).ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn time_ms(text: &str) -> Option<i64> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hour, minute, second] = match text.len() {
        5 => {
            let [hour, minute] = fields(text, ':', [2, 2])?;
            [hour, minute, 0]
        }
        _ => fields(text, ':', [2, 2, 2])?,
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    number(fraction)?;
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis.parse::<i64>().ok()?)
}

fn zone_ms(text: &str) -> Option<i64> {
    let Some(rest) = text.strip_prefix(['+', '-']) else {
        return (text.is_empty() || text.eq_ignore_ascii_case("z")).then_some(0);
    };
    let [hour, minute] = fields(rest, ':', [2, 2])?;
    let ms = (hour * 60 + minute) * 60_000;
    (hour < 24 && minute < 60).then_some(if text.starts_with('-') { -ms } else { ms })
}

/// Days from 1970-01-01 to a date; counted in years that begin with March, in eras of 400 years.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A time as people write it, in UTC.
pub fn show(unix_ms: u64) -> String {
    crate::time::utc(unix_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        for (text, moment) in [
            ("lsn 4711", Some(Until::Lsn(Lsn::new(4711)))),
            ("LSN 1", Some(Until::Lsn(Lsn::FIRST))),
            ("1700000000000", Some(Until::Time(1_700_000_000_000))),
            ("2023-11-14T22:13:20Z", Some(Until::Time(1_700_000_000_000))),
            ("2023-11-14 22:13:20.25", Some(Until::Time(1_700_000_000_250))),
            ("2023-11-14T23:13:20.000999+01:00", Some(Until::Time(1_700_000_000_000))),
            ("2023-11-14T22:13-00:30", Some(Until::Time(1_700_001_780_000))),
            ("1970-01-01T00:00:00Z", Some(Until::Time(0))),
            ("2024-02-29T00:00Z", Some(Until::Time(1_709_164_800_000))),
            ("2023-02-29T00:00Z", None),
            ("2023-13-01T00:00Z", None),
            ("2023-11-14T24:00Z", None),
            ("2023-11-14", None),
            ("yesterday", None),
            ("lsn", None),
            ("lsn -1", None),
            ("-1", None),
            ("", None),
            ("2023-11-14T22:13:20+1", None),
            ("ü023-11-14T22:13:20Z", None),
        ] {
            assert_eq!(parse(text), moment, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for day in 0..60_000 {
            let ms = day * 86_400_000 + 3_723_004;
            assert_eq!(parse(&show(ms)), Some(Until::Time(ms)), "{}", show(ms));
        }
    }
}
