//! One chunk: its bytes, and its name as a part of the string for checkpoints.
//!
//! **Invariant:** bytes do not change but with the version.

use std::sync::LazyLock;

use crate::lsn::Lsn;
use crate::page::PageId;
use crate::page::change::Mark;
use crate::page::parts::PartRef;
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

/// Whether there is no other byte than zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        // Each byte is like the one before: compared as a whole, that takes little.
        [first, rest @ ..] => *first == 0 && bytes.starts_with(rest),
    }
}

/// The lengths of chunks from byte `start`, where one begins, to `end`.
pub(super) fn lengths(start: usize, end: usize) -> impl ExactSizeIterator<Item = u32> {
    let count = end.saturating_sub(start).div_ceil(CHUNK_BYTES);
    (0..count).map(move |at| (end - start - at * CHUNK_BYTES).min(CHUNK_BYTES) as u32)
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    bytes: Bytes,
    id: PageId,
    version: Lsn,
}

/// Where the bytes are.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    /// In an allocation of their own.
    Own(Shared),
    /// So many of the base.
    Base(u32),
    /// So many zeroes.
    Zero(u32),
}

impl TreeItem for Chunk {
    fn weight(&self) -> u64 {
        self.len() as u64
    }

    fn heap_bytes(&self) -> usize {
        match &self.bytes {
            Bytes::Own(bytes) => shared::heap_bytes(bytes),
            Bytes::Base(_) | Bytes::Zero(_) => 0,
        }
    }
}

impl Chunk {
    pub(super) fn new(bytes: Bytes, mark: Mark<'_>) -> Self {
        Self {
            bytes,
            id: mark.new_id(),
            version: mark.lsn,
        }
    }

    /// Of a part that has been read.
    pub(super) fn known(bytes: &[u8], part: &PartRef) -> Self {
        Self {
            bytes: if is_zero(bytes) {
                Bytes::Zero(bytes.len() as u32)
            } else {
                Bytes::of(bytes)
            },
            id: part.id,
            version: part.version,
        }
    }

    pub(super) fn adopt(&mut self, mark: Mark<'_>) {
        (self.id, self.version) = (mark.new_id(), mark.lsn);
    }

    pub(super) fn name(&self) -> PartRef {
        PartRef {
            start: 0,
            id: self.id,
            version: self.version,
        }
    }

    /// Notes that it changes.
    pub(super) fn stamp(&mut self, mark: Mark<'_>) {
        self.version = mark.lsn;
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        match &self.bytes {
            Bytes::Own(bytes) => bytes.len(),
            Bytes::Base(len) | Bytes::Zero(len) => *len as usize,
        }
    }

    pub(super) fn is_of_base(&self) -> bool {
        matches!(self.bytes, Bytes::Base(_))
    }

    /// The bytes; `base`: the base from where the chunk begins.
    fn content<'a>(&'a self, base: &'a [u8]) -> &'a [u8] {
        let bytes = match &self.bytes {
            Bytes::Own(bytes) => bytes.as_slice(),
            Bytes::Base(_) => base,
            Bytes::Zero(_) => zeroes(),
        };
        bytes.get(..self.len()).unwrap_or_default()
    }

    /// The bytes, for changing, in an allocation that is this string's alone; a new one has room for `room`.
    fn make_own(&mut self, base: &[u8], room: usize) -> Option<&mut Vec<u8>> {
        let is_ours = matches!(&self.bytes, Bytes::Own(bytes) if Shared::strong_count(bytes) == 1);
        if !is_ours {
            let old = self.content(base);
            let mut bytes = Vec::with_capacity(room.max(old.len()));
            bytes.extend_from_slice(old);
            self.bytes = Bytes::Own(Shared::new(bytes));
        }
        match &mut self.bytes {
            Bytes::Own(bytes) => Some(Shared::make_mut(bytes)),
            Bytes::Base(_) | Bytes::Zero(_) => None,
        }
    }

    /// Moves it out of the base.
    pub(super) fn move_out(&mut self, base: &[u8]) {
        self.bytes = Bytes::of(self.content(base));
    }

    /// Puts `bytes` at byte `at` of it; they end where it ends, or before.
    pub(super) fn overwrite(&mut self, base: &[u8], at: usize, bytes: &[u8]) {
        if bytes.len() == self.len() && !matches!(self.bytes, Bytes::Own(_)) {
            self.bytes = Bytes::of(bytes);
        } else if let Some(own) = self.make_own(base, 0)
            && let Some(target) = own.get_mut(at..at + bytes.len())
        {
            target.copy_from_slice(bytes);
        }
    }

    /// Makes it `len` bytes long with zeroes; it is shorter.
    pub(super) fn lengthen(&mut self, base: &[u8], len: usize) {
        if let Bytes::Zero(bytes) = &mut self.bytes {
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

impl Bytes {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::Own(Shared::new(bytes.to_vec()))
    }
}
