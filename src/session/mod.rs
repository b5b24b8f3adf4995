//! What a connection is in the middle of: authentication, selected collection, MULTI, WATCH; runs batches.
//!
//! **Invariants**
//! - Requests of a connection run in order, each whole; a batch holds its worker's pass, and gives it up for commands
//!   that need the engine to themselves or that wait.
//! - No data file is touched and nothing is waited for inside a batch. `INFO` and `MEMORY` read `/proc`, and `CONFIG
//!   REWRITE` inside MULTI writes its file.

mod account;
mod admit;
mod alone;
mod beside;
mod blocked;
mod busy;
pub mod call;
mod connection;
mod current;
mod cx;
mod exec;
pub mod executor;
mod held;
mod http;
mod monitor;
pub mod prepare;
mod run;
mod script;
mod stopwatch;

pub use crate::commands::flow::{LateReply, Waiting};
pub use account::LateCall;
pub use connection::{Ran, Session};
pub use current::CurrentCollections;
pub use cx::WorkerCx;
pub use prepare::{Ahead, CHUNK_REQUESTS, Looked};
