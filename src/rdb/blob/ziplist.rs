//! Ziplist, the compact encoding before Redis 7: a header of total bytes (4), place of the last entry (4) and count
//! (2), the entries, an end mark. An entry begins with the length of the one before it.

use crate::page::packed::Item;

use super::super::error::Reason;
use super::{Rest, passed_on};

const END: u8 = 0xff;
const HEADER_BYTES: usize = 10;
/// First byte of an earlier entry's length when four bytes follow.
const LONG_BEFORE: u8 = 0xfe;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Reads a ziplist front to back.
#[derive(Clone, Debug)]
pub struct Ziplist<'a> {
    rest: Rest<'a>,
    total: usize,
    tail: usize,
    count: u16,
    seen: usize,
    /// Where the last entry that was read begins, and how long it is.
    last: (usize, usize),
    done: bool,
}

impl<'a> Ziplist<'a> {
    /// Takes `blob` for a ziplist; its header is checked.
    pub fn new(blob: &'a [u8]) -> Result<Self, Reason> {
        let mut rest = Rest(blob);
        let total = rest.u32_le()? as usize;
        let tail = rest.u32_le()? as usize;
        let count = rest.u16_le()?;
        if total != blob.len() {
            return Reason::bad("a ziplist is not as long as it says");
        }
        Ok(Self {
            rest,
            total,
            tail,
            count,
            seen: 0,
            last: (HEADER_BYTES, 0),
            done: false,
        })
    }

    fn read(&mut self) -> Result<Option<Item<'a>>, Reason> {
        let start = self.total - self.rest.0.len();
        let before = self.rest.byte()?;
        if before == END {
            return self.end().map(|()| None);
        }
        let before = match before {
            LONG_BEFORE => self.rest.u32_le()? as usize,
            short => usize::from(short),
        };
        if before != self.last.1 {
            return Reason::bad("an entry of a ziplist has another length before it");
        }
        let first = self.rest.byte()?;
        let item = self.item(first)?;
        self.seen += 1;
        self.last = (start, self.total - self.rest.0.len() - start);
        Ok(Some(item))
    }

    fn end(&self) -> Result<(), Reason> {
        let count_matches = self.count == COUNT_UNKNOWN || usize::from(self.count) == self.seen;
        if self.rest.0.is_empty() && count_matches && self.tail == self.last.0 {
            Ok(())
        } else {
            Reason::bad("a ziplist ends where it should not")
        }
    }

    fn item(&mut self, first: u8) -> Result<Item<'a>, Reason> {
        let rest = &mut self.rest;
        match first {
            0x00..=0x3f => rest.string(first.into()),
            0x40..=0x7f => {
                let len = u16::from_be_bytes([first & 0x3f, rest.byte()?]);
                rest.string(len.into())
            }
            0x80 => {
                let len = u32::from_be_bytes(rest.array()?);
                rest.string(len as usize)
            }
            0xc0 => rest.i16_le(),
            0xd0 => rest.i32_le(),
            0xe0 => rest.i64_le(),
            0xf0 => rest.i24_le(),
            0xfe => rest.byte().map(|byte| Item::Int((byte as i8).into())),
            0xf1..=0xfd => Ok(Item::Int(i64::from(first & 0x0f) - 1)),
            _ => Reason::bad("a ziplist has an entry of an unknown kind"),
        }
    }
}

impl<'a> Iterator for Ziplist<'a> {
    type Item = Result<Item<'a>, Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read();
        passed_on(item, &mut self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ziplist of these encoded entries (without the length before them).
    fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        let (mut before, mut tail) = (0, HEADER_BYTES);
        for entry in entries {
            tail = HEADER_BYTES + body.len();
            if before < 254 {
                body.push(before as u8);
            } else {
                body.push(LONG_BEFORE);
                body.extend((before as u32).to_le_bytes());
            }
            body.extend_from_slice(entry);
            before = HEADER_BYTES + body.len() - tail;
        }
        let mut blob = ((HEADER_BYTES + body.len() + 1) as u32).to_le_bytes().to_vec();
        blob.extend((tail as u32).to_le_bytes());
        blob.extend((entries.len() as u16).to_le_bytes());
        blob.extend(body);
        blob.push(END);
        blob
    }

    #[test]
    fn every_kind_of_entry_is_read() {
        let long = [&[0x41, 0x2c][..], &[b'x'; 300]].concat();
        let longer = [&[0x80, 0, 1, 0, 0][..], &[b'y'; 65_536]].concat();
        let blob = ziplist(&[
            b"\x03abc",
            &long,
            b"\xf1",
            b"\xfd",
            &longer,
            b"\xfe\xff",
            b"\xc0\x00\x80",
            b"\xf0\xff\xff\x7f",
            b"\xd0\xff\xff\xff\x7f",
            b"\xe0\x00\x00\x00\x00\x00\x00\x00\x80",
            b"\x00",
        ]);
        let items: Vec<_> = Ziplist::new(&blob)
            .unwrap()
            .map(|item| item.unwrap().bytes().into_owned())
            .collect();
        let expected: Vec<Vec<u8>> = vec![
            b"abc".to_vec(),
            vec![b'x'; 300],
            b"0".to_vec(),
            b"12".to_vec(),
            vec![b'y'; 65_536],
            b"-1".to_vec(),
            b"-32768".to_vec(),
            b"8388607".to_vec(),
            b"2147483647".to_vec(),
            b"-9223372036854775808".to_vec(),
            b"".to_vec(),
        ];
        assert_eq!(items, expected);
    }

    #[test]
    fn any_change_of_lengths_is_an_error() {
        let blob = ziplist(&[b"\x03abc", b"\xf5", b"\x02xy"]);
        let read = |blob: &[u8]| {
            Ziplist::new(blob)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .is_ok()
        };
        assert!(read(&blob) && read(&ziplist(&[])));
        for cut in 0..blob.len() {
            assert!(!read(&blob[..cut]));
        }
        for at in [0, 4, 8, 10, 11, 15, 17, blob.len() - 1] {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert!(!read(&changed), "{at}");
        }
    }
}
