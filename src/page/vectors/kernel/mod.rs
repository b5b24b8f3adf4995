//! What distances are made of: sums over two vectors of the same length.
//!
//! **Invariant:** every way to compute a sum gives the same bits, on every machine: integers are exact, and floats are
//! added up in one order, lane by lane, without fused operations. What a record of the log does to a graph follows from
//! that.

#[cfg(target_arch = "x86_64")]
mod x86;

/// Floats that are added up side by side.
const LANES: usize = 32;
const FLOAT_BYTES: usize = size_of::<f32>();
const BLOCK_BYTES: usize = LANES * FLOAT_BYTES;

/// Which instructions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Any machine's.
    Plain,
    /// AVX2 and POPCNT.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Kernel {
    /// The best that this machine has.
    #[inline]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
            return Self::Avx2;
        }
        Self::Plain
    }

    /// The dot product of vectors of floats, little endian.
    #[inline]
    pub fn dot_f32(self, one: &[u8], other: &[u8]) -> f32 {
        match self {
            Self::Plain => sum_of(&plain_f32(one, other)),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: only made where there is AVX2.
            Self::Avx2 => unsafe { x86::dot_f32(one, other) },
        }
    }

    /// The dot product of vectors of signed bytes, of no more than 2^17 of them.
    #[inline]
    pub fn dot_i8(self, one: &[u8], other: &[u8]) -> i32 {
        match self {
            Self::Plain => plain_i8(one, other),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: only made where there is AVX2.
            Self::Avx2 => unsafe { x86::dot_i8(one, other) },
        }
    }

    /// In how many bits two vectors of bits differ, of whole words.
    #[inline]
    pub fn differing_bits(self, one: &[u8], other: &[u8]) -> u32 {
        match self {
            Self::Plain => plain_bits(one, other),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: only made where there is POPCNT.
            Self::Avx2 => unsafe { x86::differing_bits(one, other) },
        }
    }
}

/// The lanes' sum, always in the same order.
#[inline]
fn sum_of(lanes: &[f32; LANES]) -> f32 {
    let mut lanes = *lanes;
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        let (low, high) = lanes.split_at_mut(width);
        for (low, high) in low.iter_mut().zip(high) {
            *low += *high;
        }
    }
    let [first, ..] = lanes;
    first
}

/// What is behind the last whole block, filled up with zeroes.
#[inline]
fn padded(rest: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    if let Some(place) = block.get_mut(..rest.len()) {
        place.copy_from_slice(rest);
    }
    block
}

fn add_block(sums: &mut [f32; LANES], one: &[u8; BLOCK_BYTES], other: &[u8; BLOCK_BYTES]) {
    let (one, _) = one.as_chunks::<FLOAT_BYTES>();
    let (other, _) = other.as_chunks::<FLOAT_BYTES>();
    for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
        *sum += f32::from_le_bytes(*one) * f32::from_le_bytes(*other);
    }
}

fn plain_f32(one: &[u8], other: &[u8]) -> [f32; LANES] {
    let (one, one_rest) = one.as_chunks::<BLOCK_BYTES>();
    let (other, other_rest) = other.as_chunks::<BLOCK_BYTES>();
    let mut sums = [0.0; LANES];
    for (one, other) in one.iter().zip(other) {
        add_block(&mut sums, one, other);
    }
    if !one_rest.is_empty() {
        add_block(&mut sums, &padded(one_rest), &padded(other_rest));
    }
    sums
}

fn plain_i8(one: &[u8], other: &[u8]) -> i32 {
    let products = one.iter().zip(other);
    products
        .map(|(one, other)| i32::from(*one as i8) * i32::from(*other as i8))
        .sum()
}

#[inline(always)]
fn plain_bits(one: &[u8], other: &[u8]) -> u32 {
    let (one, _) = one.as_chunks::<8>();
    let (other, _) = other.as_chunks::<8>();
    let words = one.iter().zip(other);
    words
        .map(|(one, other)| (u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other)).count_ones())
        .sum()
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn each_way_gives_the_same_bits() {
        let mut random = SmallRng::seed_from_u64(7);
        let best = Kernel::detect();
        for len in (1..200).chain([256, 300, 768, 1536, 4097]) {
            let mut floats = || -> Vec<u8> {
                let scale: f32 = random.random_range(1e-6..1e3);
                (0..len)
                    .flat_map(|_| (random.random_range(-1.0_f32..1.0) * scale).to_le_bytes())
                    .collect()
            };
            let (one, other) = (floats(), floats());
            let plain = Kernel::Plain.dot_f32(&one, &other);
            assert_eq!(best.dot_f32(&one, &other).to_bits(), plain.to_bits(), "{len} floats");
            assert_eq!(
                best.dot_i8(&one, &other),
                Kernel::Plain.dot_i8(&one, &other),
                "{len} floats as bytes"
            );
            let (one, other) = (&one[..len], &other[..len]);
            assert_eq!(best.dot_i8(one, other), Kernel::Plain.dot_i8(one, other), "{len} bytes");
            let words = len / 8 * 8;
            let (one, other) = (&one[..words], &other[..words]);
            assert_eq!(
                best.differing_bits(one, other),
                Kernel::Plain.differing_bits(one, other)
            );
        }
    }

    #[test]
    fn the_greatest_sums_fit() {
        let lowest = vec![0x80_u8; 1 << 16];
        for kernel in [Kernel::Plain, Kernel::detect()] {
            assert_eq!(kernel.dot_i8(&lowest, &lowest), (128 * 128) << 16);
        }
    }
}
