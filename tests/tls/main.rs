//! TLS: served by the binary, with certificates made here, and attacked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod admin;
mod attacks;
mod certificates;
mod client;
mod exchange;
mod handshakes;
mod moving;
mod pki;
mod serving;
#[path = "../support/mod.rs"]
mod support;
