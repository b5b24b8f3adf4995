//! A chunk of elements: their vectors, one behind the other, and their names with their attributes.
//!
//! **Invariant:** there is a vector for each item.

use super::shape::Layout;
use crate::page::trie::Item;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    /// Vectors, each with its range and its norm behind it.
    pub records: Vec<u8>,
    /// Names, with attributes for values.
    pub items: Vec<Item>,
}

impl Body {
    #[inline]
    pub fn record(&self, at: usize, layout: &Layout) -> &[u8] {
        let start = at * layout.record_bytes;
        self.records.get(start..start + layout.record_bytes).unwrap_or_default()
    }

    pub fn push(&mut self, item: Item, record: &[u8], layout: &Layout) {
        let room = room_for(self.items.len() + 1, layout.bodies_shift);
        self.items.reserve_exact(room - self.items.len());
        self.records
            .reserve_exact(room * layout.record_bytes - self.records.len());
        self.items.push(item);
        self.records.extend_from_slice(record);
    }

    /// Takes the last one out.
    pub fn pop(&mut self, layout: &Layout) -> Option<(Item, Vec<u8>)> {
        let item = self.items.pop()?;
        let start = self.items.len() * layout.record_bytes;
        let record = self.records.get(start..).unwrap_or_default().to_vec();
        self.records.truncate(start);
        let room = room_for(self.items.len(), layout.bodies_shift);
        self.items.shrink_to(room);
        self.records.shrink_to(room * layout.record_bytes);
        Some((item, record))
    }

    /// Puts another in the place of one; what was there.
    pub fn replace(&mut self, at: usize, item: Item, record: &[u8], layout: &Layout) -> Option<Item> {
        let start = at * layout.record_bytes;
        let place = self.records.get_mut(start..start + layout.record_bytes)?;
        if place.len() == record.len() {
            place.copy_from_slice(record);
        }
        Some(std::mem::replace(self.items.get_mut(at)?, item))
    }

    /// Bytes of the chunk of so many.
    pub fn bytes(count: usize, layout: &Layout) -> usize {
        match count {
            0 => 0,
            count => room_for(count, layout.bodies_shift) * (layout.record_bytes + size_of::<Item>()),
        }
    }
}

/// For how many slots a chunk of so many has room.
pub(super) fn room_for(count: usize, shift: u32) -> usize {
    match count {
        0 => 0,
        count => count.next_power_of_two().min(1 << shift),
    }
}
