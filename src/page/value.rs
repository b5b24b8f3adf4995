//! What a key holds: a string, or a container.
//!
//! **Invariant:** a string longer than [`INLINE_BYTES_MAX`] is always [`StrRef::Shared`] or [`StrRef::Chunked`] in an
//! entry, a shorter one always [`StrRef::Inline`], so that no write, reply or pre-image ever copies a large value under
//! a lock.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::container::{Big, Kind};
use super::kind::wire_code;
use super::packed::Packed;
use super::parts::Parted;
use super::text::{BigText, Runs};
use crate::shared::Shared;

pub use super::kind::ValueType;

/// Longest string value, in bytes, that lives inside its entry.
pub const INLINE_BYTES_MAX: usize = 4096;

/// Longest string in bytes: the log's records count theirs in 32 bits, and two of them stand in a few.
pub const STRING_BYTES_MAX: u64 = 1 << 31;

/// Longest key in bytes: an entry counts a key's in 32 bits, and a record may name two beside a value.
pub const KEY_BYTES_MAX: usize = (1 << 30) - 1;

/// A string value on its way into or out of an entry.
#[derive(Clone, Copy, Debug)]
pub enum StrRef<'a> {
    /// Bytes that live inside the entry, a request or a log record.
    Inline(&'a [u8]),
    /// A large value in its own allocation.
    Shared(&'a Shared),
    /// A large value of which parts have changed, in chunks.
    Chunked(&'a BigText),
}

impl<'a> StrRef<'a> {
    /// The bytes where they lie, unless they are in chunks: no number, and nothing else that is short, is.
    #[inline]
    pub fn whole(&self) -> Option<&'a [u8]> {
        match self {
            Self::Inline(bytes) => Some(bytes),
            Self::Shared(shared) => Some(shared.as_slice()),
            Self::Chunked(_) => None,
        }
    }

    /// The bytes in one piece; copied if they are in chunks.
    pub fn contiguous(&self) -> Cow<'a, [u8]> {
        self.part(0..self.len())
    }

    /// The bytes of `range`, as far as there are, in one piece; copied if they are in several chunks.
    pub fn part(&self, range: Range<usize>) -> Cow<'a, [u8]> {
        match self {
            Self::Chunked(text) => text.part(range),
            Self::Inline(bytes) => Cow::Borrowed(clipped(bytes, range)),
            Self::Shared(shared) => Cow::Borrowed(clipped(shared, range)),
        }
    }

    /// The bytes of `range`, as far as there are, in pieces as they lie.
    pub fn pieces(&self, range: Range<usize>) -> Pieces<'a> {
        match self {
            Self::Chunked(text) => Pieces::Chunked(text.runs(range)),
            Self::Inline(bytes) => Pieces::Whole(Some(clipped(bytes, range))),
            Self::Shared(shared) => Pieces::Whole(Some(clipped(shared, range))),
        }
    }

    /// One byte.
    pub fn byte(&self, index: usize) -> Option<u8> {
        let end = index.checked_add(1)?;
        self.pieces(index..end).next()?.first().copied()
    }

    /// Length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "an empty string is an ordinary value")]
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Inline(bytes) => bytes.len(),
            Self::Shared(shared) => shared.len(),
            Self::Chunked(text) => text.len(),
        }
    }
}

fn clipped(bytes: &[u8], range: Range<usize>) -> &[u8] {
    let end = range.end.min(bytes.len());
    bytes.get(range.start..end).unwrap_or_default()
}

/// See [`StrRef::pieces`].
pub enum Pieces<'a> {
    /// One piece.
    Whole(Option<&'a [u8]>),
    /// Pieces of chunks.
    Chunked(Runs<'a>),
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::Whole(bytes) => bytes.take(),
            Self::Chunked(runs) => runs.next().map(|run| run.bytes()),
        }
    }
}

impl Serialize for StrRef<'_> {
    /// Records and page images link chunks instead, which a serializer cannot.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.contiguous())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StrRef<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: &'de serde_bytes::Bytes = Deserialize::deserialize(deserializer)?;
        let bytes: &'de [u8] = bytes;
        Ok(Self::Inline(bytes))
    }
}

/// A value as it is written to pages and to the WAL, and as handlers read it.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A byte string.
    Str(StrRef<'a>),
    /// A container in its packed form: a small one, or one of any size on its way.
    Packed(Kind, Packed<'a>),
    /// A big container.
    Big(&'a Big),
}

impl<'a> ValueRef<'a> {
    /// The type of this value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Str(_) => ValueType::Str,
            Self::Packed(kind, _) => ValueType::Container(*kind),
            Self::Big(big) => ValueType::Container(big.kind()),
        }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<StrRef<'a>> {
        match self {
            Self::Str(text) => Some(*text),
            Self::Packed(..) | Self::Big(_) => None,
        }
    }

    /// The container's length in elements, the string's in bytes.
    #[expect(clippy::len_without_is_empty, reason = "an empty string is an ordinary value")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Str(text) => text.len() as u64,
            Self::Packed(kind, packed) => kind.len(*packed),
            Self::Big(big) => big.len(),
        }
    }

    /// Whether the name of the container's compact encoding is lost (`OBJECT ENCODING`).
    pub fn is_wide(&self) -> bool {
        match self {
            Self::Str(_) => false,
            Self::Packed(_, packed) => packed.is_wide(),
            Self::Big(big) => big.is_wide(),
        }
    }

    /// The linked large allocation, if this value is one.
    pub fn shared(&self) -> Option<&'a Shared> {
        match self {
            Self::Str(StrRef::Shared(shared)) => Some(shared),
            Self::Str(StrRef::Inline(_) | StrRef::Chunked(_)) | Self::Packed(..) | Self::Big(_) => None,
        }
    }

    /// Bytes of the value itself, roughly: its length, or its bytes of heap.
    pub fn rough_bytes(&self) -> usize {
        match self {
            Self::Str(text) => text.len(),
            Self::Packed(_, packed) => packed.bytes().len(),
            Self::Big(big) => big.heap_bytes(),
        }
    }
}

/// Names of the variants on the wire; bincode writes their numbers only.
const WIRE_NAMES: [&str; 8] = ["Str", "List", "Set", "Zset", "Hash", "Stream", "Parted", "Vectors"];

/// The number that stands before what a page has of a container in parts.
pub const WIRE_CODE_PARTED: u32 = 6;

impl Serialize for ValueRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let code = wire_code(self.value_type());
        let name = WIRE_NAMES.get(code as usize).copied().unwrap_or_default();
        match self {
            Self::Str(text) => serializer.serialize_newtype_variant("Value", code, name, text),
            Self::Packed(_, packed) => {
                serializer.serialize_newtype_variant("Value", code, name, serde_bytes::Bytes::new(packed.bytes()))
            }
            Self::Big(big) => {
                serializer.serialize_newtype_variant("Value", code, name, serde_bytes::Bytes::new(&big.pack()))
            }
        }
    }
}

/// The bytes of a value as they are read.
#[derive(Deserialize)]
enum Wire<'a> {
    #[serde(borrow)]
    Str(StrRef<'a>),
    #[serde(borrow)]
    List(&'a serde_bytes::Bytes),
    #[serde(borrow)]
    Set(&'a serde_bytes::Bytes),
    #[serde(borrow)]
    Zset(&'a serde_bytes::Bytes),
    #[serde(borrow)]
    Hash(&'a serde_bytes::Bytes),
    #[serde(borrow)]
    Stream(&'a serde_bytes::Bytes),
    #[serde(borrow)]
    Parted(&'a serde_bytes::Bytes),
    #[serde(borrow)]
    Vectors(&'a serde_bytes::Bytes),
}

/// A value as a page has it. It serializes for people to read.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum Stored<'a> {
    /// All of it.
    Whole(ValueRef<'a>),
    /// A container in parts.
    Parted(Parted<'a>),
}

impl<'de: 'a, 'a> Deserialize<'de> for ValueRef<'a> {
    /// A container that comes out is whole.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Stored::deserialize(deserializer)? {
            Stored::Whole(value) => Ok(value),
            Stored::Parted(_) => Err(serde::de::Error::custom("a container in parts stands in pages only")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Stored<'a> {
    /// What comes out is whole; of a container in parts, the list of them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, bytes) = match Wire::deserialize(deserializer)? {
            Wire::Str(text) => return Ok(Self::Whole(ValueRef::Str(text))),
            Wire::Parted(bytes) => {
                let parted = Parted::decode(bytes).map_err(serde::de::Error::custom)?;
                return Ok(Self::Parted(parted));
            }
            Wire::List(bytes) => (Kind::List, bytes),
            Wire::Set(bytes) => (Kind::Set, bytes),
            Wire::Zset(bytes) => (Kind::Zset, bytes),
            Wire::Hash(bytes) => (Kind::Hash, bytes),
            Wire::Stream(bytes) => (Kind::Stream, bytes),
            Wire::Vectors(bytes) => (Kind::Vectors, bytes),
        };
        let packed = Packed::new(bytes);
        kind.check(packed).map_err(serde::de::Error::custom)?;
        Ok(Self::Whole(ValueRef::Packed(kind, packed)))
    }
}
