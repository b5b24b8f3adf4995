//! Brings the chunks of all producers into LSN order.
//!
//! **Invariants**: only the contiguous prefix comes out; a record above a gap stays until the gap is filled.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Lsn;
use super::chunk::{Chunk, Slot, Splice};
use super::format::{RECORD_HEADER_BYTES, RecordHeader, seal};

/// Chunks given back keep at most this much memory.
const SPARE_BYTES_MAX: usize = 1 << 20;
/// A producer keeps this many emptied chunks.
const SPARE_CHUNKS_MAX: usize = 4;

/// One producer's chunks on the writer's side.
struct Stream {
    slot: Arc<Slot>,
    chunks: VecDeque<Chunk>,
    /// Where in the first chunk the next record begins, and which of its splices is next.
    at: usize,
    splice_at: usize,
}

/// A record that is next, still in its chunk.
pub(super) struct Next<'a> {
    pub header: RecordHeader,
    /// Header and inline payload; the CRC is not filled in.
    pub inline: &'a [u8],
    /// Its splices; their `at` is relative to the chunk, of which `inline` begins at `start`.
    pub splices: &'a [Splice],
    pub start: usize,
}

/// Records of one chunk that follow one another, without splices.
#[derive(Clone, Copy, Default)]
pub(super) struct Run<'a> {
    /// Headers and payloads, as they go to the file.
    pub bytes: &'a [u8],
    pub records: u64,
    /// When the last one was made.
    pub last_wall_ms: u64,
}

impl Next<'_> {
    /// Its bytes, splices included, as its producer counted them.
    pub fn bytes(&self) -> u64 {
        let spliced: usize = self.splices.iter().map(|splice| splice.data.len()).sum();
        (self.inline.len() + spliced) as u64
    }
}

/// The streams of all producers.
#[derive(Default)]
pub(super) struct Merge {
    streams: Vec<Stream>,
    /// The next LSN of each stream, `u64::MAX` where there is none.
    heads: Vec<Lsn>,
    slots_version: Option<u64>,
}

impl Merge {
    /// Follows the list of slots when it has changed.
    pub fn follow(&mut self, version: u64, slots: impl FnOnce() -> Vec<Arc<Slot>>) {
        if self.slots_version == Some(version) {
            return;
        }
        self.slots_version = Some(version);
        for slot in slots() {
            if !self.streams.iter().any(|stream| Arc::ptr_eq(&stream.slot, &slot)) {
                self.streams.push(Stream {
                    slot,
                    chunks: VecDeque::new(),
                    at: 0,
                    splice_at: 0,
                });
                self.heads.push(Lsn::MAX);
            }
        }
    }

    /// Takes what the producers have left; returns how many bytes that was, and whether a producer is gone for good.
    pub fn sweep(&mut self) -> (u64, bool) {
        let (mut bytes, mut gone) = (0, false);
        for (stream, head) in self.streams.iter_mut().zip(&mut self.heads) {
            let mut queue = stream.slot.queue.lock();
            gone |= queue.closed && queue.chunks.is_empty() && stream.chunks.is_empty();
            if queue.chunks.is_empty() {
                continue;
            }
            bytes += queue.chunks.iter().map(Chunk::bytes).sum::<u64>();
            stream.chunks.extend(queue.chunks.drain(..));
            drop(queue);
            *head = stream.head();
        }
        (bytes, gone)
    }

    /// Forgets the streams of producers that are gone; returns their slots.
    pub fn forget_gone(&mut self) -> Vec<Arc<Slot>> {
        let mut gone = Vec::new();
        self.streams.retain(|stream| {
            let queue = stream.slot.queue.lock();
            let keep = !queue.closed || !queue.chunks.is_empty() || !stream.chunks.is_empty();
            if !keep {
                gone.push(stream.slot.clone());
            }
            keep
        });
        self.heads = self.streams.iter().map(Stream::head).collect();
        gone
    }

    /// Steps over all records below `floor`; returns how many bytes they had.
    pub fn skip_below(&mut self, floor: Lsn) -> u64 {
        let mut bytes = 0;
        for index in 0..self.streams.len() {
            while self.heads.get(index).is_some_and(|head| *head < floor) {
                let Some(record) = self.peek(index) else { break };
                let (inline, splices) = (record.inline.len(), record.splices.len());
                bytes += record.bytes();
                self.advance(index, inline, splices);
            }
        }
        bytes
    }

    /// The stream that holds `lsn`, if it is here.
    pub fn find(&self, lsn: Lsn) -> Option<usize> {
        self.heads.iter().position(|head| *head == lsn)
    }

    /// Whether anything is here at all (above a gap).
    pub fn is_empty(&self) -> bool {
        self.heads.iter().all(|head| *head == Lsn::MAX)
    }

    /// The next record of a stream.
    pub fn peek(&self, stream: usize) -> Option<Next<'_>> {
        let stream = self.streams.get(stream)?;
        let chunk = stream.chunks.front()?;
        let header = RecordHeader::decode(chunk.buf.get(stream.at..)?.first_chunk::<RECORD_HEADER_BYTES>()?);
        let end = stream.at + header.crc as usize;
        let inline = chunk.buf.get(stream.at..end)?;
        let rest = chunk.splices.get(stream.splice_at..)?;
        let count = rest
            .iter()
            .take_while(|splice| splice.at <= end && splice.at > stream.at)
            .count();
        Some(Next {
            header,
            inline,
            splices: rest.get(..count)?,
            start: stream.at,
        })
    }

    /// Puts the CRCs, which start from `salt`, into the run of records that begins with `next` in a stream, and returns
    /// it: up to a record that does not follow, one with a splice, or that with which it has `bytes_min` bytes.
    pub fn seal_run(&mut self, stream: usize, next: Lsn, salt: u32, bytes_min: u64) -> Run<'_> {
        let Some(stream) = self.streams.get_mut(stream) else {
            return Run::default();
        };
        let (start, splice_at) = (stream.at, stream.splice_at);
        let Some(chunk) = stream.chunks.front_mut() else {
            return Run::default();
        };
        // A splice comes before the byte at its offset: it is of the record that ends there, or later.
        let spliced = chunk.splices.get(splice_at).map_or(usize::MAX, |splice| splice.at);
        let (mut at, mut lsn, mut last_wall_ms) = (start, next, 0);
        while ((at - start) as u64) < bytes_min {
            let Some(rest) = chunk.buf.get_mut(at..) else { break };
            let Some(header) = rest.first_chunk().map(RecordHeader::decode) else {
                break;
            };
            let end = at + header.crc as usize;
            if header.lsn != lsn || end >= spliced {
                break;
            }
            let Some(record) = rest.get_mut(..header.crc as usize) else {
                break;
            };
            seal(record, salt);
            (at, lsn, last_wall_ms) = (end, lsn.next(), header.wall_ms);
        }
        Run {
            bytes: chunk.buf.get(start..at).unwrap_or_default(),
            records: lsn.get() - next.get(),
            last_wall_ms,
        }
    }

    /// Steps over the record that `peek` showed, or over a run; returns the stream's next LSN.
    pub fn advance(&mut self, index: usize, inline_bytes: usize, splices: usize) -> Lsn {
        let (Some(stream), Some(head)) = (self.streams.get_mut(index), self.heads.get_mut(index)) else {
            return Lsn::MAX;
        };
        stream.at += inline_bytes;
        stream.splice_at += splices;
        if stream.chunks.front().is_some_and(|chunk| stream.at >= chunk.buf.len()) {
            stream.give_back();
        }
        *head = stream.head();
        *head
    }
}

impl Stream {
    fn head(&self) -> Lsn {
        let record = self
            .chunks
            .front()
            .and_then(|chunk| chunk.buf.get(self.at..)?.first_chunk());
        record.map_or(Lsn::MAX, |bytes| RecordHeader::decode(bytes).lsn)
    }

    /// Returns the first chunk, now empty, to its producer.
    fn give_back(&mut self) {
        (self.at, self.splice_at) = (0, 0);
        let Some(mut chunk) = self.chunks.pop_front() else {
            return;
        };
        chunk.clear();
        if chunk.buf.capacity() <= SPARE_BYTES_MAX {
            let mut queue = self.slot.queue.lock();
            if queue.spare.len() < SPARE_CHUNKS_MAX {
                queue.spare.push(chunk);
            }
        }
    }
}
