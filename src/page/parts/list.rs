//! What stands in a page for a container in parts, or a string: all of it but the elements (of a string, the bytes),
//! and which parts have those.
//!
//! ```text
//!   0      1       2          …
//!   +------+-------+----------+-----------------------+-------+----------------------+- - -
//!   | kind | flags | elements | head: length, bytes   | parts | start?, id, version  |  …
//!   +------+-------+----------+-----------------------+-------+----------------------+- - -
//! ```
//!
//! Numbers behind the flags are varints. A part of a trie has where it begins in front, its bits the other way round:
//! they are few, and the highest ones. `kind` is that of pages and the log, `flags` are those of the packed form, and
//! the head is what the kind needs besides: the seed of a trie's hash, 8 bytes; a stream without entries, packed.
//!
//! **Invariant:** reading never panics, whatever the bytes.

use serde::{Serialize, Serializer};

use super::PageId;
use crate::lsn::Lsn;
use crate::page::kind::{Kind, ValueType, wire_code};
use crate::page::malformed::Malformed;
use crate::page::packed::{read_varint, write_varint};

const CUT_SHORT: Malformed = Malformed::Container("a list of parts is cut short");

/// A part by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PartRef {
    /// The first hash of a trie's part, 0 otherwise.
    pub start: u64,
    /// Its identity.
    pub id: PageId,
    /// LSN of its last change.
    pub version: Lsn,
}

/// See the module.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Parted<'a> {
    /// What it is.
    pub kind: ValueType,
    /// The flags of its packed form.
    pub flags: u8,
    /// How many elements all parts have; of a string, bytes.
    pub elements: u64,
    /// What else the kind needs.
    #[serde(skip)]
    pub head: &'a [u8],
    /// The parts, in their order.
    #[serde(serialize_with = "each")]
    pub parts: PartList<'a>,
}

/// The parts of a container, as they are written.
#[derive(Clone, Copy, Debug)]
pub struct PartList<'a> {
    count: u64,
    is_hashed: bool,
    bytes: &'a [u8],
}

impl<'a> Parted<'a> {
    /// As bytes, with these parts in place of its own.
    pub fn encode(&self, parts: impl ExactSizeIterator<Item = PartRef>) -> Vec<u8> {
        let mut out = vec![wire_code(self.kind) as u8, self.flags];
        write_varint(&mut out, self.elements);
        write_varint(&mut out, self.head.len() as u64);
        out.extend_from_slice(self.head);
        write_varint(&mut out, parts.len() as u64);
        let is_hashed = is_hashed(self.kind);
        for part in parts {
            if is_hashed {
                write_varint(&mut out, part.start.reverse_bits());
            }
            write_varint(&mut out, part.id.get());
            write_varint(&mut out, part.version.get());
        }
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// What is wrong.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let Some(([kind, flags], mut rest)) = bytes.split_first_chunk() else {
            return Err(CUT_SHORT);
        };
        let kind = ValueType::of_code(*kind).ok_or(Malformed::Container("parts of no known type"))?;
        let mut number = || read_varint(&mut rest).ok_or(CUT_SHORT);
        let (elements, head_bytes) = (number()?, number()?);
        let head_bytes = usize::try_from(head_bytes).map_err(|_| CUT_SHORT)?;
        let (head, mut rest) = rest.split_at_checked(head_bytes).ok_or(CUT_SHORT)?;
        let count = read_varint(&mut rest).ok_or(CUT_SHORT)?;
        let parts = PartList {
            count,
            is_hashed: is_hashed(kind),
            bytes: rest,
        };
        parts.check()?;
        Ok(Self {
            kind,
            flags: *flags,
            elements,
            head,
            parts,
        })
    }
}

impl<'a> PartList<'a> {
    /// None.
    pub const EMPTY: Self = Self {
        count: 0,
        is_hashed: false,
        bytes: &[],
    };

    /// The parts.
    pub fn iter(self) -> impl Iterator<Item = PartRef> + use<'a> {
        let mut rest = self.bytes;
        (0..self.count).map_while(move |_| next(&mut rest, self.is_hashed))
    }

    fn check(self) -> Result<(), Malformed> {
        let (mut rest, mut before) = (self.bytes, None);
        for _ in 0..self.count {
            let part = next(&mut rest, self.is_hashed).ok_or(CUT_SHORT)?;
            let begins = if before.is_none() {
                part.start == 0
            } else {
                before < Some(part.start)
            };
            if self.is_hashed && !begins {
                return Err(Malformed::Container(
                    "the parts of a container do not ascend from the first hash",
                ));
            }
            before = Some(part.start);
        }
        if self.count == 0 || !rest.is_empty() {
            return Err(Malformed::Container("a list of parts is not whole"));
        }
        Ok(())
    }
}

fn each<S: Serializer>(parts: &PartList<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(parts.iter())
}

fn next(rest: &mut &[u8], is_hashed: bool) -> Option<PartRef> {
    let start = if is_hashed {
        read_varint(rest)?.reverse_bits()
    } else {
        0
    };
    Some(PartRef {
        start,
        id: PageId::new(read_varint(rest)?),
        version: Lsn::new(read_varint(rest)?),
    })
}

/// Whether parts are runs of hashes.
fn is_hashed(kind: ValueType) -> bool {
    match kind {
        ValueType::Container(Kind::Set | Kind::Zset | Kind::Hash) => true,
        ValueType::Container(Kind::List | Kind::Stream | Kind::Vectors) | ValueType::Str => false,
    }
}
