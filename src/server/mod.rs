//! Assembly: opens the data directory, starts workers and threads, loads the data beside them, shuts down in order.
//!
//! **Invariants**
//! - Order of start: directory lock, listening sockets (a busy port is told at once), threads and clients, the data.
//! - Order of end: no new clients, batches finish, workers end, final checkpoint, WAL flushed and closed.

mod causes;
mod certificates;
mod ending;
mod error;
mod evictor;
mod finish;
mod fragments;
mod housekeeping;
mod notify;
mod open;
mod sampling;
mod signals;
mod space;
mod start;
mod watchdog;

pub use error::StartError;
pub use start::run;
