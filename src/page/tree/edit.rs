//! Insertion, removal and change of single items.
//!
//! A change that may turn out to be none, or moves items, first finds its path, reading only, and then follows it,
//! copying what is shared: what is no change copies nothing.

use std::cmp::Ordering;

use smallvec::{Array, SmallVec};
use triomphe::Arc;

use super::balance::{make_room, mend_child};
use super::node::{Child, Children, INNER_MAX, LEAF_MAX, Node, Nodes, own};
use super::path::{Edge, Path, child_at, covering, path_behind, path_to};
use super::{Tree, TreeItem};

impl<T: TreeItem> Tree<T> {
    /// Puts an item before the one at `index`; at the length, behind the last. O(log n).
    pub fn insert(&mut self, index: usize, item: T) {
        let path = path_behind(&self.root, index.min(self.count), self.count);
        self.insert_at(&path, item);
    }

    /// Puts an item where it belongs among items in ascending order, `compare` telling how those are to it. O(log n).
    ///
    /// # Errors
    /// The item, if there is an equal one.
    pub fn insert_by(&mut self, compare: impl FnMut(&T) -> Ordering, item: T) -> Result<(), T> {
        let (path, is_there) = self.path_by(compare);
        if is_there {
            return Err(item);
        }
        self.insert_at(&path, item);
        Ok(())
    }

    /// Takes the item at `index` out. O(log n).
    ///
    /// # Panics
    /// When there is none.
    pub fn remove(&mut self, index: usize) -> T {
        assert!(index < self.count, "index {index} of {}", self.count);
        let path = path_to(&self.root, index, self.count);
        self.remove_at(&path)
    }

    /// Takes out the first item that `compare` calls equal, of items in ascending order. O(log n).
    pub fn remove_by(&mut self, compare: impl FnMut(&T) -> Ordering) -> Option<T> {
        let (path, is_there) = self.path_by(compare);
        is_there.then(|| self.remove_at(&path))
    }

    /// Takes the first item out. A constant time, but for every 62nd.
    pub fn pop_first(&mut self) -> Option<T> {
        (self.count > 0).then(|| self.remove(0))
    }

    /// Takes the last item out. A constant time, but for every 62nd.
    pub fn pop_last(&mut self) -> Option<T> {
        let last = self.count.checked_sub(1)?;
        Some(self.remove(last))
    }

    /// Lets `change` change the item at `index` in place. O(log n).
    ///
    /// # Panics
    /// When there is none.
    pub fn update<R>(&mut self, index: usize, change: impl FnOnce(&mut T) -> R) -> R {
        assert!(index < self.count, "index {index} of {}", self.count);
        let mut sums = Sums::default();
        let result = update(&mut self.root, (index, self.count), &mut sums, change);
        self.weight = self.weight - sums.old_weight + sums.new_weight;
        self.item_bytes = self.item_bytes - sums.old_bytes + sums.new_bytes;
        result
    }

    /// The last item that `is_before` is true of, which must be true of those before it. It is to be changed in nothing
    /// but what says neither its weight, nor its bytes of heap, nor its place: sums and order stay as they are. O(log
    /// n).
    pub fn last_mut(&mut self, mut is_before: impl FnMut(&T) -> bool) -> Option<&mut T> {
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(items) => {
                    let items: &mut [T] = own(items)?;
                    let at = items.partition_point(&mut is_before).checked_sub(1)?;
                    return items.get_mut(at);
                }
                Node::Inner(children) => {
                    let children: &mut [Child<T>] = own(children)?;
                    // One without a separator is the first.
                    let at = children.partition_point(|child| child.first().is_none_or(&mut is_before));
                    node = &mut children.get_mut(at.saturating_sub(1))?.node;
                }
            }
        }
    }

    /// Lets `change` change the item that covers `offset` of the weights' sum, or the last one: it weighs `grown` more
    /// then, and its bytes of heap are as they were. Its index and what `change` returns. O(log n).
    pub fn update_within<R>(
        &mut self,
        mut offset: u64,
        grown: i64,
        change: impl FnOnce(&mut T) -> R,
    ) -> Option<(usize, R)> {
        if self.count == 0 {
            return None;
        }
        let (mut node, mut weight, mut index) = (&mut self.root, &mut self.weight, 0);
        loop {
            let total = *weight;
            *weight = total.saturating_add_signed(grown);
            match node {
                Node::Leaf(items) => {
                    let items: &mut [T] = own(items)?;
                    let (at, _) = covering(items, T::weight, total, offset)?;
                    let item = items.get_mut(at)?;
                    let old = item.weight();
                    let result = change(item);
                    debug_assert_eq!(item.weight(), old.saturating_add_signed(grown));
                    return Some((index + at, result));
                }
                Node::Inner(children) => {
                    let children: &mut [Child<T>] = own(children)?;
                    let (at, within) = covering(children, |child| child.weight, total, offset)?;
                    index += children.iter().take(at).map(|child| child.count).sum::<usize>();
                    let child = children.get_mut(at)?;
                    (node, weight, offset) = (&mut child.node, &mut child.weight, within);
                }
            }
        }
    }

    fn insert_at(&mut self, path: &Path, item: T) {
        self.count += 1;
        self.weight += item.weight();
        self.item_bytes += item.heap_bytes();
        if let Some(sibling) = insert(&mut self.root, path, item, Edge::ROOT, &mut self.nodes) {
            let old = std::mem::replace(&mut self.root, Node::inner(SmallVec::new()));
            let children = [Child::of(old), sibling].into_iter().collect();
            self.root = Node::inner(children);
            self.nodes.inners += 1;
        }
    }

    fn remove_at(&mut self, path: &Path) -> T {
        let item = remove(&mut self.root, path, Edge::ROOT, &mut self.nodes);
        self.lower();
        self.count -= 1;
        self.weight -= item.weight();
        self.item_bytes -= item.heap_bytes();
        item
    }

    /// Lets a root's only child take its place.
    pub(super) fn lower(&mut self) {
        while let Node::Inner(children) = &self.root
            && let [only] = &***children
        {
            self.root = only.node.clone();
            self.nodes.inners -= 1;
        }
    }
}

/// Inserts below `node`; the sibling behind it, if it had to be split.
fn insert<T: TreeItem>(node: &mut Node<T>, path: &[u8], item: T, edge: Edge, nodes: &mut Nodes) -> Option<Child<T>> {
    let (at, below) = step(path);
    match node {
        Node::Leaf(items) => {
            let is_end = edge.first && at == 0 || edge.last && at == LEAF_MAX;
            let behind = put(Arc::make_mut(items), LEAF_MAX, at, item, is_end)?;
            nodes.leaves += 1;
            Some(Child::of(Node::leaf(behind)))
        }
        Node::Inner(children) => {
            let children = Arc::make_mut(children);
            let weight = item.weight();
            let moved = make_room(children, at, below, edge);
            let (at, below) = moved.as_ref().map_or((at, below), |(at, within)| (*at, within));
            // So separators stay.
            debug_assert!(
                at == 0 || !is_first(below),
                "paths for insertion lead behind an item, if there is one"
            );
            let here = edge.of(at, children.len());
            let child = child_mut(children, at);
            let Some(sibling) = insert(&mut child.node, below, item, here, nodes) else {
                child.count += 1;
                child.weight += weight;
                return None;
            };
            child.refresh();
            let behind = put(children, INNER_MAX, at + 1, sibling, here.any())?;
            nodes.inners += 1;
            Some(Child::of(Node::inner(behind)))
        }
    }
}

/// Inserts into a node's own; what stands behind it then, if there was no room. That is split near an end of the tree,
/// so that runs leave full nodes behind, else in the middle.
fn put<A: Array>(own: &mut SmallVec<A>, max: usize, at: usize, new: A::Item, is_end: bool) -> Option<SmallVec<A>> {
    if own.len() < max {
        own.insert(at, new);
        return None;
    }
    let cut = if is_end { at } else { own.len() / 2 };
    let mut behind: SmallVec<A> = own.drain(cut..).collect();
    match at.checked_sub(cut) {
        Some(within) if within > 0 || behind.is_empty() => behind.insert(within, new),
        _ => own.insert(at, new),
    }
    Some(behind)
}

fn remove<T: TreeItem>(node: &mut Node<T>, path: &[u8], edge: Edge, nodes: &mut Nodes) -> T {
    let (at, below) = step(path);
    match node {
        Node::Leaf(items) => Arc::make_mut(items).remove(at),
        Node::Inner(children) => {
            let children = Arc::make_mut(children);
            let here = edge.of(at, children.len());
            let child = child_mut(children, at);
            let item = remove(&mut child.node, below, here, nodes);
            child.count -= 1;
            child.weight -= item.weight();
            if at > 0 && is_first(below) {
                child.separate();
            }
            mend_child(children, at, here, nodes);
            item
        }
    }
}

/// What an item counted for before and after a change.
#[derive(Default)]
struct Sums {
    old_weight: u64,
    new_weight: u64,
    old_bytes: usize,
    new_bytes: usize,
}

/// Changes the item at `index` of the `count` below `node`; `index < count`.
fn update<T: TreeItem, R>(
    node: &mut Node<T>,
    (index, count): (usize, usize),
    sums: &mut Sums,
    change: impl FnOnce(&mut T) -> R,
) -> R {
    match node {
        Node::Leaf(items) => {
            #[expect(clippy::indexing_slicing, reason = "a leaf has as many items as are counted")]
            let item = &mut Arc::make_mut(items)[index];
            (sums.old_weight, sums.old_bytes) = (item.weight(), item.heap_bytes());
            let result = change(item);
            (sums.new_weight, sums.new_bytes) = (item.weight(), item.heap_bytes());
            result
        }
        Node::Inner(children) => {
            let children = Arc::make_mut(children);
            let (at, within) = child_at(children, index, count).map_or((0, 0), |(at, _, within)| (at, within));
            let child = child_mut(children, at);
            let result = update(&mut child.node, (within, child.count), sums, change);
            child.weight = child.weight - sums.old_weight + sums.new_weight;
            if at > 0 && within == 0 {
                child.separate();
            }
            result
        }
    }
}

/// The first position of a path, and the others.
#[expect(clippy::indexing_slicing, reason = "a path has a position for every node on it")]
#[inline]
fn step(path: &[u8]) -> (usize, &[u8]) {
    (usize::from(path[0]), &path[1..])
}

#[expect(clippy::indexing_slicing, reason = "paths lead to children that there are")]
#[inline]
fn child_mut<T: TreeItem>(children: &mut Children<T>, at: usize) -> &mut Child<T> {
    &mut children[at]
}

/// Whether a path leads to the first item.
#[inline]
fn is_first(path: &[u8]) -> bool {
    path.iter().all(|at| *at == 0)
}
