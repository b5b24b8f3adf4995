//! A sorted set for reading, in either form. Ranks count from 0, from the lowest score.

use std::ops::ControlFlow;

use super::big::BigZset;
use super::member::Member;
use super::op::pairs_of;
use super::packed_form::rows;
use crate::page::container::{Big, Kind};
use crate::page::mortal::{dead_names, is_dead};
use crate::page::packed::{Item, Packed};
use crate::page::sample::{sample, sample_by_walk};
use crate::page::value::ValueRef;

/// See the module.
#[derive(Clone, Copy)]
pub enum ZsetRef<'a> {
    /// A small one.
    Packed(Packed<'a>),
    /// A big one.
    Big(&'a BigZset),
}

/// A sorted set kept beyond its lookup: a copy of a small one, a share of a big one.
#[derive(Clone, Debug)]
pub enum HeldZset {
    /// A small one.
    Packed(Vec<u8>),
    /// A big one.
    Big(BigZset),
}

impl HeldZset {
    /// For reading.
    pub fn view(&self) -> ZsetRef<'_> {
        match self {
            Self::Packed(bytes) => ZsetRef::Packed(Packed::new(bytes)),
            Self::Big(zset) => ZsetRef::Big(zset),
        }
    }
}

fn member_of<'a>((score, name): (f64, Item<'a>)) -> Member<'a> {
    Member { name, score }
}

impl<'a> ZsetRef<'a> {
    /// The sorted set that a value is, if it is one.
    pub fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Packed(Kind::Zset, packed) => Some(Self::Packed(packed)),
            ValueRef::Big(Big::Zset(zset)) => Some(Self::Big(zset)),
            ValueRef::Str(_) | ValueRef::Packed(..) | ValueRef::Big(_) => None,
        }
    }

    /// Keeps it. O(1) for a big one.
    pub fn hold(&self) -> HeldZset {
        match self {
            Self::Packed(packed) => HeldZset::Packed(packed.bytes().to_vec()),
            Self::Big(zset) => HeldZset::Big((*zset).clone()),
        }
    }

    /// How many members there are, dead ones that nobody has removed included. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty sorted set is none")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Packed(packed) => super::packed_form::len(*packed),
            Self::Big(zset) => zset.len(),
        }
    }

    /// Whether the name of the compact encoding is lost.
    pub fn is_wide(&self) -> bool {
        match self {
            Self::Packed(packed) => packed.is_wide(),
            Self::Big(zset) => zset.is_wide(),
        }
    }

    /// The score of a member. O(1).
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Packed(packed) => {
                let wanted = Item::of(member);
                let found = pairs_of(*packed).find(|(_, name)| name.is(wanted))?;
                Some(found.0)
            }
            Self::Big(zset) => zset.score(member),
        }
    }

    /// The rank and score of a member. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<(u64, f64)> {
        match self {
            Self::Packed(packed) => {
                let name = Item::of(member);
                let found = pairs_of(*packed).enumerate().find(|(_, (_, other))| other.is(name));
                found.map(|(rank, (score, _))| (rank as u64, score))
            }
            Self::Big(zset) => zset.rank(member),
        }
    }

    /// How many members stand before the first one that `is_before` is false of; it must be true of those before any
    /// of which it is true. O(log n).
    pub fn partition_point(&self, mut is_before: impl FnMut(Member<'_>) -> bool) -> u64 {
        match self {
            Self::Packed(packed) => {
                let before = pairs_of(*packed).map(member_of).take_while(|member| is_before(*member));
                before.count() as u64
            }
            Self::Big(zset) => zset.partition_point(&mut is_before),
        }
    }

    /// Visits the members from `rank` on towards higher scores.
    pub fn for_each_from<B>(&self, rank: u64, mut visit: impl FnMut(Member<'a>) -> ControlFlow<B>) -> ControlFlow<B> {
        let skipped = usize::try_from(rank).unwrap_or(usize::MAX);
        match self {
            Self::Packed(packed) => pairs_of(*packed).skip(skipped).map(member_of).try_for_each(visit),
            Self::Big(zset) => zset.iter_from(skipped).try_for_each(&mut visit),
        }
    }

    /// Visits the members from `rank` on towards lower scores.
    pub fn for_each_back_from<B>(
        &self,
        rank: u64,
        mut visit: impl FnMut(Member<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let at = usize::try_from(rank).unwrap_or(usize::MAX);
        match self {
            Self::Packed(packed) => {
                let pairs: Vec<_> = pairs_of(*packed).take(at.saturating_add(1)).collect();
                pairs.into_iter().rev().map(member_of).try_for_each(visit)
            }
            Self::Big(zset) => zset.iter_back_from(at).try_for_each(&mut visit),
        }
    }

    /// The member of a rank. O(log n).
    pub fn get(&self, rank: u64) -> Option<Member<'a>> {
        self.for_each_from(rank, ControlFlow::Break).break_value()
    }

    /// So many different members, or all if there are fewer; each such choice with the same chance, in no particular
    /// order. O(count log n) for a big one.
    pub fn sample(&self, count: usize, random: &mut dyn FnMut(usize) -> usize) -> Vec<Member<'a>> {
        let len = self.len() as usize;
        match self {
            Self::Packed(packed) => sample_by_walk(len, count, random, pairs_of(*packed).map(member_of)),
            Self::Big(zset) => {
                let nth = |rank| zset.iter_from(rank).next();
                sample(len, count, random, nth, zset.iter_from(0))
            }
        }
    }

    /// Visits about `count` members from `cursor` on (0 = start); returns where to go on, 0 at the end. A small sorted
    /// set is visited whole.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Member<'a>)) -> u64 {
        match self {
            Self::Packed(packed) => {
                pairs_of(*packed).map(member_of).for_each(visit);
                0
            }
            Self::Big(zset) => zset.scan(cursor, count, visit),
        }
    }

    /// When a member dies, if it is there and does; `None`: it is not there. O(1).
    pub fn expiry_of(&self, member: &[u8]) -> Option<Option<u64>> {
        let at_ms = match self {
            Self::Packed(packed) => {
                let member = Item::of(member);
                rows(*packed).find(|(item, _)| item.is(member))?.1
            }
            Self::Big(zset) => zset.expiry_of(member)?,
        };
        Some((at_ms != 0).then_some(at_ms))
    }

    /// Names of up to `max` members that are dead at `now_ms`. O(max) for a big one.
    pub fn dead(&self, now_ms: u64, max: usize) -> Vec<Vec<u8>> {
        match self {
            Self::Packed(packed) => dead_names(rows(*packed), now_ms, max),
            Self::Big(zset) => zset.deaths().dead(now_ms).take(max).map(<[u8]>::to_vec).collect(),
        }
    }

    /// How many members are dead at `now_ms`. O(log n) for a big one.
    pub fn dead_count(&self, now_ms: u64) -> u64 {
        match self {
            Self::Packed(packed) => rows(*packed).filter(|row| is_dead(row.1, now_ms)).count() as u64,
            Self::Big(zset) => zset.deaths().dead_count(now_ms),
        }
    }

    /// When the first member dies, Unix milliseconds. `None`: none ever does.
    #[inline]
    pub fn expire_min_ms(&self) -> Option<u64> {
        match self {
            Self::Packed(packed) if !packed.is_timed() => None,
            Self::Packed(packed) => rows(*packed).map(|row| row.1).filter(|at_ms| *at_ms != 0).min(),
            Self::Big(zset) => zset.deaths().first_ms(),
        }
    }
}
