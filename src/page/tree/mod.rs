//! A sequence as a counted B+-tree whose nodes are shared until they change: what big lists, the order of sorted sets and
//! streams are made of.
//!
//! Every child is kept with the number of items below it and the sum of their weights, so that the item at an index or
//! at an offset in weight is found in O(log n), and so is a place by comparison. A clone shares all nodes; a change copies
//! the nodes on its path that are shared, and none otherwise.
//!
//! **Invariants**
//! - All leaves are equally deep; no node is empty, but for the root leaf of an empty tree.
//! - Nodes are allocated at their full size once, so that the bytes of a tree follow from how many it has.

mod edit;
mod iter;
mod node;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use node::{Child, INNER_MAX, LEAF_MAX, Node};

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
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Tree<T: TreeItem> {
    root: Arc<Node<T>>,
    count: usize,
    weight: u64,
    item_bytes: usize,
    leaves: usize,
    inners: usize,
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
            root: Arc::new(Node::leaf(Vec::new())),
            count: 0,
            weight: 0,
            item_bytes: 0,
            leaves: 1,
            inners: 0,
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

    /// The sum of the items' weights. O(1).
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Bytes of heap: nodes and what belongs to items, shared ones included. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.item_bytes + self.leaves * Node::<T>::leaf_bytes() + self.inners * Node::<T>::inner_bytes()
    }

    /// The item at `index`. O(log n).
    pub fn get(&self, index: usize) -> Option<&T> {
        let (mut node, mut index) = (&*self.root, index);
        loop {
            match node {
                Node::Leaf(items) => return items.get(index),
                Node::Inner(children) => {
                    let mut found = None;
                    for child in children {
                        if index < child.count {
                            found = Some(child);
                            break;
                        }
                        index -= child.count;
                    }
                    node = &found?.node;
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
        let (mut node, mut offset, mut index) = (&*self.root, offset, 0);
        loop {
            match node {
                Node::Leaf(items) => {
                    for item in items {
                        let weight = item.weight();
                        if offset < weight {
                            return (index, offset);
                        }
                        offset -= weight;
                        index += 1;
                    }
                    return (index, 0);
                }
                Node::Inner(children) => {
                    let mut found = None;
                    for child in children {
                        if offset < child.weight {
                            found = Some(child);
                            break;
                        }
                        offset -= child.weight;
                        index += child.count;
                    }
                    let Some(child) = found else { return (index, 0) };
                    node = &child.node;
                }
            }
        }
    }

    /// The sum of the weights of the items before `index`. O(log n).
    pub fn weight_before(&self, index: usize) -> u64 {
        let (mut node, mut index, mut sum) = (&*self.root, index, 0);
        loop {
            match node {
                Node::Leaf(items) => {
                    return sum + items.iter().take(index).map(TreeItem::weight).sum::<u64>();
                }
                Node::Inner(children) => {
                    let mut found = None;
                    for child in children {
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
    pub fn partition_point(&self, mut is_before: impl FnMut(&T) -> bool) -> usize {
        let (mut node, mut index) = (&*self.root, 0);
        loop {
            match node {
                Node::Leaf(items) => return index + items.partition_point(&mut is_before),
                Node::Inner(children) => {
                    // The last child that begins before, or the first one.
                    let behind = children.partition_point(|child| child.first().is_some_and(&mut is_before));
                    let at = behind.saturating_sub(1);
                    index += children.iter().take(at).map(|child| child.count).sum::<usize>();
                    let Some(child) = children.get(at) else { return index };
                    node = &child.node;
                }
            }
        }
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

impl<T: TreeItem> FromIterator<T> for Tree<T> {
    /// O(n).
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items: Vec<T> = items.into_iter().collect();
        let mut tree = Self::new();
        if items.is_empty() {
            return tree;
        }
        tree.count = items.len();
        tree.weight = items.iter().map(TreeItem::weight).sum();
        tree.item_bytes = items.iter().map(TreeItem::heap_bytes).sum();
        let mut level: Vec<Child<T>> = grouped(items, LEAF_MAX)
            .map(|items| Child::of(Arc::new(Node::leaf(items))))
            .collect();
        tree.leaves = level.len();
        while level.len() > 1 {
            level = grouped(level, INNER_MAX)
                .map(|children| Child::of(Arc::new(Node::inner(children))))
                .collect();
            tree.inners += level.len();
        }
        if let Some(root) = level.pop() {
            tree.root = root.node;
        }
        tree
    }
}

/// Groups of nearly equal length, of at most `max` each.
fn grouped<X>(items: Vec<X>, max: usize) -> impl Iterator<Item = Vec<X>> {
    let groups = items.len().div_ceil(max);
    let (each, longer) = (items.len() / groups.max(1), items.len() % groups.max(1));
    let mut items = items.into_iter();
    (0..groups).map(move |at| {
        let mut group = Vec::with_capacity(max);
        group.extend(items.by_ref().take(each + usize::from(at < longer)));
        group
    })
}
