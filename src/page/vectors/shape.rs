//! What all vectors of a set have in common.

use serde::{Deserialize, Serialize};

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
/// How many candidates a search keeps, by default.
pub const EF_SEARCH: u32 = 100;
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
            && self.input_dim.is_none_or(|input| (self.dim..=DIM_MAX).contains(&input))
    }
}
