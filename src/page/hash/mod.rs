//! The hash type: its operations as effects carry them, and how both forms do them.
//!
//! A packed hash is field, value, field, value … in order of arrival; where fields may die (`FLAG_TIMED`), a third item
//! behind each pair is when, in Unix milliseconds, 0 for never. A big one is a trie of pairs.
//!
//! **Invariant:** that a field has died is for who reads to see; `apply` knows no present.

mod apply;
mod big;
mod field;
mod op;
mod packed_form;
#[cfg(test)]
mod tests;
mod view;

pub use apply::apply;
pub use big::{BigHash, pairs};
pub use field::Field;
pub use op::HashOp;
pub use packed_form::{check, check_items, len};
pub use view::HashRef;
