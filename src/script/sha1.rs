//! SHA-1, which names scripts. It protects nothing here.

use std::fmt;

/// The digest of a script's body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha1([u8; 20]);

impl Sha1 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha1_smol::Sha1::from(bytes).digest().bytes())
    }

    /// The digest that 40 hexadecimal digits, of either case, stand for.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let mut digest = [0; 20];
        if digits.len() != 40 {
            return None;
        }
        for (byte, [high, low]) in digest.iter_mut().zip(digits.as_chunks::<2>().0) {
            let high = char::from(*high).to_digit(16)?;
            let low = char::from(*low).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha1({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Sha1;

    #[test]
    fn digests_are_those_of_the_standard() {
        let known = [
            (String::new(), "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc".into(), "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("return 1".into(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
            ("a".repeat(1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ];
        for (text, digest) in known {
            assert_eq!(Sha1::of(text.as_bytes()).to_string(), digest);
        }
        for len in 50..70 {
            let _ = Sha1::of(&vec![b'x'; len]);
        }
    }

    #[test]
    fn digits_of_either_case_are_read() {
        let digest = Sha1::of(b"abc");
        assert_eq!(Sha1::parse(digest.to_string().to_uppercase().as_bytes()), Some(digest));
        assert_eq!(Sha1::parse(b"a999"), None);
        assert_eq!(Sha1::parse(&[b'g'; 40]), None);
    }
}
