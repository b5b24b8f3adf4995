//! The trie's nodes: leaves, and inner nodes that divide the hashes that begin with their prefix.
//!
//! An inner node at *level* n looks at the 6 bits of the hash behind the first 6n: its 64 *slots*. A child takes a run
//! of slots, a power of two of them and aligned to it; `starts` has a bit for the first slot of each. So an inner node
//! grows child by child, as its leaves split.
//!
//! **Invariants**
//! - An item in a leaf under a node of level n is tagged with 16 bits of its hash behind the first 6n (in a root leaf:
//!   n is 0). They tell it from others, and which half it goes to when the leaf splits, without a look at its memory.
//! - All leaves have the same size, but those that hold more than [`LEAF_MAX`] items of one hash: what one gives back,
//!   any other can use. Sizes that follow the number of items would leave memory in pieces of all of them.
//! - An inner node is a child of one slot.
//! - A count is that of the elements under the child.

use super::block::Block;
use super::{KeyHash, Keyed};

/// Most items of a leaf that can be split: 384 bytes.
pub const LEAF_MAX: usize = 46;
/// Two leaves of no more than this many items together become one, and so does an inner node.
pub const MERGE_MAX: usize = 32;
/// The last level: bits 60 to 63, and two more that are always zero.
pub const LEVEL_MAX: u32 = 10;

const SLOT_BITS: u32 = 6;
/// Slots of an inner node.
pub const SLOTS: u32 = 1 << SLOT_BITS;
const TAG_BITS: u32 = 16;

/// Items, tagged.
pub type Leaf<T> = Block<(), T, ()>;
/// Children beside the counts of their elements, and `starts`.
pub type Inner<T> = Block<u64, Node<T>, u64>;

/// A node, shared.
#[derive(Clone)]
pub enum Node<T> {
    /// Items.
    Leaf(Leaf<T>),
    /// Children.
    Inner(Inner<T>),
}

/// What a change carries along.
pub struct Work<'a, H> {
    /// For those items whose tag is not enough.
    pub hasher: &'a H,
    /// The trie's bytes, kept exact.
    pub bytes: &'a mut usize,
}

/// The child that takes a slot.
#[derive(Clone, Copy)]
pub struct Place {
    /// Its index.
    pub at: usize,
    /// Its first slot.
    pub start: u32,
    /// How many slots it takes.
    pub span: u32,
}

/// The slot of a hash in a node of this level.
#[inline]
pub fn slot_of(hash: u64, level: u32) -> u32 {
    ((hash << (SLOT_BITS * level)) >> (u64::BITS - SLOT_BITS)) as u32
}

/// The tag of a hash in a leaf under a node of this level.
#[inline]
pub fn tag_of(hash: u64, level: u32) -> u16 {
    ((hash << (SLOT_BITS * level)) >> (u64::BITS - TAG_BITS)) as u16
}

/// The slot of a tag.
#[inline]
pub fn slot_of_tag(tag: u16) -> u32 {
    u32::from(tag >> (TAG_BITS - SLOT_BITS))
}

/// The fewest slots of a child at this level: those of one hash.
#[inline]
pub fn span_min(level: u32) -> u32 {
    if level == LEVEL_MAX { 4 } else { 1 }
}

/// How many hashes `span` slots of a node of this level stand for, or where slot `span` begins.
#[inline]
pub fn width_of(span: u32, level: u32) -> u128 {
    (u128::from(span) << (u64::BITS - SLOT_BITS)) >> (SLOT_BITS * level)
}

impl<T: Keyed> Node<T> {
    /// Bytes of the node itself.
    pub fn own_bytes(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.heap_bytes(),
            Self::Inner(inner) => inner.heap_bytes(),
        }
    }

    /// The item of this key.
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<&T> {
        let (mut node, mut level) = (self, 0);
        while let Self::Inner(inner) = node {
            node = inner.firsts().get(inner.child_of(slot_of(hash, level)))?;
            level += 1;
        }
        let Self::Leaf(leaf) = node else { return None };
        let at = leaf.find(tag_under(hash, level), key)?;
        leaf.firsts().get(at)
    }

    /// The item of this key, for changing; copies what is shared on the way.
    pub fn get_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut T> {
        let (leaf, depth) = self.leaf_mut(hash)?;
        let at = leaf.find(tag_under(hash, depth), key)?;
        leaf.firsts_mut().get_mut(at)
    }

    /// The leaf that items of this hash are in, and how many inner nodes lead there; copies those that are shared.
    #[inline]
    fn leaf_mut(&mut self, hash: u64) -> Option<(&mut Leaf<T>, u32)> {
        let (mut node, mut depth) = (self, 0);
        loop {
            match node {
                Self::Inner(inner) => {
                    let at = inner.child_of(slot_of(hash, depth));
                    node = inner.firsts_mut().get_mut(at)?;
                    depth += 1;
                }
                Self::Leaf(leaf) => return Some((leaf, depth)),
            }
        }
    }

    /// Puts an item in under the root; returns the one it replaces.
    #[inline]
    pub fn insert<H: KeyHash>(&mut self, hash: u64, item: T, work: &mut Work<'_, H>) -> Option<T> {
        let replaced = self.in_leaf(hash, item, T::key, work, |mut item, leaf, (tag, at), work| {
            item.set_tag(tag);
            match at {
                Some(at) => leaf.replace(at, item, work),
                None => {
                    leaf.add(item, work);
                    None
                }
            }
        });
        let replaced = replaced.flatten();
        if replaced.is_none() {
            self.count_one(hash);
        }
        replaced
    }

    /// Lets `change` change the item of this key under the root, all but its key, or puts in what `make` makes, if
    /// there is none; whether it did that.
    #[inline]
    pub fn upsert<H: KeyHash>(
        &mut self,
        hash: u64,
        key: &[u8],
        work: &mut Work<'_, H>,
        (change, make): (impl FnOnce(&mut T), impl FnOnce() -> T),
    ) -> bool {
        let is_new = self.in_leaf(
            hash,
            key,
            |key| key,
            work,
            |_, leaf, (tag, at), work| match at.and_then(|at| leaf.firsts_mut().get_mut(at)) {
                Some(item) => {
                    *work.bytes -= item.heap_bytes();
                    change(item);
                    *work.bytes += item.heap_bytes();
                    false
                }
                None => {
                    let mut item = make();
                    item.set_tag(tag);
                    leaf.add(item, work);
                    true
                }
            },
        );
        let is_new = is_new.unwrap_or(false);
        if is_new {
            self.count_one(hash);
        }
        is_new
    }

    /// Runs `body` on the leaf that items of this hash are in. It is told the tag that they have there, and where the
    /// one of the subject's key is; if there is none, the leaf has room for it.
    #[inline]
    fn in_leaf<'w, H: KeyHash, S, R>(
        &mut self,
        hash: u64,
        subject: S,
        key_of: impl Fn(&S) -> &[u8],
        work: &mut Work<'w, H>,
        body: impl FnOnce(S, &mut Leaf<T>, (u16, Option<usize>), &mut Work<'w, H>) -> R,
    ) -> Option<R> {
        let mut most = LEAF_MAX;
        loop {
            let (leaf, depth) = self.leaf_mut(hash)?;
            let tag = tag_under(hash, depth);
            let at = leaf.find(tag, key_of(&subject));
            if at.is_some() || leaf.len() < most {
                return Some(body(subject, leaf, (tag, at), work));
            }
            if !self.make_room(hash, work) {
                most = usize::MAX;
            }
        }
    }

    /// Counts one more item of this hash in the inner nodes that lead to it.
    fn count_one(&mut self, hash: u64) {
        let (mut node, mut level) = (self, 0);
        while let Self::Inner(inner) = node {
            let at = inner.child_of(slot_of(hash, level));
            let parts = inner.parts_mut();
            let (Some(child), Some(count)) = (parts.firsts.get_mut(at), parts.seconds.get_mut(at)) else {
                return;
            };
            *count += 1;
            (node, level) = (child, level + 1);
        }
    }

    /// Divides the leaf that items of this hash are in; whether it can be: those of one that cannot have the same hash.
    #[cold]
    fn make_room<H: KeyHash>(&mut self, hash: u64, work: &mut Work<'_, H>) -> bool {
        let (mut node, mut level) = (self, 0);
        while let Self::Inner(inner) = node {
            let place = inner.place_of(slot_of(hash, level));
            let is_leaf = matches!(inner.firsts().get(place.at), Some(Self::Leaf(_)));
            if is_leaf && place.span > span_min(level) {
                inner.split(place, work);
                return true;
            }
            let Some(child) = inner.firsts_mut().get_mut(place.at) else {
                return false;
            };
            (node, level) = (child, level + 1);
        }
        if level > LEVEL_MAX {
            return false;
        }
        node.deepen(level, work);
        true
    }

    /// Takes an item out under the root, which has `len` items with it.
    pub fn remove<H: KeyHash>(&mut self, len: usize, hash: u64, key: &[u8], work: &mut Work<'_, H>) -> Option<T> {
        match self {
            Self::Leaf(leaf) => leaf.take(tag_of(hash, 0), key, work),
            Self::Inner(inner) => {
                let removed = inner.remove_at(0, hash, key, work)?;
                if len - 1 <= MERGE_MAX {
                    self.flatten(0, work);
                }
                Some(removed)
            }
        }
    }

    /// Makes the leaf the only child of an inner node of this level, in its place.
    #[cold]
    pub fn deepen<H: KeyHash>(&mut self, level: u32, work: &mut Work<'_, H>) {
        let mut node = std::mem::replace(self, Self::Inner(Inner::new(1, 2)));
        let (Self::Inner(inner), Self::Leaf(leaf)) = (self, &mut node) else {
            return;
        };
        for item in leaf.parts_mut().firsts {
            item.set_tag(tag_of(work.hasher.hash(item.key()), level));
        }
        let count = leaf.len() as u64;
        inner.push(node, count);
        *work.bytes += inner.heap_bytes();
    }

    /// Makes a leaf of an inner node, with tags for a parent of this level.
    pub fn flatten<H: KeyHash>(&mut self, level: u32, work: &mut Work<'_, H>) {
        let node = std::mem::replace(self, Self::Leaf(Leaf::empty()));
        if let Self::Leaf(leaf) = self {
            node.gather(level, leaf, work);
            *work.bytes += leaf.heap_bytes();
        }
    }

    fn gather<H: KeyHash>(self, level: u32, into: &mut Leaf<T>, work: &mut Work<'_, H>) {
        *work.bytes -= self.own_bytes();
        match self {
            Self::Leaf(leaf) => leaf.drain(|mut item, ()| {
                item.set_tag(tag_of(work.hasher.hash(item.key()), level));
                into.push(item, ());
            }),
            Self::Inner(inner) => inner.drain(|child, _| child.gather(level, into, work)),
        }
    }
}

/// The tag in a leaf that was reached through `depth` inner nodes.
#[inline]
fn tag_under(hash: u64, depth: u32) -> u16 {
    tag_of(hash, depth.saturating_sub(1))
}
