//! The real program on a disk that is slow, full, or fails for a while (`tests/shim/disk.c`, preloaded into it).
//!
//! - Nothing that was acknowledged is lost: neither by a fault and what follows it, nor by a `kill -9` at any moment.
//! - Nothing that was refused is seen later, neither live nor after a restart.
//! - Writes are accepted again by themselves soon after the cause has gone.
//!
//! `LOKIKV_SECONDS` says how long a disk is bad (2 by default), `LOKIKV_ROUNDS` how often all of it is done, from 2 on
//! under each policy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

#[path = "disks/backup.rs"]
mod backup;
#[path = "crash/client.rs"]
mod client;
#[path = "crash/containers.rs"]
mod containers;
#[path = "disks/control.rs"]
mod control;
#[path = "disks/ending.rs"]
mod ending;
#[path = "disks/failing.rs"]
mod failing;
#[path = "disks/full.rs"]
mod full;
#[path = "disks/hanging.rs"]
mod hanging;
#[cfg(feature = "fault-points")]
#[path = "disks/mending.rs"]
mod mending;
#[path = "crash/model.rs"]
mod model;
#[path = "disks/slow.rs"]
mod slow;
#[path = "disks/writers.rs"]
mod writers;
