//! The nodes of a tree.
//!
//! **Invariants**
//! - A node never has more items or children than its inline room, so it is one allocation of a fixed size.
//! - Where items allow separators, every child of a node has one but for the first: no search ever asks for that, and
//!   so changes at the front of a tree leave the nodes above alone.

use smallvec::SmallVec;
use triomphe::Arc;

use super::TreeItem;
use crate::page::prefetch::prefetch_ref;

/// Items of a leaf at most: with the counts beside them, pointers fill an allocation of 512 bytes.
pub(super) const LEAF_MAX: usize = 62;
/// Children of an inner node at most: those of pointers fill an allocation of 1024 bytes.
pub(super) const INNER_MAX: usize = 25;
/// A node with fewer is joined with a neighbour or takes from it, but for those at an end of the tree.
pub(super) const LEAF_MIN: usize = LEAF_MAX * 2 / 5;
pub(super) const INNER_MIN: usize = INNER_MAX * 2 / 5;

const LINE_BYTES: usize = 64;
/// The count of shares that stands before what an `Arc` points to.
const ARC_BYTES: usize = size_of::<usize>();

pub(super) type Items<T> = SmallVec<[T; LEAF_MAX]>;
pub(super) type Children<T> = SmallVec<[Child<T>; INNER_MAX]>;

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Node<T: TreeItem> {
    Leaf(Arc<Items<T>>),
    Inner(Arc<Children<T>>),
}

/// A node below another, with what is below it.
#[derive(Clone, Debug)]
pub(super) struct Child<T: TreeItem> {
    pub node: Node<T>,
    pub count: usize,
    pub weight: u64,
    /// A share of the first item below, where the items allow it.
    separator: Option<T>,
}

/// How many nodes of each sort a tree has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Nodes {
    pub leaves: usize,
    pub inners: usize,
}

impl Nodes {
    /// Bytes of heap of so many nodes, without what belongs to items.
    #[inline]
    pub fn bytes<T: TreeItem>(&self) -> usize {
        self.leaves * (ARC_BYTES + size_of::<Items<T>>()) + self.inners * (ARC_BYTES + size_of::<Children<T>>())
    }

    /// Notes that `node` is no more.
    pub fn gone<T: TreeItem>(&mut self, node: &Node<T>) {
        match node {
            Node::Leaf(_) => self.leaves -= 1,
            Node::Inner(_) => self.inners -= 1,
        }
    }
}

impl<T: TreeItem> Node<T> {
    pub fn leaf(items: Items<T>) -> Self {
        Self::Leaf(Arc::new(items))
    }

    pub fn inner(mut children: Children<T>) -> Self {
        unseparate_first(&mut children);
        Self::Inner(Arc::new(children))
    }

    /// Fetches all of it at once, for a search.
    #[inline]
    pub fn prefetch(&self) {
        match self {
            Self::Leaf(items) => prefetch_lines(&**items),
            Self::Inner(children) => prefetch_lines(&**children),
        }
    }

    /// How many items below stand before position `at`.
    pub fn count_before(&self, at: usize) -> usize {
        match self {
            Self::Leaf(_) => at,
            Self::Inner(children) => children.iter().take(at).map(|child| child.count).sum(),
        }
    }

    /// The first item below.
    fn first(&self) -> Option<&T> {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(items) => return items.first(),
                Self::Inner(children) => node = &children.first()?.node,
            }
        }
    }
}

impl<T: TreeItem> Child<T> {
    /// With the sums of what is below `node`.
    pub fn of(node: Node<T>) -> Self {
        let mut child = Self {
            node,
            count: 0,
            weight: 0,
            separator: None,
        };
        child.refresh();
        child.separate();
        child
    }

    /// Takes the sums anew.
    pub fn refresh(&mut self) {
        (self.count, self.weight) = match &self.node {
            Node::Leaf(items) => (items.len(), items.iter().map(TreeItem::weight).sum()),
            Node::Inner(children) => (
                children.iter().map(|child| child.count).sum(),
                children.iter().map(|child| child.weight).sum(),
            ),
        };
    }

    /// Takes the separator anew, after the first item below has changed.
    pub fn separate(&mut self) {
        if T::SEPARATES {
            self.separator = self.node.first().cloned();
        }
    }

    /// The first item below; none for the first child of a node, if items are separators.
    #[inline]
    pub fn first(&self) -> Option<&T> {
        if T::SEPARATES {
            self.separator.as_ref()
        } else {
            self.node.first()
        }
    }

    /// How many items or children the node has itself.
    pub fn width(&self) -> usize {
        match &self.node {
            Node::Leaf(_) => self.count,
            Node::Inner(children) => children.len(),
        }
    }

    /// The least and the greatest width.
    pub fn width_bounds(&self) -> (usize, usize) {
        match self.node {
            Node::Leaf(_) => (LEAF_MIN, LEAF_MAX),
            Node::Inner(_) => (INNER_MIN, INNER_MAX),
        }
    }
}

/// What `node` points to, for changing; a copy, if others share it.
#[inline]
pub(super) fn own<X: Clone>(node: &mut Arc<X>) -> Option<&mut X> {
    if !node.is_unique() {
        unshare(node);
    }
    Arc::get_mut(node)
}

/// By itself, so that what mostly happens is short.
#[cold]
fn unshare<X: Clone>(node: &mut Arc<X>) {
    *node = Arc::new(X::clone(node));
}

/// Drops the separator of what has become the first child.
pub(super) fn unseparate_first<T: TreeItem>(children: &mut Children<T>) {
    if let Some(first) = children.first_mut() {
        first.separator = None;
    }
}

#[inline]
fn prefetch_lines<X>(target: &X) {
    let start: *const u8 = std::ptr::from_ref(target).cast();
    for line in 0..size_of::<X>().div_ceil(LINE_BYTES) {
        prefetch_ref(start.wrapping_add(line * LINE_BYTES));
    }
}
