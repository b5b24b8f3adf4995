//! Ways from the root to an item: found once, by index or by comparison, then followed by a change.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::node::{Child, Node};
use super::search::partition_point;
use super::{Tree, TreeItem};

/// For each inner node the position of the child to go to, then the position in the leaf. Nodes are narrower than 256.
pub(super) type Path = SmallVec<[u8; 16]>;

/// Which ends of the tree a node lies at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub first: bool,
    pub last: bool,
}

impl Edge {
    /// The root lies at both.
    pub const ROOT: Self = Self {
        first: true,
        last: true,
    };

    /// Of child `at` of `width`.
    pub fn of(self, at: usize, width: usize) -> Self {
        Self {
            first: self.first && at == 0,
            last: self.last && at + 1 == width,
        }
    }

    pub fn any(self) -> bool {
        self.first || self.last
    }
}

/// The child that has the item at `index` of all `count`, its position, and the index within it; `index < count`. Ends
/// are found at once.
#[inline]
pub(super) fn child_at<T: TreeItem>(
    children: &[Child<T>],
    mut index: usize,
    count: usize,
) -> Option<(usize, &Child<T>, usize)> {
    let last = children.last()?;
    let before_last = count - last.count;
    if index >= before_last {
        return Some((children.len() - 1, last, index - before_last));
    }
    for (at, child) in children.iter().enumerate() {
        if index < child.count {
            return Some((at, child, index));
        }
        index -= child.count;
    }
    None
}

/// Of neighbours that weigh `total` together the one that covers `offset`, or the last one: its position, and the
/// offset in it. The last one is found at once.
#[inline]
pub(super) fn covering<X>(
    all: &[X],
    weight_of: impl Fn(&X) -> u64,
    total: u64,
    mut offset: u64,
) -> Option<(usize, u64)> {
    let last = all.len().checked_sub(1)?;
    let before_last = total - all.last().map_or(0, &weight_of);
    if offset >= before_last {
        return Some((last, offset - before_last));
    }
    for (at, one) in all.iter().enumerate() {
        let weight = weight_of(one);
        if offset < weight {
            return Some((at, offset));
        }
        offset -= weight;
    }
    None
}

/// The path to the item at `index` of the `count` below `node`; `index < count`.
pub(super) fn path_to<T: TreeItem>(mut node: &Node<T>, mut index: usize, mut count: usize) -> Path {
    let mut path = Path::new();
    loop {
        match node {
            Node::Leaf(_) => {
                path.push(index as u8);
                return path;
            }
            Node::Inner(children) => {
                let Some((at, child, within)) = child_at(children, index, count) else {
                    return path;
                };
                path.push(at as u8);
                (node, index, count) = (&child.node, within, child.count);
            }
        }
    }
}

/// The path to the place before which `index` items stand: behind the item in front of it, so that appended runs stay
/// together.
pub(super) fn path_behind<T: TreeItem>(node: &Node<T>, index: usize, count: usize) -> Path {
    let mut path = path_to(node, index.saturating_sub(1), count);
    if index > 0
        && let Some(at) = path.last_mut()
    {
        *at += 1;
    }
    path
}

/// Goes down to the place before the first item that `is_before` is false of, telling `step` each node on the way and
/// the position in it.
#[inline]
pub(super) fn descend<T: TreeItem>(
    mut node: &Node<T>,
    mut is_before: impl FnMut(&T) -> bool,
    mut step: impl FnMut(&Node<T>, usize),
) {
    loop {
        match node {
            Node::Leaf(items) => {
                let prefetch = |at| items.get(at).into_iter().for_each(T::prefetch);
                let at = partition_point(items.len(), prefetch, |at| items.get(at).is_some_and(&mut is_before));
                return step(node, at);
            }
            Node::Inner(children) => {
                // The last child that begins before, or the first one.
                let others = children.get(1..).unwrap_or_default();
                let prefetch = |at: usize| {
                    if T::SEPARATES {
                        others.get(at).and_then(Child::first).into_iter().for_each(T::prefetch);
                    }
                };
                let first = |at: usize| others.get(at).and_then(Child::first);
                let at = partition_point(others.len(), prefetch, |at| first(at).is_some_and(&mut is_before));
                step(node, at);
                let Some(child) = children.get(at) else { return };
                child.node.prefetch();
                node = &child.node;
            }
        }
    }
}

impl<T: TreeItem> Tree<T> {
    /// The path to the first item that `compare` calls equal, of items in ascending order, and true; without one, that
    /// to where it would be, behind an item if there is one, and false.
    pub(super) fn path_by(&self, mut compare: impl FnMut(&T) -> Ordering) -> (Path, bool) {
        let mut path = Path::new();
        let is_before = |item: &T| compare(item) == Ordering::Less;
        descend(&self.root, is_before, |_, at| path.push(at as u8));
        if let Some(item) = self.item_on(&path) {
            let is_equal = compare(item) == Ordering::Equal;
            return (path, is_equal);
        }
        let next = self.path_to_next_leaf(&path);
        let is_equal = |next: &Path| {
            let item = self.item_on(next);
            item.is_some_and(|item| compare(item) == Ordering::Equal)
        };
        match next.filter(is_equal) {
            Some(next) => (next, true),
            None => (path, false),
        }
    }

    /// The path to the first item of the leaf behind that of `path`, if there is one.
    #[cold]
    fn path_to_next_leaf(&self, path: &Path) -> Option<Path> {
        let (mut node, mut turn) = (&self.root, None);
        for (level, at) in path.iter().enumerate() {
            let Node::Inner(children) = node else { break };
            let at = usize::from(*at);
            if at + 1 < children.len() {
                turn = Some(level);
            }
            node = &children.get(at)?.node;
        }
        let mut next = path.clone();
        let (at, below) = next.get_mut(turn?..)?.split_first_mut()?;
        *at += 1;
        below.fill(0);
        Some(next)
    }

    /// The item that `path` leads to; none, if that is behind the leaf's last.
    pub(super) fn item_on(&self, path: &Path) -> Option<&T> {
        let mut node = &self.root;
        for at in path {
            match node {
                Node::Leaf(items) => return items.get(usize::from(*at)),
                Node::Inner(children) => node = &children.get(usize::from(*at))?.node,
            }
        }
        None
    }
}
