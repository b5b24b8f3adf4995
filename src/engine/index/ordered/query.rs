//! What only ordered kinds can tell: entries between two edges, how many there are, which is the n-th.
//!
//! The directory counts the dead as well until somebody removes them; here they are found and left out. Only pages
//! whose earliest expiry has passed are looked at for that, of which the expiry sweep leaves few.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::{Directory, Ordered, Place};
use crate::page::entry::EntryRef;

/// A place between keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Before all keys.
    Start,
    /// Right before a key.
    Before(Vec<u8>),
    /// Right behind a key.
    After(Vec<u8>),
    /// Behind all keys.
    End,
}

impl Edge {
    /// The key with whether the edge is behind it; an edge at an end has none.
    fn key(&self) -> Result<(&[u8], bool), Ordering> {
        match self {
            Self::Start => Err(Ordering::Less),
            Self::Before(key) => Ok((key, false)),
            Self::After(key) => Ok((key, true)),
            Self::End => Err(Ordering::Greater),
        }
    }
}

impl Ord for Edge {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.key(), other.key()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            (Err(one), Ok(_)) => one,
            (Ok(_), Err(other)) => other.reverse(),
            (Err(one), Err(other)) => one.cmp(&other),
        }
    }
}

impl PartialOrd for Edge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The keys between two edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it begins.
    pub low: Edge,
    /// Where it ends.
    pub high: Edge,
}

impl KeyRange {
    /// All keys.
    pub const ALL: Self = Self {
        low: Edge::Start,
        high: Edge::End,
    };

    /// The keys that begin with `prefix`.
    pub fn with_prefix(prefix: &[u8]) -> Self {
        // The least key above all of them: the last byte that can be raised is, and what follows goes.
        let raised = prefix.iter().rposition(|byte| *byte < u8::MAX);
        let high = raised.and_then(|at| {
            let mut above = prefix.get(..=at)?.to_vec();
            *above.last_mut()? += 1;
            Some(Edge::Before(above))
        });
        Self {
            low: Edge::Before(prefix.to_vec()),
            high: high.unwrap_or(Edge::End),
        }
    }

    /// The keys that are in both.
    pub fn and(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
        }
    }

    /// Whether no key can be in it.
    pub fn is_empty(&self) -> bool {
        self.low >= self.high
    }
}

/// Questions about order, asked of one shard.
pub trait InOrder {
    /// Visits the entries of a range in order, or in the opposite order, the dead ones too, until told to stop.
    fn walk(&self, range: &KeyRange, reverse: bool, visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>);

    /// How many entries before an edge are alive at `now_ms`.
    fn live_before(&self, edge: &Edge, now_ms: u64) -> usize;

    /// The `n`-th entry (from 0) of those alive at `now_ms`.
    fn nth_live(&self, n: usize, now_ms: u64) -> Option<EntryRef<'_>>;
}

impl<D: Directory> Ordered<D> {
    /// The page that an edge falls into, and how many of its entries lie before the edge.
    fn locate(&self, edge: &Edge) -> Option<(Place, usize)> {
        let (key, behind) = match edge.key() {
            Ok(found) => found,
            Err(Ordering::Less) => return Some((self.pages.first()?, 0)),
            Err(_) => {
                let last = self.pages.last()?;
                return Some((last, self.pages.page(last).len()));
            }
        };
        let place = self.directory.find(key)?;
        let at = match self.pages.page(place).search(key) {
            Ok(at) => at + usize::from(behind),
            Err(at) => at,
        };
        Some((place, at))
    }

    fn rank_of(&self, place: Place, at: usize) -> usize {
        let first_key = self.pages.page(place).first_key().unwrap_or_default();
        self.directory.entries_before(&self.pages, first_key) + at
    }

    /// How many entries are dead in the pages before `place`, and among the first `at` of it.
    fn dead_before(&self, place: Place, at: usize, now_ms: u64) -> usize {
        let here = self.pages.page(place).first_key();
        let due = self.mortal.iter().take_while(|(from_ms, _)| *from_ms <= now_ms);
        due.map(|(_, other)| {
            let page = self.pages.page(*other);
            if *other == place {
                page.dead_before(at, now_ms)
            } else if page.first_key() < here {
                page.dead_before(page.len(), now_ms)
            } else {
                0
            }
        })
        .sum()
    }

    fn walk_up(
        &self,
        (mut place, mut at): (Place, usize),
        (last, end): (Place, usize),
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        loop {
            let page = self.pages.page(place);
            let to = if place == last { end } else { page.len() };
            page.entries().take(to).skip(at).try_for_each(&mut *visit)?;
            match self.pages.next(place).filter(|_| place != last) {
                Some(next) => (place, at) = (next, 0),
                None => return ControlFlow::Continue(()),
            }
        }
    }

    fn walk_down(
        &self,
        (first, start): (Place, usize),
        (mut place, mut end): (Place, usize),
        visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        loop {
            let page = self.pages.page(place);
            let from = if place == first { start } else { 0 };
            page.entries().take(end).skip(from).rev().try_for_each(&mut *visit)?;
            match self.pages.previous(place).filter(|_| place != first) {
                Some(previous) => (place, end) = (previous, self.pages.page(previous).len()),
                None => return ControlFlow::Continue(()),
            }
        }
    }
}

impl<D: Directory> InOrder for Ordered<D> {
    fn walk(&self, range: &KeyRange, reverse: bool, visit: &mut dyn FnMut(EntryRef<'_>) -> ControlFlow<()>) {
        if range.is_empty() {
            return;
        }
        let (Some(low), Some(high)) = (self.locate(&range.low), self.locate(&range.high)) else {
            return;
        };
        // Whether it was stopped is known to who stopped it.
        let _ = if reverse {
            self.walk_down(low, high, visit)
        } else {
            self.walk_up(low, high, visit)
        };
    }

    fn live_before(&self, edge: &Edge, now_ms: u64) -> usize {
        self.locate(edge).map_or(0, |(place, at)| {
            self.rank_of(place, at) - self.dead_before(place, at, now_ms)
        })
    }

    fn nth_live(&self, n: usize, now_ms: u64) -> Option<EntryRef<'_>> {
        // Each round passes over the dead that the one before has found, until it finds no more.
        let mut dead = 0;
        loop {
            let (place, at) = self.directory.nth(&self.pages, n + dead)?;
            let passed = self.dead_before(place, at + 1, now_ms);
            if passed == dead {
                return self.pages.page(place).get(at);
            }
            dead = passed;
        }
    }
}
