//! How a signal ends the server: Redis's words for it, as bits.
//!
//! **Invariant:** [`to_text`] is canonical: it is what `CONFIG GET shutdown-on-sigterm` shows, words in Redis's order.

/// A checkpoint is taken, whatever is configured.
pub const SAVE: u8 = 1 << 0;
/// No checkpoint is taken.
pub const NO_SAVE: u8 = 1 << 1;
/// Nobody is waited for.
pub const NOW: u8 = 1 << 2;
/// The server ends, even if that loses data.
pub const FORCE: u8 = 1 << 3;

/// The words; the first one is what no bit stands for.
pub const WORDS: &[&str] = &["default", "save", "nosave", "now", "force"];

/// Why words name no way to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAWay {
    /// One of them is unknown, or there is none.
    Unknown,
    /// They contradict each other.
    Both,
}

/// The bits of `text`: words in any case, with blanks between them.
pub fn from_text(text: &str) -> Result<u8, NotAWay> {
    let mut bits = None;
    for word in text.split_ascii_whitespace() {
        let known = WORDS.iter().position(|known| known.eq_ignore_ascii_case(word));
        let at = known.ok_or(NotAWay::Unknown)?;
        let bit = at.checked_sub(1).map_or(0, |at| 1 << at);
        bits = Some(bits.unwrap_or(0) | bit);
    }
    match bits {
        None => Err(NotAWay::Unknown),
        Some(bits) if bits & (SAVE | NO_SAVE) == SAVE | NO_SAVE => Err(NotAWay::Both),
        Some(bits) => Ok(bits),
    }
}

/// The words for `bits`.
pub fn to_text(bits: u8) -> String {
    let named = WORDS.iter().skip(1).enumerate();
    let words: Vec<&str> = named
        .filter(|(at, _)| bits >> at & 1 == 1)
        .map(|(_, word)| *word)
        .collect();
    if words.is_empty() {
        "default".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_in_redis() {
        for (text, shown) in [
            ("default", Ok("default")),
            ("force NOW", Ok("now force")),
            ("default force", Ok("force")),
            ("save", Ok("save")),
            ("nosave  now", Ok("nosave now")),
            ("save nosave", Err(NotAWay::Both)),
            ("never", Err(NotAWay::Unknown)),
            ("", Err(NotAWay::Unknown)),
        ] {
            assert_eq!(from_text(text).map(to_text), shown.map(str::to_owned), "{text}");
        }
    }
}
