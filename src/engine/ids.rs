//! The numbers by which collections, their shards, and database slots are known.
//!
//! **Invariant:** on disk each is the bare `u32`: serde passes it through.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What identifies a collection for ever, from 0; never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CollectionId(u32);

impl CollectionId {
    /// The highest there can be.
    pub const MAX: CollectionId = CollectionId(u32::MAX);
    /// From here on they are of collections attached from snapshots, which no log and no checkpoint knows of; those are
    /// given from the top down.
    pub const ATTACHED_FIRST: CollectionId = CollectionId(u32::MAX / 2);

    /// What effects are of that concern no collection, or all; none gets this number.
    pub const NONE: CollectionId = CollectionId::MAX;

    /// The collection of this number.
    #[inline]
    pub const fn new(number: u32) -> Self {
        CollectionId(number)
    }

    /// Its number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// That of the collection created after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        CollectionId(self.0 + 1)
    }

    /// The one below.
    #[must_use]
    pub const fn before(self) -> Self {
        CollectionId(self.0 - 1)
    }
}

/// A database slot that clients select: numbered ones are their number, named ones follow from
/// [`DatabaseId::NAMED_FIRST`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseId(u32);

impl DatabaseId {
    /// Where clients begin.
    pub const DEFAULT: DatabaseId = DatabaseId(0);
    /// The first of named collections; numbered databases stay below.
    pub const NAMED_FIRST: DatabaseId = DatabaseId(1 << 20);
    /// The first of collections attached from snapshots, which no log and no checkpoint knows of.
    pub const ATTACHED_FIRST: DatabaseId = DatabaseId(1 << 30);

    /// The slot of this number.
    #[inline]
    pub const fn new(number: u32) -> Self {
        DatabaseId(number)
    }

    /// The numbered database that somebody asks for, if there can be one.
    pub fn numbered(number: i64) -> Option<Self> {
        let id = u32::try_from(number).ok().map(DatabaseId);
        id.filter(|id| id.is_numbered())
    }

    /// Its number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The slot after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        DatabaseId(self.0 + 1)
    }

    /// Whether its name is its number.
    pub fn is_numbered(self) -> bool {
        self < Self::NAMED_FIRST
    }

    /// Whether it shows a collection of a snapshot.
    pub fn is_attached(self) -> bool {
        self >= Self::ATTACHED_FIRST
    }
}

/// Which shard of its collection, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardNo(u32);

impl ShardNo {
    /// The first, which every collection has.
    pub const FIRST: ShardNo = ShardNo(0);

    /// The shard of this number.
    #[inline]
    pub const fn new(number: u32) -> Self {
        ShardNo(number)
    }

    /// Its number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Its place among a collection's shards.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The one behind.
    #[must_use]
    pub const fn next(self) -> Self {
        ShardNo(self.0 + 1)
    }

    /// The first `count` ones.
    pub fn first(count: usize) -> impl Iterator<Item = Self> {
        (0..count as u32).map(ShardNo)
    }
}

impl fmt::Display for CollectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ShardNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::codec;

    fn encoded(value: impl Serialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::encode(&value, None, &mut bytes);
        bytes
    }

    #[test]
    fn ids_are_stored_and_shown_as_their_numbers() {
        for number in [0, 1, 250, 251, 65_536, u32::MAX] {
            assert_eq!(encoded(CollectionId::new(number)), encoded(number));
            assert_eq!(encoded(DatabaseId::new(number)), encoded(number));
            assert_eq!(encoded(ShardNo::new(number)), encoded(number));
            assert_eq!(CollectionId::new(number).to_string(), number.to_string());
            assert_eq!(DatabaseId::new(number).to_string(), number.to_string());
        }
    }

    #[test]
    fn numbered_databases_end_where_named_ones_begin() {
        let last = DatabaseId::NAMED_FIRST.get() - 1;
        assert_eq!(DatabaseId::numbered(i64::from(last)), Some(DatabaseId::new(last)));
        for none in [-1, i64::from(last) + 1, i64::MAX] {
            assert_eq!(DatabaseId::numbered(none), None, "{none}");
        }
    }
}
