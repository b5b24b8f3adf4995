//! Redis's RDB format against the program it comes from: what redis-server writes is read, what is written redis-server
//! loads, and every key is then as it was.
//!
//! Unlike other suites this one links the library, for its reader and writer. It needs redis-server, and the files in
//! `../shared/rdb`, which servers before Redis 7 wrote.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod fill;
mod format;
mod look;
mod payloads;
mod tools;
