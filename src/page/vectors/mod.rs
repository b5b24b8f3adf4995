//! The vector set type: its operations as effects carry them, and its form.
//!
//! A vector set is always big. Elements are numbered without gaps; by its number, a *slot*, an element's vector and its
//! links to others are found without hashing.

mod apply;
mod body;
mod change;
mod chunks;
mod connect;
mod kernel;
mod links;
mod op;
mod parts;
mod repair;
mod restore;
mod scratch;
mod search;
mod set;
mod shape;
#[cfg(test)]
mod tests;
mod vector;
mod walk;
mod wire;

pub use apply::{apply, vectors_of};
pub use op::VectorOp;
pub use parts::Chunked;
pub use restore::{Node, Restore};
pub use search::{Filter, Found, Query, Search};
pub use set::{Neighbour, VectorSet};
pub use shape::{DIM_MAX, EF_ADD, EF_MAX, EF_SEARCH, LEVELS_MAX, M_DEFAULT, M_MAX, M_MIN, Quant, Shape};
pub use vector::Raw;
pub use wire::{check, len};
