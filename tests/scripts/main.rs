//! Scripts beside Redis 8.2: what they answer, and what others see of them, over RESP2, RESP3 and both.
//!
//! Hand-written scenarios are in `scenarios/*.txt`; what would end the peer is asked of LokiKV alone (`escapes.rs`). A
//! generator makes more scripts: `LOKIKV_SEED` and `LOKIKV_STEPS` repeat or lengthen that part. The ignored tests run
//! Redis against itself.
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

#[path = "../differential/compare.rs"]
#[allow(dead_code, reason = "the differential suite uses the rest")]
mod compare;
#[path = "../differential/dataset.rs"]
mod dataset;
#[path = "../differential/known.rs"]
mod known;
#[path = "../differential/pair.rs"]
#[allow(dead_code, reason = "the differential suite uses the rest")]
mod pair;
#[path = "../differential/restarts.rs"]
mod restarts;
#[path = "../differential/similar.rs"]
mod similar;

mod dumps;
mod escapes;
mod generate;
mod generated;
mod scenarios;
