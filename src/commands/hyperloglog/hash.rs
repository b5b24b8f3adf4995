//! From an element to a register and a rank: the 64-bit MurmurHash2 with Redis's seed.
//!
//! **Invariants**: the low 14 bits choose the register; the rank is one more than the zeros that follow them, at most
//! 51.

use super::hll::REGISTERS;

const SEED: u64 = 0xadc8_3b19;
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const INDEX_BITS: u32 = 14;
/// Hash bits that a rank is counted in.
pub(super) const RANK_BITS: u32 = 64 - INDEX_BITS;

/// The register that an element belongs to, and the rank it raises it to. O(length).
pub(super) fn register_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur_64a(element, SEED);
    let index = hash as usize & (REGISTERS - 1);
    // A bit above the others ends the count.
    let rest = hash >> INDEX_BITS | 1 << RANK_BITS;
    (index, rest.trailing_zeros() as u8 + 1)
}

fn murmur_64a(bytes: &[u8], seed: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    for word in words {
        let mixed = shift_mix(u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
        hash = (hash ^ mixed).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, &byte| tail << 8 | u64::from(byte));
        hash = (hash ^ tail).wrapping_mul(MULTIPLIER);
    }
    shift_mix(shift_mix(hash).wrapping_mul(MULTIPLIER))
}

fn shift_mix(value: u64) -> u64 {
    value ^ value >> 47
}
