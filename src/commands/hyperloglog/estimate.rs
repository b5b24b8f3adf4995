//! From registers to a count: Otmar Ertl's improved raw estimator ("New cardinality estimation algorithms for
//! HyperLogLog sketches", 2017).
//!
//! **Invariants**: the sums are done in Redis's order, so that the doubles, and so the counts, are the same.

use super::hash::RANK_BITS;
use super::hll::REGISTERS;

/// How many registers have each rank; ranks above 51 cannot come from the hash, but fit.
pub(super) type Histogram = [u32; 64];

/// The limit of the bias correction for many registers: 1 / (2 ln 2).
#[expect(clippy::excessive_precision, reason = "as published")]
const ALPHA_INFINITY: f64 = 0.721_347_520_444_481_703_680;

/// Counts `registers` more registers of this rank.
pub(super) fn record(histogram: &mut Histogram, rank: u8, registers: usize) {
    if let Some(slot) = histogram.get_mut(usize::from(rank & 63)) {
        *slot = slot.saturating_add(registers as u32);
    }
}

/// The estimated number of distinct elements. O(1).
pub(super) fn estimate(histogram: &Histogram) -> u64 {
    let registers = REGISTERS as f64;
    let (ranks, saturated) = histogram.split_at(RANK_BITS as usize + 1);
    let saturated = f64::from(saturated.first().copied().unwrap_or(0));
    let mut z = registers * tau((registers - saturated) / registers);
    for &count in ranks.iter().skip(1).rev() {
        z += f64::from(count);
        z *= 0.5;
    }
    let zeros = f64::from(histogram[0]);
    z += registers * sigma(zeros / registers);
    (ALPHA_INFINITY * registers * registers / z).round() as u64
}

/// What registers that are still zero contribute.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// What saturated registers contribute.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
