//! SHA-1, which names scripts. It protects nothing here.

use std::fmt;

/// The digest of a script's body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha1([u8; 20]);

impl Sha1 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut state = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0_u32];
        let (blocks, rest) = bytes.as_chunks::<64>();
        for block in blocks {
            mix(&mut state, block);
        }
        let mut end = rest.to_vec();
        end.push(0x80);
        while end.len() % 64 != 56 {
            end.push(0);
        }
        end.extend_from_slice(&(bytes.len() as u64).wrapping_mul(8).to_be_bytes());
        for block in end.as_chunks::<64>().0 {
            mix(&mut state, block);
        }
        let mut digest = [0; 20];
        for (to, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *to = word.to_be_bytes();
        }
        Self(digest)
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

fn mix(state: &mut [u32; 5], block: &[u8; 64]) {
    let mut words = [0_u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for at in 16..80 {
        let back = |by: usize| words.get(at - by).copied().unwrap_or_default();
        let next = (back(3) ^ back(8) ^ back(14) ^ back(16)).rotate_left(1);
        if let Some(word) = words.get_mut(at) {
            *word = next;
        }
    }
    let [mut a, mut b, mut c, mut d, mut e] = *state;
    for (at, word) in words.into_iter().enumerate() {
        let (chosen, constant) = match at {
            0..20 => (b & c | !b & d, 0x5A82_7999),
            20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
            40..60 => (b & c | b & d | c & d, 0x8F1B_BCDC),
            _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
        };
        let sum = a.rotate_left(5).wrapping_add(chosen).wrapping_add(e);
        let next = sum.wrapping_add(constant).wrapping_add(word);
        (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d, e]) {
        *old = old.wrapping_add(new);
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
