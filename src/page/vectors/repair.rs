//! Mending the graph where an element has gone.
//!
//! Those that were its neighbours have lost a link each. They are linked to one another: first such that all of them
//! are in one piece, the nearest pairs first, then, as far as they still lack one, in pairs.
//!
//! **Invariant:** whatever was connected by way of the element that went is connected without it, unless a neighbour
//! has no room for it and no link that may go: then a search from elsewhere brings it links.

use super::scratch::{Near, Scratch};
use super::set::VectorSet;
use super::shape::EF_ADD;
use crate::page::Mark;

/// So many former neighbours are compared with each other; more are taken in portions that overlap by one.
const PORTION: usize = 64;

impl VectorSet {
    /// Takes all links of an element away, and links those that had them to one another.
    pub(super) fn isolate(&mut self, slot: u32, mark: Mark<'_>) {
        // From all levels first: searches for new links go through them.
        let levels = 0..=self.level_of(slot);
        let orphans: Vec<Vec<u32>> = levels.map(|level| self.links_of(slot, level).to_vec()).collect();
        for (level, orphans) in orphans.iter().enumerate() {
            for orphan in orphans {
                self.unlink(slot, *orphan, level, mark);
            }
        }
        for (level, orphans) in orphans.iter().enumerate() {
            let mut start = 0;
            while let Some(portion) = orphans.get(start..orphans.len().min(start + PORTION)) {
                self.join(portion, level, mark);
                if start + PORTION >= orphans.len() {
                    break;
                }
                start += PORTION - 1;
            }
        }
    }

    /// Links former neighbours to one another.
    fn join(&mut self, orphans: &[u32], level: usize, mark: Mark<'_>) {
        let mut pairs: Vec<(Near, usize, usize)> = Vec::with_capacity(orphans.len() * orphans.len() / 2);
        let mut pieces = Pieces::new(orphans.len());
        for (one, slot) in orphans.iter().enumerate() {
            let links = self.links_of(*slot, level);
            for (other, other_slot) in orphans.iter().enumerate().skip(one + 1) {
                if links.contains(other_slot) {
                    pieces.join(one, other);
                } else {
                    pairs.push((Near::new(self.between(*slot, *other_slot), 0), one, other));
                }
            }
        }
        pairs.sort_unstable();
        let slot = |at: usize| orphans.get(at).copied().unwrap_or_default();
        let mut lacking = vec![true; orphans.len()];
        // Without pushing anything away first; then by letting links go that are not needed.
        for is_pushing in [false, true] {
            for (_, one, other) in &pairs {
                if pieces.are_joined(*one, *other) {
                    continue;
                }
                if is_pushing {
                    self.push_away(slot(*one), slot(*other), level, mark);
                    self.push_away(slot(*other), slot(*one), level, mark);
                }
                if self.link(slot(*one), slot(*other), level, mark) {
                    pieces.join(*one, *other);
                    [*one, *other].into_iter().for_each(|at| clear(&mut lacking, at));
                }
            }
        }
        let links_max = self.frame.layout.links_max(level);
        for (_, one, other) in &pairs {
            let is_lacking = |at: usize| lacking.get(at).copied().unwrap_or_default();
            let has_room = |at| self.links_of(slot(at), level).len() < links_max;
            let is_new = || !self.links_of(slot(*one), level).contains(&slot(*other));
            if is_lacking(*one) && is_lacking(*other) && has_room(*one) && has_room(*other) && is_new() {
                self.link(slot(*one), slot(*other), level, mark);
                [*one, *other].into_iter().for_each(|at| clear(&mut lacking, at));
            }
        }
        for orphan in orphans {
            if self.links_of(*orphan, level).len() <= self.frame.shape.m as usize / 4 {
                self.reconnect(*orphan, level, self.frame.shape.m as usize / 2, mark);
            }
        }
    }

    /// Lets go of a link of `slot` that is not needed, if there is no room for one to `other`.
    fn push_away(&mut self, slot: u32, other: u32, level: usize, mark: Mark<'_>) {
        if self.links_of(slot, level).len() + 1 == self.frame.layout.words(level)
            && let Some(victim) = self.dispensable(slot, other, level, (None, 1))
        {
            self.unlink(slot, victim, level, mark);
        }
    }

    /// Searches for neighbours of an element, until it has so many links.
    pub(super) fn reconnect(&mut self, slot: u32, level: usize, wanted: usize, mark: Mark<'_>) {
        let record = self.record(slot).to_vec();
        let from = self.approach(&record, level + 1);
        if from.slot() == slot || self.level_of(from.slot()) < level {
            return;
        }
        let found = Scratch::with(|scratch| self.nearest(&record, from, (level, EF_ADD as usize), None, scratch));
        let before = self.links_of(slot, level).len();
        self.connect(slot, level, &found, wanted, mark);
        let after = self.links_of(slot, level).len();
        if after == before && after < wanted && after + 2 < self.frame.layout.words(level) {
            self.put_between(slot, level, &found, mark);
        }
    }
}

fn clear(flags: &mut [bool], at: usize) {
    if let Some(flag) = flags.get_mut(at) {
        *flag = false;
    }
}

/// Which of some elements are connected.
struct Pieces(Vec<usize>);

impl Pieces {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&self, mut at: usize) -> usize {
        while let Some(up) = self.0.get(at).copied().filter(|up| *up != at) {
            at = up;
        }
        at
    }

    fn are_joined(&self, one: usize, other: usize) -> bool {
        self.root(one) == self.root(other)
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if let Some(up) = self.0.get_mut(one.max(other)) {
            *up = one.min(other);
        }
    }
}
