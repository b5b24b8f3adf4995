//! The trie's nodes: leaves, and inner nodes that divide the hashes that begin with their prefix.
//!
//! An inner node at *level* n looks at the 6 bits of the hash behind the first 6n: its 64 *slots*. A child takes a run
//! of slots, a power of two of them and aligned to it; `starts` has a bit for the first slot of each. So an inner node
//! grows child by child, as its leaves split.
//!
//! **Invariants**
//! - A leaf under a node of level n keeps, as the tag of each item, 16 bits of its hash behind the first 6n (a root leaf:
//!   n is 0). They tell which half an item goes to when the leaf splits, without a look at the item.
//! - An inner node is a child of one slot.
//! - A count is that of the elements under the child.

use super::block::Block;
use super::{KeyHash, Keyed};

/// Most items of a leaf that can be split.
pub const LEAF_MAX: usize = 48;
/// Two leaves of no more than this many items together become one, and so does an inner node.
pub const MERGE_MAX: usize = 24;
/// The last level: bits 60 to 63, and two more that are always zero.
pub const LEVEL_MAX: u32 = 10;

const SLOT_BITS: u32 = 6;
const SLOTS: u32 = 1 << SLOT_BITS;
const TAG_BITS: u32 = 16;
/// A leaf of this many spare places gives them back.
const SPARE: usize = 7;

/// Items beside their tags.
pub type Leaf<T> = Block<(), u16, T>;
/// Children beside the counts of their elements, and `starts`.
pub type Inner<T> = Block<u64, u64, Node<T>>;

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

#[inline]
fn slot_of_tag(tag: u16) -> u32 {
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
    fn own_bytes(&self) -> usize {
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
            node = inner.seconds().get(inner.child_of(slot_of(hash, level)))?;
            level += 1;
        }
        let Self::Leaf(leaf) = node else { return None };
        let at = leaf.find(tag_under(hash, level), key)?;
        leaf.seconds().get(at)
    }

    /// The item of this key, for changing; copies what is shared on the way.
    pub fn get_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut T> {
        let (mut node, mut level) = (self, 0);
        loop {
            match node {
                Self::Inner(inner) => {
                    let at = inner.child_of(slot_of(hash, level));
                    node = inner.parts_mut().seconds.get_mut(at)?;
                    level += 1;
                }
                Self::Leaf(leaf) => {
                    let at = leaf.find(tag_under(hash, level), key)?;
                    return leaf.parts_mut().seconds.get_mut(at);
                }
            }
        }
    }

    /// Puts an item in under the root; returns the one it replaces.
    pub fn insert<H: KeyHash>(&mut self, hash: u64, mut item: T, work: &mut Work<'_, H>) -> Option<T> {
        loop {
            match self {
                Self::Inner(inner) => return inner.insert_at(0, hash, item, work),
                Self::Leaf(leaf) => match leaf.insert_up_to(LEAF_MAX, tag_of(hash, 0), item, work) {
                    Ok(replaced) => return replaced,
                    Err(refused) => item = refused,
                },
            }
            self.deepen(0, work);
        }
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
    fn deepen<H: KeyHash>(&mut self, level: u32, work: &mut Work<'_, H>) {
        let mut node = std::mem::replace(self, Self::Inner(Inner::new(1, 2)));
        let (Self::Inner(inner), Self::Leaf(leaf)) = (self, &mut node) else {
            return;
        };
        let parts = leaf.parts_mut();
        for (tag, item) in parts.firsts.iter_mut().zip(parts.seconds.iter()) {
            *tag = tag_of(work.hasher.hash(item.key()), level);
        }
        inner.push(leaf.len() as u64, node);
        *work.bytes += inner.heap_bytes();
    }

    /// Makes a leaf of an inner node, with tags for a parent of this level.
    fn flatten<H: KeyHash>(&mut self, level: u32, work: &mut Work<'_, H>) {
        let node = std::mem::replace(self, Self::Leaf(Leaf::new((), MERGE_MAX)));
        if let Self::Leaf(leaf) = self {
            node.gather(level, leaf, work);
            leaf.fit(0);
            *work.bytes += leaf.heap_bytes();
        }
    }

    fn gather<H: KeyHash>(self, level: u32, into: &mut Leaf<T>, work: &mut Work<'_, H>) {
        *work.bytes -= self.own_bytes();
        match self {
            Self::Leaf(leaf) => leaf.drain(|_, item| {
                let tag = tag_of(work.hasher.hash(item.key()), level);
                into.push(tag, item);
            }),
            Self::Inner(inner) => inner.drain(|_, child| child.gather(level, into, work)),
        }
    }
}

/// The tag in a leaf that was reached through `depth` inner nodes.
#[inline]
fn tag_under(hash: u64, depth: u32) -> u16 {
    tag_of(hash, depth.saturating_sub(1))
}

impl<T: Keyed> Leaf<T> {
    /// Where the item of this key is.
    #[inline]
    fn find(&self, tag: u16, key: &[u8]) -> Option<usize> {
        let items = self.seconds();
        let matches = |at: &usize| items.get(*at).is_some_and(|item| item.key() == key);
        let (chunks, rest) = self.firsts().as_chunks::<8>();
        let mut base = 0;
        for chunk in chunks {
            let found = Bits(same_tags(chunk, tag)).map(|bit| base + bit).find(matches);
            if found.is_some() {
                return found;
            }
            base += chunk.len();
        }
        let same = (base..).zip(rest).filter(|(_, other)| **other == tag);
        same.map(|(at, _)| at).find(matches)
    }

    /// Puts an item in; returns the one it replaces, or the item itself if it would be one more than `most`.
    #[inline]
    fn insert_up_to<H>(&mut self, most: usize, tag: u16, item: T, work: &mut Work<'_, H>) -> Result<Option<T>, T> {
        if let Some(at) = self.find(tag, item.key()) {
            *work.bytes += item.heap_bytes();
            let Some(place) = self.parts_mut().seconds.get_mut(at) else {
                return Err(item);
            };
            let replaced = std::mem::replace(place, item);
            *work.bytes -= replaced.heap_bytes();
            return Ok(Some(replaced));
        }
        if self.len() >= most {
            return Err(item);
        }
        let before = self.heap_bytes();
        *work.bytes += item.heap_bytes();
        self.push(tag, item);
        *work.bytes = *work.bytes + self.heap_bytes() - before;
        Ok(None)
    }

    /// Takes the item of this key out.
    fn take<H>(&mut self, tag: u16, key: &[u8], work: &mut Work<'_, H>) -> Option<T> {
        let at = self.find(tag, key)?;
        let before = self.heap_bytes();
        let (_, item) = self.swap_remove(at);
        self.fit(SPARE);
        *work.bytes = *work.bytes + self.heap_bytes() - before - item.heap_bytes();
        Some(item)
    }

    /// Moves the items from slot `middle` on to a new leaf.
    fn split_off(&mut self, middle: u32) -> Self {
        let goes = |tag: &u16| slot_of_tag(*tag) >= middle;
        let mut other = Self::new((), self.firsts().iter().filter(|tag| goes(tag)).count());
        for at in (0..self.len()).rev() {
            if self.firsts().get(at).is_some_and(goes) {
                let (tag, item) = self.swap_remove(at);
                other.push(tag, item);
            }
        }
        self.fit(0);
        other
    }
}

/// A bit for each tag that equals `tag`.
#[inline]
fn same_tags(tags: &[u16; 8], tag: u16) -> u32 {
    let mut same = 0;
    for (bit, other) in tags.iter().enumerate() {
        same |= u32::from(*other == tag) << bit;
    }
    same
}

/// The places of set bits, lowest first.
struct Bits(u32);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bit = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

impl<T: Keyed> Inner<T> {
    /// The index of the child that takes a slot.
    #[inline]
    pub fn child_of(&self, slot: u32) -> usize {
        let up_to = self.extra() & (u64::MAX >> (SLOTS - 1 - slot));
        (up_to.count_ones() as usize).saturating_sub(1)
    }

    /// The child that takes a slot, and the slots it takes.
    pub fn place_of(&self, slot: u32) -> Place {
        let mask = u64::MAX >> (SLOTS - 1 - slot);
        let (up_to, beyond) = (self.extra() & mask, self.extra() & !mask);
        let start = SLOTS - 1 - up_to.leading_zeros();
        Place {
            at: self.child_of(slot),
            start,
            span: beyond.trailing_zeros() - start,
        }
    }

    fn insert_at<H: KeyHash>(&mut self, level: u32, hash: u64, mut item: T, work: &mut Work<'_, H>) -> Option<T> {
        loop {
            let place = self.place_of(slot_of(hash, level));
            let is_last = level == LEVEL_MAX && place.span == span_min(level);
            let parts = self.parts_mut();
            let child = parts.seconds.get_mut(place.at)?;
            let done = match child {
                Node::Inner(inner) => Ok(inner.insert_at(level + 1, hash, item, work)),
                Node::Leaf(leaf) => {
                    let most = if is_last { usize::MAX } else { LEAF_MAX };
                    leaf.insert_up_to(most, tag_of(hash, level), item, work)
                }
            };
            match done {
                Ok(replaced) => {
                    if let (None, Some(count)) = (&replaced, parts.firsts.get_mut(place.at)) {
                        *count += 1;
                    }
                    return replaced;
                }
                Err(refused) => item = refused,
            }
            if place.span > span_min(level) {
                self.split(place, work);
            } else {
                child.deepen(level + 1, work);
            }
        }
    }

    /// Splits the leaf of several slots at `place`.
    fn split<H>(&mut self, place: Place, work: &mut Work<'_, H>) {
        let middle = place.start + place.span / 2;
        let before = self.heap_bytes();
        let parts = self.parts_mut();
        let (Some(count), Some(Node::Leaf(leaf))) = (parts.firsts.get_mut(place.at), parts.seconds.get_mut(place.at))
        else {
            return;
        };
        *work.bytes -= leaf.heap_bytes();
        let upper = leaf.split_off(middle);
        *work.bytes += leaf.heap_bytes() + upper.heap_bytes();
        *count = leaf.len() as u64;
        *parts.extra |= 1 << middle;
        self.insert(place.at + 1, upper.len() as u64, Node::Leaf(upper));
        *work.bytes = *work.bytes + self.heap_bytes() - before;
    }

    fn remove_at<H: KeyHash>(&mut self, level: u32, hash: u64, key: &[u8], work: &mut Work<'_, H>) -> Option<T> {
        let slot = slot_of(hash, level);
        let at = self.child_of(slot);
        let parts = self.parts_mut();
        let (child, count) = (parts.seconds.get_mut(at)?, parts.firsts.get_mut(at)?);
        let removed = match child {
            Node::Leaf(leaf) => leaf.take(tag_of(hash, level), key, work),
            Node::Inner(inner) => inner.remove_at(level + 1, hash, key, work),
        }?;
        *count -= 1;
        if *count <= MERGE_MAX as u64 {
            if matches!(child, Node::Inner(_)) {
                child.flatten(level, work);
            }
            self.merge(slot, work);
        }
        Some(removed)
    }

    /// Merges the leaf of this slot with the one beside it as long as the two are small enough.
    fn merge<H>(&mut self, slot: u32, work: &mut Work<'_, H>) {
        let before = self.heap_bytes();
        loop {
            let place = self.place_of(slot);
            if place.span == SLOTS {
                break;
            }
            let other = self.place_of(place.start ^ place.span);
            if other.span != place.span || !self.is_small(place, other) {
                break;
            }
            let (low, high) = if place.at < other.at {
                (place, other)
            } else {
                (other, place)
            };
            *self.parts_mut().extra &= !(1 << high.start);
            let (_, upper) = self.remove(high.at);
            let parts = self.parts_mut();
            if let (Some(count), Some(Node::Leaf(leaf)), Node::Leaf(upper)) =
                (parts.firsts.get_mut(low.at), parts.seconds.get_mut(low.at), upper)
            {
                *work.bytes -= leaf.heap_bytes() + upper.heap_bytes();
                upper.drain(|tag, item| leaf.push(tag, item));
                *work.bytes += leaf.heap_bytes();
                *count = leaf.len() as u64;
            }
        }
        self.fit(1);
        *work.bytes = *work.bytes + self.heap_bytes() - before;
    }

    /// Whether both children are leaves, and one would do.
    fn is_small(&self, one: Place, other: Place) -> bool {
        match (self.seconds().get(one.at), self.seconds().get(other.at)) {
            (Some(Node::Leaf(one)), Some(Node::Leaf(other))) => one.len() + other.len() <= MERGE_MAX,
            _ => false,
        }
    }
}
