//! Numbers, times and foreign text, as people read them.

use crate::time::utc;

/// A count with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes with a unit: `1.02 MiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => format!("{:.2} {name}", number as f64 / *unit as f64),
        None => format!("{number} B"),
    }
}

/// A duration of nanoseconds, to about three digits: `850 ns`, `12.30 µs`, `1.20 ms`, `3.00 s`.
pub fn nanos(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} ns"),
        1_000..1_000_000 => format!("{:.2} µs", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", number as f64 / 1e6),
        _ => format!("{:.2} s", number as f64 / 1e9),
    }
}

/// The same of microseconds.
pub fn micros(number: u64) -> String {
    nanos(number.saturating_mul(1000))
}

/// A span of seconds by its two greatest parts: `3 d 4 h`, `5 min 2 s`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A moment to the second: `2026-11-25 08:00:00`, UTC.
pub fn moment(unix_ms: u64) -> String {
    let text = utc(unix_ms);
    let seconds = text.split('.').next().unwrap_or_default();
    seconds.replace('T', " ")
}

/// A moment as commands take it: `2026-11-25T08:00:00Z`.
pub fn machine_moment(unix_ms: u64) -> String {
    format!("{}Z", moment(unix_ms).replace(' ', "T"))
}

/// The time of day of a moment: `08:00`, UTC.
pub fn hour_minute(unix_ms: u64) -> String {
    let (hour, minute) = (unix_ms / 3_600_000 % 24, unix_ms / 60_000 % 60);
    format!("{hour:02}:{minute:02}")
}

/// Foreign bytes as text in one line, at most so many letters: what is no text, controls a terminal or turns the order
/// of letters is shown as `\xhh` or `\u{h}`.
pub fn printable(bytes: &[u8], letters_max: usize) -> String {
    let mut shown = Shown {
        text: String::new(),
        letters_left: letters_max,
    };
    for chunk in bytes.utf8_chunks() {
        let is_whole = chunk.valid().chars().all(|letter| shown.add(&letter_text(letter)))
            && chunk.invalid().iter().all(|byte| shown.add(&format!("\\x{byte:02x}")));
        if !is_whole {
            shown.text.push('…');
            break;
        }
    }
    shown.text
}

struct Shown {
    text: String,
    letters_left: usize,
}

impl Shown {
    /// Adds it if there is room for all of it.
    fn add(&mut self, part: &str) -> bool {
        let letters = part.chars().count();
        let fits = letters <= self.letters_left;
        if fits {
            self.letters_left -= letters;
            self.text.push_str(part);
        }
        fits
    }
}

fn letter_text(letter: char) -> String {
    // Marks that turn the direction of text, or are not seen.
    let is_deceptive =
        matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    match letter {
        '\\' => "\\\\".to_owned(),
        _ if letter.is_control() || is_deceptive => letter.escape_default().to_string(),
        _ => letter.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(
            [0, 999, 1_000, 12_345_678].map(count),
            ["0", "999", "1,000", "12,345,678"]
        );
        assert_eq!(
            [5, 1 << 10, 3 << 29, 5 << 40].map(bytes),
            ["5 B", "1.00 KiB", "1.50 GiB", "5.00 TiB"]
        );
        assert_eq!([7, 1_250, 1_200_000].map(nanos), ["7 ns", "1.25 µs", "1.20 ms"]);
        assert_eq!([7, 3_000_000].map(micros), ["7.00 µs", "3.00 s"]);
        assert_eq!(
            [59, 61, 7_260, 90_000].map(span),
            ["59 s", "1 min 1 s", "2 h 1 min", "1 d 1 h"]
        );
        assert_eq!(moment(951_782_400_123), "2000-02-29 00:00:00");
        assert_eq!(machine_moment(951_782_400_123), "2000-02-29T00:00:00Z");
        assert_eq!(hour_minute(951_782_400_123 + 3_660_000), "01:01");
    }

    #[test]
    fn foreign_bytes_become_one_bounded_line() {
        assert_eq!(printable("a\r\nb\\ü\u{202e}".as_bytes(), 99), "a\\r\\nb\\\\ü\\u{202e}");
        assert_eq!(printable(b"\xff\x00x", 99), "\\xff\\u{0}x");
        assert_eq!(printable(b"12345", 5), "12345");
        assert_eq!(printable(b"123456", 5), "12345…");
        // What is escaped is shown whole or not at all.
        assert_eq!(printable(b"123\xff", 5), "123…");
        assert_eq!(printable(&[b'x'; 1000], 200).chars().count(), 201);
    }
}
