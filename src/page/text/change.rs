//! Changing: bytes are written over what is there, or behind it.

use super::chunk::{Bytes, CHUNK_BYTES, Chunk, lengths};
use super::{Base, BigText};
use crate::page::change::Mark;
use crate::shared::Shared;

/// Chunks that one change moves out of a base that is to go.
const MOVED_MAX: usize = 16;

impl BigText {
    /// Puts `bytes` at `offset`, behind zeroes if it is shorter than that. The base, if it has let go of that: it may
    /// be slow to drop. O(bytes + log n), and zeroes cost the time of their chunks.
    pub fn write(&mut self, offset: usize, bytes: &[u8], mark: Mark<'_>) -> Option<Shared> {
        self.lengthen(offset + bytes.len(), mark);
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let within = at % CHUNK_BYTES;
            let (here, behind) = rest.split_at(rest.len().min(CHUNK_BYTES - within));
            self.overwrite(at / CHUNK_BYTES, within, here, mark);
            at += here.len();
            rest = behind;
        }
        self.empty_base()
    }

    /// Makes it at least `end` bytes long, with zeroes.
    fn lengthen(&mut self, end: usize, mark: Mark<'_>) {
        let len = self.len();
        if end <= len {
            return;
        }
        if let Some(last) = self.chunks.len().checked_sub(1)
            && !len.is_multiple_of(CHUNK_BYTES)
        {
            let wanted = (end - last * CHUNK_BYTES).min(CHUNK_BYTES);
            self.update(last, |chunk, base| {
                chunk.stamp(mark);
                chunk.lengthen(base, wanted);
            });
        }
        let fresh = lengths(self.len(), end).map(|len| Chunk::new(Bytes::Zero(len), mark));
        if fresh.len() > self.chunks.len() {
            // Built anew that is faster.
            self.chunks = self.chunks.iter().cloned().chain(fresh).collect();
        } else {
            self.chunks.extend(fresh);
        }
    }

    /// Puts `bytes` at byte `within` of a chunk, in which they end.
    fn overwrite(&mut self, index: usize, within: usize, bytes: &[u8], mark: Mark<'_>) {
        let is_of_base = self.chunks.get(index).is_some_and(Chunk::is_of_base);
        let start = index * CHUNK_BYTES + within;
        if is_of_base
            && let Some(base) = &mut self.base
            && let Some(whole) = Shared::get_mut(&mut base.whole)
            && let Some(target) = whole.get_mut(start..start + bytes.len())
        {
            target.copy_from_slice(bytes);
            self.chunks.update(index, |chunk| chunk.stamp(mark));
        } else {
            self.update(index, |chunk, base| {
                chunk.stamp(mark);
                chunk.overwrite(base, within, bytes);
            });
        }
    }

    /// Lets `change` change a chunk, given the base from where the chunk begins.
    fn update(&mut self, index: usize, change: impl FnOnce(&mut Chunk, &[u8])) {
        let base = self.base.as_ref();
        let bytes = base.and_then(|base| base.whole.get(index * CHUNK_BYTES..));
        let has_left = self.chunks.update(index, |chunk| {
            let was_of_base = chunk.is_of_base();
            change(chunk, bytes.unwrap_or_default());
            was_of_base && !chunk.is_of_base()
        });
        if let Some(base) = &mut self.base {
            base.used -= usize::from(has_left);
        }
    }

    /// Moves chunks out of a base of which less than half is used; the base, once none is left.
    fn empty_base(&mut self) -> Option<Shared> {
        for _ in 0..MOVED_MAX {
            let base = self.base.as_ref().filter(|base| base.is_hollow())?;
            let Some(skipped) = self.chunks.iter_from(base.from).position(Chunk::is_of_base) else {
                break;
            };
            let index = base.from + skipped;
            self.update(index, |chunk, base| chunk.move_out(base));
            if let Some(base) = &mut self.base {
                base.from = index + 1;
            }
        }
        self.base.take_if(|base| base.used == 0).map(|base| base.whole)
    }
}

impl Base {
    /// Whether it is worth more empty.
    fn is_hollow(&self) -> bool {
        self.used == 0 || self.used * CHUNK_BYTES < self.whole.capacity() / 2
    }
}
