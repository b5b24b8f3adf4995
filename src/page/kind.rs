//! The types of value; of containers, how long each may stay packed.

use serde::Serialize;

use super::packed::Packed;

/// Longest packed form, in bytes, that lives inside an entry.
pub const PACKED_BYTES_MAX: usize = 4096;

/// The types of container; numbers as in the page format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[repr(u8)]
pub enum Kind {
    /// A list.
    List = 1,
    /// A set.
    Set = 2,
    /// A sorted set.
    Zset = 3,
    /// A hash.
    Hash = 4,
    /// A stream.
    Stream = 5,
    /// A vector set. 6 is taken: see [`super::value::WIRE_CODE_PARTED`].
    Vectors = 7,
}

impl Kind {
    /// The kind of this number.
    pub fn of_code(code: u8) -> Option<Self> {
        [
            Self::List,
            Self::Set,
            Self::Zset,
            Self::Hash,
            Self::Stream,
            Self::Vectors,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == code)
    }

    /// Most items of a packed form that lives inside an entry: it is read from the front.
    fn packed_items_max(self) -> usize {
        match self {
            Self::List | Self::Set => 512,
            Self::Zset | Self::Hash => 256,
            Self::Stream | Self::Vectors => 0,
        }
    }

    /// Whether a container of this packed form stays packed.
    pub fn stays_packed(self, packed: Packed<'_>) -> bool {
        packed.bytes().len() <= PACKED_BYTES_MAX && packed.count() <= self.packed_items_max()
    }
}

/// The types of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ValueType {
    /// A byte string.
    Str,
    /// A container.
    Container(Kind),
}

impl ValueType {
    /// The type of this number; see [`wire_code`].
    pub fn of_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Str),
            code => Kind::of_code(code).map(Self::Container),
        }
    }

    /// The name `TYPE` answers with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Str => "string",
            Self::Container(Kind::List) => "list",
            Self::Container(Kind::Set) => "set",
            Self::Container(Kind::Zset) => "zset",
            Self::Container(Kind::Hash) => "hash",
            Self::Container(Kind::Stream) => "stream",
            Self::Container(Kind::Vectors) => "vectorset",
        }
    }
}

/// The number that stands before a value's bytes in pages and the log.
pub fn wire_code(value_type: ValueType) -> u32 {
    match value_type {
        ValueType::Str => 0,
        ValueType::Container(kind) => u32::from(kind as u8),
    }
}
