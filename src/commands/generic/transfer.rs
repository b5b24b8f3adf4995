//! A value on its way from one key to another: what `COPY`, `MOVE`, `RENAME` and `RENAMENX` share.

use crate::engine::copying::Source;
use crate::engine::txn::Txn;
use crate::page::StrRef;
use crate::page::entry::{Entry, EntryRef};
use crate::page::value::ValueType;

/// Longest string that may be `int` or `embstr` unless it is marked as raw.
const EMBSTR_BYTES_MAX: usize = 44;

/// A value with its expiry, taken from an entry. Large values are linked, not copied.
pub struct Taken {
    entry: Entry,
    marks_raw: bool,
}

impl Taken {
    /// Takes what `entry` holds.
    pub fn from(entry: EntryRef<'_>) -> Self {
        // Longer strings are raw by themselves.
        let is_short = |text: StrRef<'_>| text.len() <= EMBSTR_BYTES_MAX;
        let marks_raw = entry.is_raw() && entry.value().as_str().is_some_and(is_short);
        let entry = Entry::new(b"", entry.value(), entry.expire_at_ms(), 0);
        Self { entry, marks_raw }
    }

    /// What it is.
    pub fn value_type(&self) -> ValueType {
        self.entry.value().value_type()
    }

    /// Puts it at `key`, whatever was there; `source` has it still.
    pub fn put(&self, txn: &mut Txn<'_, '_>, key: &[u8], source: Source<'_>) {
        txn.put_copy(key, self.entry.value(), self.entry.expire_at_ms(), source);
        if self.marks_raw {
            // An empty write changes no byte and leaves the mark that `OBJECT ENCODING` shows.
            txn.write_range(key, 0, b"");
        }
    }
}
