//! The operations on lists as effects carry them.

use serde::{Deserialize, Serialize};

/// A change to a list. Indices count from the front.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum ListOp<'a> {
    /// Elements are added at an end, one after another; the list is made if there is none.
    Push {
        /// At the front, or at the back.
        front: bool,
        /// The elements, packed.
        #[serde(borrow, with = "serde_bytes")]
        elements: &'a [u8],
    },
    /// So many elements leave at an end.
    Pop {
        /// At the front, or at the back.
        front: bool,
        /// How many.
        count: u64,
    },
    /// One element leaves at an end and comes in at an end.
    Rotate {
        /// It leaves at the front, or at the back.
        from_front: bool,
        /// It comes in at the front, or at the back.
        to_front: bool,
    },
    /// An element is another one.
    Set {
        /// Which.
        index: u64,
        /// The new one.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
    },
    /// An element comes in before the one that is at `index`; at the length, behind the last.
    Insert {
        /// Where.
        index: u64,
        /// The new one.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
    },
    /// Only a run of elements stays.
    Trim {
        /// The first that stays.
        start: u64,
        /// How many stay.
        len: u64,
    },
    /// Elements that are equal to one leave.
    Remove {
        /// At most so many; 0 = all.
        count: u64,
        /// Counted from the front, or from the back.
        front: bool,
        /// The element.
        #[serde(borrow, with = "serde_bytes")]
        element: &'a [u8],
    },
}
