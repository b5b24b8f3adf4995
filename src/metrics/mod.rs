//! Counters, latency samples, the logs of commands that stand out, and keys that do.
//!
//! **Invariant:** what is counted per request is counted in cells that one thread alone writes; readers add them up.

pub mod activity;
pub mod command_log;
pub mod counters;
pub mod durations;
pub mod history;
pub mod hot_keys;
pub mod longest;
pub mod rarely;
pub mod rates;
pub mod stats;
pub mod warnings;

pub use counters::{Count, Counters};
pub use stats::Stats;
