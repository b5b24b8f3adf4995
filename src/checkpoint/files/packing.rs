//! Compression of a page's content, when it is asked for and pays; and of zeroes always, of which a string may have
//! many that take no memory.
//!
//! **Invariants**
//! - Content is stored packed only when that is shorter, and only up to [`COMPRESSED_BYTES_MAX`]: what packing and
//!   unpacking take is bounded.
//! - Checksums are over what is stored, so nothing is unpacked that was not written so.

use super::fault::PageFault;
use super::format::{COMPRESSED_BYTES_MAX, FLAG_LZ4, FLAG_PART, PageHeader};
use crate::page::Spliced;
use crate::page::text::is_zero;

/// How pages are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are, but for zeroes.
    None,
    /// With LZ4, where that makes them smaller.
    Lz4,
}

/// Packs one page after another.
#[derive(Default)]
pub(super) struct Packer {
    is_on: bool,
    raw: Vec<u8>,
    packed: Vec<u8>,
    /// How many zeroes `packed` is, and how many bytes they took: mostly the next ones are as many.
    zeroes: Option<(usize, usize)>,
}

impl Packer {
    pub fn new(compression: Compression) -> Self {
        Self {
            is_on: compression == Compression::Lz4,
            ..Self::default()
        }
    }

    /// The content packed; `None` when it is to be stored as it is.
    pub fn pack(&mut self, content: &Spliced) -> Option<&[u8]> {
        let len = content.len();
        let is_zero = is_all_zero(content);
        if len as u64 > COMPRESSED_BYTES_MAX || !self.is_on && !is_zero {
            return None;
        }
        if let Some((of, packed)) = self.zeroes
            && is_zero
            && of == len
        {
            return self.packed.get(..packed).filter(|packed| packed.len() < len);
        }
        self.raw.clear();
        let Ok(()) = content.for_each_piece(|piece| {
            self.raw.extend_from_slice(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        let bound = lz4_flex::block::get_maximum_output_size(len);
        if self.packed.len() < bound {
            self.packed.resize(bound, 0);
        }
        let packed = lz4_flex::block::compress_into(&self.raw, &mut self.packed).ok()?;
        self.zeroes = is_zero.then_some((len, packed));
        self.packed.get(..packed).filter(|packed| packed.len() < len)
    }
}

/// Whether there is no other byte than zero.
fn is_all_zero(content: &Spliced) -> bool {
    let visited = content.for_each_piece(|piece| if is_zero(piece) { Ok(()) } else { Err(()) });
    visited.is_ok()
}

/// The content of a page as it was before packing: `stored` itself, or unpacked into `raw`.
///
/// # Errors
/// A sentence when it is not what the header says.
pub fn unpack<'a>(header: &PageHeader, stored: &'a [u8], raw: &'a mut Vec<u8>) -> Result<&'a [u8], PageFault> {
    match header.flags & !FLAG_PART {
        0 if header.raw_len == header.len => Ok(stored),
        0 => Err(PageFault::TwoLengths),
        FLAG_LZ4 if header.raw_len <= COMPRESSED_BYTES_MAX => {
            raw.resize(header.raw_len as usize, 0);
            match lz4_flex::block::decompress_into(stored, raw) {
                Ok(len) if len == raw.len() => Ok(raw),
                Ok(len) => Err(PageFault::Unpacked {
                    bytes: len,
                    expected: header.raw_len,
                }),
                Err(error) => Err(PageFault::DoesNotUnpack(error.to_string())),
            }
        }
        FLAG_LZ4 => Err(PageFault::TooLong(header.raw_len)),
        flags => Err(PageFault::UnknownWay(flags.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ids::CollectionId;
    use crate::engine::ids::ShardNo;
    use crate::page::PageId;
    use crate::shared::Shared;
    use crate::wal::Lsn;

    fn spliced(bytes: &[u8]) -> Spliced {
        let mut content = Spliced::default();
        let (head, tail) = bytes.split_at(bytes.len() / 3);
        content.push(head);
        content.link(Shared::new(tail.to_vec()).into());
        content
    }

    fn header(raw: usize, stored: usize) -> PageHeader {
        PageHeader {
            crc: 0,
            entries: 0,
            len: stored as u64,
            collection: CollectionId::new(0),
            shard: ShardNo::FIRST,
            page_id: PageId::new(0),
            version: Lsn::ZERO,
            raw_len: raw as u64,
            anchor: Default::default(),
            flags: FLAG_LZ4,
        }
    }

    #[test]
    fn packs_what_gets_shorter_and_nothing_else() {
        let mut packer = Packer::new(Compression::Lz4);
        let text = b"the same again ".repeat(1000);
        let packed = packer.pack(&spliced(&text)).unwrap().to_vec();
        assert!(packed.len() < text.len() / 4);
        let mut raw = Vec::new();
        assert_eq!(
            unpack(&header(text.len(), packed.len()), &packed, &mut raw).unwrap(),
            text
        );
        let noise: Vec<u8> = (0..5000).map(|_| rand::random()).collect();
        assert!(packer.pack(&spliced(&noise)).is_none());
        assert!(packer.pack(&Spliced::default()).is_none());
        assert!(Packer::new(Compression::None).pack(&spliced(&text)).is_none());
    }

    #[test]
    fn zeroes_are_packed_always() {
        let mut packer = Packer::new(Compression::None);
        for len in [1_000, 65_536, 65_536, 100_000, 65_536] {
            let mut zeroes = vec![0; len];
            let packed = packer.pack(&spliced(&zeroes)).unwrap().to_vec();
            assert!(packed.len() < 20 + len / 200, "{} of {len}", packed.len());
            let mut raw = Vec::new();
            assert_eq!(unpack(&header(len, packed.len()), &packed, &mut raw).unwrap(), zeroes);
            for at in [0, 1, len / 3, len / 2, len - 1] {
                zeroes[at] = 1;
                assert!(packer.pack(&spliced(&zeroes)).is_none(), "{at}");
                zeroes[at] = 0;
            }
        }
        assert!(packer.pack(&spliced(&[0; 5])).is_none());
    }

    #[test]
    fn a_length_that_is_not_right_is_refused() {
        let mut packer = Packer::new(Compression::Lz4);
        let text = vec![b'x'; 10_000];
        let packed = packer.pack(&spliced(&text)).unwrap().to_vec();
        for raw_len in [0, 1, 9_999, 10_001, COMPRESSED_BYTES_MAX as usize + 1, usize::MAX] {
            let mut raw = Vec::new();
            assert!(
                unpack(&header(raw_len, packed.len()), &packed, &mut raw).is_err(),
                "{raw_len}"
            );
            assert!(raw.capacity() as u64 <= COMPRESSED_BYTES_MAX);
        }
        for cut in 0..packed.len() {
            assert!(unpack(&header(text.len(), cut), &packed[..cut], &mut Vec::new()).is_err());
        }
    }
}
