//! Containers: what lists, sets, sorted sets, hashes, streams and vector sets have in common for an entry that holds
//! one.
//!
//! A container is *packed* (see [`super::packed`]) inside its entry while it is small, and *big* otherwise: structures
//! whose nodes are shared until they change, so that a clone takes a moment whatever the size. A checkpoint, a copy, a
//! pre-image are such clones.
//!
//! **Invariants**
//! - How a container is kept follows from [`Kind`]'s limits alone and shows nowhere but in memory and time.
//! - A big container knows its length and its bytes without counting.
//! - An effect's operation either is done whole or, on a container of another type, not at all.

use super::change::Mark;
use super::hash::{self, BigHash};
use super::list::{self, BigList};
use super::malformed::Malformed;
use super::packed::Packed;
use super::set::{self, BigSet};
use super::stream::{self, BigStream};
use super::trie::Dismantled;
use super::vectors::{self, VectorSet};
use super::zset::{self, BigZset};

pub use super::kind::{Kind, PACKED_BYTES_MAX};

impl Kind {
    /// How many elements (members, fields, entries) a packed container has.
    pub fn len(self, packed: Packed<'_>) -> u64 {
        match self {
            Self::List => list::len(packed),
            Self::Set => set::len(packed),
            Self::Zset => zset::len(packed),
            Self::Hash => hash::len(packed),
            Self::Stream => stream::len(packed),
            Self::Vectors => vectors::len(packed),
        }
    }

    /// Whether `packed` is a whole container of this kind.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(self, packed: Packed<'_>) -> Result<(), Malformed> {
        match self {
            Self::List => list::check(packed),
            Self::Set => set::check(packed),
            Self::Zset => zset::check(packed),
            Self::Hash => hash::check(packed),
            Self::Stream => stream::check(packed),
            Self::Vectors => vectors::check(packed),
        }
    }

    /// Whether `packed` can be a part of a container of this kind. What only the whole can show, such as an element
    /// that is there twice, is seen when that is made.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_part(self, packed: Packed<'_>) -> Result<(), Malformed> {
        match self {
            Self::List => list::check(packed),
            Self::Set => set::check_items(packed),
            Self::Zset => zset::check_items(packed),
            Self::Hash => hash::check_items(packed),
            // Their parts are looked at when they are taken.
            Self::Stream | Self::Vectors => Ok(()),
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
    /// A vector set.
    Vectors(VectorSet),
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
            Kind::Vectors => Self::Vectors(VectorSet::unpack(packed)),
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
            Self::Vectors(set) => set.pack(),
        }
    }

    /// Makes its parts those of the collection that it is put into.
    pub fn adopt(&mut self, mark: Mark<'_>) {
        match self {
            Self::List(list) => list.adopt(mark),
            Self::Set(set) => set.adopt(mark),
            Self::Zset(zset) => zset.adopt(mark),
            Self::Hash(hash) => hash.adopt(mark),
            Self::Stream(stream) => stream.adopt(mark),
            Self::Vectors(set) => set.adopt(mark),
        }
    }

    /// Takes out what it is best to drop by itself: elements of their own in memory. It is for dropping then.
    pub fn dismantle(&mut self, dismantled: &mut Dismantled<'_>) {
        match self {
            Self::Set(set) => dismantled.add(set.take_trie()),
            Self::Zset(zset) => dismantled.add(zset.take_trie()),
            Self::Hash(hash) => dismantled.add(hash.take_trie()),
            Self::List(_) | Self::Stream(_) | Self::Vectors(_) => {}
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
            Self::Vectors(_) => Kind::Vectors,
        }
    }

    /// Whether it is in parts of a collection. O(1).
    pub fn is_parted(&self) -> bool {
        match self {
            Self::List(list) => list.is_parted(),
            Self::Set(set) => set.trie().is_parted(),
            Self::Zset(zset) => zset.trie().is_parted(),
            Self::Hash(hash) => hash.trie().is_parted(),
            Self::Stream(stream) => stream.is_parted(),
            Self::Vectors(set) => set.is_parted(),
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
            Self::Vectors(set) => set.len(),
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
            Self::Vectors(_) => false,
        }
    }

    /// When its first element dies, Unix milliseconds, if some do.
    #[inline]
    pub fn expire_min_ms(&self) -> Option<u64> {
        match self {
            Self::Set(set) => set.deaths().first_ms(),
            Self::Zset(zset) => zset.deaths().first_ms(),
            Self::Hash(hash) => hash.deaths().first_ms(),
            Self::List(_) | Self::Stream(_) | Self::Vectors(_) => None,
        }
    }

    /// What is kept count of. O(1).
    #[inline]
    pub fn figures(&self) -> Figures {
        let (bytes, elements, deaths) = match self {
            Self::List(list) => (list.heap_bytes(), list.len(), None),
            Self::Set(set) => (set.heap_bytes(), set.len(), Some(set.deaths())),
            Self::Zset(zset) => (zset.heap_bytes(), zset.len(), Some(zset.deaths())),
            Self::Hash(hash) => (hash.heap_bytes(), hash.len(), Some(hash.deaths())),
            Self::Stream(stream) => (stream.heap_bytes(), stream.len(), None),
            Self::Vectors(set) => (set.heap_bytes(), set.len(), None),
        };
        Figures {
            bytes,
            elements,
            is_timed: deaths.is_some_and(|deaths| !deaths.is_empty()),
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
            Self::Vectors(set) => set.heap_bytes(),
        }
    }
}

/// What a shard keeps count of, of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of heap.
    pub bytes: usize,
    /// Elements (members, fields, entries).
    pub elements: u64,
    /// Whether some of them die.
    pub is_timed: bool,
}

/// What a key holds when an operation on containers comes to it.
pub enum Form<'a> {
    /// Nothing.
    Absent,
    /// A packed container.
    Packed(Kind, Packed<'a>),
    /// A big one, for changing in place: nothing else becomes of it than that it may be left empty.
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
