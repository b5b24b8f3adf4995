//! Assembly: opens the data directory, recovers, starts workers and threads, shuts down in order.
//!
//! **Invariants**
//! - Order of start: directory lock, listening sockets (a busy port is told at once), recovery, threads, clients.
//! - Order of end: no new clients, batches finish, workers end, final checkpoint, WAL flushed and closed.

mod finish;
mod housekeeping;
mod start;

pub use start::{StartError, run};
