//! What is shown by HTTP (`[http]`): figures for Prometheus, answers for probes, JSON, and a page.
//!
//! **Invariants**
//! - Nothing is changed by it: `GET` and `HEAD` are all there is.
//! - Its one thread takes no lock that a worker may wait for while it does more than copy a few words, and nothing
//!   waits for it.
//! - All that a client can make it hold is bounded: connections, the head of a request, and time. No connection keeps
//!   another one from being answered.
//! - A request with a body is refused and is its connection's last, so that nothing of a body is taken for a request.

mod answer;
mod asked;
mod exposition;
mod health;
mod login;
mod metrics;
mod page;
mod places;
mod router;
mod serve;
mod status;

pub use serve::start;
