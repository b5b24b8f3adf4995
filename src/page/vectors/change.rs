//! Changes of a vector set.
//!
//! **Invariant:** what comes out follows from the set and the operation alone, to the bit: a log of operations makes
//! the same graph again. What an element's level is, too: it comes from a hash of its name and of the number of
//! elements ever added.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::body::Body;
use super::links::Links;
use super::op::VectorOp;
use super::scratch::Scratch;
use super::set::{Named, VectorSet};
use super::shape::LEVELS_MAX;
use super::vector::{floats, record_of};
use crate::page::Mark;
use crate::page::parts::PARTED_BYTES_MIN;
use crate::page::trie::Item;

/// Bits of a hash that are all zero for an element to be on one level more: one of 16 is.
const LEVEL_BITS: u32 = 4;

impl VectorSet {
    /// Does `op`.
    pub fn apply(&mut self, op: &VectorOp<'_>, mark: Mark<'_>) {
        match *op {
            VectorOp::Add {
                element,
                vector,
                shape,
                ef,
                attributes,
            } => {
                if shape == self.frame.shape
                    && let Some(record) = record_of(&shape, floats(vector))
                {
                    self.add(element, &record, ef as usize, attributes.map(|bytes| &**bytes), mark);
                }
            }
            VectorOp::Remove { element } => {
                self.remove(element, mark);
            }
            VectorOp::SetAttributes { element, attributes } => {
                let attributes = Some(attributes).filter(|attributes| !attributes.is_empty());
                self.set_attributes(element, attributes, mark);
            }
        }
        self.settle_parts(mark);
    }

    /// Puts an element in, or gives it another vector, and attributes where there are some. O(ef links log n).
    fn add(&mut self, element: &[u8], record: &[u8], ef: usize, attributes: Option<&[u8]>, mark: Mark<'_>) {
        let replaced = self.remove(element, mark);
        let item = match (&replaced, attributes) {
            // As in Redis, empty ones are attributes of a new element only.
            (Some(_), Some([])) => Item::new(element, None, None),
            (Some(item), None) => Item::new(element, item.value(), None),
            (_, attributes) => Item::new(element, attributes, None),
        };
        self.added = self.added.saturating_add(1);
        let hash = xxh3_64_with_seed(element, self.added);
        let level = (hash.trailing_zeros() / LEVEL_BITS) as usize;
        let slot = self.push(item, record, level.min(LEVELS_MAX), mark);
        if slot > 0 {
            self.insert(slot, record, ef.max(1), mark);
        }
    }

    /// Links a new element.
    fn insert(&mut self, slot: u32, record: &[u8], ef: usize, mark: Mark<'_>) {
        let (level, top) = (self.level_of(slot), self.max_level());
        let mut near = self.approach(record, level + 1);
        for level in (0..=level.min(top)).rev() {
            let found = Scratch::with(|scratch| self.nearest(record, near, (level, ef), None, scratch));
            near = found.first().copied().unwrap_or(near);
            self.connect(slot, level, &found, self.frame.layout.links_new(level), mark);
        }
        if level > top {
            self.entry = slot;
        }
    }

    /// Gives an element the next slot, without links.
    pub(super) fn push(&mut self, item: Item, record: &[u8], level: usize, mark: Mark<'_>) -> u32 {
        let (slot, layout) = (self.slots(), self.frame.layout);
        let (chunk, _) = Self::place(slot, layout.bodies_shift);
        if chunk == self.bodies.len() {
            self.bodies.push(Body::default(), mark);
        }
        if let Some(body) = self.bodies.change(chunk, mark) {
            body.push(item.clone(), record, &layout);
        }
        let (chunk, _) = Self::place(slot, layout.links_shift);
        if chunk == self.links.len() {
            self.links.push(Links::default(), mark);
        }
        if let Some(links) = self.links.change(chunk, mark) {
            links.push(level, &layout);
        }
        self.items_bytes += item.heap_bytes();
        self.upper_bytes += level * layout.upper_words * size_of::<u32>();
        self.attributes_count += u64::from(item.value().is_some());
        let (index, _) = self.find(item.key());
        self.names.insert(index, Named { item, slot });
        slot
    }

    /// Takes an element out; it. O(links² log n).
    fn remove(&mut self, element: &[u8], mark: Mark<'_>) -> Option<Item> {
        let slot = self.slot_of(element)?;
        if slot == self.entry {
            self.entry = self.next_entry(slot);
        }
        self.isolate(slot, mark);
        let (index, _) = self.find(element);
        let item = self.names.remove(index).item;
        self.items_bytes -= item.heap_bytes();
        self.attributes_count -= u64::from(item.value().is_some());
        self.upper_bytes -= self.level_of(slot) * self.frame.layout.upper_words * size_of::<u32>();
        self.take_last(slot, mark);
        Some(item)
    }

    /// Another element of the highest level there is without `slot`, which is on the highest one.
    fn next_entry(&self, slot: u32) -> u32 {
        let levels = (0..=self.level_of(slot)).rev();
        let neighbours = levels.filter_map(|level| self.links_of(slot, level).iter().min().copied());
        neighbours.take(1).next().unwrap_or(0)
    }

    /// Gives the last element the slot of one that is gone.
    fn take_last(&mut self, gone: u32, mark: Mark<'_>) {
        // The names have one less already.
        let (last, layout) = (self.slots(), self.frame.layout);
        if gone != last {
            self.redirect(last, gone, mark);
        }
        let (last_chunk, _) = Self::place(last, layout.bodies_shift);
        let body = self.bodies.change(last_chunk, mark);
        let taken = body.and_then(|body| Some((body.pop(&layout)?, body.items.is_empty())));
        if let Some(((item, record), is_empty)) = taken {
            if is_empty {
                self.bodies.pop();
            }
            let (chunk, at) = Self::place(gone, layout.bodies_shift);
            if let Some(body) = self.bodies.change(chunk, mark).filter(|_| gone != last) {
                body.replace(at, item, &record, &layout);
            }
        }
        let (last_chunk, _) = Self::place(last, layout.links_shift);
        let links = self.links.change(last_chunk, mark);
        let taken = links.and_then(|links| Some((links.pop(&layout)?, links.upper.is_empty())));
        if let Some((lists, is_empty)) = taken {
            if is_empty {
                self.links.pop();
            }
            let (chunk, at) = Self::place(gone, layout.links_shift);
            if let Some(links) = self.links.change(chunk, mark).filter(|_| gone != last) {
                links.replace(at, lists, &layout);
            }
        }
    }

    /// Lets all that leads to a slot lead to another one.
    fn redirect(&mut self, from: u32, to: u32, mark: Mark<'_>) {
        for level in 0..=self.level_of(from) {
            for link in self.links_of(from, level).to_vec() {
                self.change_links(link, level, mark, |list| list.redirect(from, to));
            }
        }
        if self.entry == from {
            self.entry = to;
        }
        let index = self.item(from).map(|item| self.find(item.key()));
        if let Some((index, true)) = index {
            self.names.update(index, |named| named.slot = to);
        }
    }

    fn set_attributes(&mut self, element: &[u8], attributes: Option<&[u8]>, mark: Mark<'_>) {
        let (index, is_found) = self.find(element);
        let Some(Named { item: old, slot }) = self.names.get(index).filter(|_| is_found).cloned() else {
            return;
        };
        let item = Item::new(element, attributes, None);
        self.items_bytes = self.items_bytes + item.heap_bytes() - old.heap_bytes();
        self.attributes_count += u64::from(item.value().is_some());
        self.attributes_count -= u64::from(old.value().is_some());
        self.names.update(index, |named| named.item = item.clone());
        let (chunk, at) = Self::place(slot, self.frame.layout.bodies_shift);
        if let Some(place) = self.bodies.change(chunk, mark).and_then(|body| body.items.get_mut(at)) {
            *place = item;
        }
    }

    /// Makes its chunks parts of the collection once it is big, and no more where it has become small.
    fn settle_parts(&mut self, mark: Mark<'_>) {
        let (bytes, is_parted) = (self.heap_bytes(), self.bodies.is_named());
        if !is_parted && bytes >= PARTED_BYTES_MIN && mark.page_ids.is_some() {
            self.adopt(mark);
        } else if is_parted && bytes < PARTED_BYTES_MIN / 2 {
            self.bodies.adopt(None);
            self.links.adopt(None);
        }
    }

    /// See [`crate::page::Big::adopt`].
    pub fn adopt(&mut self, mark: Mark<'_>) {
        let mark = Some(mark).filter(|_| self.heap_bytes() >= PARTED_BYTES_MIN);
        self.bodies.adopt(mark);
        self.links.adopt(mark);
    }
}
