//! Inner nodes: how they find, split and merge their children.
//!
//! **Invariant:** the counts are exact after every operation, and so are the trie's bytes.

use super::node::{Inner, MERGE_MAX, Node, Place, SLOTS, Work, slot_of, tag_of};
use super::{KeyHash, Keyed};

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

    /// Splits the leaf of several slots at `place`.
    pub fn split<H>(&mut self, place: Place, work: &mut Work<'_, H>) {
        let middle = place.start + place.span / 2;
        let before = self.heap_bytes();
        let parts = self.parts_mut();
        let (Some(count), Some(Node::Leaf(leaf))) = (parts.seconds.get_mut(place.at), parts.firsts.get_mut(place.at))
        else {
            return;
        };
        *work.bytes -= leaf.heap_bytes();
        let upper = leaf.split_off(middle);
        *work.bytes += leaf.heap_bytes() + upper.heap_bytes();
        *count = leaf.len() as u64;
        *parts.extra |= 1 << middle;
        let len = upper.len() as u64;
        self.insert(place.at + 1, Node::Leaf(upper), len);
        *work.bytes = *work.bytes + self.heap_bytes() - before;
    }

    /// Takes an item out below this node, which is of this level.
    pub fn remove_at<H: KeyHash>(&mut self, level: u32, hash: u64, key: &[u8], work: &mut Work<'_, H>) -> Option<T> {
        let slot = slot_of(hash, level);
        let at = self.child_of(slot);
        let parts = self.parts_mut();
        let (child, count) = (parts.firsts.get_mut(at)?, parts.seconds.get_mut(at)?);
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
            let (upper, _) = self.remove(high.at);
            let parts = self.parts_mut();
            if let (Some(count), Some(Node::Leaf(leaf)), Node::Leaf(upper)) =
                (parts.seconds.get_mut(low.at), parts.firsts.get_mut(low.at), upper)
            {
                *work.bytes -= leaf.heap_bytes() + upper.heap_bytes();
                upper.drain(|item, ()| leaf.push(item, ()));
                *work.bytes += leaf.heap_bytes();
                *count = leaf.len() as u64;
            }
        }
        self.fit(self.len() + 1);
        *work.bytes = *work.bytes + self.heap_bytes() - before;
    }

    /// Whether both children are leaves, and one would do.
    fn is_small(&self, one: Place, other: Place) -> bool {
        match (self.firsts().get(one.at), self.firsts().get(other.at)) {
            (Some(Node::Leaf(one)), Some(Node::Leaf(other))) => one.len() + other.len() <= MERGE_MAX,
            _ => false,
        }
    }
}
