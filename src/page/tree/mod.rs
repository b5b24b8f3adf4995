//! A sequence as a counted B+-tree whose nodes are shared until they change: what big lists, the order of sorted sets
//! and streams are made of.
//!
//! Every child is kept with the number of items below it and the sum of their weights, so that the item at an index or
//! at an offset in weight is found in O(log n), and so is a place by comparison. A clone shares all nodes; a change
//! copies the nodes on its path that are shared, and none otherwise.
//!
//! **Invariants**
//! - All leaves are equally deep; no node is empty, but for the root leaf of an empty tree; the root has more than one
//!   child, if it has any.
//! - Every node is at least two fifths full, but for those at an end of the tree. A full leaf is split only when its
//!   neighbours are nearly full too, or at an end of the tree, where it stays full.
//! - Nodes are allocated at their full size, so that the bytes of a tree follow from how many it has.

mod balance;
mod build;
mod edit;
mod iter;
mod node;
mod path;
mod range;
mod search;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use smallvec::SmallVec;

use node::{Node, Nodes};
use path::{child_at, covering, descend};

pub use iter::{Backward, Forward};

/// What a tree holds.
pub trait TreeItem: Clone {
    /// Whether nodes keep a clone of each child's first item, so that comparisons need not go down to it. Not for items
    /// that are changed in place: a clone is a share.
    const SEPARATES: bool = false;

    /// What it counts in offsets.
    fn weight(&self) -> u64 {
        1
    }

    /// Bytes of heap that belong to it.
    fn heap_bytes(&self) -> usize;

    /// Fetches what comparing it will look at, if that is somewhere else.
    #[inline]
    fn prefetch(&self) {}
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Tree<T: TreeItem> {
    root: Node<T>,
    count: usize,
    weight: u64,
    item_bytes: usize,
    nodes: Nodes,
}

impl<T: TreeItem> Default for Tree<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: TreeItem> Tree<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            root: Node::leaf(SmallVec::new()),
            count: 0,
            weight: 0,
            item_bytes: 0,
            nodes: Nodes { leaves: 1, inners: 0 },
        }
    }

    /// How many items there are. O(1).
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a clone has all of it, too.
    pub fn is_shared(&self) -> bool {
        match &self.root {
            Node::Leaf(items) => !items.is_unique(),
            Node::Inner(children) => !children.is_unique(),
        }
    }

    /// The sum of the items' weights. O(1).
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Bytes of heap: nodes and what belongs to items, shared ones included. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.item_bytes + self.nodes.bytes::<T>()
    }

    /// The item at `index`. O(log n).
    pub fn get(&self, index: usize) -> Option<&T> {
        if index >= self.count {
            return None;
        }
        let (mut node, mut index, mut count) = (&self.root, index, self.count);
        loop {
            match node {
                Node::Leaf(items) => return items.get(index),
                Node::Inner(children) => {
                    let (_, child, within) = child_at(children, index, count)?;
                    (node, index, count) = (&child.node, within, child.count);
                }
            }
        }
    }

    /// The first item.
    pub fn first(&self) -> Option<&T> {
        self.get(0)
    }

    /// The last item.
    pub fn last(&self) -> Option<&T> {
        self.get(self.count.checked_sub(1)?)
    }

    /// The item that covers `offset` of the weights' sum, by its index, and where in it. Beyond the end: the number of
    /// items, 0. O(log n).
    pub fn locate(&self, offset: u64) -> (usize, u64) {
        let (mut node, mut total, mut offset, mut index) = (&self.root, self.weight, offset, 0);
        if offset >= total {
            return (self.count, 0);
        }
        loop {
            match node {
                Node::Leaf(items) => {
                    let (at, within) = covering(items, T::weight, total, offset).unwrap_or_default();
                    return (index + at, within);
                }
                Node::Inner(children) => {
                    let (at, within) = covering(children, |child| child.weight, total, offset).unwrap_or_default();
                    index += children.iter().take(at).map(|child| child.count).sum::<usize>();
                    let Some(child) = children.get(at) else {
                        return (index, 0);
                    };
                    (node, total, offset) = (&child.node, child.weight, within);
                }
            }
        }
    }

    /// The sum of the weights of the items before `index`. O(log n).
    pub fn weight_before(&self, index: usize) -> u64 {
        let (mut node, mut index, mut sum) = (&self.root, index, 0);
        loop {
            match node {
                Node::Leaf(items) => {
                    return sum + items.iter().take(index).map(TreeItem::weight).sum::<u64>();
                }
                Node::Inner(children) => {
                    let mut found = None;
                    for child in children.iter() {
                        if index < child.count {
                            found = Some(child);
                            break;
                        }
                        index -= child.count;
                        sum += child.weight;
                    }
                    let Some(child) = found else { return sum };
                    node = &child.node;
                }
            }
        }
    }

    /// How many items stand before the first one that `is_before` is false of; it must be true of those before any of
    /// which it is true. O(log n).
    pub fn partition_point(&self, is_before: impl FnMut(&T) -> bool) -> usize {
        let mut index = 0;
        descend(&self.root, is_before, |node, at| index += node.count_before(at));
        index
    }

    /// Of items in ascending order the first that `compare` calls equal, by its index, and true; without one, where it
    /// would be, and false. O(log n).
    pub fn find(&self, mut compare: impl FnMut(&T) -> Ordering) -> (usize, bool) {
        let index = self.partition_point(|item| compare(item) == Ordering::Less);
        let is_found = self.get(index).is_some_and(|item| compare(item) == Ordering::Equal);
        (index, is_found)
    }

    /// All items in order.
    pub fn iter(&self) -> Forward<'_, T> {
        self.iter_from(0)
    }

    /// The items from `index` on.
    pub fn iter_from(&self, index: usize) -> Forward<'_, T> {
        Forward::new(&self.root, index)
    }

    /// The items from `index` back to the first; from the last, if there are not so many.
    pub fn iter_back_from(&self, index: usize) -> Backward<'_, T> {
        match self.count.checked_sub(1) {
            Some(last) => Backward::new(&self.root, index.min(last)),
            None => Backward::empty(),
        }
    }
}
