//! Counters, latency samples and the slow log.
//!
//! **Invariant:** what is counted per request is counted in cells that one thread alone writes; readers add them up.

pub mod counters;
pub mod rarely;
pub mod rates;
pub mod stats;

pub use counters::{Count, Counters};
pub use stats::Stats;
