//! Building a trie from many items at once: sorted by hash, each node is made once, in its final place.

use std::vec::IntoIter;

use super::node::{Inner, LEAF_MAX, LEVEL_MAX, Leaf, Node, slot_of, span_min, tag_of};
use super::{KeyHash, Keyed, Trie};

type Hashed<T> = (u64, T);

impl<T: Keyed, H: KeyHash> Trie<T, H> {
    /// As [`Trie::build`], hashing so.
    pub fn build_with_hasher(hasher: H, items: impl IntoIterator<Item = T>) -> Self {
        let hashed = items.into_iter().map(|item| (hasher.hash(item.key()), item)).collect();
        Self::of_hashed(hasher, hashed)
    }

    /// The same of items with their hashes.
    pub(super) fn of_hashed(hasher: H, mut hashed: Vec<Hashed<T>>) -> Self {
        // Stable: of items with equal keys, the last one comes last.
        hashed.sort_by(|(one_hash, one), (other_hash, other)| {
            one_hash.cmp(other_hash).then_with(|| one.key().cmp(other.key()))
        });
        hashed.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0 && later.1.key() == earlier.1.key();
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        let len = hashed.len();
        let mut builder = Builder {
            items: hashed.into_iter(),
            bytes: 0,
        };
        let root = if len <= LEAF_MAX {
            Node::Leaf(builder.leaf(len, 0))
        } else {
            Node::Inner(builder.inner(len, 0))
        };
        Self {
            root,
            len,
            bytes: builder.bytes,
            hasher,
        }
    }
}

/// Takes items in the order of their hashes.
struct Builder<T> {
    items: IntoIter<Hashed<T>>,
    bytes: usize,
}

impl<T: Keyed> Builder<T> {
    /// A leaf of the next `len` items under a node of this level.
    fn leaf(&mut self, len: usize, level: u32) -> Leaf<T> {
        let mut leaf = Leaf::new((), len.max(LEAF_MAX));
        for (hash, mut item) in self.items.by_ref().take(len) {
            self.bytes += item.heap_bytes();
            item.set_tag(tag_of(hash, level));
            leaf.push(item, ());
        }
        self.bytes += leaf.heap_bytes();
        leaf
    }

    /// An inner node of the next `len` items.
    fn inner(&mut self, len: usize, level: u32) -> Inner<T> {
        let mut inner = Inner::new(0, 2);
        self.fill(&mut inner, len, level, 0, 64);
        inner.fit(0);
        self.bytes += inner.heap_bytes();
        inner
    }

    /// The children of `inner` in `span` slots from `start` on, of the next `len` items.
    fn fill(&mut self, inner: &mut Inner<T>, len: usize, level: u32, start: u32, span: u32) {
        let is_single = span == span_min(level);
        if len > LEAF_MAX && !is_single {
            let middle = start + span / 2;
            let next = self.items.as_slice().get(..len).unwrap_or_default();
            let lower = next.partition_point(|(hash, _)| slot_of(*hash, level) < middle);
            self.fill(inner, lower, level, start, span / 2);
            self.fill(inner, len - lower, level, middle, span / 2);
            return;
        }
        let child = if len > LEAF_MAX && level < LEVEL_MAX {
            Node::Inner(self.inner(len, level + 1))
        } else {
            Node::Leaf(self.leaf(len, level))
        };
        *inner.parts_mut().extra |= 1 << start;
        inner.push(child, len as u64);
    }
}
