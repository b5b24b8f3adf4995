//! Trees from many items.

use smallvec::{Array, SmallVec};

use super::node::{Child, INNER_MAX, LEAF_MAX, Node, Nodes};
use super::{Tree, TreeItem};

impl<T: TreeItem> FromIterator<T> for Tree<T> {
    /// O(n).
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items: Vec<T> = items.into_iter().collect();
        if items.is_empty() {
            return Self::new();
        }
        let count = items.len();
        let weight = items.iter().map(TreeItem::weight).sum();
        let item_bytes = items.iter().map(TreeItem::heap_bytes).sum();
        let mut level: Vec<Child<T>> = grouped(items, LEAF_MAX).map(Node::leaf).map(Child::of).collect();
        let (leaves, mut inners) = (level.len(), 0);
        while level.len() > 1 {
            level = grouped(level, INNER_MAX).map(Node::inner).map(Child::of).collect();
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
fn grouped<A: Array>(items: Vec<A::Item>, max: usize) -> impl Iterator<Item = SmallVec<A>> {
    let groups = items.len().div_ceil(max);
    let (each, longer) = (items.len() / groups.max(1), items.len() % groups.max(1));
    let mut items = items.into_iter();
    (0..groups).map(move |at| items.by_ref().take(each + usize::from(at < longer)).collect())
}
