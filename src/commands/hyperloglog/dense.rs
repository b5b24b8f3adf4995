//! The dense registers: 16384 of 6 bits, least significant bits first, four to three bytes.
//!
//! **Invariants**: the slices here are the registers alone, without the header.

use super::estimate::{Histogram, record};

const RANK_MAX: u8 = 63;

/// The byte a register begins in, and at which bit.
fn place(index: usize) -> (usize, u32) {
    (index * 6 / 8, (index * 6 % 8) as u32)
}

/// The two bytes a register may lie in, as one number.
fn word(registers: &[u8], first: usize) -> u16 {
    let byte = |index: usize| registers.get(index).copied().unwrap_or(0);
    u16::from_le_bytes([byte(first), byte(first + 1)])
}

/// The rank of a register. O(1).
pub(super) fn get(registers: &[u8], index: usize) -> u8 {
    let (first, shift) = place(index);
    (word(registers, first) >> shift) as u8 & RANK_MAX
}

/// The bytes that setting a register would write: from which byte, what, and how many of them.
pub(super) fn patch(registers: &[u8], index: usize, rank: u8) -> (usize, [u8; 2], usize) {
    let (first, shift) = place(index);
    let mask = u16::from(RANK_MAX) << shift;
    let word = word(registers, first) & !mask | u16::from(rank) << shift & mask;
    (first, word.to_le_bytes(), registers.len().saturating_sub(first).min(2))
}

/// Raises a register to `rank`; whether it was lower. O(1).
pub(super) fn raise(registers: &mut [u8], index: usize, rank: u8) -> bool {
    if get(registers, index) >= rank {
        return false;
    }
    let (first, bytes, _) = patch(registers, index, rank);
    registers
        .iter_mut()
        .skip(first)
        .zip(bytes)
        .for_each(|(byte, new)| *byte = new);
    true
}

/// The four registers in three bytes.
fn quad([low, middle, high]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from_le_bytes([low, middle, high, 0]);
    [0, 6, 12, 18].map(|shift| (bits >> shift) as u8 & RANK_MAX)
}

/// How many registers have each rank. O(registers).
pub(super) fn histogram(registers: &[u8]) -> Histogram {
    let mut histogram: Histogram = [0; 64];
    for rank in registers.as_chunks::<3>().0.iter().copied().flat_map(quad) {
        record(&mut histogram, rank, 1);
    }
    histogram
}

/// All registers, one byte each.
pub(super) fn unpack(registers: &[u8]) -> Vec<u8> {
    registers.as_chunks::<3>().0.iter().copied().flat_map(quad).collect()
}

/// The registers packed from one byte each.
pub(super) fn pack(ranks: &[u8]) -> impl Iterator<Item = u8> {
    ranks.as_chunks::<4>().0.iter().flat_map(|quad| {
        let bits = quad
            .iter()
            .rev()
            .fold(0u32, |bits, &rank| bits << 6 | u32::from(rank & RANK_MAX));
        bits.to_le_bytes().into_iter().take(3)
    })
}
