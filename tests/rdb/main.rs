//! Redis's RDB format and its append-only files against the programs they come from: what redis-server and
//! valkey-server write is read, what is written they load, and every key is then as it was.
//!
//! Unlike other suites this one links the library, for its reader and writer. It needs the peers, and the files in
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

mod families;
mod fill;
mod format;
mod live;
mod logs;
mod look;
mod mutants;
mod payloads;
mod place;
mod sizes;
mod tools;
mod vectors;
