//! The packed form of a container: a short header and its items, one after another, in one byte string.
//!
//! ```text
//!   0       1                 …
//!   +-------+-----------------+------+------+-- - -
//!   | flags | count, a varint | item | item |
//!   +-------+-----------------+------+------+-- - -
//! ```
//!
//! Small containers live in this form inside their entry; every container travels in it, through the log, page images
//! and persisted files. What the items mean is the container's affair (a hash has a value behind each field).
//!
//! An item begins with a byte that says what it is:
//!
//! | first byte | item |
//! |---|---|
//! | `0x00`–`0x7f` | the integer of that value |
//! | `0x80`–`0xbf` | a string of 0 to 63 bytes, which follow |
//! | `0xc0` | a string: varint length, bytes |
//! | `0xc1`–`0xc5` | an integer of 1, 2, 3, 4 or 8 bytes, little endian, signed |
//! | `0xc6` | a double of 8 bytes, little endian |
//!
//! **Invariants**
//! - Bytes that are the canonical decimal form of an `i64` are always an integer, all others always a string: two items
//!   are equal bytes exactly when they are equal items.
//! - Reading never goes past the end and never panics, whatever the bytes; [`Packed::check`] tells whether they are
//!   whole.

use std::borrow::Cow;
use std::cmp::Ordering;

/// Set in the header's flags of a container whose compact encoding's name is lost (`OBJECT ENCODING`).
pub const FLAG_WIDE: u8 = 1;
/// Set in the header's flags of a hash whose fields have expiry times: a third item behind each field and value.
pub const FLAG_TIMED: u8 = 2;
const FLAGS_KNOWN: u8 = FLAG_WIDE | FLAG_TIMED;

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
const ITEM_HEAD_BYTES_MAX: usize = 11;
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

fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a number of variable length: seven bits a byte, the lowest first.
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a number of variable length from the front of `bytes`; `None` when it is cut short or too long.
pub fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Reads items one after another; ends early where the bytes make no sense.
#[derive(Clone, Debug)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// The items that stand one after another in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Reads an item as it is written.
    pub fn next_written(&mut self) -> Option<&'a [u8]> {
        let all = self.0;
        self.next()?;
        all.get(..all.len() - self.0.len())
    }

    /// Reads a plain byte that stands between items.
    pub fn skip_byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// Reads a number of variable length that stands between items.
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

    fn int(&mut self, width: usize) -> Option<Item<'a>> {
        let bytes = self.take(width)?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut word = if negative { [0xff; 8] } else { [0; 8] };
        word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Some(Item::Int(i64::from_le_bytes(word)))
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

/// A packed container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    /// Takes bytes for a packed container; nothing is checked.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// All of it.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Flags of the header.
    pub fn flags(self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Whether the compact encoding's name is lost.
    pub fn is_wide(self) -> bool {
        self.flags() & FLAG_WIDE != 0
    }

    /// How many items there are, by the header.
    #[inline]
    pub fn count(self) -> usize {
        let mut rest = self.0.get(1..).unwrap_or_default();
        read_varint(&mut rest).map_or(0, |count| count as usize)
    }

    /// The items.
    #[inline]
    pub fn items(self) -> Items<'a> {
        let mut rest = self.0.get(1..).unwrap_or_default();
        match read_varint(&mut rest) {
            Some(_) => Items(rest),
            None => Items(&[]),
        }
    }

    /// Whether the bytes are whole: as many items as the header says, and nothing behind them.
    ///
    /// # Errors
    /// A sentence saying what is wrong.
    pub fn check(self) -> Result<(), String> {
        let count = self.count();
        let mut items = self.items();
        let found = items.by_ref().count();
        if self.0.len() < 2 || found != count || !items.rest().is_empty() {
            return Err(format!(
                "a packed container of {count} items has {found} that can be read"
            ));
        }
        if self.flags() & !FLAGS_KNOWN != 0 {
            return Err(format!("a packed container has unknown flags {:#04x}", self.flags()));
        }
        Ok(())
    }
}

/// Builds a packed container front to back.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    flags: u8,
    count: u64,
    items: Vec<u8>,
}

impl Builder {
    /// An empty one with these flags in its header.
    pub fn new(flags: u8) -> Self {
        Self {
            flags,
            ..Self::default()
        }
    }

    /// One with these items, written already.
    pub fn from_items(flags: u8, count: u64, items: Vec<u8>) -> Self {
        Self { flags, count, items }
    }

    /// The same with other flags.
    pub fn with_flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    /// Appends an item.
    pub fn push(&mut self, item: Item<'_>) {
        item.write(&mut self.items);
        self.count += 1;
    }

    /// Appends bytes as the item they are.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.push(Item::of(bytes));
    }

    /// How many items there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The items so far.
    pub fn items(&self) -> Items<'_> {
        Items(&self.items)
    }

    /// Bytes of the items so far.
    pub fn items_bytes(&self) -> usize {
        self.items.len()
    }

    /// The packed container.
    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + varint_bytes(self.count) + self.items.len());
        out.push(self.flags);
        write_varint(&mut out, self.count);
        out.extend_from_slice(&self.items);
        out
    }
}

impl<'a> FromIterator<Item<'a>> for Builder {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        let mut builder = Self::default();
        items.into_iter().for_each(|item| builder.push(item));
        builder
    }
}

/// Items as they stand in an effect: a packed container of them.
pub fn pack<'a>(items: impl IntoIterator<Item = &'a [u8], IntoIter: Clone>) -> Vec<u8> {
    let items = items.into_iter();
    let add = |(count, bytes): (u64, usize), item: &[u8]| (count + 1, bytes + ITEM_HEAD_BYTES_MAX + item.len());
    let (count, bytes) = items.clone().fold((0, ITEM_HEAD_BYTES_MAX), add);
    let mut out = Vec::with_capacity(bytes);
    out.push(0);
    write_varint(&mut out, count);
    items.for_each(|item| Item::of(item).write(&mut out));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_read_back_as_short_as_they_can_be() {
        let long = vec![b'x'; 70_000];
        for (bytes, written) in [
            (&b""[..], 1),
            (b"a", 2),
            (b"0", 1),
            (b"127", 1),
            (b"128", 3),
            (b"-1", 2),
            (b"-0", 3),
            (b"007", 4),
            (b"-128", 2),
            (b"32767", 3),
            (b"8388607", 4),
            (b"2147483647", 5),
            (b"2147483648", 9),
            (b"-9223372036854775808", 9),
            (b"9223372036854775808", 20),
            (&[b'x'; 63], 64),
            (&[b'x'; 64], 66),
            (&long, 70_004),
        ] {
            let mut out = Vec::new();
            Item::of(bytes).write(&mut out);
            assert_eq!(
                (out.len(), Item::of(bytes).written_bytes()),
                (written, written),
                "{bytes:?}"
            );
            let mut items = Items(&out);
            assert_eq!(&*items.next().unwrap().bytes(), bytes);
            assert!(items.next().is_none());
        }
    }

    #[test]
    fn numbers_keep_their_bits() {
        for number in [
            0.0,
            -0.0,
            1.5,
            -3.0,
            1e300,
            f64::INFINITY,
            9_007_199_254_740_993.0,
            1e15,
        ] {
            let mut out = Vec::new();
            Item::of_f64(number).write(&mut out);
            let read = Items(&out).next().and_then(Item::number).unwrap();
            assert_eq!(read.to_bits(), number.to_bits(), "{number}");
        }
    }

    #[test]
    fn containers_are_checked() {
        let packed = pack([&b"field"[..], b"12", b"", b"-500"]);
        let whole = Packed::new(&packed);
        assert_eq!((whole.count(), whole.items().count()), (4, 4));
        assert_eq!(whole.check(), Ok(()));
        for cut in 0..packed.len() {
            assert!(Packed::new(&packed[..cut]).check().is_err(), "{cut}");
        }
        for at in 0..packed.len() {
            let mut flipped = packed.clone();
            flipped[at] ^= 0xff;
            // Never a panic, whatever it says.
            let _ = Packed::new(&flipped).check();
        }
        assert!(Packed::new(&[packed.as_slice(), b"x"].concat()).check().is_err());
    }

    #[test]
    fn varints_read_back() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(out.len(), varint_bytes(value));
            let mut rest = out.as_slice();
            assert_eq!(read_varint(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
        assert_eq!(read_varint(&mut [0x80; 11].as_slice()), None);
    }
}
