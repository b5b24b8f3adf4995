//! A hash trie: what big hashes and sets are, and how big sorted sets find a member.
//!
//! Elements lie in *leaves* of up to 46, each leaf holding those whose hashes begin with the same bits. *Inner nodes*
//! tell leaves apart, 6 bits of the hash at a time. Leaves split and merge one by one, so no change ever costs more
//! than a path and two leaves, whatever the size. Nodes are shared by clones of the trie and copied when one of those
//! changes.
//!
//! **Invariants**
//! - An element's place follows from its hash; the order of leaves is the order of hashes, all 64 bits of them.
//! - Every inner node has more than 32 elements; so have any two leaves that could be one.
//! - Counts of elements and of bytes are exact after every operation.
//! - Recursion is bounded by the bits of a hash. Elements that share all 64 bits share a leaf, however many they are.

mod block;
mod build;
mod dismantle;
mod inner;
mod item;
mod leaf;
mod node;
#[cfg(test)]
mod tests;
mod walk;

use std::fmt;

use node::{Leaf, Node, Work};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use dismantle::Dismantled;
pub use item::Item;
pub use walk::Iter;

/// What a trie holds: something with a key, cheap to clone.
pub trait Keyed: Clone + Send + Sync {
    /// The key, which must not change while a trie holds it.
    fn key(&self) -> &[u8];
    /// Bytes of heap, what is shared with clones included.
    fn heap_bytes(&self) -> usize;
    /// The tag last set. It is the trie's: beside the item, not of it, and different for each clone.
    fn tag(&self) -> u16;
    /// Sets the tag.
    fn set_tag(&mut self, tag: u16);
}

/// How keys are hashed.
pub trait KeyHash: Clone {
    /// The hash of a key.
    fn hash(&self, key: &[u8]) -> u64;
}

/// XXH3 with a seed, which should come from randomness: then nobody can predict the order, nor crowd a leaf.
#[derive(Clone, Copy, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// With this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl KeyHash for Seeded {
    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.0)
    }
}

/// See the module. Cloning takes a moment, whatever the size.
#[derive(Clone)]
pub struct Trie<T, H = Seeded> {
    root: Node<T>,
    len: usize,
    bytes: usize,
    hasher: H,
}

impl<T: Keyed> Trie<T> {
    /// An empty trie that hashes with this seed.
    pub fn new(seed: u64) -> Self {
        Self::with_hasher(Seeded(seed))
    }

    /// The seed it hashes with.
    pub fn seed(&self) -> u64 {
        self.hasher.0
    }

    /// The trie of these items with their hashes under this seed, in runs of which each has greater hashes than those
    /// before, and with so many bytes of heap, by so many threads; see [`Trie::build`].
    pub fn build_hashed(seed: u64, runs: Vec<Vec<(u64, T)>>, item_bytes: usize, threads: usize) -> Self {
        Self::of_hashed(Seeded(seed), runs, item_bytes, threads)
    }

    /// The trie of these items, much faster than one by one. Of items with equal keys the last one stays.
    pub fn build(seed: u64, items: impl IntoIterator<Item = T>) -> Self {
        Self::build_with_hasher(Seeded(seed), items)
    }
}

impl<T: Keyed, H: KeyHash> Trie<T, H> {
    /// An empty trie that hashes so.
    pub fn with_hasher(hasher: H) -> Self {
        let leaf = Leaf::empty();
        Self {
            len: 0,
            bytes: leaf.heap_bytes(),
            root: Node::Leaf(leaf),
            hasher,
        }
    }

    /// How many items it has. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of heap of nodes and items, exactly, what is shared with clones included. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.bytes
    }

    /// The item of this key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&T> {
        self.root.get(self.hasher.hash(key), key)
    }

    /// Whether there is an item of this key.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Where the item of this key is, or would be: the order of items is that of their hashes.
    #[inline]
    pub fn hash_of(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// Changes the item of this key, if there is one, all but its key; returns what `change` returns.
    pub fn update<R>(&mut self, key: &[u8], change: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.update_hashed(self.hash_of(key), key, change)
    }

    /// The same for a key of this hash.
    pub fn update_hashed<R>(&mut self, hash: u64, key: &[u8], change: impl FnOnce(&mut T) -> R) -> Option<R> {
        // A miss must not copy what is shared.
        self.root.get(hash, key)?;
        let item = self.root.get_mut(hash, key)?;
        let before = item.heap_bytes();
        let result = change(item);
        self.bytes = self.bytes - before + item.heap_bytes();
        Some(result)
    }

    /// Puts an item in; returns the one of equal key that it replaces.
    pub fn insert(&mut self, item: T) -> Option<T> {
        self.insert_hashed(self.hash_of(item.key()), item)
    }

    /// The same for an item whose key has this hash.
    pub fn insert_hashed(&mut self, hash: u64, item: T) -> Option<T> {
        let mut work = Work {
            hasher: &self.hasher,
            bytes: &mut self.bytes,
        };
        let replaced = self.root.insert(hash, item, &mut work);
        self.len += usize::from(replaced.is_none());
        replaced
    }

    /// Lets `change` change the item of this key, whose hash is this, all but its key, or puts in what `make` makes, if
    /// there is none; whether it did that.
    pub fn upsert_hashed(
        &mut self,
        hash: u64,
        key: &[u8],
        change: impl FnOnce(&mut T),
        make: impl FnOnce() -> T,
    ) -> bool {
        let mut work = Work {
            hasher: &self.hasher,
            bytes: &mut self.bytes,
        };
        let is_new = self.root.upsert(hash, key, &mut work, (change, make));
        self.len += usize::from(is_new);
        is_new
    }

    /// Takes out the item of this key.
    pub fn remove(&mut self, key: &[u8]) -> Option<T> {
        self.remove_hashed(self.hash_of(key), key)
    }

    /// The same for a key of this hash.
    pub fn remove_hashed(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        // A miss must not copy what is shared.
        self.root.get(hash, key)?;
        let mut work = Work {
            hasher: &self.hasher,
            bytes: &mut self.bytes,
        };
        let removed = self.root.remove(self.len, hash, key, &mut work)?;
        self.len -= 1;
        Some(removed)
    }
}

impl<T: Keyed, H: KeyHash> fmt::Debug for Trie<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trie")
            .field("len", &self.len)
            .field("heap_bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
