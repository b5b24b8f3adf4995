//! What all vectors of a set have in common.

use serde::{Deserialize, Serialize};

use crate::page::parts::PART_BYTES_NEW;

/// Most dimensions a vector has.
pub const DIM_MAX: u32 = 1 << 16;
/// Links an element has on each level, on the lowest twice as many, unless the set was made with another number.
pub const M_DEFAULT: u32 = 16;
/// The least such number.
pub const M_MIN: u32 = 4;
/// The greatest such number.
pub const M_MAX: u32 = 4096;
/// How many candidates are looked at for a new element's links, by default.
pub const EF_ADD: u32 = 200;
/// How many candidates a search keeps, by default: some more than Redis, which takes 100, for what they find more.
pub const EF_SEARCH: u32 = 128;
/// The most of those.
pub const EF_MAX: u32 = 1_000_000;
/// Levels of the graph: 0 to this.
pub const LEVELS_MAX: usize = 16;

/// How vectors are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Quant {
    /// Floats as they are.
    F32 = 0,
    /// Signed bytes, scaled by the vector's greatest component.
    Q8 = 1,
    /// Signs.
    Bin = 2,
}

impl Quant {
    /// That of this number.
    pub fn of_code(code: u8) -> Option<Self> {
        [Self::F32, Self::Q8, Self::Bin]
            .into_iter()
            .find(|quant| *quant as u8 == code)
    }

    /// The name `VINFO` answers with.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Q8 => "int8",
            Self::Bin => "bin",
        }
    }

    /// Bytes of a vector of so many dimensions, range and norm aside.
    pub fn vector_bytes(self, dim: u32) -> usize {
        let dim = dim as usize;
        match self {
            Self::F32 => dim * size_of::<f32>(),
            Self::Q8 => dim,
            Self::Bin => dim.div_ceil(u64::BITS as usize) * size_of::<u64>(),
        }
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How vectors are kept.
    pub quant: Quant,
    /// Links of an element on each level, on the lowest twice as many.
    pub m: u32,
    /// Dimensions as they are kept.
    pub dim: u32,
    /// Dimensions as vectors are given, if they are reduced (`REDUCE`).
    pub input_dim: Option<u32>,
}

impl Shape {
    /// Dimensions of the vectors that are given.
    pub fn given_dim(&self) -> u32 {
        self.input_dim.unwrap_or(self.dim)
    }

    /// Whether a set can have it.
    pub fn is_valid(&self) -> bool {
        (1..=DIM_MAX).contains(&self.dim)
            && (M_MIN..=M_MAX).contains(&self.m)
            && self.input_dim.is_none_or(|input| (1..=DIM_MAX).contains(&input))
    }
}

/// Links that an element may have beyond what its level is meant to have, so that elements that lose a neighbour can be
/// linked to each other.
pub(super) const SPARE: usize = 2;
/// Slots of a chunk, at most: 2 to this.
const CHUNK_SHIFT_MAX: u32 = 7;

/// Where things are, which follows from the shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Bytes of a vector alone.
    pub vector_bytes: usize,
    /// Bytes of a vector with its range and its norm.
    pub record_bytes: usize,
    /// Slots of a chunk of vectors: 2 to this.
    pub bodies_shift: u32,
    /// Words of a list of links on the lowest level: their number, and room for them.
    pub lowest_words: usize,
    /// The same on the other levels.
    pub upper_words: usize,
    /// Slots of a chunk of links: 2 to this.
    pub links_shift: u32,
}

impl Layout {
    pub fn of(shape: &Shape) -> Self {
        let (vector_bytes, m) = (shape.quant.vector_bytes(shape.dim), shape.m as usize);
        let record_bytes = vector_bytes + 2 * size_of::<f32>();
        let lowest_words = 1 + 2 * m + SPARE;
        Self {
            vector_bytes,
            record_bytes,
            bodies_shift: shift_of(record_bytes, PART_BYTES_NEW as usize),
            lowest_words,
            upper_words: 1 + m + SPARE,
            // An element that comes or goes changes the links of many, so parts of links are shorter.
            links_shift: shift_of(lowest_words * size_of::<u32>(), PART_BYTES_NEW as usize / 2),
        }
    }

    /// Words of a list on a level.
    pub fn words(&self, level: usize) -> usize {
        if level == 0 {
            self.lowest_words
        } else {
            self.upper_words
        }
    }

    /// Links that a new element gets on a level. On the lowest one more than the half of what it may have: each more
    /// finds more of the nearest, and room is left for those to come.
    pub fn links_new(&self, level: usize) -> usize {
        let links_max = self.links_max(level);
        if level == 0 { links_max / 4 * 3 } else { links_max }
    }

    /// Links that an element has on a level when there is no need for more, at most.
    pub fn links_max(&self, level: usize) -> usize {
        self.words(level) - 1 - SPARE
    }
}

/// The greatest number of slots, as a power of 2, that take no more than `bytes_max`, but at least one.
fn shift_of(slot_bytes: usize, bytes_max: usize) -> u32 {
    (bytes_max / slot_bytes)
        .checked_ilog2()
        .unwrap_or(0)
        .min(CHUNK_SHIFT_MAX)
}
