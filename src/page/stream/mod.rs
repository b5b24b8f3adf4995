//! The stream type: its operations as effects carry them, and its big form.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::container::{Form, Kind, Next};
use super::packed::Packed;
use super::thresholds::Thresholds;

/// A change to a stream.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum StreamOp<'a> {
    /// It now has exactly these items, in packed form.
    Replace {
        /// The packed form.
        #[serde(borrow, with = "serde_bytes")]
        packed: &'a [u8],
    },
}

/// Does `op` to what a key holds.
pub fn apply(form: Form<'_>, op: &StreamOp<'_>, _thresholds: &Thresholds) -> Next {
    match (form, op) {
        (Form::Packed(kind, _), _) if kind != Kind::Stream => Next::Keep,
        (Form::Big(big), _) if big.kind() != Kind::Stream => Next::Keep,
        (_, StreamOp::Replace { packed }) if Packed::new(packed).count() == 0 => Next::Remove,
        (_, StreamOp::Replace { packed }) => Next::Packed(packed.to_vec()),
    }
}

/// Whether `packed` is a whole stream.
///
/// # Errors
/// A sentence saying what is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), String> {
    packed.check()
}

/// How many entries a packed stream has.
pub fn len(packed: Packed<'_>) -> u64 {
    packed.count() as u64
}

/// A stream that is not small.
#[derive(Clone, Debug)]
pub struct BigStream(Arc<Vec<u8>>);

impl BigStream {
    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        Self(Arc::new(packed.bytes().to_vec()))
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// How many entries it has. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty container is none")]
    pub fn len(&self) -> u64 {
        len(Packed::new(&self.0))
    }

    /// Whether the name of the compact encoding is lost.
    pub fn is_wide(&self) -> bool {
        Packed::new(&self.0).is_wide()
    }

    /// Bytes of heap, exactly. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }
}
