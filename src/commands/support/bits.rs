//! Bitmaps: `GETBIT`, `SETBIT`, `BITCOUNT`, `BITPOS` and `BITOP` over strings, whether in one piece or in chunks.
//!
//! **Invariants**: bit 0 is the most significant bit of byte 0; past its end a string is all zeros. Ranges follow
//! Redis: negative indices count from the end, both ends are included, out-of-range ends are clamped. Whole words at a
//! time.

use std::ops::Range;

use super::number::parse_i64;
use crate::page::StrRef;

/// What `SETBIT` and its like answer to a bad offset.
pub const BAD_BIT_OFFSET: &str = "ERR bit offset is not an integer or out of range";

/// Whether a range counts bytes or bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitUnit {
    /// `BYTE`, the default.
    Byte,
    /// `BIT`.
    Bit,
}

/// A `BITOP` operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOp {
    /// Set where every input is.
    And,
    /// Set where any input is.
    Or,
    /// Set where an odd number of inputs is.
    Xor,
    /// Set where the one input is not.
    Not,
    /// Set where the first input is, and none of the others.
    Diff,
    /// Set where any of the others is, and the first is not.
    Diff1,
    /// Set where the first input is, and any of the others.
    AndOr,
    /// Set where exactly one input is.
    One,
}

/// Reads a bit offset (`SETBIT`, `GETBIT`) that lies within a string of `bytes_max` bytes.
pub fn parse_bit_offset(text: &[u8], bytes_max: u64) -> Option<u64> {
    let offset = u64::try_from(parse_i64(text)?).ok()?;
    (offset >> 3 < bytes_max).then_some(offset)
}

/// The bit at `offset`. O(1).
pub fn get_bit(text: StrRef<'_>, offset: u64) -> bool {
    let byte = usize::try_from(offset >> 3).ok().and_then(|index| text.byte(index));
    byte.is_some_and(|byte| byte >> (7 - (offset & 7)) & 1 == 1)
}

/// Sets the bit at `offset`, lengthening the string with zeros to reach it; the old bit. O(1) but for the growth.
pub fn set_bit(bytes: &mut Vec<u8>, offset: u64, on: bool) -> bool {
    let index = usize::try_from(offset >> 3).unwrap_or(usize::MAX);
    if index >= bytes.len() {
        bytes.resize(index + 1, 0);
    }
    let mask = 0x80u8 >> (offset & 7);
    let Some(byte) = bytes.get_mut(index) else { return false };
    let old = *byte & mask != 0;
    *byte = if on { *byte | mask } else { *byte & !mask };
    old
}

/// The bits of a string that a range covers: whole bytes, and the bits of the first and last byte that do not count.
struct Window {
    /// The bytes; there is one at least.
    bytes: Range<usize>,
    /// Bits of the first byte before the range.
    head_mask: u8,
    /// Bits of the last byte behind the range.
    tail_mask: u8,
}

impl Window {
    /// The window from `start` to `end`, both included; `None` when it is empty.
    fn new(text: StrRef<'_>, start: i64, end: i64, unit: BitUnit) -> Option<Self> {
        let len = text.len() as i64;
        let total = if unit == BitUnit::Bit {
            len.saturating_mul(8)
        } else {
            len
        };
        let resolve = |index: i64| if index < 0 { (total + index).max(0) } else { index };
        let (start, end) = (resolve(start), resolve(end).min(total - 1));
        if start > end {
            return None;
        }
        let (mut first, mut last, mut head_mask, mut tail_mask) = (start, end, 0, 0);
        if unit == BitUnit::Bit {
            (first, last) = (start >> 3, end >> 3);
            head_mask = !(0xffu8 >> (start & 7));
            tail_mask = (1u8 << (7 - (end & 7))) - 1;
        }
        let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
        Some(Self {
            bytes: first..last + 1,
            head_mask,
            tail_mask,
        })
    }
}

/// How many bits are set. O(length), eight bytes a step.
pub fn popcount(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: u64 = words
        .iter()
        .map(|word| u64::from(u64::from_ne_bytes(*word).count_ones()))
        .sum();
    words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// `BITCOUNT`: how many bits are set from `start` to `end`, both included, in units of `unit`. O(range).
pub fn bit_count(text: StrRef<'_>, start: i64, end: i64, unit: BitUnit) -> u64 {
    // Two ends before the string are both clamped to its first unit; only here is their order judged before that.
    if start < 0 && end < 0 && start > end {
        return 0;
    }
    let Some(Window {
        bytes,
        head_mask,
        tail_mask,
    }) = Window::new(text, start, end, unit)
    else {
        return 0;
    };
    let ignored = |index: usize, mask: u8| match text.byte(index) {
        Some(byte) if mask != 0 => u64::from((byte & mask).count_ones()),
        _ => 0,
    };
    text.pieces(bytes.clone()).map(popcount).sum::<u64>()
        - ignored(bytes.start, head_mask)
        - ignored(bytes.end - 1, tail_mask)
}

/// `BITPOS`: where the first bit equal to `bit` is between `start` and `end`, or -1.
///
/// Without `end` the string counts as followed by zeros, so a search for 0 in all ones finds the bit after the last.
/// An empty range (of an empty string, too) finds nothing. O(range).
pub fn bit_position(text: StrRef<'_>, bit: bool, start: i64, end: Option<i64>, unit: BitUnit) -> i64 {
    let Some(window) = Window::new(text, start, end.unwrap_or(-1), unit) else {
        return -1;
    };
    match first_bit(text, &window, bit) {
        Some(position) => position as i64,
        None if !bit && end.is_none() => window.bytes.end as i64 * 8,
        None => -1,
    }
}

/// `BITPOS` of a key that does not exist.
pub fn bit_position_of_nothing(bit: bool) -> i64 {
    if bit { -1 } else { 0 }
}

fn first_bit(text: StrRef<'_>, window: &Window, bit: bool) -> Option<usize> {
    // A byte that has no such bit, and the bits to look for turned into ones.
    let flip = if bit { 0 } else { 0xff };
    let found = |index: usize, byte: u8, mask: u8| {
        let hits = (byte ^ flip) & !mask;
        (hits != 0).then(|| index * 8 + hits.leading_zeros() as usize)
    };
    let (first, last) = (window.bytes.start, window.bytes.end - 1);
    let tail_mask = if first == last { window.tail_mask } else { 0 };
    if let Some(position) = found(first, text.byte(first)?, window.head_mask | tail_mask) {
        return Some(position);
    }
    if first == last {
        return None;
    }
    let mut at = first + 1;
    for piece in text.pieces(at..last) {
        if let Some(index) = first_other(piece, flip) {
            return found(at + index, *piece.get(index)?, 0);
        }
        at += piece.len();
    }
    found(last, text.byte(last)?, window.tail_mask)
}

/// The index of the first byte that is not `skip`.
fn first_other(bytes: &[u8], skip: u8) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let start = words.iter().take_while(|word| **word == [skip; 8]).count() * 8;
    bytes
        .iter()
        .skip(start)
        .position(|&byte| byte != skip)
        .map(|index| start + index)
}

/// `BITOP`: combines the inputs, each taken as zero-padded to the longest. `Not` inverts the first. O(total length).
pub fn bit_op(op: BitOp, inputs: &[StrRef<'_>]) -> Vec<u8> {
    let len = inputs.iter().map(StrRef::len).max().unwrap_or(0);
    let Some((first, others)) = inputs.split_first() else {
        return Vec::new();
    };
    match op {
        BitOp::Not => padded(*first, len).iter().map(|byte| !byte).collect(),
        BitOp::Or => of_all(*first, others, len, |byte, other| *byte |= other),
        BitOp::Xor => of_all(*first, others, len, |byte, other| *byte ^= other),
        BitOp::And => of_all(*first, others, len, |byte, other| *byte &= other),
        BitOp::Diff => beside_any(*first, others, len, |first, any| first & !any),
        BitOp::Diff1 => beside_any(*first, others, len, |first, any| !first & any),
        BitOp::AndOr => beside_any(*first, others, len, |first, any| first & any),
        BitOp::One => in_one(inputs, len),
    }
}

/// A string with zeros behind it.
fn padded(text: StrRef<'_>, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    text.pieces(0..text.len())
        .for_each(|piece| bytes.extend_from_slice(piece));
    bytes.resize(len, 0);
    bytes
}

/// Combines `result`'s bytes with those of a string, one by one, and with zeros behind its end.
fn combine(result: &mut [u8], text: StrRef<'_>, with: impl Fn(&mut u8, u8)) {
    let mut rest = result;
    for piece in text.pieces(0..text.len()) {
        let Some((bytes, behind)) = rest.split_at_mut_checked(piece.len()) else {
            return;
        };
        bytes.iter_mut().zip(piece).for_each(|(byte, other)| with(byte, *other));
        rest = behind;
    }
    rest.iter_mut().for_each(|byte| with(byte, 0));
}

fn of_all(first: StrRef<'_>, others: &[StrRef<'_>], len: usize, with: impl Fn(&mut u8, u8)) -> Vec<u8> {
    let mut result = padded(first, len);
    others.iter().for_each(|other| combine(&mut result, *other, &with));
    result
}

/// What comes out of the bytes of the first string and of those that are set in any other.
fn beside_any(first: StrRef<'_>, others: &[StrRef<'_>], len: usize, with: fn(u8, u8) -> u8) -> Vec<u8> {
    let mut result = vec![0; len];
    for other in others {
        combine(&mut result, *other, |byte, other| *byte |= other);
    }
    combine(&mut result, first, |byte, first| *byte = with(first, *byte));
    result
}

fn in_one(inputs: &[StrRef<'_>], len: usize) -> Vec<u8> {
    let (mut once, mut more) = (vec![0_u8; len], vec![0_u8; len]);
    for input in inputs {
        let (mut once, mut more) = (&mut once[..], &mut more[..]);
        for piece in input.pieces(0..input.len()) {
            let (Some((ones, ones_behind)), Some((mores, mores_behind))) = (
                once.split_at_mut_checked(piece.len()),
                more.split_at_mut_checked(piece.len()),
            ) else {
                break;
            };
            for ((one, more), byte) in ones.iter_mut().zip(mores).zip(piece) {
                *more |= *one & byte;
                *one |= byte;
            }
            (once, more) = (ones_behind, mores_behind);
        }
    }
    once.iter().zip(&more).map(|(once, more)| once & !more).collect()
}

#[cfg(test)]
mod tests {
    use StrRef::Inline;

    use super::*;
    use crate::commands::support::random::Random;

    #[test]
    fn single_bits() {
        let mut bytes = Vec::new();
        assert!(!set_bit(&mut bytes, 7, true));
        assert!(set_bit(&mut bytes, 7, true));
        assert_eq!(bytes, [1]);
        assert!(!set_bit(&mut bytes, 20, false));
        assert_eq!(bytes, [1, 0, 0]);
        assert!(get_bit(Inline(&bytes), 7));
        assert!(!get_bit(Inline(&bytes), u64::MAX));
        assert_eq!(parse_bit_offset(b"7", 1), Some(7));
        assert_eq!(parse_bit_offset(b"8", 1), None);
        assert_eq!(parse_bit_offset(b"-1", 1), None);
    }

    #[test]
    fn documented_examples() {
        assert_eq!(bit_count(Inline(b"foobar"), 0, -1, BitUnit::Byte), 26);
        assert_eq!(bit_count(Inline(b"foobar"), 0, 0, BitUnit::Byte), 4);
        assert_eq!(bit_count(Inline(b"foobar"), 1, 1, BitUnit::Byte), 6);
        assert_eq!(bit_count(Inline(b"foobar"), 5, 30, BitUnit::Bit), 17);
        assert_eq!(bit_count(Inline(b"foobar"), -1, -5, BitUnit::Byte), 0);
        assert_eq!(bit_count(Inline(b""), 0, -1, BitUnit::Byte), 0);
        assert_eq!(bit_position(Inline(b"\xff\xf0\x00"), false, 0, None, BitUnit::Byte), 12);
        assert_eq!(
            bit_position(Inline(b"\x00\xff\xf0"), true, 2, Some(-1), BitUnit::Byte),
            16
        );
        assert_eq!(
            bit_position(Inline(b"\x00\xff\xf0"), true, 7, Some(15), BitUnit::Bit),
            8
        );
        assert_eq!(bit_position(Inline(b"\x00\x00\x00"), true, 0, None, BitUnit::Byte), -1);
        assert_eq!(bit_position(Inline(b"\xff\xff\xff"), false, 0, None, BitUnit::Byte), 24);
        assert_eq!(
            bit_position(Inline(b"\xff\xff\xff"), false, 0, Some(-1), BitUnit::Byte),
            -1
        );
        assert_eq!(bit_position(Inline(b""), false, 0, None, BitUnit::Byte), -1);
        assert_eq!(bit_op(BitOp::And, &[Inline(b"foobar"), Inline(b"abcdef")]), b"`bc`ab");
        assert_eq!(bit_op(BitOp::And, &[Inline(b"ab"), Inline(b"a")]), b"a\0");
        assert_eq!(bit_op(BitOp::Or, &[Inline(b"a"), Inline(b"\x02b")]), b"cb");
        assert_eq!(
            bit_op(BitOp::Xor, &[Inline(b"a"), Inline(b"a"), Inline(b"\0x")]),
            b"\0x"
        );
        assert_eq!(bit_op(BitOp::Not, &[Inline(b"\xf0\x01")]), b"\x0f\xfe");
        let (x, y, z) = (Inline(b"\xf0\x0f"), Inline(b"\x3c"), Inline(b"\x81\x03\xff"));
        assert_eq!(bit_op(BitOp::Diff, &[x, y, z]), b"\x40\x0c\0");
        assert_eq!(bit_op(BitOp::Diff1, &[x, y, z]), b"\x0d\0\xff");
        assert_eq!(bit_op(BitOp::AndOr, &[x, y, z]), b"\xb0\x03\0");
        assert_eq!(bit_op(BitOp::One, &[x, y, z]), b"\x4d\x0c\xff");
        assert_eq!(bit_op(BitOp::One, &[x, x, x]), b"\0\0");
    }

    /// The same by looking at each bit.
    fn model(bytes: &[u8], start: i64, end: i64, unit: BitUnit) -> Vec<(i64, bool)> {
        let scale = if unit == BitUnit::Bit { 1 } else { 8 };
        let total = bytes.len() as i64 * 8 / scale;
        let resolve = |index: i64| if index < 0 { (total + index).max(0) } else { index };
        let (start, end) = (resolve(start), resolve(end).min(total - 1));
        (start * scale..(end + 1) * scale)
            .map(|bit| (bit, get_bit(Inline(bytes), bit as u64)))
            .collect()
    }

    #[test]
    fn ranges_agree_with_a_model() {
        let mut random = Random::from_entropy();
        println!("seed {}", random.seed());
        for _ in 0..20_000 {
            let fill = [0u8, 0xff][random.index(2).unwrap()];
            let mut bytes = vec![fill; random.index(40).unwrap()];
            if !bytes.is_empty() && random.index(3) != Some(0) {
                let index = random.index(bytes.len()).unwrap();
                bytes[index] = random.next_u64() as u8;
            }
            let (start, end) = (random.between(-350, 350), random.between(-350, 350));
            let unit = if random.index(2) == Some(0) {
                BitUnit::Bit
            } else {
                BitUnit::Byte
            };
            let bits = model(&bytes, start, end, unit);
            let reversed = start < 0 && end < 0 && start > end;
            let count = if reversed {
                0
            } else {
                bits.iter().filter(|(_, on)| *on).count() as u64
            };
            assert_eq!(
                bit_count(Inline(&bytes), start, end, unit),
                count,
                "{bytes:?} {start} {end} {unit:?}"
            );
            for bit in [false, true] {
                let position = bits
                    .iter()
                    .find(|(_, on)| *on == bit)
                    .map_or(-1, |(position, _)| *position);
                let found = bit_position(Inline(&bytes), bit, start, Some(end), unit);
                assert_eq!(found, position, "{bytes:?} {bit} {start} {end} {unit:?}");
            }
        }
    }
}
