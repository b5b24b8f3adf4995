//! A byte buffer into which large values are linked rather than copied.
//!
//! Page images and WAL records are built under a shard's lock; linking keeps that time independent of value sizes. A
//! big container is linked as a clone, which shares its structure; [`Spliced::settle`] turns those into bytes, later
//! and elsewhere.
//!
//! **Invariant:** splice positions ascend and never exceed the inline length at the time of splicing.

use std::io::{self, Write};

use super::codec;
use super::container::Big;
use crate::shared::Shared;

/// Values at least this long are linked instead of copied.
pub const SPLICE_BYTES_MIN: usize = 32 * 1024;

/// Inline bytes plus links to large values at given inline positions.
#[derive(Default, Debug)]
pub struct Spliced {
    inline: Vec<u8>,
    links: Vec<(usize, Shared)>,
    /// Containers that are not bytes yet: the number of links before each, its position, itself.
    unsettled: Vec<(usize, usize, Big)>,
}

impl Spliced {
    /// Appends bytes by copying.
    pub fn push(&mut self, bytes: &[u8]) {
        self.inline.extend_from_slice(bytes);
    }

    /// Links `shared` at the current end.
    pub fn link(&mut self, shared: Shared) {
        self.links.push((self.inline.len(), shared));
    }

    /// Links a big container at the current end, to stand there as the codec writes byte strings: length, then bytes.
    pub fn link_big(&mut self, big: Big) {
        self.unsettled.push((self.links.len(), self.inline.len(), big));
    }

    /// The linked containers that are in parts.
    pub fn parted(&self) -> impl Iterator<Item = &Big> {
        let linked = self.unsettled.iter().map(|(_, _, big)| big);
        linked.filter(|big| big.is_parted())
    }

    /// Turns linked containers into bytes: all of each, or of one in parts its head and their names. O(what they come
    /// to); what reads the content needs it done.
    pub fn settle(&mut self) {
        // From the back, so that places before stay what they are.
        for (links, at, big) in std::mem::take(&mut self.unsettled).into_iter().rev() {
            let packed = if big.is_parted() { big.pack_parted() } else { big.pack() };
            let mut framed = Vec::with_capacity(packed.len() + 9);
            codec::encode(&(packed.len() as u64), None, &mut framed);
            framed.extend_from_slice(&packed);
            self.links.insert(links, (at, Shared::new(framed)));
        }
    }

    /// Total length in bytes, links included; linked containers count once they are settled.
    #[expect(clippy::len_without_is_empty, reason = "only sizes matter to its users")]
    pub fn len(&self) -> usize {
        self.inline.len() + self.links.iter().map(|(_, shared)| shared.len()).sum::<usize>()
    }

    /// Calls `visit` with the pieces in order; together they are the content.
    pub fn for_each_piece<E>(&self, mut visit: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut from = 0;
        for (at, shared) in &self.links {
            visit(self.inline.get(from..*at).unwrap_or_default())?;
            visit(shared)?;
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
        spliced.link(Shared::new(b"CDE".to_vec()));
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
