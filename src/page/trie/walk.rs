//! Going over a trie: all of it, from a cursor on, or at random.

use std::slice;

use smallvec::SmallVec;

use super::node::{Leaf, Node, Place, slot_of, width_of};
use super::{KeyHash, Keyed, Trie};
use crate::page::sample::sample;

/// The last cursor there may be.
const CURSOR_MAX: u64 = i64::MAX as u64;

/// A leaf, and the hashes it is responsible for.
struct Range<'a, T> {
    leaf: &'a Leaf<T>,
    begin: u64,
    /// The hash behind its last one; 0 if there is none.
    end: u64,
}

impl<T: Keyed, H: KeyHash> Trie<T, H> {
    /// All items, in the order of leaves.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter {
            nodes: SmallVec::from_iter([slice::from_ref(&self.root).iter()]),
            items: [].iter(),
            left: self.len,
        }
    }

    fn range_of(&self, hash: u64) -> Range<'_, T> {
        let (mut node, mut level) = (&self.root, 0);
        let (mut begin, mut width) = (0_u128, width_of(64, 0));
        loop {
            match node {
                Node::Leaf(leaf) => {
                    return Range {
                        leaf,
                        begin: begin as u64,
                        end: (begin + width) as u64,
                    };
                }
                Node::Inner(inner) => {
                    let Place { at, start, span } = inner.place_of(slot_of(hash, level));
                    (begin, width) = (begin + width_of(start, level), width_of(span, level));
                    let Some(child) = inner.firsts().get(at) else {
                        unreachable!("the children of an inner node take all its slots");
                    };
                    (node, level) = (child, level + 1);
                }
            }
        }
    }

    /// The items of the leaf where hash `from` belongs that have hashes from there up to `end` (0: to the last), in no
    /// order, and the hash to go on with: that behind the leaf, or `end` where that comes first.
    pub fn leaf_in(&self, from: u64, end: u64) -> (impl Iterator<Item = &T>, u64) {
        let range = self.range_of(from);
        let last = end.wrapping_sub(1);
        let is_cut = last < range.end.wrapping_sub(1);
        let is_whole = range.begin == from && !is_cut;
        let items = range.leaf.firsts().iter();
        let items = items.filter(move |item| is_whole || (from..=last).contains(&self.hasher.hash(item.key())));
        (items, if is_cut { end } else { range.end })
    }

    /// Visits about `count` items from `cursor` on, 0 for the beginning; returns the cursor to go on with, 0 at the
    /// end.
    ///
    /// Cursors are hashes without their last bit, visited in their order: some clients keep a cursor in a signed
    /// integer. So, whatever is put in or taken out between two calls, an item that stays is visited exactly once in a
    /// walk from 0 to 0. Items of one cursor are visited together, even if they are more than `count`.
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(&'a T)) -> u64 {
        if cursor > CURSOR_MAX {
            return 0;
        }
        let (mut from, mut left) = (cursor << 1, count.max(1));
        loop {
            let range = self.range_of(from);
            if from == range.begin && range.leaf.len() <= left {
                range.leaf.firsts().iter().for_each(&mut visit);
                left -= range.leaf.len();
            } else {
                let (visited, next) = self.scan_leaf(range.leaf, from, left, &mut visit);
                if let Some(next) = next {
                    return next;
                }
                left = left.saturating_sub(visited);
            }
            from = range.end;
            // The items of a cursor may be in two leaves.
            if from == 0 || left == 0 && from.is_multiple_of(2) {
                return from >> 1;
            }
        }
    }

    /// Visits up to `count` items of a leaf, those of the least hashes at or above `from`; returns how many these were
    /// and, if some remain, the cursor to go on with.
    fn scan_leaf<'a>(
        &self,
        leaf: &'a Leaf<T>,
        from: u64,
        count: usize,
        visit: &mut impl FnMut(&'a T),
    ) -> (usize, Option<u64>) {
        let hashed = leaf.firsts().iter().map(|item| (self.hasher.hash(item.key()), item));
        let hashed = hashed.filter(|(hash, _)| *hash >= from);
        let mut ahead: Vec<(u64, &T)> = hashed.map(|(hash, item)| (hash >> 1, item)).collect();
        ahead.sort_unstable_by_key(|(cursor, _)| *cursor);
        let mut visited = 0;
        // An odd hash has the cursor of the one before, which has been visited.
        let mut last = (!from.is_multiple_of(2)).then_some(from >> 1);
        for (cursor, item) in ahead {
            if visited >= count && last != Some(cursor) {
                return (visited, Some(cursor));
            }
            visit(item);
            visited += 1;
            last = Some(cursor);
        }
        (visited, None)
    }

    /// The item at this index in the order of [`Trie::iter`]. O(depth).
    pub fn nth(&self, index: usize) -> Option<&T> {
        let (mut node, mut index) = (&self.root, index);
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.firsts().get(index),
                Node::Inner(inner) => {
                    let mut counts = inner.seconds().iter().map(|count| *count as usize);
                    let at = counts.position(|count| {
                        let is_here = index < count;
                        if !is_here {
                            index -= count;
                        }
                        is_here
                    })?;
                    node = inner.firsts().get(at)?;
                }
            }
        }
    }

    /// An item, each as likely as any other. `pick(n)` must return a uniform number below `n`.
    pub fn random(&self, pick: &mut dyn FnMut(usize) -> usize) -> Option<&T> {
        if self.is_empty() {
            return None;
        }
        self.nth(pick(self.len))
    }

    /// `count` different items, or all if there are fewer; see [`sample`].
    pub fn sample(&self, count: usize, pick: &mut dyn FnMut(usize) -> usize) -> Vec<&T> {
        sample(self.len, count, pick, |index| self.nth(index), self.iter())
    }
}

/// All items of a trie.
pub struct Iter<'a, T> {
    nodes: SmallVec<[slice::Iter<'a, Node<T>>; 4]>,
    items: slice::Iter<'a, T>,
    left: usize,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(item) = self.items.next() {
                self.left -= 1;
                return Some(item);
            }
            match self.nodes.last_mut()?.next() {
                None => drop(self.nodes.pop()),
                Some(Node::Leaf(leaf)) => self.items = leaf.firsts().iter(),
                Some(Node::Inner(inner)) => self.nodes.push(inner.firsts().iter()),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
