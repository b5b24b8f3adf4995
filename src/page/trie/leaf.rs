//! Leaves: where the items are.
//!
//! **Invariant:** the trie's bytes are exact after every operation that is handed a [`Work`].

use super::Keyed;
use super::node::{LEAF_MAX, Leaf, Work, slot_of_tag};

impl<T: Keyed> Leaf<T> {
    /// An empty leaf.
    pub fn empty() -> Self {
        Self::new((), LEAF_MAX)
    }

    /// Where the item of this key is.
    #[inline]
    pub fn find(&self, tag: u16, key: &[u8]) -> Option<usize> {
        let items = self.firsts();
        let matches = |at: &usize| items.get(*at).is_some_and(|item| item.key() == key);
        let (chunks, rest) = items.as_chunks::<8>();
        let mut base = 0;
        for chunk in chunks {
            let found = Bits(same_tags(chunk, tag)).map(|bit| base + bit).find(matches);
            if found.is_some() {
                return found;
            }
            base += chunk.len();
        }
        let same = (base..).zip(rest).filter(|(_, item)| item.tag() == tag);
        same.map(|(at, _)| at).find(matches)
    }

    /// Puts a tagged item in the place of the one at `at`, which has the same key; returns that.
    #[inline]
    pub fn replace<H>(&mut self, at: usize, item: T, work: &mut Work<'_, H>) -> Option<T> {
        let place = self.firsts_mut().get_mut(at)?;
        *work.bytes += item.heap_bytes();
        let replaced = std::mem::replace(place, item);
        *work.bytes -= replaced.heap_bytes();
        Some(replaced)
    }

    /// Adds a tagged item, whose key is not there.
    #[inline]
    pub fn add<H>(&mut self, item: T, work: &mut Work<'_, H>) {
        let before = self.heap_bytes();
        *work.bytes += item.heap_bytes();
        self.push(item, ());
        *work.bytes = *work.bytes + self.heap_bytes() - before;
    }

    /// Takes the item of this key out.
    pub fn take<H>(&mut self, tag: u16, key: &[u8], work: &mut Work<'_, H>) -> Option<T> {
        let at = self.find(tag, key)?;
        let before = self.heap_bytes();
        let (item, ()) = self.swap_remove(at);
        self.fit(LEAF_MAX);
        *work.bytes = *work.bytes + self.heap_bytes() - before - item.heap_bytes();
        Some(item)
    }

    /// Moves the items from slot `middle` on to a new leaf.
    pub fn split_off(&mut self, middle: u32) -> Self {
        let mut other = Self::empty();
        for at in (0..self.len()).rev() {
            if self
                .firsts()
                .get(at)
                .is_some_and(|item| slot_of_tag(item.tag()) >= middle)
            {
                let (item, ()) = self.swap_remove(at);
                other.push(item, ());
            }
        }
        other
    }
}

/// A bit for each item that is tagged so.
#[inline]
fn same_tags<T: Keyed>(items: &[T; 8], tag: u16) -> u32 {
    let mut same = 0;
    for (bit, item) in items.iter().enumerate() {
        same |= u32::from(item.tag() == tag) << bit;
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
