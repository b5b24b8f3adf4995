//! How a trie is dropped that nobody needs any more: its items in the order in which they lie in memory, so that pages
//! of the allocator become free as a whole (see [`crate::engine`]'s dismantling of collections for why that matters).
//!
//! **Invariant:** what clones share is left to them; nothing of it is looked at.

use super::node::Node;
use super::{Item, Keyed, Trie};

/// Who is told of free bytes is told of so many at once.
const TOLD_BYTES: usize = 256 << 10;

/// What is left of tries when their nodes are gone.
pub struct Dismantled<'a> {
    items: Vec<Item>,
    gone_bytes: usize,
    freed: &'a dyn Fn(u64),
}

impl<'a> Dismantled<'a> {
    /// Of nothing yet; `freed` is told of bytes that are free, a part at a time.
    pub fn new(freed: &'a dyn Fn(u64)) -> Self {
        Self {
            items: Vec::new(),
            gone_bytes: 0,
            freed,
        }
    }

    /// Drops the nodes of a trie that nobody shares, and keeps their items.
    pub fn add(&mut self, trie: Trie<Item>) {
        self.add_node(trie.root);
    }

    fn add_node(&mut self, node: Node<Item>) {
        let bytes = node.own_bytes();
        match node {
            Node::Leaf(leaf) if leaf.is_unique() => leaf.drain(|item, ()| self.items.push(item)),
            Node::Inner(inner) if inner.is_unique() => inner.drain(|child, _| self.add_node(child)),
            Node::Leaf(_) | Node::Inner(_) => return,
        }
        self.tell(bytes);
    }

    /// Drops the items.
    pub fn finish(mut self) {
        self.items.sort_unstable_by_key(Item::address);
        for item in std::mem::take(&mut self.items) {
            let bytes = Keyed::heap_bytes(&item);
            drop(item);
            self.tell(bytes);
        }
        (self.freed)(self.gone_bytes as u64);
    }

    fn tell(&mut self, bytes: usize) {
        self.gone_bytes += bytes;
        if self.gone_bytes >= TOLD_BYTES {
            (self.freed)(std::mem::take(&mut self.gone_bytes) as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn trie(len: u32) -> Trie<Item> {
        let item = |at: u32| Item::new(format!("field:{at}").as_bytes(), Some(b"value"), None);
        Trie::build(7, (0..len).map(item))
    }

    /// What dropping it tells of, in all and how often.
    fn told(trie: Trie<Item>) -> (u64, u32) {
        let told = Cell::new((0, 0));
        let freed = |bytes| told.set((told.get().0 + bytes, told.get().1 + 1));
        let mut dismantled = Dismantled::new(&freed);
        dismantled.add(trie);
        dismantled.finish();
        told.get()
    }

    #[test]
    fn all_bytes_are_told_of_and_clones_keep_theirs() {
        for len in [0, 1, 100, 100_000] {
            let trie = trie(len);
            let bytes = trie.heap_bytes() as u64;
            let (sum, parts) = told(trie);
            assert_eq!(sum, bytes);
            assert!(u64::from(parts) <= bytes / TOLD_BYTES as u64 + 1);
        }
        let mut changed = trie(50_000);
        let kept = changed.clone();
        changed.insert(Item::new(b"another", None, None));
        assert!(told(changed).0 < 10_000, "one path was its own");
        assert_eq!(kept.len(), 50_000);
        assert!((0..50_000).all(|at| kept.contains(format!("field:{at}").as_bytes())));
    }
}
