//! Changes to a packed list: every one cuts a run of bytes out and puts others in its place.

use std::ops::Range;

use crate::page::malformed::Malformed;
use crate::page::packed::{Builder, FLAG_WIDE, Item, Items, Packed};

/// A packed list under change.
pub struct Edit<'a> {
    count: usize,
    wide: u8,
    bytes: &'a [u8],
}

impl<'a> Edit<'a> {
    /// Of this list.
    pub fn of(packed: Packed<'a>) -> Self {
        Self {
            count: packed.count(),
            wide: packed.flags() & FLAG_WIDE,
            bytes: packed.items().rest(),
        }
    }

    /// How many elements there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Where element `index` begins among the bytes of the elements; their end, for the number of elements.
    fn offset(&self, index: usize) -> usize {
        offset_of(self.bytes, index)
    }

    /// The list with `inserted` (so many elements) in place of the elements of `range`.
    pub fn splice(&self, range: Range<usize>, inserted: (usize, &[u8])) -> Vec<u8> {
        let start = self.offset(range.start);
        let taken = self.bytes.get(start..).unwrap_or_default();
        let end = start + offset_of(taken, range.len());
        let (count, middle) = inserted;
        let (before, after) = (self.bytes.get(..start), self.bytes.get(end..));
        let bytes = [before.unwrap_or_default(), middle, after.unwrap_or_default()].concat();
        let flags = self.wide;
        Builder::from_items(flags, (self.count - range.len() + count) as u64, bytes).finish()
    }
}

/// Where item `index` begins in `bytes`.
pub fn offset_of(bytes: &[u8], index: usize) -> usize {
    let mut items = Items::new(bytes);
    // Where there are fewer, their end.
    items
        .pass(index)
        .map_or(bytes.len(), |()| bytes.len() - items.rest().len())
}

/// One item's bytes.
pub fn written(item: Item<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(item.written_bytes());
    item.write(&mut bytes);
    bytes
}

/// Whether `packed` is a whole list.
///
/// # Errors
/// What is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), Malformed> {
    let mut are_strings = true;
    packed.check_with(|item| are_strings &= !matches!(item, Item::Double(_)))?;
    if !are_strings {
        return Err(Malformed::Container("a list has an element that is no string"));
    }
    if packed.count() == 0 {
        return Err(Malformed::Container("a list is empty"));
    }
    Ok(())
}

/// How many elements a packed list has.
pub fn len(packed: Packed<'_>) -> u64 {
    packed.count() as u64
}
