//! The integers of `BITFIELD`: of 1 to 64 bits, signed or not, at any bit offset, with a choice of overflow behaviour.
//!
//! **Invariants**: unsigned fields have at most 63 bits, so every value fits an `i64`. Fields are big-endian bit by
//! bit, as in `SETBIT`; what lies past the end of a string reads as zero.

use super::number::parse_i64;

/// What `BITFIELD` answers to a type it does not know.
pub const BAD_TYPE: &str =
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
/// What `BITFIELD` answers to an unknown overflow behaviour.
pub const BAD_OVERFLOW: &str = "ERR Invalid OVERFLOW type specified";

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    signed: bool,
    bits: u8,
}

/// What happens to a value that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It keeps its low bits.
    #[default]
    Wrap,
    /// It becomes the nearest that fits.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl Overflow {
    /// `WRAP`, `SAT` or `FAIL`, in either case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text.to_ascii_lowercase().as_slice() {
            b"wrap" => Some(Self::Wrap),
            b"sat" => Some(Self::Saturate),
            b"fail" => Some(Self::Fail),
            _ => None,
        }
    }
}

impl FieldType {
    /// `i1` to `i64`, `u1` to `u63`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (signed, digits) = match text {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return None,
        };
        let bits = u8::try_from(parse_i64(digits)?).ok()?;
        let bits_max = if signed { 64 } else { 63 };
        (1..=bits_max).contains(&bits).then_some(Self { signed, bits })
    }

    /// Whether values may be negative.
    pub fn is_signed(self) -> bool {
        self.signed
    }

    /// The width.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Reads a field offset: a bit number, or `#n` for the n-th field of this type. The byte it falls in must be one of
    /// `bytes_max`.
    pub fn parse_offset(self, text: &[u8], bytes_max: u64) -> Option<u64> {
        let offset = match text {
            [b'#', index @ ..] => parse_i64(index)?.checked_mul(i64::from(self.bits))?,
            offset => parse_i64(offset)?,
        };
        let offset = u64::try_from(offset).ok()?;
        (offset >> 3 < bytes_max).then_some(offset)
    }

    /// How long a string must be to hold this field at `offset`.
    pub fn bytes_needed(self, offset: u64) -> usize {
        usize::try_from(((offset + u64::from(self.bits) - 1) >> 3) + 1).unwrap_or(usize::MAX)
    }

    /// The field at `offset`. O(1).
    pub fn get(self, bytes: &[u8], offset: u64) -> i64 {
        let (window, shift) = self.window(bytes, offset);
        self.low_bits((window >> shift) as u64)
    }

    /// Writes the low bits of `value` at `offset`, lengthening the string with zeros to reach. O(1) but for the growth.
    pub fn set(self, bytes: &mut Vec<u8>, offset: u64, value: i64) {
        let needed = self.bytes_needed(offset);
        if bytes.len() < needed {
            bytes.resize(needed, 0);
        }
        let (window, shift) = self.window(bytes, offset);
        let mask = u128::from(u64::MAX >> (64 - self.bits)) << shift;
        let window = (window & !mask) | (u128::from(value.cast_unsigned()) << shift & mask);
        let first = usize::try_from(offset >> 3).unwrap_or(usize::MAX);
        let target = bytes.iter_mut().skip(first);
        target.zip(window.to_be_bytes()).for_each(|(byte, new)| *byte = new);
    }

    /// The 16 bytes from the one that `offset` falls in, and how far from their low end the field ends.
    fn window(self, bytes: &[u8], offset: u64) -> (u128, u32) {
        let mut window = [0; 16];
        let first = usize::try_from(offset >> 3).unwrap_or(usize::MAX);
        let source = bytes.iter().skip(first);
        window.iter_mut().zip(source).for_each(|(byte, old)| *byte = *old);
        (
            u128::from_be_bytes(window),
            128 - (offset & 7) as u32 - u32::from(self.bits),
        )
    }

    /// The value of the low bits: sign-extended, or masked.
    fn low_bits(self, value: u64) -> i64 {
        let unused = 64 - self.bits;
        let top = value << unused;
        if self.signed {
            top.cast_signed() >> unused
        } else {
            (top >> unused).cast_signed()
        }
    }

    /// What `SET` writes for `value`; `None` when it must not write.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        let wide = match self.signed {
            // As in Redis, a negative value for an unsigned field counts as a huge one,
            false => i128::from(value.cast_unsigned()),
            // and so does one so far below a narrow signed field that its distance from the top overflows.
            true if self.limits().1 - i128::from(value) > i128::from(i64::MAX) && self.bits < 64 => {
                i128::from(value) + (1 << 64)
            }
            true => i128::from(value),
        };
        self.fit_wide(wide, overflow)
    }

    /// What `INCRBY` writes over `old`; `None` when it must not write.
    pub fn increment(self, old: i64, by: i64, overflow: Overflow) -> Option<i64> {
        self.fit_wide(i128::from(old) + i128::from(by), overflow)
    }

    fn fit_wide(self, wide: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.limits();
        if (min..=max).contains(&wide) {
            return i64::try_from(wide).ok();
        }
        match overflow {
            Overflow::Wrap => Some(self.low_bits(wide as u64)),
            Overflow::Saturate => i64::try_from(wide.clamp(min, max)).ok(),
            Overflow::Fail => None,
        }
    }

    fn limits(self) -> (i128, i128) {
        if self.signed {
            (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        } else {
            (0, (1 << self.bits) - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::support::bits::{get_bit, set_bit};
    use crate::commands::support::random::Random;
    use crate::page::StrRef;

    fn field(text: &str) -> FieldType {
        FieldType::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn types_and_offsets() {
        for text in ["u64", "i65", "i0", "u0", "x8", "i", "i08", "I8", "", "i-1", "u256"] {
            assert_eq!(FieldType::parse(text.as_bytes()), None, "{text}");
        }
        assert!(field("i64").is_signed());
        assert_eq!(field("u63").bits(), 63);
        assert_eq!(field("u8").parse_offset(b"#3", 512), Some(24));
        assert_eq!(field("u8").parse_offset(b"3", 512), Some(3));
        for text in ["-1", "#-1", "#", "#9223372036854775807", "4096", "#512", "1 "] {
            assert_eq!(field("u8").parse_offset(text.as_bytes(), 512), None, "{text}");
        }
        assert_eq!(field("u8").bytes_needed(8), 2);
        assert_eq!(field("u8").bytes_needed(9), 3);
        assert_eq!(Overflow::parse(b"SaT"), Some(Overflow::Saturate));
        assert_eq!(Overflow::parse(b"sats"), None);
    }

    #[test]
    fn overflow_behaviours() {
        use Overflow::{Fail, Saturate, Wrap};
        for (kind, old, by, wrap, sat) in [
            ("u8", 250, 10, 4, 255),
            ("u8", 5, -10, 251, 0),
            ("i8", 100, 100, -56, 127),
            ("i8", -100, -100, 56, -128),
            ("i64", i64::MAX, 1, i64::MIN, i64::MAX),
            ("i64", i64::MIN, -1, i64::MAX, i64::MIN),
            ("u63", i64::MAX, 1, 0, i64::MAX),
            ("i1", 0, 1, -1, 0),
        ] {
            assert_eq!(field(kind).increment(old, by, Wrap), Some(wrap), "{kind} {old} {by}");
            assert_eq!(field(kind).increment(old, by, Saturate), Some(sat), "{kind} {old} {by}");
            assert_eq!(field(kind).increment(old, by, Fail), None, "{kind} {old} {by}");
        }
        assert_eq!(field("u8").increment(1, 2, Fail), Some(3));
        assert_eq!(field("u8").fit(-1, Saturate), Some(255));
        assert_eq!(field("u8").fit(-1, Wrap), Some(255));
        assert_eq!(field("i8").fit(200, Saturate), Some(127));
        assert_eq!(field("i8").fit(-200, Wrap), Some(56));
        assert_eq!(field("i8").fit(i64::MIN + 127, Saturate), Some(127));
        assert_eq!(field("i8").fit(i64::MIN + 128, Saturate), Some(-128));
        assert_eq!(field("i8").fit(i64::MIN + 5, Wrap), Some(5));
        assert_eq!(field("i64").fit(i64::MIN, Saturate), Some(i64::MIN));
        assert_eq!(field("u4").fit(16, Fail), None);
    }

    #[test]
    fn access_agrees_with_single_bits() {
        let mut random = Random::from_entropy();
        println!("seed {}", random.seed());
        for _ in 0..20_000 {
            let mut bytes: Vec<u8> = (0..random.index(12).unwrap())
                .map(|_| random.next_u64() as u8)
                .collect();
            let signed = random.index(2) == Some(0);
            let bits = random.between(1, if signed { 64 } else { 63 });
            let kind = field(&format!("{}{bits}", if signed { 'i' } else { 'u' }));
            let offset = random.between(0, 100) as u64;
            let model = (0..bits as u64).fold(0u64, |value, bit| {
                value << 1 | u64::from(get_bit(StrRef::Inline(&bytes), offset + bit))
            });
            assert_eq!(kind.get(&bytes, offset), kind.low_bits(model));
            let value = random.next_u64() as i64;
            let mut expected = bytes.clone();
            for bit in 0..bits as u64 {
                set_bit(&mut expected, offset + bit, value >> (bits as u64 - 1 - bit) & 1 == 1);
            }
            kind.set(&mut bytes, offset, value);
            assert_eq!(bytes, expected, "{kind:?} {offset} {value}");
        }
    }
}
