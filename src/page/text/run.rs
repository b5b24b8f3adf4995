//! Reading: the bytes of a range as runs that lie together.

use std::iter::Peekable;
use std::ops::Range;

use super::chunk::{Bytes, CHUNK_BYTES, Chunk, zeroes};
use super::{Base, BigText};
use crate::page::tree::Forward;
use crate::shared::{Piece, Shared};

/// Bytes of a string that lie together.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    whole: &'a Shared,
    range: Range<usize>,
    is_of_base: bool,
}

impl<'a> Run<'a> {
    /// The allocation that they are part of.
    pub fn whole(&self) -> &'a Shared {
        self.whole
    }

    /// Where in it they are.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.whole.get(self.range.clone()).unwrap_or_default()
    }

    /// How many they are.
    #[expect(clippy::len_without_is_empty, reason = "no run is empty")]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// A share of them.
    pub fn piece(&self) -> Piece {
        Piece::new(Shared::clone(self.whole), self.range.clone())
    }

    /// Whether they lie in the string's base.
    pub fn is_of_base(&self) -> bool {
        self.is_of_base
    }
}

/// See [`BigText::runs`].
pub struct Runs<'a> {
    chunks: Peekable<Forward<'a, Chunk>>,
    base: Option<&'a Base>,
    /// Where in the string the next run begins.
    at: usize,
    end: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn new(text: &'a BigText, range: Range<usize>) -> Self {
        let end = range.end.min(text.len());
        Self {
            chunks: text.chunks.iter_from(range.start / CHUNK_BYTES).peekable(),
            base: text.base.as_ref(),
            at: range.start.min(end),
            end,
        }
    }

    /// How many bytes are to come.
    #[expect(clippy::len_without_is_empty, reason = "whoever asks wants room for them")]
    pub fn len(&self) -> usize {
        self.end - self.at
    }
}

impl<'a> Iterator for Runs<'a> {
    type Item = Run<'a>;

    fn next(&mut self) -> Option<Run<'a>> {
        if self.at >= self.end {
            return None;
        }
        let start = self.at;
        let chunk = self.chunks.next()?;
        let within = start % CHUNK_BYTES;
        self.at = (start - within + chunk.len()).min(self.end);
        let (whole, first) = match chunk.bytes() {
            Bytes::Own(bytes) => (bytes, within),
            Bytes::Zero(_) => (zeroes(), within),
            Bytes::Base(_) => {
                while self.at < self.end
                    && let Some(next) = self.chunks.next_if(|next| next.is_of_base())
                {
                    self.at = (self.at + next.len()).min(self.end);
                }
                (&self.base?.whole, start)
            }
        };
        Some(Run {
            whole,
            range: first..first + (self.at - start),
            is_of_base: chunk.is_of_base(),
        })
    }
}
