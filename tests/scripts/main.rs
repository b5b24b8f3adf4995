//! Scripts beside Redis 8.2: what they answer, and what others see of them, over RESP2, RESP3 and both.
//!
//! Hand-written scenarios are in `scenarios/*.txt`. What would end the peer is asked of LokiKV alone (`escapes.rs`). The
//! ignored tests run Redis against itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/beside/mod.rs"]
mod beside;

mod scenarios;
