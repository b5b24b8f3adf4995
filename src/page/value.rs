//! What a key holds. Today strings; containers add a variant each.
//!
//! **Invariant:** a string longer than [`INLINE_BYTES_MAX`] is always [`StrRef::Shared`] in an entry, a shorter one
//! always [`StrRef::Inline`], so that no write, reply or pre-image ever copies a large value under a lock.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A large byte string in its own allocation, linked (not copied) by requests, entries, replies and the WAL.
pub type Shared = Arc<Vec<u8>>;

/// Longest string value, in bytes, that lives inside its entry.
pub const INLINE_BYTES_MAX: usize = 4096;

/// Type codes, as in `OBJECT`, `TYPE` and the page format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A byte string.
    Str,
}

impl ValueType {
    /// The name `TYPE` answers with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Str => "string",
        }
    }
}

/// A string value on its way into or out of an entry.
#[derive(Clone, Copy, Debug)]
pub enum StrRef<'a> {
    /// Bytes that live inside the entry, a request or a log record.
    Inline(&'a [u8]),
    /// A large value in its own allocation.
    Shared(&'a Shared),
}

impl<'a> StrRef<'a> {
    /// The bytes, wherever they live.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(shared) => shared.as_slice(),
        }
    }

    /// Length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "an empty string is an ordinary value")]
    pub fn len(&self) -> usize {
        self.bytes().len()
    }
}

impl Serialize for StrRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StrRef<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: &'de serde_bytes::Bytes = Deserialize::deserialize(deserializer)?;
        let bytes: &'de [u8] = bytes;
        Ok(Self::Inline(bytes))
    }
}

/// A value as it is written to pages and to the WAL, and as handlers read it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum ValueRef<'a> {
    /// A byte string.
    #[serde(borrow)]
    Str(StrRef<'a>),
}

impl<'a> ValueRef<'a> {
    /// The type of this value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Str(_) => ValueType::Str,
        }
    }

    /// The linked large allocation, if this value is one.
    pub fn shared(&self) -> Option<&'a Shared> {
        match self {
            Self::Str(StrRef::Shared(shared)) => Some(shared),
            Self::Str(StrRef::Inline(_)) => None,
        }
    }
}
