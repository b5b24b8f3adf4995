//! Containers that the format keeps inside one string: Redis's compact encodings.
//!
//! **Invariants**
//! - A reader here checks as it goes, and gives an error for whatever is not exactly as Redis writes it, lengths that
//!   are repeated at the end of an entry included.
//! - Nothing is copied: items borrow from the string.

pub mod intset;
pub mod listpack;
pub mod ziplist;
pub mod zipmap;

use crate::page::packed::Item;

use super::error::Reason;

/// The bytes of a blob that have not been read.
#[derive(Clone, Copy, Debug)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Reason> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            return Reason::bad("a compact encoding is cut short");
        };
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let taken = self.take(N)?;
        taken
            .first_chunk()
            .copied()
            .map_or_else(|| Reason::bad("a compact encoding is cut short"), Ok)
    }

    fn byte(&mut self) -> Result<u8, Reason> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn u32_le(&mut self) -> Result<u32, Reason> {
        self.array().map(u32::from_le_bytes)
    }

    fn u16_le(&mut self) -> Result<u16, Reason> {
        self.array().map(u16::from_le_bytes)
    }

    fn i16_le(&mut self) -> Result<Item<'a>, Reason> {
        self.array().map(|bytes| Item::Int(i16::from_le_bytes(bytes).into()))
    }

    fn i24_le(&mut self) -> Result<Item<'a>, Reason> {
        let [a, b, c] = self.array()?;
        Ok(Item::Int((i32::from_le_bytes([0, a, b, c]) >> 8).into()))
    }

    fn i32_le(&mut self) -> Result<Item<'a>, Reason> {
        self.array().map(|bytes| Item::Int(i32::from_le_bytes(bytes).into()))
    }

    fn i64_le(&mut self) -> Result<Item<'a>, Reason> {
        self.array().map(|bytes| Item::Int(i64::from_le_bytes(bytes)))
    }

    /// A string that may look like an integer, which then is one.
    fn string(&mut self, count: usize) -> Result<Item<'a>, Reason> {
        self.take(count).map(Item::of)
    }
}

/// What an iterator over a blob gives for what was read: nothing comes after the end or after an error.
fn passed_on<'a>(read: Result<Option<Item<'a>>, Reason>, is_done: &mut bool) -> Option<Result<Item<'a>, Reason>> {
    *is_done = !matches!(read, Ok(Some(_)));
    read.transpose()
}
