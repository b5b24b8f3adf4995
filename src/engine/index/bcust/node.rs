//! A node of the counted B+-tree.
//!
//! **Invariants**
//! - `separators`, `counts`, `hints` and the children are equally many, at most `FANOUT`; the first separator is the
//!   node's own lower bound, the one that its parent has for it.
//! - A count is the number of entries below its child.
//! - All leaves are equally deep. No node is empty, but a root on its way out.

use super::super::ordered::Place;
use crate::page::hints::Hints;

/// Most children of a node.
pub const FANOUT_MAX: usize = 64;

enum Children<const FANOUT: usize> {
    Nodes(Vec<Node<FANOUT>>),
    Pages(Vec<Place>),
}

/// See the module.
pub struct Node<const FANOUT: usize> {
    hints: Hints,
    separators: Vec<Box<[u8]>>,
    counts: Vec<usize>,
    children: Children<FANOUT>,
}

/// What the tree takes of memory.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Sizes {
    nodes: usize,
    separators: usize,
    separator_bytes: usize,
}

impl Sizes {
    fn take_in(&mut self, separator: &[u8]) {
        self.separators += 1;
        self.separator_bytes += separator.len();
    }

    fn let_go(&mut self, separator: &[u8]) {
        self.separators -= 1;
        self.separator_bytes -= separator.len();
    }

    /// Bytes of heap.
    pub fn heap_bytes<const FANOUT: usize>(&self) -> usize {
        let row = size_of::<Box<[u8]>>() + size_of::<usize>() + size_of::<u64>() + size_of::<Place>();
        // Vectors grow by doubling: three quarters full.
        self.nodes * size_of::<Node<FANOUT>>() + self.separators * row * 4 / 3 + self.separator_bytes
    }
}

#[expect(clippy::indexing_slicing, reason = "hints ask for keys they have words of")]
fn key_at<'a>(separators: &'a [Box<[u8]>]) -> impl Fn(usize) -> &'a [u8] {
    |at| &separators[at]
}

impl<const FANOUT: usize> Node<FANOUT> {
    /// A leaf with one page.
    pub fn leaf(from: Box<[u8]>, place: Place, entries: usize, sizes: &mut Sizes) -> Self {
        Self::made(vec![from], vec![entries], Children::Pages(vec![place]), sizes)
    }

    /// A node above two others.
    pub fn above(left: Self, right: Self, sizes: &mut Sizes) -> Self {
        let nodes = vec![left, right];
        let separators = nodes.iter().map(|node| node.lower().into()).collect();
        let counts = nodes.iter().map(Self::entries).collect();
        Self::made(separators, counts, Children::Nodes(nodes), sizes)
    }

    fn made(separators: Vec<Box<[u8]>>, counts: Vec<usize>, children: Children<FANOUT>, sizes: &mut Sizes) -> Self {
        separators.iter().for_each(|separator| sizes.take_in(separator));
        sizes.nodes += 1;
        let mut node = Self {
            hints: Hints::default(),
            separators,
            counts,
            children,
        };
        node.settle();
        node
    }

    /// Brings the hints in line with the separators.
    fn settle(&mut self) {
        self.hints.rebuild(self.separators.len(), key_at(&self.separators));
    }

    fn lower(&self) -> &[u8] {
        self.separators.first().map_or(&[], |first| first)
    }

    fn entries(&self) -> usize {
        self.counts.iter().sum()
    }

    fn len(&self) -> usize {
        self.separators.len()
    }

    /// Whether it has no children.
    pub fn is_empty(&self) -> bool {
        self.separators.is_empty()
    }

    /// The child that covers `key`.
    #[inline]
    fn covering(&self, key: &[u8]) -> usize {
        match self.hints.search(key, key_at(&self.separators)) {
            Ok(at) => at,
            Err(at) => at.saturating_sub(1),
        }
    }

    /// See [`super::Directory::find`].
    pub fn find(&self, key: &[u8]) -> Option<Place> {
        let mut node = self;
        loop {
            let at = node.covering(key);
            match &node.children {
                Children::Nodes(nodes) => node = nodes.get(at)?,
                Children::Pages(pages) => return pages.get(at).copied(),
            }
        }
    }

    /// See [`super::Directory::add`].
    pub fn add(&mut self, key: &[u8], entries: isize) {
        let mut node = self;
        loop {
            let at = node.covering(key);
            if let Some(count) = node.counts.get_mut(at) {
                *count = count.wrapping_add_signed(entries);
            }
            match &mut node.children {
                Children::Nodes(nodes) => match nodes.get_mut(at) {
                    Some(child) => node = child,
                    None => return,
                },
                Children::Pages(_) => return,
            }
        }
    }

    /// See [`super::Directory::entries_before`].
    pub fn entries_before(&self, key: &[u8]) -> usize {
        let (mut node, mut before) = (self, 0);
        loop {
            let at = node.covering(key);
            before += node.counts.iter().take(at).sum::<usize>();
            match &node.children {
                Children::Nodes(nodes) => match nodes.get(at) {
                    Some(child) => node = child,
                    None => return before,
                },
                Children::Pages(_) => return before,
            }
        }
    }

    /// See [`super::Directory::nth`].
    pub fn nth(&self, n: usize) -> Option<(Place, usize)> {
        let (mut node, mut left) = (self, n);
        loop {
            let at = node.counts.iter().position(|count| {
                let here = left < *count;
                left -= if here { 0 } else { *count };
                here
            })?;
            match &node.children {
                Children::Nodes(nodes) => node = nodes.get(at)?,
                Children::Pages(pages) => return Some((*pages.get(at)?, left)),
            }
        }
    }

    /// See [`super::Directory::insert`]; returns what has been split off, which belongs right behind this node.
    pub fn insert(&mut self, from: Box<[u8]>, place: Place, entries: usize, sizes: &mut Sizes) -> Option<Self> {
        let at = self.covering(&from);
        match &mut self.children {
            Children::Pages(pages) => {
                pages.insert(at + 1, place);
                self.enter(at + 1, from, entries, sizes);
            }
            Children::Nodes(nodes) => {
                let right = nodes.get_mut(at)?.insert(from, place, entries, sizes);
                let Some(right) = right else {
                    *self.counts.get_mut(at)? += entries;
                    return None;
                };
                let (lower, count) = (right.lower().into(), right.entries());
                *self.counts.get_mut(at)? = nodes.get(at)?.entries();
                nodes.insert(at + 1, right);
                self.enter(at + 1, lower, count, sizes);
            }
        }
        // Separators that come in order leave full nodes behind.
        let middle = if at + 2 == self.len() { FANOUT } else { self.len() / 2 };
        (self.len() > FANOUT).then(|| self.split_off(middle, sizes))
    }

    /// Enters separator and count of a child that is at place `at`.
    fn enter(&mut self, at: usize, separator: Box<[u8]>, entries: usize, sizes: &mut Sizes) {
        sizes.take_in(&separator);
        self.hints.insert(at, &separator, key_at(&self.separators));
        self.separators.insert(at, separator);
        self.counts.insert(at, entries);
    }

    fn split_off(&mut self, at: usize, sizes: &mut Sizes) -> Self {
        let mut right = Self {
            hints: Hints::default(),
            separators: self.separators.split_off(at),
            counts: self.counts.split_off(at),
            children: match &mut self.children {
                Children::Nodes(nodes) => Children::Nodes(nodes.split_off(at)),
                Children::Pages(pages) => Children::Pages(pages.split_off(at)),
            },
        };
        sizes.nodes += 1;
        right.settle();
        self.settle();
        right
    }

    /// See [`super::Directory::remove`].
    pub fn remove(&mut self, key: &[u8], sizes: &mut Sizes) {
        let at = self.covering(key);
        let Children::Nodes(nodes) = &mut self.children else {
            self.leave(at, sizes);
            return;
        };
        let Some(child) = nodes.get_mut(at) else {
            return;
        };
        child.remove(key, sizes);
        if child.is_empty() {
            self.leave(at, sizes);
            return;
        }
        if let Some(count) = self.counts.get_mut(at) {
            *count = child.entries();
        }
        let is_small = child.len() < FANOUT / 4;
        self.raise_lower(at, sizes);
        if is_small {
            self.merge(at, sizes);
        }
    }

    /// Lets child `at` go.
    fn leave(&mut self, at: usize, sizes: &mut Sizes) {
        sizes.let_go(&self.separators.remove(at));
        self.counts.remove(at);
        self.hints.remove(at);
        match &mut self.children {
            Children::Pages(pages) => drop(pages.remove(at)),
            Children::Nodes(nodes) => {
                nodes.remove(at);
                sizes.nodes -= 1;
            }
        }
    }

    /// Takes over the lower bound of child `at`, whose first child may have gone: its keys are the left neighbour's
    /// now.
    fn raise_lower(&mut self, at: usize, sizes: &mut Sizes) {
        let Children::Nodes(nodes) = &self.children else {
            return;
        };
        let (Some(child), Some(separator)) = (nodes.get(at), self.separators.get_mut(at)) else {
            return;
        };
        if **separator != *child.lower() {
            sizes.let_go(separator);
            *separator = child.lower().into();
            sizes.take_in(separator);
            self.settle();
        }
    }

    /// Makes one node of child `at` and a neighbour, where they fit one well.
    fn merge(&mut self, at: usize, sizes: &mut Sizes) {
        let Children::Nodes(nodes) = &self.children else {
            return;
        };
        let fits = |left: &usize| match (nodes.get(*left), nodes.get(left + 1)) {
            (Some(one), Some(other)) => one.len() + other.len() <= FANOUT * 3 / 4,
            _ => false,
        };
        let left = at.checked_sub(1).filter(fits).or(Some(at).filter(fits));
        if let Some(left) = left {
            self.join(left, sizes);
        }
    }

    /// Moves the children of child `left + 1` to child `left`.
    fn join(&mut self, left: usize, sizes: &mut Sizes) {
        let Children::Nodes(nodes) = &mut self.children else {
            return;
        };
        let mut right = nodes.remove(left + 1);
        sizes.nodes -= 1;
        sizes.let_go(&self.separators.remove(left + 1));
        self.hints.remove(left + 1);
        let moved = self.counts.remove(left + 1);
        if let Some(count) = self.counts.get_mut(left) {
            *count += moved;
        }
        let Some(left) = nodes.get_mut(left) else {
            return;
        };
        left.separators.append(&mut right.separators);
        left.counts.append(&mut right.counts);
        match (&mut left.children, &mut right.children) {
            (Children::Nodes(to), Children::Nodes(from)) => to.append(from),
            (Children::Pages(to), Children::Pages(from)) => to.append(from),
            _ => debug_assert!(false, "neighbours are equally deep"),
        }
        left.settle();
    }

    /// The only child, taken out, when it is a node: a root that is not needed any more.
    pub fn sole_child(&mut self, sizes: &mut Sizes) -> Option<Box<Self>> {
        let Children::Nodes(nodes) = &mut self.children else {
            return None;
        };
        if nodes.len() > 1 {
            return None;
        }
        let child = nodes.pop()?;
        sizes.nodes -= 1;
        self.separators.iter().for_each(|separator| sizes.let_go(separator));
        Some(Box::new(child))
    }
}

#[cfg(test)]
impl<const FANOUT: usize> Node<FANOUT> {
    /// See [`super::Bcust::check`]; gives the depth.
    pub fn check(&self, pages: &mut Vec<(Place, usize)>, sizes: &mut Sizes) -> usize {
        sizes.nodes += 1;
        self.separators.iter().for_each(|separator| sizes.take_in(separator));
        assert!(!self.is_empty() && self.len() <= FANOUT);
        assert!(self.separators.is_sorted_by(|one, other| one < other));
        for (at, separator) in self.separators.iter().enumerate() {
            assert_eq!(self.hints.search(separator, key_at(&self.separators)), Ok(at));
        }
        match &self.children {
            Children::Pages(places) => {
                assert_eq!(places.len(), self.len());
                pages.extend(places.iter().copied().zip(self.counts.iter().copied()));
                0
            }
            Children::Nodes(nodes) => {
                assert_eq!(nodes.len(), self.len());
                let mut depths = Vec::new();
                for (at, node) in nodes.iter().enumerate() {
                    assert_eq!(node.lower(), &*self.separators[at]);
                    assert_eq!(node.entries(), self.counts[at]);
                    depths.push(node.check(pages, sizes));
                }
                assert!(depths.iter().all(|depth| *depth == depths[0]));
                depths[0] + 1
            }
        }
    }
}
