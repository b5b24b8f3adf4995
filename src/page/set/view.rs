//! A set for reading, in either form.

use std::ops::ControlFlow;

use super::big::BigSet;
use super::packed_form::{names, nth, rows};
use crate::page::container::{Big, Kind};
use crate::page::mortal::{dead_names, is_dead};
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

    /// How many members there are, dead ones that nobody has removed included. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty set is none")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Packed(packed) => super::packed_form::len(*packed),
            Self::Big(set) => set.len(),
        }
    }

    /// Whether it has a member. O(1).
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Self::Packed(packed) => {
                let member = Item::of(member);
                names(*packed).any(|item| item.is(member))
            }
            Self::Big(set) => set.contains(member),
        }
    }

    /// Visits all members.
    pub fn for_each<B>(&self, mut visit: impl FnMut(Item<'a>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Packed(packed) => names(*packed).try_for_each(visit),
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
            Self::Packed(packed) => nth(*packed, random(self.len() as usize)),
            Self::Big(set) => set.random(random),
        }
    }

    /// So many different members, or all if there are fewer; each such choice with the same chance, in no particular
    /// order. O(count) for a big one.
    pub fn sample(&self, count: usize, random: &mut dyn FnMut(usize) -> usize) -> Vec<Item<'a>> {
        match self {
            Self::Packed(packed) => sample_by_walk(self.len() as usize, count, random, names(*packed)),
            Self::Big(set) => set.sample(count, random),
        }
    }

    /// Visits about `count` members from `cursor` on (0 = start); returns where to go on, 0 at the end. A small set is
    /// visited whole.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Item<'a>)) -> u64 {
        match self {
            Self::Packed(packed) => {
                names(*packed).for_each(visit);
                0
            }
            Self::Big(set) => set.scan(cursor, count, visit),
        }
    }

    /// When a member dies, if it is there and does; `None`: it is not there. O(1).
    pub fn expiry_of(&self, member: &[u8]) -> Option<Option<u64>> {
        let at_ms = match self {
            Self::Packed(packed) => {
                let member = Item::of(member);
                rows(*packed).find(|(item, _)| item.is(member))?.1
            }
            Self::Big(set) => set.expiry_of(member)?,
        };
        Some((at_ms != 0).then_some(at_ms))
    }

    /// Names of up to `max` members that are dead at `now_ms`. O(max) for a big one.
    pub fn dead(&self, now_ms: u64, max: usize) -> Vec<Vec<u8>> {
        match self {
            Self::Packed(packed) => dead_names(rows(*packed), now_ms, max),
            Self::Big(set) => set.deaths().dead(now_ms).take(max).map(<[u8]>::to_vec).collect(),
        }
    }

    /// How many members are dead at `now_ms`. O(log n) for a big one.
    pub fn dead_count(&self, now_ms: u64) -> u64 {
        match self {
            Self::Packed(packed) => rows(*packed).filter(|row| is_dead(row.1, now_ms)).count() as u64,
            Self::Big(set) => set.deaths().dead_count(now_ms),
        }
    }

    /// When the first member dies, Unix milliseconds. `None`: none ever does.
    #[inline]
    pub fn expire_min_ms(&self) -> Option<u64> {
        match self {
            Self::Packed(packed) if !packed.is_timed() => None,
            Self::Packed(packed) => rows(*packed).map(|row| row.1).filter(|at_ms| *at_ms != 0).min(),
            Self::Big(set) => set.deaths().first_ms(),
        }
    }
}
