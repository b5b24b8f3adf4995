//! The stream type: its operations as effects carry them, and its form.
//!
//! A stream is always big: entries in nodes of about a hundred in a tree (`node.rs`, `entries.rs`), groups with what is
//! pending in trees of their own (`group.rs`, `pending.rs`), and what is known of its producers (`idempotence.rs`). On
//! the wire it is as `wire.rs` says.

mod apply;
mod big;
mod entries;
mod group;
mod id;
mod idempotence;
mod listpack;
mod node;
mod op;
mod parts;
mod pending;
mod progress;
mod radix;
mod references;
#[cfg(test)]
mod tests;
mod trim;
mod wire;

pub use apply::{apply, stream_of};
pub use big::BigStream;
pub use group::{Consumer, Group};
pub use id::{StreamId, ids_of, ids_to_bytes};
pub use idempotence::{Idempotence, Limits, Message};
pub use node::Entry;
pub use op::StreamOp;
pub use parts::Nodes;
pub use pending::{NOBODY, Pending};
pub use references::References;
pub use trim::{Runs, Trim};
pub use wire::{check, len};
