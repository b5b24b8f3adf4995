//! Changes to a tree.

use std::sync::Arc;

use super::node::{Child, INNER_MAX, LEAF_MAX, Node};
use super::{Tree, TreeItem};

impl<T: TreeItem> Tree<T> {
    /// Puts an item before the one at `index`; at the length, behind the last. O(log n).
    pub fn insert(&mut self, index: usize, item: T) {
        let index = index.min(self.count);
        self.count += 1;
        self.weight += item.weight();
        self.item_bytes += item.heap_bytes();
        let (mut leaves, mut inners) = (0, 0);
        if let Some(sibling) = insert(&mut self.root, index, item, (&mut leaves, &mut inners)) {
            let old = std::mem::replace(&mut self.root, Arc::new(Node::leaf(Vec::new())));
            self.root = Arc::new(Node::inner(vec![Child::of(old), sibling]));
            inners += 1;
        }
        self.leaves += leaves;
        self.inners += inners;
    }

    /// Takes the item at `index` out. O(log n).
    ///
    /// # Panics
    /// When there is none.
    pub fn remove(&mut self, index: usize) -> T {
        assert!(index < self.count, "index {index} of {}", self.count);
        let (mut leaves, mut inners) = (0, 0);
        let item = remove(&mut self.root, index, (&mut leaves, &mut inners));
        loop {
            let only = match &*self.root {
                Node::Inner(children) if children.len() == 1 => children.first().map(|child| Arc::clone(&child.node)),
                _ => None,
            };
            let Some(only) = only else { break };
            self.root = only;
            inners += 1;
        }
        self.leaves -= leaves;
        self.inners -= inners;
        self.count -= 1;
        self.weight -= item.weight();
        self.item_bytes -= item.heap_bytes();
        item
    }

    /// Lets `change` change the item at `index` in place. O(log n).
    ///
    /// # Panics
    /// When there is none.
    pub fn update<R>(&mut self, index: usize, change: impl FnOnce(&mut T) -> R) -> R {
        assert!(index < self.count, "index {index} of {}", self.count);
        let change = |item: &mut T| {
            let (weight, bytes) = (item.weight(), item.heap_bytes());
            let result = change(item);
            (result, weight, bytes, item.weight(), item.heap_bytes())
        };
        let (result, weight, bytes, new_weight, new_bytes) = update(&mut self.root, index, change);
        self.weight = self.weight - weight + new_weight;
        self.item_bytes = self.item_bytes - bytes + new_bytes;
        result
    }

    /// Takes so many items from `index` on out. O(log n) for each of the first; much at once is built anew in O(n).
    pub fn remove_range(&mut self, index: usize, len: usize) {
        let index = index.min(self.count);
        let len = len.min(self.count - index);
        // Building anew costs about as much as taking out one in so many.
        const REBUILD_SHARE: usize = 8;
        if len > self.count / REBUILD_SHARE {
            let before = self.iter().take(index).cloned();
            *self = before.chain(self.iter_from(index + len).cloned()).collect();
            return;
        }
        for _ in 0..len {
            self.remove(index);
        }
    }
}

type Made<'a> = (&'a mut usize, &'a mut usize);

/// The child that has item `index`, and the item's index in it; the last one also for an index behind its end.
fn find<T: TreeItem>(children: &[Child<T>], mut index: usize) -> (usize, usize) {
    let last = children.len().saturating_sub(1);
    for (at, child) in children.iter().enumerate() {
        if index < child.count || at == last {
            return (at, index);
        }
        index -= child.count;
    }
    (last, index)
}

/// Inserts below `node`; the sibling behind it, if it had to be split.
fn insert<T: TreeItem>(node: &mut Arc<Node<T>>, index: usize, item: T, (leaves, inners): Made<'_>) -> Option<Child<T>> {
    match Arc::make_mut(node) {
        Node::Leaf(items) => {
            if items.len() < LEAF_MAX {
                items.insert(index, item);
                return None;
            }
            *leaves += 1;
            let mut behind = split(items, index, LEAF_MAX);
            put(items, &mut behind, index, item);
            Some(Child::of(Arc::new(Node::leaf(behind))))
        }
        Node::Inner(children) => {
            let (mut at, within) = find(children, index);
            // Between two children either will do; the one in front keeps appended runs together.
            let (mut within, previous) = (within, at.checked_sub(1));
            if within == 0
                && let Some(previous) = previous
                && let Some(child) = children.get(previous)
                && child.node.width() < child.node.width_max()
            {
                (at, within) = (previous, child.count);
            }
            let weight = item.weight();
            let child = children.get_mut(at)?;
            let sibling = insert(&mut child.node, within, item, (leaves, inners));
            match sibling {
                None => {
                    child.count += 1;
                    child.weight += weight;
                    if within == 0 {
                        child.separate();
                    }
                    return None;
                }
                Some(_) => child.refresh(),
            }
            let sibling = sibling?;
            if children.len() < INNER_MAX {
                children.insert(at + 1, sibling);
                return None;
            }
            *inners += 1;
            let mut behind = split(children, at + 1, INNER_MAX);
            put(children, &mut behind, at + 1, sibling);
            Some(Child::of(Arc::new(Node::inner(behind))))
        }
    }
}

/// Splits what is full before something comes in at `index`: at an end there, else in the middle.
fn split<X>(full: &mut Vec<X>, index: usize, max: usize) -> Vec<X> {
    let at = match index {
        0 => 0,
        index if index == full.len() => full.len(),
        _ => full.len() / 2,
    };
    let mut behind = Vec::with_capacity(max);
    behind.extend(full.drain(at..));
    behind
}

/// Puts something at `index` of what has been split in two.
fn put<X>(front: &mut Vec<X>, behind: &mut Vec<X>, index: usize, item: X) {
    match index.checked_sub(front.len()) {
        Some(at) if at > 0 || behind.is_empty() => behind.insert(at, item),
        _ => front.insert(index, item),
    }
}

fn remove<T: TreeItem>(node: &mut Arc<Node<T>>, index: usize, (leaves, inners): Made<'_>) -> T {
    match Arc::make_mut(node) {
        Node::Leaf(items) => items.remove(index),
        Node::Inner(children) => {
            let (at, within) = find(children, index);
            #[expect(
                clippy::indexing_slicing,
                reason = "an inner node is never empty, and `find` stays within it"
            )]
            let child = &mut children[at];
            let item = remove(&mut child.node, within, (leaves, inners));
            child.count -= 1;
            child.weight -= item.weight();
            if within == 0 {
                child.separate();
            }
            if child.node.width() == 0 {
                note_gone(&children.remove(at).node, (leaves, inners));
            } else if child.node.is_small() {
                join(children, at, (leaves, inners));
            }
            item
        }
    }
}

fn note_gone<T: TreeItem>(node: &Node<T>, (leaves, inners): Made<'_>) {
    match node {
        Node::Leaf(_) => *leaves += 1,
        Node::Inner(_) => *inners += 1,
    }
}

/// Joins a small child with a neighbour, if both fit one node.
fn join<T: TreeItem>(children: &mut Vec<Child<T>>, at: usize, gone: Made<'_>) {
    let width = |at: usize| children.get(at).map_or(usize::MAX, |child| child.node.width());
    let Some(max) = children.get(at).map(|child| child.node.width_max()) else {
        return;
    };
    let fits = |one: usize, other: usize| width(one).saturating_add(width(other)) <= max;
    let front = match at.checked_sub(1) {
        Some(before) if fits(before, at) => before,
        _ if fits(at, at + 1) => at,
        _ => return,
    };
    let behind = children.remove(front + 1);
    note_gone(&behind.node, gone);
    if let Some(child) = children.get_mut(front) {
        match (Arc::make_mut(&mut child.node), &*behind.node) {
            (Node::Leaf(items), Node::Leaf(more)) => items.extend_from_slice(more),
            (Node::Inner(nodes), Node::Inner(more)) => nodes.extend_from_slice(more),
            _ => debug_assert!(false, "leaves are equally deep"),
        }
        child.refresh();
    }
}

fn update<T: TreeItem, R>(
    node: &mut Arc<Node<T>>,
    index: usize,
    change: impl FnOnce(&mut T) -> (R, u64, usize, u64, usize),
) -> (R, u64, usize, u64, usize) {
    match Arc::make_mut(node) {
        #[expect(clippy::indexing_slicing, reason = "the caller has checked the index")]
        Node::Leaf(items) => change(&mut items[index]),
        Node::Inner(children) => {
            let (at, within) = find(children, index);
            #[expect(
                clippy::indexing_slicing,
                reason = "an inner node is never empty, and `find` stays within it"
            )]
            let child = &mut children[at];
            let result = update(&mut child.node, within, change);
            child.weight = child.weight - result.1 + result.3;
            if within == 0 {
                child.separate();
            }
            result
        }
    }
}
