//! Walking the graph towards a vector.
//!
//! **Invariant:** where a walk goes follows from the set and the vector alone: equal distances are told apart by slot.
//! An element that is only as near as one found already leads nowhere, so that equal vectors are not all walked over.

use std::cmp::Reverse;

use super::scratch::{Near, Scratch};
use super::set::VectorSet;
use crate::page::prefetch::prefetch_ref;

/// Bytes that are fetched together.
const LINE_BYTES: usize = 64;
/// How many lines of a vector are asked for ahead; the processor fetches on by itself.
const LINES_AHEAD: usize = 6;

/// What a walk may find, and how far it goes.
pub(super) struct Judge<'a> {
    /// Whether a slot may be found.
    pub passes: &'a mut dyn FnMut(u32) -> bool,
    /// How many elements' links it looks at, at most.
    pub looks_max: usize,
}

impl VectorSet {
    #[inline]
    pub(super) fn near(&self, record: &[u8], slot: u32) -> Near {
        Near::new(self.frame.metric.distance(record, self.record(slot)), slot)
    }

    /// How far two elements are from each other.
    pub(super) fn between(&self, one: u32, other: u32) -> f32 {
        self.frame.metric.distance(self.record(one), self.record(other))
    }

    /// From the entry down to `level`, on each level to where no neighbour is nearer.
    pub(super) fn approach(&self, record: &[u8], level: usize) -> Near {
        let mut near = self.near(record, self.entry);
        for level in (level..=self.max_level()).rev() {
            near = self.nearer(record, near, level);
        }
        near
    }

    /// From neighbour to neighbour on a level while they come nearer. It ends: distances fall.
    pub(super) fn nearer(&self, record: &[u8], mut near: Near, level: usize) -> Near {
        loop {
            let links = self.links_of(near.slot(), level);
            links.iter().for_each(|link| self.prefetch(*link));
            let best = links.iter().map(|link| self.near(record, *link)).min();
            match best {
                Some(best) if best.is_nearer_than(near) => near = best,
                _ => return near,
            }
        }
    }

    /// The `ef` nearest that a walk on a level from `from` finds, the nearest first. It looks at the links of the
    /// nearest one that it has not looked at, until none can lead to a nearer one: some `ef` times the number of links
    /// distances, and with a judge who lets little through at most `looks_max` times that.
    pub(super) fn nearest(
        &self,
        record: &[u8],
        from: Near,
        (level, ef): (usize, usize),
        mut judge: Option<Judge<'_>>,
        scratch: &mut Scratch,
    ) -> Vec<Near> {
        let Scratch {
            visited,
            candidates,
            nearest,
            batch,
        } = scratch;
        visited.begin(self.names.len());
        candidates.clear();
        nearest.clear();
        visited.visit(from.slot());
        candidates.push(Reverse(from));
        if passes(&mut judge, from.slot()) {
            nearest.push(from);
        }
        let mut looks = 0;
        while let Some(Reverse(next)) = candidates.pop() {
            let is_full = nearest.len() >= ef;
            if is_full && nearest.peek().is_some_and(|farthest| farthest.is_nearer_than(next)) {
                break;
            }
            if judge.as_ref().is_some_and(|judge| looks >= judge.looks_max) {
                break;
            }
            looks += 1;
            batch.clear();
            for link in self.links_of(next.slot(), level) {
                if visited.visit(*link) {
                    self.prefetch(*link);
                    batch.push(*link);
                }
            }
            for link in &*batch {
                let near = self.near(record, *link);
                let is_full = nearest.len() >= ef;
                if is_full && nearest.peek().is_some_and(|farthest| !near.is_nearer_than(*farthest)) {
                    continue;
                }
                self.prefetch_links(*link, level);
                candidates.push(Reverse(near));
                if passes(&mut judge, *link) {
                    nearest.push(near);
                    if is_full {
                        nearest.pop();
                    }
                }
            }
        }
        let mut found: Vec<Near> = nearest.drain().collect();
        found.sort_unstable();
        found
    }

    /// Asks for a slot's vector.
    #[inline]
    fn prefetch(&self, slot: u32) {
        let lines = self.record(slot).chunks(LINE_BYTES);
        lines.take(LINES_AHEAD).for_each(|line| prefetch_ref(line.as_ptr()));
    }

    /// Asks for a slot's links.
    #[inline]
    fn prefetch_links(&self, slot: u32, level: usize) {
        if level == 0 {
            let layout = &self.frame.layout;
            let (chunk, at) = Self::place(slot, layout.links_shift);
            let lists = self.links.get(chunk).map(|links| &*links.lowest);
            let list = lists.and_then(|lists| lists.get(at * layout.lowest_words..));
            let lines = list.unwrap_or_default().chunks(LINE_BYTES / size_of::<u32>());
            lines.take(2).for_each(|line| prefetch_ref(line.as_ptr()));
        }
    }
}

#[inline]
fn passes(judge: &mut Option<Judge<'_>>, slot: u32) -> bool {
    judge.as_mut().is_none_or(|judge| (judge.passes)(slot))
}
