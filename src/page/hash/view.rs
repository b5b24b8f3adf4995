//! A hash for reading, in either form.

use std::ops::ControlFlow;

use super::big::BigHash;
use super::field::Field;
use super::packed_form::rows;
use crate::page::container::{Big, Kind};
use crate::page::mortal::{dead_names, is_dead};
use crate::page::packed::{Item, Packed};
use crate::page::sample::sample_by_walk;
use crate::page::value::ValueRef;

/// See the module.
#[derive(Clone, Copy)]
pub enum HashRef<'a> {
    /// A small one.
    Packed(Packed<'a>),
    /// A big one.
    Big(&'a BigHash),
}

impl<'a> HashRef<'a> {
    /// The hash that a value is, if it is one.
    pub fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Packed(Kind::Hash, packed) => Some(Self::Packed(packed)),
            ValueRef::Big(Big::Hash(hash)) => Some(Self::Big(hash)),
            ValueRef::Str(_) | ValueRef::Packed(..) | ValueRef::Big(_) => None,
        }
    }

    /// How many fields there are, dead ones that nobody has removed included. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty hash is none")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Packed(packed) => super::packed_form::len(*packed),
            Self::Big(hash) => hash.len(),
        }
    }

    /// A field, dead or alive. O(1).
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<Field<'a>> {
        match self {
            Self::Packed(packed) => {
                let wanted = Item::of(name);
                let row = rows(*packed).find(|(field, ..)| field.is(wanted))?;
                Some(of_row(row))
            }
            Self::Big(hash) => hash.get(name),
        }
    }

    /// Visits all fields, dead ones too.
    pub fn for_each<B>(&self, mut visit: impl FnMut(Field<'a>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Packed(packed) => rows(*packed).map(of_row).try_for_each(visit),
            Self::Big(hash) => hash.iter().try_for_each(&mut visit),
        }
    }

    /// A field, dead or alive, each with the same chance. `random(n)` gives a number below `n`.
    pub fn random(&self, random: &mut dyn FnMut(usize) -> usize) -> Option<Field<'a>> {
        match self {
            Self::Packed(packed) => rows(*packed).nth(random(self.len() as usize)).map(of_row),
            Self::Big(hash) => hash.random(random),
        }
    }

    /// So many different fields that are alive at `now_ms`, or all if there are fewer; each such choice with the same
    /// chance, in no particular order. O(count) for a big one that has no dead fields.
    pub fn sample(&self, count: usize, now_ms: u64, random: &mut dyn FnMut(usize) -> usize) -> Vec<Field<'a>> {
        match self {
            Self::Big(hash) if !self.may_have_dead(now_ms) => hash.sample(count, random),
            _ => {
                let alive = self.alive(now_ms);
                sample_by_walk(alive.len(), count, random, alive.into_iter())
            }
        }
    }

    fn alive(&self, now_ms: u64) -> Vec<Field<'a>> {
        let mut alive = Vec::new();
        let _ = self.for_each(|field| {
            alive.extend(field.is_alive(now_ms).then_some(field));
            ControlFlow::<()>::Continue(())
        });
        alive
    }

    /// Visits about `count` fields, dead or alive, from `cursor` on (0 = start); returns where to go on, 0 at the end.
    /// A small hash is visited whole.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Field<'a>)) -> u64 {
        match self {
            Self::Packed(packed) => {
                rows(*packed).map(of_row).for_each(visit);
                0
            }
            Self::Big(hash) => hash.scan(cursor, count, visit),
        }
    }

    /// Names of up to `max` fields that are dead at `now_ms`. O(max) for a big one.
    pub fn dead(&self, now_ms: u64, max: usize) -> Vec<Vec<u8>> {
        match self {
            Self::Packed(packed) => dead_names(rows(*packed).map(|row| (row.0, row.2)), now_ms, max),
            Self::Big(hash) => hash.deaths().dead(now_ms).take(max).map(<[u8]>::to_vec).collect(),
        }
    }

    /// How many fields are dead at `now_ms`. O(log n) for a big one.
    pub fn dead_count(&self, now_ms: u64) -> u64 {
        match self {
            Self::Packed(packed) => rows(*packed).filter(|row| is_dead(row.2, now_ms)).count() as u64,
            Self::Big(hash) => hash.deaths().dead_count(now_ms),
        }
    }

    /// When the first field dies, Unix milliseconds. `None`: no field ever does.
    #[inline]
    pub fn expire_min_ms(&self) -> Option<u64> {
        match self {
            Self::Packed(packed) if !packed.is_timed() => None,
            Self::Packed(packed) => rows(*packed).map(|row| row.2).filter(|at_ms| *at_ms != 0).min(),
            Self::Big(hash) => hash.deaths().first_ms(),
        }
    }

    /// Whether some field may be dead at `now_ms`.
    #[inline]
    pub fn may_have_dead(&self, now_ms: u64) -> bool {
        self.expire_min_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }
}

fn of_row<'a>((name, value, at_ms): (Item<'a>, Item<'a>, u64)) -> Field<'a> {
    Field {
        name,
        value,
        expire_at_ms: (at_ms != 0).then_some(at_ms),
    }
}
