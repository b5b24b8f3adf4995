//! Listeners, connections and their buffers: bytes in, batches out, bounded memory per client.
//!
//! **Invariants**
//! - A connection lives on one worker for its life.
//! - What a client can make the server hold is bounded: unread requests by the query buffer limit, unsent replies by
//!   the output buffer limit; memory follows bytes received, never bytes announced.

mod connection;
mod hub;
mod linger;
mod listener;
mod places;
mod ready;
mod settling;
mod socket;
mod transfers;
mod worker;

pub use listener::{Listeners, accept_all, bind};
pub use worker::start_workers;
