//! The packed form of a container: a short header and its items, one after another, in one byte string.
//!
//! ```text
//!   0       1                 …
//!   +-------+-----------------+------+------+-- - -
//!   | flags | count, a varint | item | item |
//!   +-------+-----------------+------+------+-- - -
//! ```
//!
//! Small containers live in this form inside their entry; every container travels in it, through the log, page images
//! and persisted files. What the items mean is the container's affair (a hash has a value behind each field).
//!
//! An item begins with a byte that says what it is:
//!
//! | first byte | item |
//! |---|---|
//! | `0x00`–`0x7f` | the integer of that value |
//! | `0x80`–`0xbf` | a string of 0 to 63 bytes, which follow |
//! | `0xc0` | a string: varint length, bytes |
//! | `0xc1`–`0xc5` | an integer of 1, 2, 3, 4 or 8 bytes, little endian, signed |
//! | `0xc6` | a double of 8 bytes, little endian |
//!
//! **Invariants**
//! - Bytes that are the canonical decimal form of an `i64` are always an integer, all others always a string: two items
//!   are equal bytes exactly when they are equal items.
//! - Reading never goes past the end and never panics, whatever the bytes; [`Packed::check`] tells whether they are
//!   whole.

mod item;
#[cfg(test)]
mod tests;
mod varint;

use super::malformed::Malformed;
use varint::varint_bytes;

pub use item::{ITEM_HEAD_BYTES_MAX, Item, Items, canonical_int};
pub use varint::{read_varint, write_varint};

/// Set in the header's flags of a container whose compact encoding's name is lost (`OBJECT ENCODING`).
pub const FLAG_WIDE: u8 = 1;
/// Set in the header's flags of a container whose elements have expiry times: one more item behind each of them, when
/// it dies, in Unix milliseconds, 0 for never.
pub const FLAG_TIMED: u8 = 2;
const FLAGS_KNOWN: u8 = FLAG_WIDE | FLAG_TIMED;

/// The time that an item behind an element says.
pub fn time_of(item: Option<Item<'_>>) -> u64 {
    match item {
        Some(Item::Int(at_ms)) => at_ms.max(0) as u64,
        _ => 0,
    }
}

/// Whether an item can stand behind an element as its time.
pub fn is_time(item: Item<'_>) -> bool {
    matches!(item, Item::Int(0..))
}

/// A packed container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    /// Takes bytes for a packed container; nothing is checked.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// All of it.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Flags of the header.
    pub fn flags(self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Whether the compact encoding's name is lost.
    pub fn is_wide(self) -> bool {
        self.flags() & FLAG_WIDE != 0
    }

    /// Whether elements have expiry times.
    #[inline]
    pub fn is_timed(self) -> bool {
        self.flags() & FLAG_TIMED != 0
    }

    /// How many items there are, by the header.
    #[inline]
    pub fn count(self) -> usize {
        let mut rest = self.0.get(1..).unwrap_or_default();
        read_varint(&mut rest).map_or(0, |count| count as usize)
    }

    /// The items.
    #[inline]
    pub fn items(self) -> Items<'a> {
        let mut rest = self.0.get(1..).unwrap_or_default();
        match read_varint(&mut rest) {
            Some(_) => Items::new(rest),
            None => Items::new(&[]),
        }
    }

    /// Whether the bytes are whole: as many items as the header says, and nothing behind them.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(self) -> Result<(), Malformed> {
        self.check_with(|_| ())
    }

    /// The same; `visit` is given each item meanwhile, in order.
    ///
    /// # Errors
    /// What is wrong; some items may have been visited then.
    #[inline]
    pub fn check_with(self, visit: impl FnMut(Item<'a>)) -> Result<(), Malformed> {
        let count = self.count();
        let mut items = self.items();
        let found = items.by_ref().map(visit).count();
        if self.0.len() < 2 || found != count || !items.rest().is_empty() {
            return Err(Malformed::Items { count, found });
        }
        if self.flags() & !FLAGS_KNOWN != 0 {
            return Err(Malformed::Flags(self.flags()));
        }
        Ok(())
    }
}

/// Builds a packed container front to back.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    flags: u8,
    count: u64,
    items: Vec<u8>,
}

impl Builder {
    /// An empty one with these flags in its header.
    pub fn new(flags: u8) -> Self {
        Self {
            flags,
            ..Self::default()
        }
    }

    /// One with these items, written already.
    pub fn from_items(flags: u8, count: u64, items: Vec<u8>) -> Self {
        Self { flags, count, items }
    }

    /// The same with other flags.
    pub fn with_flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    /// Appends an item.
    pub fn push(&mut self, item: Item<'_>) {
        item.write(&mut self.items);
        self.count += 1;
    }

    /// Appends bytes as the item they are.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.push(Item::of(bytes));
    }

    /// How many items there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The items so far.
    pub fn items(&self) -> Items<'_> {
        Items::new(&self.items)
    }

    /// Bytes of the items so far.
    pub fn items_bytes(&self) -> usize {
        self.items.len()
    }

    /// The packed container.
    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + varint_bytes(self.count) + self.items.len());
        out.push(self.flags);
        write_varint(&mut out, self.count);
        out.extend_from_slice(&self.items);
        out
    }
}

impl<'a> FromIterator<Item<'a>> for Builder {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        let mut builder = Self::default();
        items.into_iter().for_each(|item| builder.push(item));
        builder
    }
}

/// What stands before so many items in a packed container without flags, with room for them: for so many bytes.
#[inline]
pub fn begin_pack(count: u64, items_bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(ITEM_HEAD_BYTES_MAX + items_bytes);
    out.push(0);
    write_varint(&mut out, count);
    out
}

/// Items as they stand in an effect: a packed container of them.
pub fn pack<'a>(items: impl IntoIterator<Item = &'a [u8], IntoIter: Clone>) -> Vec<u8> {
    let items = items.into_iter();
    let add = |(count, bytes): (u64, usize), item: &[u8]| (count + 1, bytes + ITEM_HEAD_BYTES_MAX + item.len());
    let (count, bytes) = items.clone().fold((0, 0), add);
    let mut out = begin_pack(count, bytes);
    items.for_each(|item| Item::of(item).write(&mut out));
    out
}
