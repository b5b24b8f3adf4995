//! Ids of stream entries.

use serde::{Deserialize, Serialize};

/// The id of an entry: ordered by time, then by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId {
    /// Unix milliseconds, if the server chose it.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// Before all others; no entry has it.
    pub const MIN: Self = Self::new(0, 0);
    /// The last one there can be.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);
    /// Bytes of [`StreamId::to_bytes`].
    pub const BYTES: usize = 16;

    /// The id of these parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    fn number(self) -> u128 {
        u128::from(self.ms) << 64 | u128::from(self.seq)
    }

    fn of_number(number: u128) -> Self {
        Self::new((number >> 64) as u64, number as u64)
    }

    /// The next one, if there is one.
    pub fn next(self) -> Option<Self> {
        self.number().checked_add(1).map(Self::of_number)
    }

    /// The one before, if there is one.
    pub fn previous(self) -> Option<Self> {
        self.number().checked_sub(1).map(Self::of_number)
    }

    /// Big endian, so that bytes sort as ids do.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        self.number().to_be_bytes()
    }

    /// From [`StreamId::to_bytes`].
    pub fn of_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self::of_number(u128::from_be_bytes(bytes))
    }
}

/// The ids that stand one after another in `bytes`.
pub fn ids_of(bytes: &[u8]) -> impl Iterator<Item = StreamId> + '_ {
    bytes.as_chunks().0.iter().map(|bytes| StreamId::of_bytes(*bytes))
}

/// Ids one after another.
pub fn ids_to_bytes(ids: impl IntoIterator<Item = StreamId>) -> Vec<u8> {
    ids.into_iter().flat_map(StreamId::to_bytes).collect()
}
