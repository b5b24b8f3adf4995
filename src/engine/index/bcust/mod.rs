//! The `bcust` kind: our counted B+-tree. Its leaves are the pages; inner nodes hold, for each child, the separator
//! from which it covers keys and the number of entries below it, so that ranks, counts and the n-th key take O(log n).
//!
//! **Invariants:** see `node.rs`; the root is absent only when there is no page.

mod node;

use super::ordered::{Directory, Pages, Place};
use node::{FANOUT_MAX, Node, Sizes};

/// See the module.
pub struct Bcust<const FANOUT: usize = FANOUT_MAX> {
    root: Option<Box<Node<FANOUT>>>,
    sizes: Sizes,
}

impl<const FANOUT: usize> Default for Bcust<FANOUT> {
    fn default() -> Self {
        Self {
            root: None,
            sizes: Sizes::default(),
        }
    }
}

impl<const FANOUT: usize> Directory for Bcust<FANOUT> {
    #[inline]
    fn find(&self, key: &[u8]) -> Option<Place> {
        self.root.as_ref()?.find(key)
    }

    fn insert(&mut self, from: Box<[u8]>, place: Place, entries: usize) {
        let Some(root) = &mut self.root else {
            self.root = Some(Box::new(Node::leaf(from, place, entries, &mut self.sizes)));
            return;
        };
        if let Some(right) = root.insert(from, place, entries, &mut self.sizes)
            && let Some(left) = self.root.take()
        {
            self.root = Some(Box::new(Node::above(*left, right, &mut self.sizes)));
        }
    }

    fn remove(&mut self, key: &[u8]) {
        let Some(root) = &mut self.root else {
            return;
        };
        root.remove(key, &mut self.sizes);
        if root.is_empty() {
            self.root = None;
        } else if let Some(child) = root.sole_child(&mut self.sizes) {
            self.root = Some(child);
        }
    }

    #[inline]
    fn add(&mut self, key: &[u8], entries: isize) {
        if let Some(root) = &mut self.root {
            root.add(key, entries);
        }
    }

    fn entries_before(&self, _: &Pages, key: &[u8]) -> usize {
        self.root.as_ref().map_or(0, |root| root.entries_before(key))
    }

    fn nth(&self, _: &Pages, n: usize) -> Option<(Place, usize)> {
        self.root.as_ref()?.nth(n)
    }

    fn heap_bytes(&self) -> usize {
        self.sizes.heap_bytes::<FANOUT>()
    }
}

#[cfg(test)]
impl<const FANOUT: usize> Bcust<FANOUT> {
    /// Panics unless every node is as it should be; gives the pages with their counts.
    pub fn check(&self) -> Vec<(Place, usize)> {
        let mut pages = Vec::new();
        let mut sizes = Sizes::default();
        if let Some(root) = &self.root {
            root.check(&mut pages, &mut sizes);
        }
        assert_eq!(sizes, self.sizes);
        pages
    }
}
