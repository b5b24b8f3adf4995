//! Passwords: kept as SHA-256, compared in constant time.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

const BYTES: usize = 32;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The SHA-256 of a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; BYTES]);

impl Digest {
    /// That of a password.
    pub fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// One that is written in hexadecimal digits, as Redis wants them: 64, in lower case.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; BYTES];
        if text.len() != 2 * BYTES {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.chunks(2)) {
            for digit in digits {
                let value = HEX.iter().position(|known| known == digit)?;
                *byte = (*byte << 4) | u8::try_from(value).ok()?;
            }
        }
        Some(Self(bytes))
    }

    /// Whether it is one of these, in a time that depends on their number only.
    pub fn is_among(&self, known: &[Self]) -> bool {
        let found = known
            .iter()
            .fold(Choice::from(0), |found, one| found | one.0.ct_eq(&self.0));
        found.into()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sha256_and_come_back_from_their_text() {
        let digest = Digest::of(b"p");
        let text = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940";
        assert_eq!(digest.to_string(), text);
        assert!(Digest::from_hex(text.as_bytes()) == Some(digest));
        for wrong in [&text[1..], &text.to_uppercase(), &text.replace('1', "g"), ""] {
            assert!(Digest::from_hex(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn one_of_several_is_enough() {
        let known = [Digest::of(b"a"), Digest::of(b"b")];
        assert!(Digest::of(b"b").is_among(&known) && Digest::of(b"a").is_among(&known));
        assert!(!Digest::of(b"").is_among(&known) && !Digest::of(b"b\0").is_among(&known));
        assert!(!Digest::of(b"a").is_among(&[]));
    }
}
