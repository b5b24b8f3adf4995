//! Vectors as they are given, and as they are kept: of length 1, quantised, with what gives the given one back.
//!
//! ```text
//!   +-----------------------------------------------------+-------+------+
//!   | components: floats, or signed bytes, or bits, in words | range | norm |
//!   +-----------------------------------------------------+-------+------+
//! ```
//!
//! All numbers are little endian.
//!
//! **Invariants**
//! - What is kept follows from what is given to the bit: sums have one order, nothing is fused.
//! - No component that is kept is infinite or NaN, so that distances are numbers. What is not finite has a norm that is
//!   not, and zeroes for components.

use super::kernel::Kernel;
use super::shape::{Layout, Quant, Shape};

/// The greatest signed byte that is used: as far from zero as the least one.
const BYTE_MAX: f32 = 127.0;
const FLOAT_BYTES: usize = size_of::<f32>();

/// The record of a vector as it is given. `None`: it has not as many dimensions as it must, [`Shape::given_dim`] or
/// [`Shape::dim`].
pub(super) fn record_of(shape: &Shape, given: impl ExactSizeIterator<Item = f32>) -> Option<Vec<u8>> {
    let vector: Vec<f32> = match given.len() {
        dim if shape.input_dim.is_some_and(|input| dim == input as usize) => reduced(given, shape.dim as usize),
        dim if dim == shape.dim as usize => given.collect(),
        _ => return None,
    };
    Some(record_of_kept(shape, vector))
}

/// The record of a vector of as many dimensions as are kept.
pub(super) fn record_of_kept(shape: &Shape, mut vector: Vec<f32>) -> Vec<u8> {
    let norm = normalise(&mut vector);
    let mut record = Vec::with_capacity(Layout::of(shape).record_bytes);
    let range = quantise(shape.quant, &vector, &mut record);
    record.extend_from_slice(&range.to_le_bytes());
    record.extend_from_slice(&norm.to_le_bytes());
    record
}

/// The floats of bytes.
pub(super) fn floats(bytes: &[u8]) -> impl ExactSizeIterator<Item = f32> {
    let (floats, _) = bytes.as_chunks::<FLOAT_BYTES>();
    floats.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

/// Projects a vector on other dimensions, fewer as a rule, by the first so many rows of a Hadamard matrix, which repeat
/// where there are not enough. O(n log n).
fn reduced(given: impl ExactSizeIterator<Item = f32>, dim: usize) -> Vec<f32> {
    let len = given.len();
    let mut values: Vec<f64> = given.map(f64::from).collect();
    values.resize(len.next_power_of_two(), 0.0);
    let mut half = 1;
    while half < values.len() {
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                (*low, *high) = (*low + *high, *low - *high);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (len as f64).sqrt();
    values
        .into_iter()
        .cycle()
        .take(dim)
        .map(|value| (value * scale) as f32)
        .collect()
}

/// Makes its length 1; the length it had.
fn normalise(vector: &mut [f32]) -> f32 {
    let sum = vector.iter().fold(0.0_f32, |sum, value| sum + value * value);
    let norm = sum.sqrt();
    if norm == 0.0 {
        return 1.0;
    }
    if !norm.is_finite() {
        vector.fill(0.0);
        return if norm.is_nan() { f32::NAN } else { f32::INFINITY };
    }
    vector.iter_mut().for_each(|value| *value /= norm);
    norm
}

/// Appends the components as they are kept; the range that they have.
fn quantise(quant: Quant, vector: &[f32], out: &mut Vec<u8>) -> f32 {
    match quant {
        Quant::F32 => {
            vector
                .iter()
                .for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
            0.0
        }
        Quant::Q8 => {
            let range = vector.iter().fold(0.0_f32, |range, value| range.max(value.abs()));
            let scale = if range == 0.0 { 0.0 } else { BYTE_MAX / range };
            let byte = |value: &f32| (value * scale).round().clamp(-BYTE_MAX, BYTE_MAX) as i8 as u8;
            out.extend(vector.iter().map(byte));
            range
        }
        Quant::Bin => {
            for values in vector.chunks(u64::BITS as usize) {
                let bits = values.iter().enumerate();
                let word = bits.fold(0, |word, (at, value)| word | u64::from(*value > 0.0) << at);
                out.extend_from_slice(&word.to_le_bytes());
            }
            0.0
        }
    }
}

/// A vector as it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raw<'a> {
    /// Its components: floats of the vector of length 1; or signed bytes; or bits, in words of 64. Little endian.
    pub bytes: &'a [u8],
    /// Of signed bytes, how great the greatest component is; 0 otherwise.
    pub range: f32,
    /// The length it was given with.
    pub norm: f32,
}

impl<'a> Raw<'a> {
    /// Of a record.
    pub(super) fn of(record: &'a [u8], layout: &Layout) -> Self {
        let (bytes, rest) = record.split_at_checked(layout.vector_bytes).unwrap_or_default();
        let mut numbers = floats(rest);
        Self {
            bytes,
            range: numbers.next().unwrap_or_default(),
            norm: numbers.next().unwrap_or_default(),
        }
    }

    /// Whether a set of this shape can have it.
    pub(super) fn is_sound(&self, shape: &Shape) -> bool {
        let has_sound_components = match shape.quant {
            Quant::F32 => floats(self.bytes).all(f32::is_finite),
            Quant::Q8 => true,
            Quant::Bin => has_no_bits_behind(self.bytes, shape.dim),
        };
        has_sound_components && self.bytes.len() == shape.quant.vector_bytes(shape.dim) && self.range.is_finite()
    }

    /// As a record. `None`: it is none of such a set.
    pub(super) fn record(&self, shape: &Shape) -> Option<Vec<u8>> {
        let mut record = self.bytes.to_vec();
        let mut norm = if self.norm.is_nan() { f32::NAN } else { self.norm };
        // As for a vector that is given with such components.
        if shape.quant == Quant::F32 && !floats(self.bytes).all(f32::is_finite) {
            record.fill(0);
            norm = if norm.is_finite() { f32::NAN } else { norm };
        }
        // Where there is no range, Redis writes what happens to be in memory.
        let range = if shape.quant == Quant::Q8 { self.range } else { 0.0 };
        let raw = Raw {
            bytes: &record,
            range,
            norm,
        };
        let is_possible = raw.is_sound(shape) && raw.has_length(shape);
        record.extend_from_slice(&range.to_le_bytes());
        record.extend_from_slice(&norm.to_le_bytes());
        is_possible.then_some(record)
    }

    /// Whether it is short enough that the product with another such one is a number. No server makes a longer one.
    fn has_length(&self, shape: &Shape) -> bool {
        let square = match shape.quant {
            Quant::F32 => floats(self.bytes).map(|value| value * value).sum(),
            Quant::Q8 => self.range * self.range * shape.dim as f32,
            Quant::Bin => 0.0,
        };
        square.is_finite()
    }

    /// The vector that was given, as far as it is known.
    pub(super) fn restored(&self, shape: &Shape) -> Vec<f32> {
        match shape.quant {
            Quant::F32 => floats(self.bytes).map(|value| value * self.norm).collect(),
            Quant::Q8 => {
                let value = |byte: &u8| f32::from(*byte as i8) * self.range / BYTE_MAX * self.norm;
                self.bytes.iter().map(value).collect()
            }
            Quant::Bin => {
                let bit = |at: usize| self.bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
                let sign = |at| if bit(at) { 1.0 } else { -1.0 };
                (0..shape.dim as usize).map(sign).collect()
            }
        }
    }
}

/// Whether what is in the last word beyond the dimensions is 0.
fn has_no_bits_behind(bytes: &[u8], dim: u32) -> bool {
    let used = dim % u64::BITS;
    let last = bytes.last_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    used == 0 || last >> used == 0
}

/// How far apart vectors of a set are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    quant: Quant,
    dim: u32,
    vector_bytes: usize,
    kernel: Kernel,
}

impl Metric {
    pub fn of(shape: &Shape, layout: &Layout) -> Self {
        Self {
            quant: shape.quant,
            dim: shape.dim,
            vector_bytes: layout.vector_bytes,
            kernel: Kernel::detect(),
        }
    }

    /// The distance of two records: 0 for the same direction, 2 for opposite ones.
    #[inline]
    pub fn distance(&self, one: &[u8], other: &[u8]) -> f32 {
        let Some((one, one_rest)) = one.split_at_checked(self.vector_bytes) else {
            return f32::INFINITY;
        };
        let Some((other, other_rest)) = other.split_at_checked(self.vector_bytes) else {
            return f32::INFINITY;
        };
        match self.quant {
            Quant::F32 => 1.0 - self.kernel.dot_f32(one, other),
            Quant::Q8 => {
                let scale = (range_of(one_rest) / BYTE_MAX) * (range_of(other_rest) / BYTE_MAX);
                1.0 - self.kernel.dot_i8(one, other) as f32 * scale
            }
            Quant::Bin => (self.kernel.differing_bits(one, other) * 2) as f32 / self.dim as f32,
        }
    }
}

#[inline]
fn range_of(rest: &[u8]) -> f32 {
    rest.first_chunk().map_or(0.0, |bytes| f32::from_le_bytes(*bytes))
}
