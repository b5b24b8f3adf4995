//! The one key that a command works on, as far as it is known already: its hash, and where its entry is.
//!
//! **Invariants**
//! - A key is known by where its bytes are; they stay there as long as it is known.
//! - Every change of the shard forgets the entry.

use super::index::{Found, KeyRef};

/// See the module. A raw pointer, which keeps the scope on its thread.
pub(super) struct Primed {
    pointer: *const u8,
    len: usize,
    hash: u64,
    /// Where its entry is, if that has been found and nothing has changed since.
    entry: Option<Found>,
}

impl Primed {
    /// No key.
    pub const NONE: Self = Self {
        pointer: std::ptr::null(),
        len: 0,
        hash: 0,
        entry: None,
    };

    /// This one.
    #[inline]
    pub fn with(key: KeyRef<'_>) -> Self {
        Self {
            pointer: key.bytes.as_ptr(),
            len: key.bytes.len(),
            hash: key.hash,
            entry: None,
        }
    }

    #[inline]
    fn is(&self, bytes: &[u8]) -> bool {
        std::ptr::eq(bytes.as_ptr(), self.pointer) && bytes.len() == self.len
    }

    /// The key's hash, if it is this one.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> Option<u64> {
        self.is(bytes).then_some(self.hash)
    }

    /// Where the key's entry is, if it is this one.
    #[inline]
    pub fn entry(&self, bytes: &[u8]) -> Option<Found> {
        self.entry.filter(|_| self.is(bytes))
    }

    /// Remembers where the key's entry is, if it is this one: others may be gone, and their places in memory those of
    /// other keys, before the command ends.
    #[inline]
    pub fn remember(&mut self, bytes: &[u8], found: Found) {
        if self.is(bytes) {
            self.entry = Some(found);
        }
    }

    /// Something is about to change, by a change of `key`; that with where its entry has been until now, if it is this
    /// one.
    #[inline]
    pub fn take_entry<'k>(&mut self, key: KeyRef<'k>) -> KeyRef<'k> {
        let found = self.entry.take().filter(|_| self.is(key.bytes));
        KeyRef { found, ..key }
    }

    /// Something has changed.
    #[inline]
    pub fn forget_entry(&mut self) {
        self.entry = None;
    }
}
