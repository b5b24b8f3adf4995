//! Records on their way from a producer to the file: chunks, and the slot where one producer leaves its own.
//!
//! A record in a chunk has its header in place, except that the field of the CRC holds the count of bytes that are
//! inline (the rest are splices); whoever writes it puts the CRC there.
//!
//! **Invariant:** within a slot, and within a chunk, LSNs ascend.

use parking_lot::Mutex;

use crate::shared::Piece;

/// A value, or a part of one, linked into a chunk.
pub(super) struct Splice {
    /// It comes before the inline byte at this offset of the chunk.
    pub at: usize,
    pub data: Piece,
}

/// Records of one producer in ascending LSN order.
#[derive(Default)]
pub(super) struct Chunk {
    pub buf: Vec<u8>,
    pub splices: Vec<Splice>,
    /// Bytes of all splices.
    pub spliced_bytes: u64,
}

impl Chunk {
    pub fn bytes(&self) -> u64 {
        self.buf.len() as u64 + self.spliced_bytes
    }

    pub fn clear(&mut self) {
        self.buf.clear();
        self.splices.clear();
        self.spliced_bytes = 0;
    }

    /// Appends the records of `other` and leaves it empty.
    pub fn join(&mut self, other: &mut Chunk) {
        let base = self.buf.len();
        self.buf.extend_from_slice(&other.buf);
        self.splices.extend(other.splices.drain(..).map(|splice| Splice {
            at: splice.at + base,
            data: splice.data,
        }));
        self.spliced_bytes += other.spliced_bytes;
        other.clear();
    }
}

/// Where one producer leaves its chunks.
#[derive(Default)]
pub(super) struct Slot {
    pub queue: Mutex<SlotQueue>,
}

#[derive(Default)]
pub(super) struct SlotQueue {
    pub chunks: Vec<Chunk>,
    /// Emptied chunks on their way back to the producer.
    pub spare: Vec<Chunk>,
    /// The producer is gone; the slot goes when it is empty.
    pub closed: bool,
}
