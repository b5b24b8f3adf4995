//! What a search needs room for, kept by each thread from one search to the next.
//!
//! **Invariant:** between searches nothing is marked as visited.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// More bytes than this are not kept for the next search.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// A slot with its distance, in an order of distances, then of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Near(u64);

impl Near {
    #[inline]
    pub fn new(distance: f32, slot: u32) -> Self {
        let bits = distance.to_bits();
        let is_negative = bits >> (u32::BITS - 1) == 1;
        // Integers in the order of the floats.
        let ordered = if is_negative {
            !bits
        } else {
            bits | 1 << (u32::BITS - 1)
        };
        Self(u64::from(ordered) << u32::BITS | u64::from(slot))
    }

    /// Whether it is nearer, slots apart: of equally near ones none leads on.
    #[inline]
    pub fn is_nearer_than(self, other: Self) -> bool {
        self.0 >> u32::BITS < other.0 >> u32::BITS
    }

    #[inline]
    pub fn slot(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub fn distance(self) -> f32 {
        let ordered = (self.0 >> u32::BITS) as u32;
        let is_negative = ordered >> (u32::BITS - 1) == 0;
        f32::from_bits(if is_negative {
            !ordered
        } else {
            ordered & !(1 << (u32::BITS - 1))
        })
    }
}

/// Which slots a search has seen.
#[derive(Default)]
pub(super) struct Visited {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Visited {
    /// Makes it one of so many slots, none of them visited.
    pub fn begin(&mut self, slots: usize) {
        for word in self.touched.drain(..) {
            if let Some(word) = self.words.get_mut(word as usize) {
                *word = 0;
            }
        }
        let words = slots.div_ceil(u64::BITS as usize);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    /// Marks a slot; whether it was not yet.
    #[inline]
    pub fn visit(&mut self, slot: u32) -> bool {
        let at = slot / u64::BITS;
        let Some(word) = self.words.get_mut(at as usize) else {
            return false;
        };
        let bit = 1 << (slot % u64::BITS);
        if *word == 0 {
            self.touched.push(at);
        }
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Scratch {
    pub visited: Visited,
    /// Whose links are still to be looked at, the nearest first.
    pub candidates: BinaryHeap<Reverse<Near>>,
    /// The nearest so far, the farthest of them first.
    pub nearest: BinaryHeap<Near>,
    /// What is looked at together.
    pub batch: Vec<u32>,
}

thread_local! {
    static KEPT: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Scratch {
    /// Lends one to `body`.
    pub fn with<R>(body: impl FnOnce(&mut Self) -> R) -> R {
        // Taken out: whoever comes in between makes one of its own.
        let mut scratch = KEPT.take().unwrap_or_default();
        let result = body(&mut scratch);
        scratch.visited.begin(0);
        scratch.candidates.clear();
        scratch.nearest.clear();
        if scratch.bytes() <= KEPT_BYTES_MAX {
            KEPT.set(Some(scratch));
        }
        result
    }

    fn bytes(&self) -> usize {
        let words = self.visited.words.capacity() + self.candidates.capacity() + self.nearest.capacity();
        words * size_of::<u64>() + self.visited.touched.capacity() * size_of::<u32>()
    }
}
