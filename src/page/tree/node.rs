//! The nodes of a tree.

use std::sync::Arc;

use super::TreeItem;

/// Items of a leaf at most.
pub(super) const LEAF_MAX: usize = 64;
/// Children of an inner node at most.
pub(super) const INNER_MAX: usize = 32;
/// A node with fewer is joined with a neighbour, where both fit one.
pub(super) const LEAF_MIN: usize = LEAF_MAX / 3;
pub(super) const INNER_MIN: usize = INNER_MAX / 3;

/// The counts that stand before what an `Arc` points to.
const ARC_BYTES: usize = 2 * size_of::<usize>();

/// See the module.
#[derive(Debug)]
pub(super) enum Node<T: TreeItem> {
    Leaf(Vec<T>),
    Inner(Vec<Child<T>>),
}

/// A node below another, with what is below it.
#[derive(Clone, Debug)]
pub(super) struct Child<T: TreeItem> {
    pub node: Arc<Node<T>>,
    pub count: usize,
    pub weight: u64,
    /// A share of the first item below, where the items allow it.
    separator: Option<T>,
}

impl<T: TreeItem> Clone for Node<T> {
    /// Keeps the room that nodes have.
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(items) => {
                let mut copy = Vec::with_capacity(LEAF_MAX);
                copy.extend_from_slice(items);
                Self::Leaf(copy)
            }
            Self::Inner(children) => {
                let mut copy = Vec::with_capacity(INNER_MAX);
                copy.extend_from_slice(children);
                Self::Inner(copy)
            }
        }
    }
}

impl<T: TreeItem> Node<T> {
    pub fn leaf(mut items: Vec<T>) -> Self {
        items.reserve_exact(LEAF_MAX.saturating_sub(items.len()));
        Self::Leaf(items)
    }

    pub fn inner(mut children: Vec<Child<T>>) -> Self {
        children.reserve_exact(INNER_MAX.saturating_sub(children.len()));
        Self::Inner(children)
    }

    pub fn leaf_bytes() -> usize {
        ARC_BYTES + size_of::<Self>() + LEAF_MAX * size_of::<T>()
    }

    pub fn inner_bytes() -> usize {
        ARC_BYTES + size_of::<Self>() + INNER_MAX * size_of::<Child<T>>()
    }

    /// How many items or children it has itself.
    pub fn width(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(children) => children.len(),
        }
    }

    pub fn is_small(&self) -> bool {
        match self {
            Self::Leaf(items) => items.len() < LEAF_MIN,
            Self::Inner(children) => children.len() < INNER_MIN,
        }
    }

    pub fn width_max(&self) -> usize {
        match self {
            Self::Leaf(_) => LEAF_MAX,
            Self::Inner(_) => INNER_MAX,
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
    pub fn of(node: Arc<Node<T>>) -> Self {
        let (count, weight) = match &*node {
            Node::Leaf(items) => (items.len(), items.iter().map(TreeItem::weight).sum()),
            Node::Inner(children) => (
                children.iter().map(|child| child.count).sum(),
                children.iter().map(|child| child.weight).sum(),
            ),
        };
        let mut child = Self {
            node,
            count,
            weight,
            separator: None,
        };
        child.separate();
        child
    }

    /// Takes the sums and the separator anew.
    pub fn refresh(&mut self) {
        *self = Self::of(Arc::clone(&self.node));
    }

    /// Takes the separator anew, after the first item below has changed.
    pub fn separate(&mut self) {
        if T::SEPARATES {
            self.separator = self.node.first().cloned();
        }
    }

    /// The first item below.
    #[inline]
    pub fn first(&self) -> Option<&T> {
        if T::SEPARATES {
            self.separator.as_ref()
        } else {
            self.node.first()
        }
    }
}
