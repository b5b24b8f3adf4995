//! A field of a hash, as it is read.

use crate::page::packed::Item;

/// A field of a hash.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its name.
    pub name: Item<'a>,
    /// Its value.
    pub value: Item<'a>,
    /// When it dies, Unix milliseconds.
    pub expire_at_ms: Option<u64>,
}

impl Field<'_> {
    /// Whether it is alive at `now_ms`.
    pub fn is_alive(&self, now_ms: u64) -> bool {
        self.expire_at_ms.is_none_or(|at_ms| at_ms > now_ms)
    }
}
