//! Trees from many items.

use smallvec::{Array, SmallVec};

use super::node::{Child, INNER_MAX, LEAF_MAX, Node, Nodes};
use super::{Tree, TreeItem};

impl<T: TreeItem> FromIterator<T> for Tree<T> {
    /// O(n).
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items: Vec<T> = items.into_iter().collect();
        Self::of_exact(items.into_iter())
    }
}

impl<T: TreeItem> Tree<T> {
    /// The tree of items whose number is known. O(n).
    pub fn of_exact(items: impl ExactSizeIterator<Item = T>) -> Self {
        if items.len() == 0 {
            return Self::new();
        }
        let (count, mut item_bytes) = (items.len(), 0);
        let items = items.inspect(|item| item_bytes += item.heap_bytes());
        let mut level: Vec<Child<T>> = grouped(items, LEAF_MAX).map(Node::leaf).map(Child::of).collect();
        let weight = level.iter().map(|child| child.weight).sum();
        let (leaves, mut inners) = (level.len(), 0);
        while level.len() > 1 {
            let nodes = grouped(level.into_iter(), INNER_MAX).map(Node::inner);
            level = nodes.map(Child::of).collect();
            inners += level.len();
        }
        let root = level
            .pop()
            .map_or_else(|| Node::leaf(SmallVec::new()), |root| root.node);
        Self {
            root,
            count,
            weight,
            item_bytes,
            nodes: Nodes { leaves, inners },
        }
    }
}

impl<T: TreeItem> Extend<T> for Tree<T> {
    /// O(log n), and O(1) for each item.
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.insert(self.count, item));
    }
}

/// Groups of nearly equal length, of at most `max` each.
fn grouped<A: Array>(
    mut items: impl ExactSizeIterator<Item = A::Item>,
    max: usize,
) -> impl Iterator<Item = SmallVec<A>> {
    let groups = items.len().div_ceil(max);
    let (each, longer) = (items.len() / groups.max(1), items.len() % groups.max(1));
    (0..groups).map(move |at| items.by_ref().take(each + usize::from(at < longer)).collect())
}
