//! The sorted set type: its operations as effects carry them, and how both forms do them.
//!
//! A packed sorted set is score, member, score, member … in order of score, then of the members' bytes. A big one is a
//! tree in that order and a trie from member to score, which share the pairs.
//!
//! **Invariant:** no score is NaN.

mod apply;
mod big;
mod member;
mod op;
mod order;
mod packed_form;
#[cfg(test)]
mod tests;
mod view;

pub use apply::apply;
pub use big::{BigZset, pairs};
pub use member::Member;
pub use op::{ZsetOp, pack_pairs};
pub use order::Order;
pub use packed_form::{check, check_items, len, pack_members};
pub use view::{HeldZset, ZsetRef};
