//! Listpack: a header of total bytes (4) and count (2), the entries, an end mark. An entry is a first byte that says
//! what it is, its bytes, and the number of both, backwards, for walking from the end.

use crate::page::packed::Item;

use super::super::error::Reason;
use super::{Rest, passed_on};

const HEADER_BYTES: usize = 6;
const END: u8 = 0xff;
/// In the header when there are this many entries or more.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Reads a listpack front to back.
#[derive(Clone, Debug)]
pub struct Listpack<'a> {
    rest: Rest<'a>,
    count: u16,
    seen: usize,
    done: bool,
}

impl<'a> Listpack<'a> {
    /// Takes `blob` for a listpack; its header is checked.
    pub fn new(blob: &'a [u8]) -> Result<Self, Reason> {
        let mut rest = Rest(blob);
        let total = rest.u32_le()?;
        let count = rest.u16_le()?;
        if total as usize != blob.len() {
            return Reason::bad("a listpack is not as long as it says");
        }
        Ok(Self {
            rest,
            count,
            seen: 0,
            done: false,
        })
    }

    /// The next item, which must be there.
    pub fn expect(&mut self) -> Result<Item<'a>, Reason> {
        self.next()
            .unwrap_or_else(|| Reason::bad("a listpack has too few entries"))
    }

    /// The next item, which must be an integer.
    pub fn expect_int(&mut self) -> Result<i64, Reason> {
        match self.expect()? {
            Item::Int(value) => Ok(value),
            Item::Bytes(_) | Item::Double(_) => Reason::bad("a listpack has a string in place of an integer"),
        }
    }

    fn read(&mut self) -> Result<Option<Item<'a>>, Reason> {
        let before = self.rest.0.len();
        let first = self.rest.byte()?;
        if first == END {
            let count_matches = self.count == COUNT_UNKNOWN || usize::from(self.count) == self.seen;
            return if self.rest.0.is_empty() && count_matches {
                Ok(None)
            } else {
                Reason::bad("a listpack ends where it should not")
            };
        }
        let item = self.item(first)?;
        let (back, width) = back_length(before - self.rest.0.len());
        if self.rest.take(width)? != back.get(..width).unwrap_or_default() {
            return Reason::bad("an entry of a listpack has another length behind it");
        }
        self.seen += 1;
        Ok(Some(item))
    }

    fn item(&mut self, first: u8) -> Result<Item<'a>, Reason> {
        let rest = &mut self.rest;
        match first {
            0x00..=0x7f => Ok(Item::Int(first.into())),
            0x80..=0xbf => rest.string((first & 0x3f).into()),
            0xc0..=0xdf => {
                // Thirteen bits, signed.
                let bits = u16::from_be_bytes([first & 0x1f, rest.byte()?]);
                Ok(Item::Int(((bits << 3) as i16 >> 3).into()))
            }
            0xe0..=0xef => {
                let len = u16::from_be_bytes([first & 0x0f, rest.byte()?]);
                rest.string(len.into())
            }
            0xf0 => {
                let len = rest.u32_le()?;
                rest.string(len as usize)
            }
            0xf1 => rest.i16_le(),
            0xf2 => rest.i24_le(),
            0xf3 => rest.i32_le(),
            0xf4 => rest.i64_le(),
            _ => Reason::bad("a listpack has an entry of an unknown kind"),
        }
    }
}

impl<'a> Iterator for Listpack<'a> {
    type Item = Result<Item<'a>, Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read();
        passed_on(item, &mut self.done)
    }
}

/// An entry's length as it stands behind it: seven bits a byte, the highest first, all but the first marked.
fn back_length(len: usize) -> ([u8; 5], usize) {
    let width = match len {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    };
    let mut bytes = [0; 5];
    for (place, byte) in bytes.iter_mut().take(width).enumerate() {
        let seven = (len >> (7 * (width - 1 - place))) as u8 & 0x7f;
        *byte = if place == 0 { seven } else { seven | 0x80 };
    }
    (bytes, width)
}

/// Builds a listpack front to back.
#[derive(Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    count: usize,
}

impl Builder {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; HEADER_BYTES],
            count: 0,
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Entries so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Appends an item.
    pub fn push(&mut self, item: Item<'_>) {
        match item {
            Item::Int(value) => self.push_int(value),
            Item::Bytes(bytes) => self.push_string(bytes),
            Item::Double(_) => item.with_bytes(|bytes| self.push_string(bytes)),
        }
    }

    /// Appends an integer.
    pub fn push_int(&mut self, value: i64) {
        let start = self.bytes.len();
        let wide = value.to_le_bytes();
        let (first, width) = match value {
            0..=127 => (value as u8, 0),
            -4096..=4095 => {
                let [high, low] = (value as u16).to_be_bytes();
                self.bytes.extend([0xc0 | (high & 0x1f), low]);
                return self.close(start);
            }
            -0x8000..=0x7fff => (0xf1, 2),
            -0x80_0000..=0x7f_ffff => (0xf2, 3),
            -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
            _ => (0xf4, 8),
        };
        self.bytes.push(first);
        self.bytes.extend(wide.iter().take(width));
        self.close(start);
    }

    fn push_string(&mut self, bytes: &[u8]) {
        let start = self.bytes.len();
        match bytes.len() {
            len @ 0..=63 => self.bytes.push(0x80 | len as u8),
            len @ 64..=4095 => self.bytes.extend([0xe0 | (len >> 8) as u8, len as u8]),
            len => {
                self.bytes.push(0xf0);
                self.bytes.extend((len as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(bytes);
        self.close(start);
    }

    fn close(&mut self, start: usize) {
        let (back, width) = back_length(self.bytes.len() - start);
        self.bytes.extend(back.iter().take(width));
        self.count += 1;
    }

    /// The listpack.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let total = self.bytes.len() as u32;
        let count = u16::try_from(self.count).unwrap_or(COUNT_UNKNOWN);
        let header = total.to_le_bytes().into_iter().chain(count.to_le_bytes());
        self.bytes.iter_mut().zip(header).for_each(|(to, from)| *to = from);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_entry_reads_back() {
        let ints = [
            0,
            1,
            127,
            128,
            -1,
            4095,
            -4096,
            4096,
            -4097,
            32_767,
            -32_768,
            32_768,
            8_388_607,
            -8_388_608,
            8_388_608,
            2_147_483_647,
            -2_147_483_648,
            2_147_483_648,
            i64::MAX,
            i64::MIN,
        ];
        let strings = [0, 1, 63, 64, 4095, 4096, 16_383, 70_000, 2_097_151].map(|len| vec![b'x'; len]);
        let mut builder = Builder::new();
        ints.iter().for_each(|value| builder.push_int(*value));
        strings.iter().for_each(|text| builder.push(Item::of(text)));
        let blob = builder.finish();
        let mut listpack = Listpack::new(&blob).unwrap();
        for value in ints {
            assert_eq!(listpack.expect_int().unwrap(), value);
        }
        for text in &strings {
            assert_eq!(&*listpack.expect().unwrap().bytes(), text.as_slice());
        }
        assert!(listpack.next().is_none());
    }

    #[test]
    fn the_bytes_are_those_of_redis() {
        let mut builder = Builder::new();
        [&b"a"[..], b"1", b"-5000", b"hello"]
            .iter()
            .for_each(|item| builder.push(Item::of(item)));
        assert_eq!(
            builder.finish(),
            b"\x17\0\0\0\x04\0\x81a\x02\x01\x01\xf1\x78\xec\x03\x85hello\x06\xff"
        );
    }

    #[test]
    fn any_change_of_lengths_is_an_error() {
        let mut builder = Builder::new();
        [&b"field"[..], b"value", b"77777"]
            .iter()
            .for_each(|item| builder.push(Item::of(item)));
        let blob = builder.finish();
        let read = |blob: &[u8]| {
            Listpack::new(blob)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .is_ok()
        };
        assert!(read(&blob));
        for cut in 0..blob.len() {
            assert!(!read(&blob[..cut]));
        }
        for at in [0, 4, 6, 12, 13, 19, 24, blob.len() - 1] {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert!(!read(&changed), "{at}");
        }
    }
}
