//! The sorted set type: its operations as effects carry them, and how both forms do them.
//!
//! A packed sorted set is score, member, score, member … in order of score, then of the members' bytes; where some may
//! die (`FLAG_TIMED`), a third item behind each pair is when, in Unix milliseconds, 0 for never. A big one is a tree in
//! that order and a trie from member to score, which share the pairs.
//!
//! **Invariants**
//! - No score is NaN.
//! - That a member has died is for who reads to see; `apply` knows no present.

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
