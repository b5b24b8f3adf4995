//! Which bytes a character of a pattern stands for. Classes of letters are those of the locale "C".

/// A set of bytes, one bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    const NONE: Self = Self([0; 4]);

    #[expect(clippy::indexing_slicing, reason = "two bits are an index of four")]
    pub(super) const fn has(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 != 0
    }

    #[expect(clippy::indexing_slicing, reason = "two bits are an index of four")]
    const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    const fn not(self) -> Self {
        let Self([a, b, c, d]) = self;
        Self([!a, !b, !c, !d])
    }

    fn or(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    fn add_range(&mut self, first: u8, last: u8) {
        for byte in first..=last {
            *self = self.with(byte);
        }
    }
}

/// A class and all that is not in it.
type Both = [Bytes; 2];

/// What the letters after `%` stand for, small and capital.
static LETTERS: [(u8, Both); 10] = [
    (b'a', both(b'a')),
    (b'c', both(b'c')),
    (b'd', both(b'd')),
    (b'l', both(b'l')),
    (b'p', both(b'p')),
    (b's', both(b's')),
    (b'u', both(b'u')),
    (b'w', both(b'w')),
    (b'x', both(b'x')),
    (b'z', both(b'z')),
];

const fn both(letter: u8) -> Both {
    let mut bytes = Bytes::NONE;
    let mut byte = 0;
    while byte < u8::MAX {
        if is_of(letter, byte) {
            bytes = bytes.with(byte);
        }
        byte += 1;
    }
    [bytes, bytes.not()]
}

/// 255 is in none of them.
const fn is_of(letter: u8, byte: u8) -> bool {
    match letter {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        // Unlike Rust, C counts the vertical tab.
        b's' => byte.is_ascii_whitespace() || byte == 0x0B,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => byte == 0,
    }
}

/// What a character of a pattern stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Single {
    /// `.`
    Any,
    /// Itself.
    Byte(u8),
    /// A class.
    Class(&'static Bytes),
    /// The set of brackets that the matcher keeps under this number.
    Set(usize),
}

impl Single {
    /// What a byte after `%` stands for.
    pub(super) fn escaped(byte: u8) -> Self {
        let small = byte.to_ascii_lowercase();
        match LETTERS.iter().find(|(letter, _)| *letter == small) {
            Some((_, [class, rest])) => Self::Class(if byte == small { class } else { rest }),
            None => Self::Byte(byte),
        }
    }
}

/// A set in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) bytes: Bytes,
    /// Where the pattern goes on.
    pub(super) end: usize,
}

impl Set {
    /// The set whose bracket is at `at`. `None`: it has no end.
    pub(super) fn read(pattern: &[u8], at: usize) -> Option<Self> {
        let is_negated = pattern.get(at + 1) == Some(&b'^');
        let first = at + 1 + usize::from(is_negated);
        let end = closing_bracket(pattern, first)?;
        let bytes = members(pattern.get(first..=end)?);
        Some(Self {
            bytes: if is_negated { bytes.not() } else { bytes },
            end: end + 1,
        })
    }
}

/// Where the set whose first member is at `at` ends: a bracket that is neither that member nor escaped.
fn closing_bracket(pattern: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let byte = pattern.get(at)?;
        at += 1;
        if *byte == b'%' && at < pattern.len() {
            at += 1;
        }
        if pattern.get(at) == Some(&b']') {
            return Some(at);
        }
    }
}

/// The bytes of a set that is given with its closing bracket, which an escape that ends a range may come to stand
/// before.
fn members(set: &[u8]) -> Bytes {
    let last = set.len().saturating_sub(1);
    let (mut bytes, mut at) = (Bytes::NONE, 0);
    while let Some(&byte) = set.get(at).filter(|_| at < last) {
        let next = set.get(at + 1).copied();
        if byte == b'%' {
            match Single::escaped(next.unwrap_or_default()) {
                Single::Class(class) => bytes.or(class),
                Single::Byte(byte) => bytes = bytes.with(byte),
                Single::Any | Single::Set(_) => {}
            }
            at += 2;
        } else if let Some(&end) = set.get(at + 2).filter(|_| next == Some(b'-') && at + 2 < last) {
            bytes.add_range(byte, end);
            at += 3;
        } else {
            bytes = bytes.with(byte);
            at += 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Set, Single};

    fn set(pattern: &str) -> Vec<u8> {
        let set = Set::read(pattern.as_bytes(), 0).unwrap();
        assert_eq!(set.end, pattern.len(), "{pattern}");
        (0..=255).filter(|&byte| set.bytes.has(byte)).collect()
    }

    #[test]
    fn sets_have_members_ranges_and_classes() {
        assert_eq!(set("[abc]"), b"abc");
        assert_eq!(set("[b-d]"), b"bcd");
        assert_eq!(set("[d-b]"), b"");
        assert_eq!(set("[a-]"), b"-a");
        assert_eq!(set("[-a]"), b"-a");
        assert_eq!(set("[]]"), b"]");
        assert_eq!(set("[%]x]"), b"]x");
        assert_eq!(set("[%d]"), b"0123456789");
        assert_eq!(set("[%a-z]").len(), 53);
        assert_eq!(set("[^%z\x01-\x7f]").len(), 128);
        assert_eq!(set("[^]]").len(), 255);
        // A range ends at the escape itself; what is escaped counts for itself.
        assert_eq!(set("[!-%]]"), b"!\"#$%]");
        assert_eq!(set("[!-%%]"), b"!\"#$%]");
    }

    #[test]
    fn a_set_without_end_is_none() {
        for pattern in ["[", "[^", "[]", "[^]", "[a", "[%", "[%]", "[a%]"] {
            assert_eq!(Set::read(pattern.as_bytes(), 0), None, "{pattern}");
        }
    }

    #[test]
    fn classes_are_those_of_c() {
        let known = [
            (b'a', 52),
            (b'c', 33),
            (b'd', 10),
            (b'l', 26),
            (b'p', 32),
            (b's', 6),
            (b'u', 26),
            (b'w', 62),
            (b'x', 22),
            (b'z', 1),
        ];
        for (letter, size) in known {
            let count = |letter| match Single::escaped(letter) {
                Single::Class(class) => (0..=255).filter(|&byte| class.has(byte)).count(),
                other => panic!("{other:?}"),
            };
            assert_eq!((count(letter), count(letter.to_ascii_uppercase())), (size, 256 - size));
        }
        assert_eq!(Single::escaped(b'.'), Single::Byte(b'.'));
        assert_eq!(Single::escaped(b'Q'), Single::Byte(b'Q'));
    }
}
