//! Messages to several clients: the same steps on the same named connections of Redis 8.2 and of LokiKV, replies and
//! pushes on all of them compared after each step, over RESP2, RESP3 and both.
//!
//! Keyspace events (`events/`) are compared so for the commands of the differential suite's generator, too.
//!
//! Hand-written scenarios are in `scenarios/*.txt`, a generator makes more: `LOKIKV_SEED` and `LOKIKV_STEPS` repeat or
//! lengthen that part. The ignored tests run Redis against itself.
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

#[path = "../differential/generate/mod.rs"]
#[allow(dead_code, reason = "the differential suite uses the rest")]
mod generate;

mod events;
mod generated;
mod scenarios;
