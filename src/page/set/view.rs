//! A set for reading, in either form.

use std::ops::ControlFlow;

use super::big::BigSet;
use crate::page::container::{Big, Kind};
use crate::page::packed::{Item, Packed};
use crate::page::sample::sample_by_walk;
use crate::page::value::ValueRef;

/// See the module.
#[derive(Clone, Copy)]
pub enum SetRef<'a> {
    /// A small one.
    Packed(Packed<'a>),
    /// A big one.
    Big(&'a BigSet),
}

/// A set kept beyond its lookup, so that several can be looked at together: a copy of a small one, a share of a big
/// one.
#[derive(Clone, Debug)]
pub enum HeldSet {
    /// A small one.
    Packed(Vec<u8>),
    /// A big one.
    Big(BigSet),
}

impl HeldSet {
    /// For reading.
    pub fn view(&self) -> SetRef<'_> {
        match self {
            Self::Packed(bytes) => SetRef::Packed(Packed::new(bytes)),
            Self::Big(set) => SetRef::Big(set),
        }
    }
}

impl<'a> SetRef<'a> {
    /// The set that a value is, if it is one.
    pub fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Packed(Kind::Set, packed) => Some(Self::Packed(packed)),
            ValueRef::Big(Big::Set(set)) => Some(Self::Big(set)),
            ValueRef::Str(_) | ValueRef::Packed(..) | ValueRef::Big(_) => None,
        }
    }

    /// Keeps it. O(1) for a big one.
    pub fn hold(&self) -> HeldSet {
        match self {
            Self::Packed(packed) => HeldSet::Packed(packed.bytes().to_vec()),
            Self::Big(set) => HeldSet::Big((*set).clone()),
        }
    }

    /// How many members there are. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty set is none")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Packed(packed) => packed.count() as u64,
            Self::Big(set) => set.len(),
        }
    }

    /// Whether it has a member. O(1).
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Packed(packed) => {
                let member = Item::of(member);
                packed.items().any(|item| item.is(member))
            }
            Self::Big(set) => set.contains(member),
        }
    }

    /// Visits all members.
    pub fn for_each<B>(&self, mut visit: impl FnMut(Item<'a>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Packed(packed) => packed.items().try_for_each(visit),
            Self::Big(set) => set.iter().try_for_each(&mut visit),
        }
    }

    /// All members.
    pub fn members(&self) -> Vec<Item<'a>> {
        let mut members = Vec::with_capacity(self.len() as usize);
        let _ = self.for_each(|member| {
            members.push(member);
            ControlFlow::<()>::Continue(())
        });
        members
    }

    /// A member, each with the same chance. `random(n)` gives a number below `n`.
    pub fn random(&self, random: &mut dyn FnMut(usize) -> usize) -> Option<Item<'a>> {
        match self {
            Self::Packed(packed) => packed.items().nth(random(packed.count())),
            Self::Big(set) => set.random(random),
        }
    }

    /// So many different members, or all if there are fewer; each such choice with the same chance, in no particular
    /// order. O(count) for a big one.
    pub fn sample(&self, count: usize, random: &mut dyn FnMut(usize) -> usize) -> Vec<Item<'a>> {
        match self {
            Self::Packed(packed) => sample_by_walk(packed.count(), count, random, packed.items()),
            Self::Big(set) => set.sample(count, random),
        }
    }

    /// Visits about `count` members from `cursor` on (0 = start); returns where to go on, 0 at the end. A small set is
    /// visited whole.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Item<'a>)) -> u64 {
        match self {
            Self::Packed(packed) => {
                packed.items().for_each(visit);
                0
            }
            Self::Big(set) => set.scan(cursor, count, visit),
        }
    }
}
