//! Sorted sets out of sorted sets: difference, intersection, union. Sets take part, too, each member with a score of 1.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;

use super::common::{Scored, sort, zset_of};
use crate::commands::CmdError;
use crate::engine::txn::ReadTxn;
use crate::page::entry::EntryRef;
use crate::page::packed::Item;
use crate::page::set::{HeldSet, SetRef};
use crate::page::zset::{HeldZset, Member, ZsetRef};

/// The score of a set's members.
const SCORE_IN_SET: f64 = 1.0;

/// What to make of several sorted sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// What the first has and none of the others.
    Difference,
    /// What all have.
    Intersection,
    /// What any has.
    Union,
}

/// The score of a member that several have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Min,
    Max,
    /// How many have it, each counted by its weight.
    Count,
}

impl Aggregate {
    /// What a member's score in one of them counts.
    fn weighted(self, score: f64, weight: f64) -> f64 {
        match self {
            Self::Count => weight,
            Self::Sum | Self::Min | Self::Max => score * weight,
        }
    }

    /// In the order and with the comparisons of Redis, as NaN and the order of additions show in results.
    fn of(self, so_far: f64, score: f64) -> f64 {
        match self {
            Self::Sum | Self::Count => number(so_far + score),
            Self::Min if score < so_far => score,
            Self::Max if score > so_far => score,
            Self::Min | Self::Max => so_far,
        }
    }
}

/// Infinities that cancel each other, or are multiplied by zero, give 0.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A sorted set or a set.
pub(super) enum Source {
    Zset(HeldZset),
    Set(HeldSet),
}

#[derive(Clone, Copy)]
enum View<'s> {
    Zset(ZsetRef<'s>),
    Set(SetRef<'s>),
}

impl Source {
    fn view(&self) -> View<'_> {
        match self {
            Self::Zset(held) => View::Zset(held.view()),
            Self::Set(held) => View::Set(held.view()),
        }
    }
}

impl<'s> View<'s> {
    fn len(self) -> u64 {
        match self {
            Self::Zset(zset) => zset.len(),
            Self::Set(set) => set.len(),
        }
    }

    fn score(self, member: Item<'_>) -> Option<f64> {
        member.with_bytes(|member| match self {
            Self::Zset(zset) => zset.score(member),
            Self::Set(set) => set.contains(member).then_some(SCORE_IN_SET),
        })
    }

    fn for_each(self, mut visit: impl FnMut(Item<'s>, f64) -> ControlFlow<()>) {
        let _ = match self {
            Self::Zset(zset) => zset.for_each_from(0, |Member { name, score }| visit(name, score)),
            Self::Set(set) => set.for_each(|name| visit(name, SCORE_IN_SET)),
        };
    }
}

/// What is at keys, in order; nothing where there is nothing.
///
/// # Errors
/// When one of the keys holds neither a sorted set nor a set.
pub(super) fn held<'k>(
    txn: &mut ReadTxn<'_, '_>,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<Vec<Option<Source>>, CmdError> {
    let mut sources = Vec::new();
    for key in keys {
        let source = |entry: EntryRef<'_>| match SetRef::of(entry.value()) {
            Some(set) => Ok(Source::Set(set.hold())),
            None => zset_of(entry).map(|zset| Source::Zset(zset.hold())),
        };
        sources.push(txn.get(key).map(source).transpose()?);
    }
    Ok(sources)
}

/// Several sources, each with its weight.
pub(super) struct Sources<'s> {
    /// Those that are there.
    there: Vec<(View<'s>, f64)>,
    has_first: bool,
    has_all: bool,
}

impl<'s> Sources<'s> {
    /// `weights` may be fewer; the others are 1.
    pub fn new(sources: &'s [Option<Source>], weights: &[f64]) -> Self {
        let weights = weights.iter().copied().chain(std::iter::repeat(1.0));
        let pairs = sources.iter().zip(weights);
        Self {
            there: pairs
                .filter_map(|(source, weight)| Some((source.as_ref()?.view(), weight)))
                .collect(),
            has_first: sources.first().is_some_and(Option::is_some),
            has_all: sources.iter().all(Option::is_some),
        }
    }

    /// The members of the result, in order.
    pub fn run(mut self, operation: Operation, aggregate: Aggregate) -> Vec<Scored<'s>> {
        let mut members = match operation {
            Operation::Difference => self.difference(),
            Operation::Intersection => {
                let mut members = Vec::new();
                self.intersect(aggregate, |name, score| {
                    members.push((score, name.bytes()));
                    ControlFlow::Continue(())
                });
                members
            }
            Operation::Union => self.union(aggregate),
        };
        sort(&mut members);
        members
    }

    /// How many members all have; counts up to `limit`, unless that is 0.
    pub fn count_common(mut self, limit: u64) -> u64 {
        let mut count = 0;
        self.intersect(Aggregate::Sum, |_, _| {
            count += 1;
            if count == limit {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        count
    }

    /// From the smallest to the largest, so that few members are looked up, and most of them once.
    fn by_len(&mut self) {
        self.there.sort_by_key(|(view, _)| view.len());
    }

    fn intersect(&mut self, aggregate: Aggregate, mut visit: impl FnMut(Item<'s>, f64) -> ControlFlow<()>) {
        self.by_len();
        let Some(((smallest, weight), others)) = self.there.split_first().filter(|_| self.has_all) else {
            return;
        };
        smallest.for_each(|name, score| {
            let mut total = number(aggregate.weighted(score, *weight));
            for (other, weight) in others {
                let Some(score) = other.score(name) else {
                    return ControlFlow::Continue(());
                };
                total = aggregate.of(total, aggregate.weighted(score, *weight));
            }
            visit(name, total)
        });
    }

    fn union(&mut self, aggregate: Aggregate) -> Vec<Scored<'s>> {
        self.by_len();
        if let [(only, weight)] = self.there.as_slice() {
            let mut members = Vec::with_capacity(only.len() as usize);
            only.for_each(|name, score| {
                members.push((number(aggregate.weighted(score, *weight)), name.bytes()));
                ControlFlow::Continue(())
            });
            return members;
        }
        let mut scores: HashMap<Cow<'s, [u8]>, f64> = HashMap::new();
        for (view, weight) in &self.there {
            view.for_each(|name, score| {
                let score = number(aggregate.weighted(score, *weight));
                match scores.entry(name.bytes()) {
                    Entry::Vacant(entry) => drop(entry.insert(score)),
                    Entry::Occupied(mut entry) => *entry.get_mut() = aggregate.of(*entry.get(), score),
                }
                ControlFlow::Continue(())
            });
        }
        scores.into_iter().map(|(name, score)| (score, name)).collect()
    }

    fn difference(&self) -> Vec<Scored<'s>> {
        let mut members = Vec::new();
        let Some(((first, _), others)) = self.there.split_first().filter(|_| self.has_first) else {
            return members;
        };
        first.for_each(|name, score| {
            if others.iter().all(|(other, _)| other.score(name).is_none()) {
                members.push((score, name.bytes()));
            }
            ControlFlow::Continue(())
        });
        members
    }
}
