//! End-to-end tests of the binary: stock clients, start-up errors, stopping under load, abusive clients.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

#[path = "server/abuse.rs"]
mod abuse;
#[path = "server/audience.rs"]
mod audience;
#[path = "server/backup.rs"]
mod backup;
#[path = "server/beside_scripts.rs"]
mod beside_scripts;
#[path = "server/blocked_on_streams.rs"]
mod blocked_on_streams;
#[path = "server/blocking.rs"]
mod blocking;
#[path = "server/blocking_load.rs"]
mod blocking_load;
#[path = "server/blocking_types.rs"]
mod blocking_types;
#[path = "server/caching.rs"]
mod caching;
#[path = "tls/client.rs"]
#[allow(dead_code, reason = "uses a part of it")]
mod client;
#[path = "server/clients.rs"]
mod clients;
#[path = "server/collections.rs"]
mod collections;
#[path = "server/copies.rs"]
mod copies;
#[path = "server/doctor.rs"]
mod doctor;
#[path = "server/edges.rs"]
mod edges;
#[path = "server/encodings.rs"]
mod encodings;
#[path = "server/ending.rs"]
mod ending;
#[path = "server/events.rs"]
mod events;
#[path = "server/eviction.rs"]
mod eviction;
#[path = "server/feed.rs"]
mod feed;
#[path = "server/folders.rs"]
mod folders;
#[path = "server/functions.rs"]
mod functions;
#[path = "server/held.rs"]
mod held;
#[path = "server/holding.rs"]
mod holding;
#[path = "server/hot_keys.rs"]
mod hot_keys;
#[path = "server/http.rs"]
mod http;
#[path = "server/inspect.rs"]
mod inspect;
#[path = "server/killing.rs"]
mod killing;
#[path = "server/latency.rs"]
mod latency;
#[path = "server/libraries.rs"]
mod libraries;
#[path = "server/loading.rs"]
mod loading;
#[path = "server/members.rs"]
mod members;
#[path = "server/memory.rs"]
mod memory;
#[path = "server/migrate.rs"]
mod migrate;
#[path = "server/monitor.rs"]
mod monitor;
#[path = "server/moving.rs"]
mod moving;
#[path = "server/newer_commands.rs"]
mod newer_commands;
#[path = "server/notifying.rs"]
mod notifying;
#[path = "server/ordered.rs"]
mod ordered;
#[path = "server/own_log.rs"]
mod own_log;
#[path = "server/page.rs"]
mod page;
#[path = "server/parameters.rs"]
mod parameters;
#[path = "server/pipelines.rs"]
mod pipelines;
#[path = "tls/pki.rs"]
#[allow(dead_code, reason = "uses a part of it")]
mod pki;
#[path = "server/places.rs"]
mod places;
#[path = "server/probes.rs"]
mod probes;
#[path = "server/pubsub.rs"]
mod pubsub;
#[path = "server/refusing.rs"]
mod refusing;
#[path = "server/repair.rs"]
mod repair;
#[path = "server/replies.rs"]
mod replies;
#[path = "server/rerun.rs"]
mod rerun;
#[path = "server/restore.rs"]
mod restore;
#[path = "server/rollback.rs"]
mod rollback;
#[path = "server/scrape.rs"]
mod scrape;
#[path = "server/script_bombs.rs"]
mod script_bombs;
#[path = "server/script_errors.rs"]
mod script_errors;
#[path = "server/scripts.rs"]
mod scripts;
#[path = "server/secrets.rs"]
mod secrets;
#[path = "server/side_by_side.rs"]
mod side_by_side;
#[path = "server/snapshots.rs"]
mod snapshots;
#[path = "server/standing_out.rs"]
mod standing_out;
#[path = "server/startup.rs"]
mod startup;
#[path = "server/stopping.rs"]
mod stopping;
#[path = "server/straying.rs"]
mod straying;
#[path = "server/strings.rs"]
mod strings;
#[path = "server/transactions.rs"]
mod transactions;
#[path = "server/turns.rs"]
mod turns;
#[path = "server/unblocking.rs"]
mod unblocking;
#[path = "server/unheard.rs"]
mod unheard;
#[path = "server/verify.rs"]
mod verify;

use std::time::{Duration, Instant};

use support::{Conn, Server, Value};

/// A server that keeps nothing on disk: for tests that are about connections.
fn in_memory() -> Server {
    Server::lokikv(&["wal.enabled=false", "checkpoint.interval_s=0"])
}

/// Sends a command, its words apart by one space.
fn call(conn: &mut Conn, line: &str) -> Value {
    conn.call(&line.split(' ').collect::<Vec<_>>())
}

/// Sets a parameter.
fn set(conn: &mut Conn, parameter: &str, value: &str) {
    let reply = conn.call(&["CONFIG", "SET", parameter, value]);
    assert_eq!(reply, Value::ok(), "{parameter} {value}");
}

/// A figure of `INFO`.
fn figure(conn: &mut Conn, name: &str) -> u64 {
    conn.call(&["INFO", "everything"]).figure(name)
}

/// Waits for something that comes soon.
fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
