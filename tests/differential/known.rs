//! The list of differences that are meant (`known.txt`).

use std::path::Path;
use std::sync::LazyLock;

/// One listed difference.
#[derive(Debug)]
pub struct Known {
    pub id: String,
    pub pattern: String,
    pub reason: String,
}

/// All of them.
pub static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| parse(include_str!("known.txt")));

fn parse(text: &str) -> Vec<Known> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.splitn(3, '|').map(str::trim).collect();
            let [id, pattern, reason] = parts[..] else {
                panic!("known.txt: not ID | PATTERN | REASON: {line}")
            };
            Known {
                id: id.into(),
                pattern: pattern.to_lowercase(),
                reason: reason.into(),
            }
        })
        .collect()
}

/// The listed difference that covers `command` (as text), if any.
pub fn covering(command: &str) -> Option<&'static Known> {
    let command = command.to_lowercase();
    KNOWN
        .iter()
        .find(|known| glob(known.pattern.as_bytes(), command.as_bytes()))
}

/// Matches `*` only: commands contain the other glob characters too often.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        Some((byte, rest)) => text.first() == Some(byte) && glob(rest, &text[1..]),
    }
}

#[test]
fn every_listed_difference_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("redis-compat.md");
    let document = std::fs::read_to_string(&path).unwrap_or_default();
    let words: Vec<&str> = document.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    for known in KNOWN.iter() {
        assert!(!known.reason.is_empty(), "{} has no reason", known.id);
        assert!(
            words.contains(&known.id.as_str()),
            "{} is not explained in redis-compat.md",
            known.id
        );
    }
}

#[test]
fn glob_matches_stars_only() {
    assert!(glob(b"config get *", b"config get a?c"));
    assert!(glob(b"*x*", b"axb"));
    assert!(!glob(b"a*b", b"a-c"));
    assert!(!glob(b"a?c", b"abc"));
}
