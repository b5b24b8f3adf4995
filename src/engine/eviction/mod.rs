//! Eviction: when memory is short, keys go that may and that are missed least, one at a time.
//!
//! Who needs memory evicts for itself ([`Kit::evict`](crate::engine::worker::Kit::evict)), so that it waits for its own
//! share only; a thread of its own does what is left over. A few neighbours on a random page are looked at for each
//! key: their hashes are random, so they are a fair sample, and their entries come into the cache together.
//!
//! **Invariants**
//! - An eviction is a change like any other: logged, told of, counted; a replay does not evict.
//! - One shard is locked at a time, and by nobody who has locked another one.
//! - A key that was used since it was looked at is not evicted for what it was.

mod evict;
mod policy;
mod pool;
mod shares;
mod state;

pub use evict::Among;
pub use policy::{Noting, Order, Policy};
pub(super) use pool::Pools;
pub use state::Eviction;
