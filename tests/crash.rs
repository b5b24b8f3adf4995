//! Crash tests: SIGKILL under load, restart, and a check of what the server promised.
//!
//! - Every acknowledged write is there after the restart, under every policy: the process dies, the system lives. Of
//!   the writes in flight a prefix may be there; a MULTI group is there as a whole or not at all.
//! - What is recovered is a prefix of the history: if a write is there, so is everything that was acknowledged before
//!   it began, from whichever client.
//!
//! Each round has the keys in a collection of another kind. `LOKIKV_ROUNDS` sets the number of kills (4 by default),
//! `LOKIKV_SEED` repeats a run's choices.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

#[path = "crash/acknowledged.rs"]
mod acknowledged;
#[path = "crash/client.rs"]
mod client;
#[path = "crash/containers.rs"]
mod containers;
#[path = "crash/managing.rs"]
mod managing;
#[path = "crash/model.rs"]
mod model;
#[path = "crash/prefix.rs"]
mod prefix;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use support::{Conn, Rng, Server, Value};

/// Kills per test, unless `LOKIKV_ROUNDS` says otherwise.
const ROUNDS_DEFAULT: u64 = 4;

fn rounds() -> u64 {
    support::env_number("LOKIKV_ROUNDS", ROUNDS_DEFAULT)
}

/// LokiKV with small WAL segments (so that rotation and trimming happen) and checkpoints only on command.
fn start_lokikv(fsync: &str) -> Server {
    Server::lokikv(&[
        &format!("wal.fsync={fsync}"),
        "wal.segment_bytes=65536",
        "checkpoint.interval_s=0",
    ])
}

/// Makes the default collection one of another kind in each round; another server has one kind only.
fn turn_kind(server: &Server, checkpoint_command: &str, round: u64) {
    if checkpoint_command == "CHECKPOINT" {
        let kind = ["hmap", "bdef", "bcust"][round as usize % 3];
        let reply = server
            .connect()
            .call(&["COLLECTION", "CONVERT", "default", "KIND", kind]);
        assert_eq!(reply, Value::ok());
    }
}

/// Asks for a checkpoint now and then until `stop` (or until the server is gone).
fn checkpoint_at_random(port: u16, command: &str, mut rng: Rng, stop: &AtomicBool) {
    let Ok(mut conn) = Conn::connect(port) else { return };
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(rng.range(5, 120) as u64));
        match conn.try_call(&[command]) {
            Ok(reply) => assert!(!reply.is_error() || command != "CHECKPOINT", "{command}: {reply}"),
            Err(_) => return,
        }
    }
}
