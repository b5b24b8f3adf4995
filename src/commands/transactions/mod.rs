//! MULTI, EXEC, DISCARD, WATCH and UNWATCH: what a connection notes; the executor queues and runs.
//!
//! **Invariants**
//! - A client's entries in the shards' watch tables are exactly those in its `watches`, under its present flag.
//! - Forgetting the watches replaces the flag, so that a change in flight cannot spoil the next transaction.

mod multi;
mod watch;

pub use multi::discard_transaction;
pub use watch::{forget_some, forget_watches};

use super::spec::assert_sorted;
use super::spec::{Spec, flag};

/// The family, sorted by name.
pub const COMMANDS: &[Spec] = &[multi::DISCARD, multi::EXEC, multi::MULTI, watch::UNWATCH, watch::WATCH];

const _: () = assert_sorted(COMMANDS);

/// Flags of all of them.
const COMMON: u32 = flag::NO_SCRIPT | flag::LOADING | flag::STALE;
/// Flags of those that do little.
const QUICK: u32 = COMMON | flag::FAST | flag::ALLOW_BUSY;
