//! A byte buffer into which large values are linked rather than copied.
//!
//! Page images and WAL records are built under a shard's lock; linking keeps that time independent of value sizes. A
//! big container, or a string in chunks, is linked as a clone, which shares its structure; [`Spliced::settle`] turns
//! containers into bytes and strings into links to their chunks, later and elsewhere.
//!
//! **Invariant:** splice positions ascend and never exceed the inline length at the time of splicing.

use std::io::{self, Write};

use super::codec;
use super::container::Big;
use super::join::Whole;
use super::text::{BigText, Run};
use crate::shared::{Piece, Shared};

/// Values at least this long are linked instead of copied.
pub const SPLICE_BYTES_MIN: usize = 32 * 1024;

/// Inline bytes plus links to large values at given inline positions.
#[derive(Default, Debug)]
pub struct Spliced {
    inline: Vec<u8>,
    links: Vec<(usize, Piece)>,
    /// What is no links yet: the number of links before each, its position, itself.
    unsettled: Vec<(usize, usize, Unsettled)>,
}

#[derive(Debug)]
enum Unsettled {
    /// All of it.
    Container(Big),
    /// All of its bytes.
    Text(BigText),
    /// The names of its parts.
    Parted(Whole),
}

impl Spliced {
    /// Appends bytes by copying.
    pub fn push(&mut self, bytes: &[u8]) {
        self.inline.extend_from_slice(bytes);
    }

    /// Links `piece` at the current end.
    pub fn link(&mut self, piece: Piece) {
        self.links.push((self.inline.len(), piece));
    }

    /// Links a big container at the current end, to stand there as the codec writes byte strings: length, then bytes.
    pub fn link_big(&mut self, big: Big) {
        self.late(Unsettled::Container(big));
    }

    /// Links a string in chunks at the current end, to stand there as the codec writes byte strings.
    pub fn link_text(&mut self, text: BigText) {
        codec::encode(&(text.len() as u64), None, self);
        self.late(Unsettled::Text(text));
    }

    /// Links what a page has of a value in parts at the current end, to stand there as the codec writes byte strings.
    pub fn link_parted(&mut self, whole: Whole) {
        self.late(Unsettled::Parted(whole));
    }

    fn late(&mut self, value: Unsettled) {
        self.unsettled.push((self.links.len(), self.inline.len(), value));
    }

    /// The linked values that are in parts.
    pub fn parted(&self) -> impl Iterator<Item = &Whole> {
        self.unsettled.iter().filter_map(|(_, _, value)| match value {
            Unsettled::Parted(whole) => Some(whole),
            Unsettled::Container(_) | Unsettled::Text(_) => None,
        })
    }

    /// Turns linked containers into bytes, values in parts into their names, and strings into links to their chunks.
    /// O(what they come to); what reads the content needs it done.
    pub fn settle(&mut self) {
        // From the back, so that places before stay what they are.
        for (links, at, value) in std::mem::take(&mut self.unsettled).into_iter().rev() {
            match value {
                Unsettled::Container(big) => self.links.insert(links, (at, framed(&big.pack()).into())),
                Unsettled::Parted(whole) => self.links.insert(links, (at, framed(&whole.pack_parted()).into())),
                Unsettled::Text(text) => {
                    let pieces = text.runs(0..text.len()).map(|run: Run<'_>| (at, run.piece()));
                    self.links.splice(links..links, pieces);
                }
            }
        }
    }

    /// Total length in bytes, links included; what is not settled counts once it is.
    #[expect(clippy::len_without_is_empty, reason = "only sizes matter to its users")]
    pub fn len(&self) -> usize {
        self.inline.len() + self.links.iter().map(|(_, piece)| piece.len()).sum::<usize>()
    }

    /// Calls `visit` with the pieces in order; together they are the content.
    pub fn for_each_piece<E>(&self, mut visit: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut from = 0;
        for (at, piece) in &self.links {
            visit(self.inline.get(from..*at).unwrap_or_default())?;
            visit(piece.bytes())?;
            from = *at;
        }
        visit(self.inline.get(from..).unwrap_or_default())
    }

    /// CRC32C of the whole content.
    pub fn crc32c(&self) -> u32 {
        let mut crc = 0;
        let Ok(()) = self.for_each_piece(|piece| {
            crc = crc32c::crc32c_append(crc, piece);
            Ok::<(), std::convert::Infallible>(())
        });
        crc
    }
}

/// A container as the codec writes byte strings.
fn framed(bytes: &[u8]) -> Shared {
    let mut framed = Vec::with_capacity(bytes.len() + 9);
    codec::encode(&(bytes.len() as u64), None, &mut framed);
    framed.extend_from_slice(bytes);
    Shared::new(framed)
}

impl Write for Spliced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_order_and_crc_covers_them_all() {
        let mut spliced = Spliced::default();
        spliced.push(b"ab");
        spliced.link(Shared::new(b"CDE".to_vec()).into());
        spliced.push(b"f");
        let mut whole = Vec::new();
        spliced
            .for_each_piece(|piece| {
                whole.extend_from_slice(piece);
                Ok::<(), ()>(())
            })
            .unwrap();
        assert_eq!(whole, b"abCDEf");
        assert_eq!(spliced.len(), 6);
        assert_eq!(spliced.crc32c(), crc32c::crc32c(b"abCDEf"));
    }
}
