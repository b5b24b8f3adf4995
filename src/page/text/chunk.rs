//! One chunk.

use std::sync::LazyLock;

use crate::page::tree::TreeItem;
use crate::shared::{self, Shared};

/// Bytes of every chunk but the last: what a change copies at most while others have the string.
pub const CHUNK_BYTES: usize = 64 << 10;
/// What a chunk that grows has room for at first.
const ROOM_BYTES_MIN: usize = 1 << 10;

static ZEROES: LazyLock<Shared> = LazyLock::new(|| Shared::new(vec![0; CHUNK_BYTES]));

/// What chunks of nothing but zeroes are ranges of.
pub(super) fn zeroes() -> &'static Shared {
    &ZEROES
}

/// The lengths of chunks from byte `start`, where one begins, to `end`.
pub(super) fn lengths(start: usize, end: usize) -> impl ExactSizeIterator<Item = u32> {
    let count = end.saturating_sub(start).div_ceil(CHUNK_BYTES);
    (0..count).map(move |at| (end - start - at * CHUNK_BYTES).min(CHUNK_BYTES) as u32)
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Chunk {
    /// In an allocation of its own.
    Own(Shared),
    /// So many bytes of the base.
    Base(u32),
    /// So many zeroes.
    Zero(u32),
}

impl TreeItem for Chunk {
    fn weight(&self) -> u64 {
        self.len() as u64
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Own(bytes) => shared::heap_bytes(bytes),
            Self::Base(_) | Self::Zero(_) => 0,
        }
    }
}

impl Chunk {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::Own(Shared::new(bytes.to_vec()))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Base(len) | Self::Zero(len) => *len as usize,
        }
    }

    pub(super) fn is_of_base(&self) -> bool {
        matches!(self, Self::Base(_))
    }

    /// The bytes; `base`: the base from where the chunk begins.
    fn bytes<'a>(&'a self, base: &'a [u8]) -> &'a [u8] {
        let bytes = match self {
            Self::Own(bytes) => bytes.as_slice(),
            Self::Base(_) => base,
            Self::Zero(_) => zeroes(),
        };
        bytes.get(..self.len()).unwrap_or_default()
    }

    /// The bytes, for changing, in an allocation that is this string's alone; a new one has room for `room`.
    fn make_own(&mut self, base: &[u8], room: usize) -> Option<&mut Vec<u8>> {
        let is_ours = matches!(self, Self::Own(bytes) if Shared::strong_count(bytes) == 1);
        if !is_ours {
            let old = self.bytes(base);
            let mut bytes = Vec::with_capacity(room.max(old.len()));
            bytes.extend_from_slice(old);
            *self = Self::Own(Shared::new(bytes));
        }
        match self {
            Self::Own(bytes) => Some(Shared::make_mut(bytes)),
            Self::Base(_) | Self::Zero(_) => None,
        }
    }

    /// Moves it out of the base.
    pub(super) fn move_out(&mut self, base: &[u8]) {
        *self = Self::of(self.bytes(base));
    }

    /// Puts `bytes` at byte `at` of it; they end where it ends, or before.
    pub(super) fn overwrite(&mut self, base: &[u8], at: usize, bytes: &[u8]) {
        if bytes.len() == self.len() && !matches!(self, Self::Own(_)) {
            *self = Self::of(bytes);
        } else if let Some(own) = self.make_own(base, 0)
            && let Some(target) = own.get_mut(at..at + bytes.len())
        {
            target.copy_from_slice(bytes);
        }
    }

    /// Makes it `len` bytes long with zeroes; it is shorter.
    pub(super) fn lengthen(&mut self, base: &[u8], len: usize) {
        if let Self::Zero(bytes) = self {
            *bytes = len as u32;
            return;
        }
        // Doubled, but not beyond what a chunk takes.
        let room = (self.len() * 2).clamp(ROOM_BYTES_MIN, CHUNK_BYTES).max(len);
        if let Some(own) = self.make_own(base, room) {
            if own.capacity() < len {
                own.reserve_exact(room - own.len());
            }
            own.resize(len, 0);
        }
    }
}
