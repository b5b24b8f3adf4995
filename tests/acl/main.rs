//! Users and their rights: beside Redis 8.2 and Valkey 9.1 (`scenarios/`, with peers only), against a model of who may
//! do what (`generated.rs`), and by a list of attacks, each with the answer that it has to get (`attacks.txt`).
//!
//! `LOKIKV_SEED` and `LOKIKV_CHECKS` repeat or lengthen the generated part.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod files;
mod generated;
mod logins;
mod model;
#[cfg(feature = "peer-tests")]
mod scenarios;
mod script;
mod waiting;
