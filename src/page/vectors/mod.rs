//! The vector set type: its operations as effects carry them, and its form.
//!
//! A vector set is always big. Elements are numbered without gaps; by its number, a *slot*, an element's vector and its
//! links to others are found without hashing.

mod apply;
mod op;
mod search;
mod set;
mod shape;
#[cfg(test)]
mod tests;
mod wire;

pub use apply::{apply, vectors_of};
pub use op::VectorOp;
pub use search::{Filter, Found, Query, Search};
pub use set::{Raw, VectorSet};
pub use shape::{DIM_MAX, EF_ADD, EF_MAX, EF_SEARCH, LEVELS_MAX, M_DEFAULT, M_MAX, M_MIN, Quant, Shape};
pub use wire::{check, len};
