//! What a key holds, apart from how Redis or this engine keep it.
//!
//! **Invariant:** elements lie one after another in one allocation, so that a value takes about as much memory as its
//! bytes, however short its elements are.

use std::fmt;

use crate::page::packed::{Builder, Item, Items};

use super::stream::Stream;
use super::vectors::Vectors;
use super::version::Version;

/// Byte strings and numbers, one after another.
#[derive(Clone, Debug, Default)]
pub struct Elements(Builder);

impl Elements {
    /// Appends an element.
    pub fn push(&mut self, item: Item<'_>) {
        self.0.push(item);
    }

    /// Appends a byte string.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.0.push_bytes(bytes);
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0.count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them in order.
    pub fn iter(&self) -> Items<'_> {
        self.0.items()
    }
}

impl PartialEq for Elements {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().rest() == other.iter().rest()
    }
}

impl<'a> FromIterator<Item<'a>> for Elements {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// The fields of a hash.
#[derive(Clone, Debug, PartialEq)]
pub struct Hash {
    items: Elements,
    timed: bool,
}

impl Hash {
    /// An empty hash; `timed` when its fields may have expiry times.
    pub fn new(timed: bool) -> Self {
        Self {
            items: Elements::default(),
            timed,
        }
    }

    /// Appends a field. An expiry time (Unix milliseconds, never 0) is kept by a timed hash only.
    pub fn push(&mut self, field: Item<'_>, value: Item<'_>, expires_at_ms: Option<u64>) {
        self.items.push(field);
        self.items.push(value);
        if self.timed {
            self.items.push(Item::Int(expires_at_ms.unwrap_or_default() as i64));
        }
    }

    /// Whether fields may have expiry times.
    pub fn is_timed(&self) -> bool {
        self.timed
    }

    /// How many fields there are.
    pub fn len(&self) -> u64 {
        self.items.len() / if self.timed { 3 } else { 2 }
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Fields with their values and expiry times.
    pub fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>, Option<u64>)> {
        let mut items = self.items.iter();
        std::iter::from_fn(move || {
            let (field, value) = (items.next()?, items.next()?);
            let expiry = if self.timed { items.next()? } else { Item::Int(0) };
            let expires_at_ms = match expiry {
                Item::Int(0) | Item::Bytes(_) | Item::Double(_) => None,
                Item::Int(at_ms) => Some(at_ms as u64),
            };
            Some((field, value, expires_at_ms))
        })
    }
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A byte string.
    String(Vec<u8>),
    /// A list, head first.
    List(Elements),
    /// A set.
    Set(Elements),
    /// A sorted set: each member, then its score, which is never NaN; in no order.
    Zset(Elements),
    /// A hash.
    Hash(Hash),
    /// A stream.
    Stream(Box<Stream>),
    /// A vector set.
    Vectors(Box<Vectors>),
}

impl Object {
    /// Whether it is a container of nothing, which only a stream may be.
    pub fn is_void(&self) -> bool {
        match self {
            Self::List(elements) | Self::Set(elements) | Self::Zset(elements) => elements.is_empty(),
            Self::Hash(hash) => hash.is_empty(),
            Self::Vectors(vectors) => vectors.nodes.is_empty(),
            Self::String(_) | Self::Stream(_) => false,
        }
    }

    /// What it is, if only newer versions of the format than the usual one can hold it.
    pub fn newer(&self) -> Option<Newer> {
        match self {
            Self::Hash(hash) if hash.is_timed() => Some(Newer::TimedHash),
            Self::Vectors(_) => Some(Newer::Vectors),
            Self::Stream(stream) if stream.messages.is_some() || stream.is_released() => Some(Newer::Messages),
            _ => None,
        }
    }
}

/// What not all versions of the format can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newer {
    /// A hash with fields that expire.
    TimedHash,
    /// A vector set.
    Vectors,
    /// A stream with messages of producers, or with entries that were given back.
    Messages,
}

impl Newer {
    /// The first version of Redis that has it.
    pub fn version(self) -> Version {
        match self {
            Self::TimedHash | Self::Vectors => Version::TIMED_HASHES,
            Self::Messages => Version::MESSAGES,
        }
    }

    /// Who reads that.
    pub fn readers(self) -> &'static str {
        match self {
            Self::TimedHash => "Redis 7.4 and later",
            Self::Vectors => "Redis 8.0 and later",
            Self::Messages => "Redis 8.6 and later (8.8, if entries were given back by XNACK)",
        }
    }
}

impl fmt::Display for Newer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::TimedHash => "a hash with fields that expire",
            Self::Vectors => "a vector set",
            Self::Messages => "a stream that knows messages of producers (IDMP) or has entries given back (XNACK)",
        })
    }
}
