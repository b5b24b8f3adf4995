//! A packed sorted set under change: its members, borrowed, and what takes their stead.

use std::cmp::Ordering;

use super::{Thresholds, pairs_of};
use crate::page::packed::{Builder, FLAG_WIDE, Item, Packed};

/// See the module.
#[derive(Default)]
pub(super) struct Members<'a> {
    pairs: Vec<(f64, Item<'a>)>,
    is_wide: bool,
}

/// The order of sorted sets: by score, then by the members' bytes.
pub(super) fn order(one: (f64, Item<'_>), other: (f64, Item<'_>)) -> Ordering {
    let by_score = one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
    by_score.then_with(|| other.1.with_bytes(|bytes| one.1.cmp_bytes(bytes)))
}

impl<'a> Members<'a> {
    pub fn of(packed: Packed<'a>) -> Self {
        Self {
            pairs: pairs_of(packed).collect(),
            is_wide: packed.is_wide(),
        }
    }

    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn set(&mut self, score: f64, member: Item<'a>, thresholds: &Thresholds) {
        let found = self.pairs.iter().position(|pair| pair.1.is(member));
        match found {
            Some(at) => drop(self.pairs.remove(at)),
            None => {
                let len = self.pairs.len() as u64 + 1;
                self.is_wide |= !(thresholds.zset_fits(len) && thresholds.zset_item_fits(member.bytes_len()));
            }
        }
        let pair = (super::kept_score(score, self.is_wide), member);
        let at = self
            .pairs
            .partition_point(|other| order(*other, pair) == Ordering::Less);
        self.pairs.insert(at, pair);
    }

    pub fn remove(&mut self, member: Item<'_>) {
        self.pairs.retain(|pair| !pair.1.is(member));
    }

    pub fn remove_range(&mut self, start: u64, len: u64) {
        let count = self.pairs.len();
        let start = usize::try_from(start).unwrap_or(count).min(count);
        let end = usize::try_from(len).unwrap_or(count).saturating_add(start).min(count);
        self.pairs.drain(start..end);
    }

    pub fn pack(&self) -> Vec<u8> {
        let mut builder = Builder::new(u8::from(self.is_wide) * FLAG_WIDE);
        for (score, member) in &self.pairs {
            builder.push(Item::of_f64(*score));
            builder.push(*member);
        }
        builder.finish()
    }
}
