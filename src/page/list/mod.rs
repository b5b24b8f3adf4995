//! The list type: its operations as effects carry them, and how both forms do them.
//!
//! A packed list is its elements in order. A big one is a tree of chunks of such bytes.

mod apply;
mod big;
mod op;
mod packed_form;
#[cfg(test)]
mod tests;
mod view;

pub use apply::apply;
pub use big::{BigList, Chunks};
pub use op::ListOp;
pub use packed_form::{check, len};
pub use view::ListRef;
