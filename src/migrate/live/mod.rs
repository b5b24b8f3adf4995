//! Copies a running Redis or Valkey, by what any client may do: SCAN, DUMP and PEXPIRETIME, over several connections.
//!
//! ```text
//! lanes (threads):  scan ── dump ── decode ──┐            ┌── the data directory
//!                   scan ── dump ── decode ──┴─ channel ──┤
//!                                                         └── or a running server: each lane sends RESTORE itself
//! ```
//!
//! **Invariants**
//! - A key that is in the source all the time is copied: SCAN promises that, and a cursor is used with the process only
//!   that gave it.
//! - The state file never claims more than the target has: it is written behind what it tells of.
//! - Memory follows the lanes, a few MiB each, and the largest value, not the data.

mod copy;
mod error;
mod fetch;
mod folder;
pub mod interrupt;
mod libraries;
pub mod link;
mod pool;
mod rate;
mod run;
mod same;
mod scan;
mod server;
mod state;
mod verify;

pub use error::LiveError;
pub use run::run_live;
