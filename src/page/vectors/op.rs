//! The operations on vector sets as effects carry them.

use serde::{Deserialize, Serialize};

use super::shape::Shape;

/// A change to a vector set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum VectorOp<'a> {
    /// An element is put in, or gets another vector; the set is made if there is none.
    Add {
        /// Its name.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
        /// The vector as it was given: [`Shape::given_dim`] floats, little endian.
        #[serde(borrow, with = "serde_bytes")]
        vector: &'a [u8],
        /// The set's, which a new set gets. On one of another shape nothing is done.
        shape: Shape,
        /// How many candidates are looked at for its links.
        ef: u32,
        /// Its attributes from now on, empty: none. `None`: they stay as they are.
        #[serde(borrow)]
        attributes: Option<&'a serde_bytes::Bytes>,
    },
    /// An element goes; the set goes with the last one.
    Remove {
        /// Its name.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
    },
    /// An element gets attributes.
    SetAttributes {
        /// Its name.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
        /// They; empty: none.
        #[serde(borrow, with = "serde_bytes")]
        attributes: &'a [u8],
    },
}
