//! Listeners, connections and their buffers: bytes in, batches out, bounded memory per client.
//!
//! **Invariants**
//! - A connection lives on one worker for its life.
//! - Every buffer that a client can fill has a limit: requests that have not run and queued transactions have the query
//!   buffer limit, unsent replies the output buffer limit, and all clients together `limits.clients_bytes_max`. Memory
//!   follows bytes received, never bytes announced.

mod arrival;
mod connection;
mod hub;
mod linger;
mod listener;
mod places;
mod ready;
mod settling;
mod socket;
mod tls;
mod wire;
mod worker;

pub use listener::{BindError, Listeners, accept_all, bind, bind_http};
pub use worker::{Workers, start_workers};
