//! The differential suite: the same commands to redis-server 8.2 and to LokiKV, over RESP2 and RESP3, replies compared.
//!
//! Three parts: hand-written scripts per command family (`cases/*.txt`), generated sequences, and the command table.
//! `LOKIKV_SEED` and `LOKIKV_STEPS` repeat or lengthen the generated part. What differs on purpose is listed with its
//! reason in `known.txt` (and in redis-compat.md). The ignored tests run redis-server against itself: they show
//! that the scripts, the generator and the comparison raise no false alarm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod commands;
mod compare;
mod dataset;
mod generate;
mod generated;
mod known;
mod library;
mod minimise;
mod pair;
mod parameters;
mod restarts;
mod script;
mod similar;
mod uses;
