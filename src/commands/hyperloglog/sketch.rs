//! A HyperLogLog of elements that is not stored anywhere.

use super::estimate::{Histogram, estimate, record};
use super::hash::register_of;
use super::hll::REGISTERS;

/// See the module. O(registers) of memory.
pub struct Sketch {
    /// The highest rank of each register so far.
    ranks: Vec<u8>,
}

impl Default for Sketch {
    /// Of no elements.
    fn default() -> Self {
        Self {
            ranks: vec![0; REGISTERS],
        }
    }
}

impl Sketch {
    /// Takes in an element. O(length).
    pub fn add(&mut self, element: &[u8]) {
        let (register, rank) = register_of(element);
        if let Some(highest) = self.ranks.get_mut(register) {
            *highest = rank.max(*highest);
        }
    }

    /// About how many different ones there were. O(registers).
    pub fn count(&self) -> u64 {
        let mut histogram: Histogram = [0; 64];
        for &rank in &self.ranks {
            record(&mut histogram, rank, 1);
        }
        estimate(&histogram)
    }
}
