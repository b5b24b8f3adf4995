//! Containers: what lists, sets, sorted sets, hashes and streams have in common for an entry that holds one.
//!
//! A container is *packed* (see [`super::packed`]) inside its entry while it is small, and *big* otherwise: structures
//! whose nodes are shared until they change, so that a clone takes a moment whatever the size. A checkpoint, a copy, a
//! pre-image are such clones.
//!
//! **Invariants**
//! - How a container is kept follows from [`Kind`]'s limits alone and shows nowhere but in memory and time.
//! - A big container knows its length and its bytes without counting.
//! - An effect's operation either is done whole or, on a container of another type, not at all.

use super::hash::BigHash;
use super::list::BigList;
use super::packed::Packed;
use super::set::BigSet;
use super::stream::BigStream;
use super::zset::BigZset;

/// Longest packed form, in bytes, that lives inside an entry.
pub const PACKED_BYTES_MAX: usize = 4096;

/// The types of container; numbers as in the page format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Kind {
    /// The kind of this number.
    pub fn of_code(code: u8) -> Option<Self> {
        [Self::List, Self::Set, Self::Zset, Self::Hash, Self::Stream]
            .into_iter()
            .find(|kind| *kind as u8 == code)
    }

    /// Most items of a packed form that lives inside an entry: it is read from the front.
    fn packed_items_max(self) -> usize {
        match self {
            Self::List | Self::Set => 512,
            Self::Zset | Self::Hash => 256,
            Self::Stream => 0,
        }
    }

    /// Whether a container of this packed form stays packed.
    pub fn stays_packed(self, packed: Packed<'_>) -> bool {
        packed.bytes().len() <= PACKED_BYTES_MAX && packed.count() <= self.packed_items_max()
    }

    /// How many elements (members, fields, entries) a packed container has.
    pub fn len(self, packed: Packed<'_>) -> u64 {
        match self {
            Self::List => super::list::len(packed),
            Self::Set => super::set::len(packed),
            Self::Zset => super::zset::len(packed),
            Self::Hash => super::hash::len(packed),
            Self::Stream => super::stream::len(packed),
        }
    }

    /// Whether `packed` is a whole container of this kind.
    ///
    /// # Errors
    /// A sentence saying what is wrong.
    pub fn check(self, packed: Packed<'_>) -> Result<(), String> {
        match self {
            Self::List => super::list::check(packed),
            Self::Set => super::set::check(packed),
            Self::Zset => super::zset::check(packed),
            Self::Hash => super::hash::check(packed),
            Self::Stream => super::stream::check(packed),
        }
    }
}

/// A big container. Cloning shares the structure.
#[derive(Clone, Debug)]
pub enum Big {
    /// A list.
    List(BigList),
    /// A set.
    Set(BigSet),
    /// A sorted set.
    Zset(BigZset),
    /// A hash.
    Hash(BigHash),
    /// A stream.
    Stream(BigStream),
}

impl Big {
    /// The container of a packed form, which has been checked.
    pub fn unpack(kind: Kind, packed: Packed<'_>) -> Self {
        match kind {
            Kind::List => Self::List(BigList::unpack(packed)),
            Kind::Set => Self::Set(BigSet::unpack(packed)),
            Kind::Zset => Self::Zset(BigZset::unpack(packed)),
            Kind::Hash => Self::Hash(BigHash::unpack(packed)),
            Kind::Stream => Self::Stream(BigStream::unpack(packed)),
        }
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        match self {
            Self::List(list) => list.pack(),
            Self::Set(set) => set.pack(),
            Self::Zset(zset) => zset.pack(),
            Self::Hash(hash) => hash.pack(),
            Self::Stream(stream) => stream.pack(),
        }
    }

    /// The type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::Zset(_) => Kind::Zset,
            Self::Hash(_) => Kind::Hash,
            Self::Stream(_) => Kind::Stream,
        }
    }

    /// How many elements (members, fields, entries) it has. O(1).
    #[expect(clippy::len_without_is_empty, reason = "only streams can be empty")]
    pub fn len(&self) -> u64 {
        match self {
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Zset(zset) => zset.len(),
            Self::Hash(hash) => hash.len(),
            Self::Stream(stream) => stream.len(),
        }
    }

    /// Whether the name of the compact encoding is lost (`OBJECT ENCODING`).
    pub fn is_wide(&self) -> bool {
        match self {
            Self::List(list) => list.is_wide(),
            Self::Set(set) => set.is_wide(),
            Self::Zset(zset) => zset.is_wide(),
            Self::Hash(hash) => hash.is_wide(),
            Self::Stream(stream) => stream.is_wide(),
        }
    }

    /// Bytes of heap it owns, what it shares with clones included. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::List(list) => list.heap_bytes(),
            Self::Set(set) => set.heap_bytes(),
            Self::Zset(zset) => zset.heap_bytes(),
            Self::Hash(hash) => hash.heap_bytes(),
            Self::Stream(stream) => stream.heap_bytes(),
        }
    }
}

/// What a key holds when an operation on containers comes to it.
pub enum Form<'a> {
    /// Nothing.
    Absent,
    /// A packed container.
    Packed(Kind, Packed<'a>),
    /// A big one, for changing in place.
    Big(&'a mut Big),
}

/// What the operation makes of it.
pub enum Next {
    /// What was there stays, changed in place or not at all.
    Keep,
    /// A container of this packed form, which may be too long to stay packed.
    Packed(Vec<u8>),
    /// A big container.
    Big(Big),
    /// Nothing: the key goes.
    Remove,
}
