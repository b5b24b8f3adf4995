//! The items of a packed container: what they are, how they are written and read.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::varint::{read_varint, varint_bytes, write_varint};

const SHORT_STRING: u8 = 0x80;
const SHORT_BYTES_MAX: usize = 63;
const LONG_STRING: u8 = 0xc0;
const INT_1: u8 = 0xc1;
const INT_2: u8 = 0xc2;
const INT_3: u8 = 0xc3;
const INT_4: u8 = 0xc4;
const INT_8: u8 = 0xc5;
const DOUBLE: u8 = 0xc6;
/// What stands before a string's bytes, or an integer in place of its shortest decimal form, at most.
pub const ITEM_HEAD_BYTES_MAX: usize = 11;
/// Longest decimal form of an `i64`.
const INT_TEXT_BYTES_MAX: usize = 20;

/// One item of a packed container.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A string that is not an integer's canonical form.
    Bytes(&'a [u8]),
    /// An integer, standing for its decimal form where bytes are asked for.
    Int(i64),
    /// A number such as a score; never equal to bytes.
    Double(f64),
}

impl<'a> Item<'a> {
    /// The item that bytes are.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Self {
        canonical_int(bytes).map_or(Self::Bytes(bytes), Self::Int)
    }

    /// The item of a number: an integer where that is exact, which is shorter.
    pub fn of_f64(number: f64) -> Self {
        let whole = number as i64;
        // Negative zero and everything beyond 2^53 keep their bits.
        if whole as f64 == number && whole.unsigned_abs() < 1 << 53 && (whole != 0 || number.is_sign_positive()) {
            Self::Int(whole)
        } else {
            Self::Double(number)
        }
    }

    /// The bytes that the item stands for.
    pub fn bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Int(value) => Cow::Owned(itoa::Buffer::new().format(value).as_bytes().to_vec()),
            Self::Double(number) => Cow::Owned(number.to_string().into_bytes()),
        }
    }

    /// Gives the bytes to `visit`, without an allocation.
    #[inline]
    pub fn with_bytes<R>(self, visit: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Bytes(bytes) => visit(bytes),
            Self::Int(value) => visit(itoa::Buffer::new().format(value).as_bytes()),
            Self::Double(number) => visit(number.to_string().as_bytes()),
        }
    }

    /// How many bytes [`Item::bytes`] has.
    pub fn bytes_len(self) -> usize {
        self.with_bytes(<[u8]>::len)
    }

    /// The number, of an item that is one.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Bytes(_) => None,
            Self::Int(value) => Some(value as f64),
            Self::Double(number) => Some(number),
        }
    }

    /// Whether both are the same string or integer (numbers: the same bits).
    #[inline]
    pub fn is(self, other: Item<'_>) -> bool {
        match (self, other) {
            (Self::Bytes(one), Item::Bytes(other)) => one == other,
            (Self::Int(one), Item::Int(other)) => one == other,
            (Self::Double(one), Item::Double(other)) => one.to_bits() == other.to_bits(),
            _ => false,
        }
    }

    /// The order of the bytes that items stand for.
    pub fn cmp_bytes(self, other: &[u8]) -> Ordering {
        self.with_bytes(|bytes| bytes.cmp(other))
    }

    /// Appends the item to `out`.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) if bytes.len() <= SHORT_BYTES_MAX => {
                out.push(SHORT_STRING + bytes.len() as u8);
                out.extend_from_slice(bytes);
            }
            Self::Bytes(bytes) => {
                out.push(LONG_STRING);
                write_varint(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Self::Int(value) => write_int(out, value),
            Self::Double(number) => {
                out.push(DOUBLE);
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    }

    /// How many bytes [`Item::write`] appends.
    pub fn written_bytes(self) -> usize {
        match self {
            Self::Bytes(bytes) if bytes.len() <= SHORT_BYTES_MAX => 1 + bytes.len(),
            Self::Bytes(bytes) => 1 + varint_bytes(bytes.len() as u64) + bytes.len(),
            Self::Int(value) => 1 + int_bytes(value),
            Self::Double(_) => 9,
        }
    }
}

/// Bytes of an integer behind its first byte.
fn int_bytes(value: i64) -> usize {
    match value {
        0..=0x7f => 0,
        -0x80..=0x7f => 1,
        -0x8000..=0x7fff => 2,
        -0x80_0000..=0x7f_ffff => 3,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

fn write_int(out: &mut Vec<u8>, value: i64) {
    let width = int_bytes(value);
    out.push(match width {
        0 => value as u8,
        1 => INT_1,
        2 => INT_2,
        3 => INT_3,
        4 => INT_4,
        _ => INT_8,
    });
    out.extend(value.to_le_bytes().iter().take(width));
}

/// The integer that `bytes` are the canonical decimal form of.
#[inline]
pub fn canonical_int(bytes: &[u8]) -> Option<i64> {
    let (&first, rest) = bytes.split_first()?;
    if bytes.len() > INT_TEXT_BYTES_MAX {
        return None;
    }
    let (negative, digits) = if first == b'-' { (true, rest) } else { (false, bytes) };
    match digits.split_first()? {
        (b'0', rest) => return (rest.is_empty() && !negative).then_some(0),
        (b'1'..=b'9', _) => {}
        _ => return None,
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    if negative {
        0_i64.checked_sub_unsigned(value)
    } else {
        i64::try_from(value).ok()
    }
}

/// Reads items one after another; ends early where the bytes make no sense.
#[derive(Clone, Debug)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// The items that stand one after another in `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Reads an item as it is written.
    #[inline]
    pub fn next_written(&mut self) -> Option<&'a [u8]> {
        let all = self.0;
        self.next()?;
        all.get(..all.len() - self.0.len())
    }

    /// Reads a plain byte that stands between items.
    #[inline]
    pub fn skip_byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Reads a number of variable length that stands between items.
    #[inline]
    pub fn skip_varint(&mut self) -> Option<u64> {
        read_varint(&mut self.0)
    }

    /// Passes over so many items; `None` if there are fewer.
    #[inline]
    pub fn pass(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            let bytes = match *self.0.first()? {
                0..SHORT_STRING => 1,
                first @ SHORT_STRING..LONG_STRING => 1 + usize::from(first - SHORT_STRING),
                _ => {
                    self.next()?;
                    continue;
                }
            };
            self.0 = self.0.get(bytes..)?;
        }
        Some(())
    }

    /// Whether the next item is a double.
    #[inline]
    pub fn is_at_double(&self) -> bool {
        self.0.first() == Some(&DOUBLE)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    fn int(&mut self, width: usize) -> Option<Item<'a>> {
        let word = match self.0.first_chunk() {
            Some(word) => *word,
            None => self.last_word(),
        };
        self.take(width)?;
        // What stands behind it goes out at the top; the sign comes in there.
        let behind = u64::BITS - 8 * width as u32;
        Some(Item::Int(i64::from_le_bytes(word) << behind >> behind))
    }

    /// Fewer than 8 bytes, with zeroes behind them.
    #[cold]
    fn last_word(&self) -> [u8; 8] {
        let mut word = [0; 8];
        word.iter_mut().zip(self.0).for_each(|(to, from)| *to = *from);
        word
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        match first {
            0..=0x7f => Some(Item::Int(i64::from(first))),
            SHORT_STRING..LONG_STRING => self.take(usize::from(first - SHORT_STRING)).map(Item::Bytes),
            LONG_STRING => {
                let len = read_varint(&mut self.0)?;
                self.take(usize::try_from(len).ok()?).map(Item::Bytes)
            }
            INT_1..=INT_4 => self.int(usize::from(first - INT_1) + 1),
            INT_8 => self.int(8),
            DOUBLE => {
                let bytes = self.take(8)?.first_chunk()?;
                Some(Item::Double(f64::from_le_bytes(*bytes)))
            }
            _ => None,
        }
    }

    #[inline]
    fn nth(&mut self, index: usize) -> Option<Item<'a>> {
        self.pass(index)?;
        self.next()
    }
}
