//! A list for reading, in either form.

use std::ops::ControlFlow;

use super::big::BigList;
use crate::page::container::{Big, Kind};
use crate::page::packed::{Item, Packed};
use crate::page::value::ValueRef;

/// See the module.
#[derive(Clone, Copy)]
pub enum ListRef<'a> {
    /// A small one.
    Packed(Packed<'a>),
    /// A big one.
    Big(&'a BigList),
}

impl<'a> ListRef<'a> {
    /// The list that a value is, if it is one.
    pub fn of(value: ValueRef<'a>) -> Option<Self> {
        match value {
            ValueRef::Packed(Kind::List, packed) => Some(Self::Packed(packed)),
            ValueRef::Big(Big::List(list)) => Some(Self::Big(list)),
            ValueRef::Str(_) | ValueRef::Packed(..) | ValueRef::Big(_) => None,
        }
    }

    /// How many elements there are. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty list is none")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Packed(packed) => packed.count() as u64,
            Self::Big(list) => list.len(),
        }
    }

    /// The element at `index` from the front. O(log n).
    pub fn get(&self, index: u64) -> Option<Item<'a>> {
        let mut found = None;
        let _ = self.for_each_from(index, |item| {
            found = Some(item);
            ControlFlow::Break(())
        });
        found
    }

    /// Visits the elements from `index` on towards the back.
    pub fn for_each_from<B>(&self, index: u64, mut visit: impl FnMut(Item<'a>) -> ControlFlow<B>) -> ControlFlow<B> {
        match self {
            Self::Packed(packed) => {
                let skipped = usize::try_from(index).unwrap_or(usize::MAX);
                packed.items().skip(skipped).try_for_each(visit)
            }
            Self::Big(list) => list.for_each_from(index, &mut visit),
        }
    }

    /// Visits the elements from `index` on towards the front.
    pub fn for_each_back_from<B>(
        &self,
        index: u64,
        mut visit: impl FnMut(Item<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self {
            Self::Packed(packed) => {
                let taken = usize::try_from(index).unwrap_or(usize::MAX).saturating_add(1);
                let items: Vec<Item<'a>> = packed.items().take(taken).collect();
                items.into_iter().rev().try_for_each(visit)
            }
            Self::Big(list) => list.for_each_back_from(index, &mut visit),
        }
    }

    /// The element at an end.
    pub fn end(&self, front: bool) -> Option<Item<'a>> {
        match self {
            Self::Packed(packed) if front => packed.items().next(),
            Self::Packed(packed) => packed.items().nth(packed.count().checked_sub(1)?),
            Self::Big(list) => list.end(front),
        }
    }
}
