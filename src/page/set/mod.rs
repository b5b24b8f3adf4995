//! The set type: its operations as effects carry them, and how both forms do them.
//!
//! A packed set is its members in order of arrival; where some may die (`FLAG_TIMED`), a second item behind each is
//! when, in Unix milliseconds, 0 for never. A big one is a trie of them.
//!
//! **Invariant:** that a member has died is for who reads to see; `apply` knows no present.

mod apply;
mod big;
mod op;
mod packed_form;
#[cfg(test)]
mod tests;
mod view;

pub use apply::apply;
pub use big::{BigSet, members};
pub use op::SetOp;
pub use packed_form::{check, check_items, len, pack_members};
pub use view::{HeldSet, SetRef};
