//! Thousands of clients that wait for a key each: their memory, and how soon they are woken.

use super::Options;
use super::common::client::{Client, Reply, encode};
use super::common::server::{Server, Setup};
use super::common::stats::Latencies;
use super::common::{Result, process};
use super::table::{self, Align};
use std::time::{Duration, Instant};

/// Clients, each on a key of its own.
const CLIENTS: u64 = 10_000;

/// Measures both servers and renders the section.
pub fn run(options: &Options) -> Result<String> {
    let clients = options.scaled(CLIENTS);
    process::raise_open_files_limit()?;
    let mut rows = Vec::new();
    for (side, setup) in options.sides() {
        eprintln!("blocked clients: {side}");
        rows.push([vec![side.to_owned()], measure(&setup, clients)?].concat());
    }
    let header = [
        ("Server", Align::Left),
        ("RSS bytes per blocked client", Align::Right),
        ("wake-up p50 µs", Align::Right),
        ("wake-up p99 µs", Align::Right),
        ("max µs", Align::Right),
        ("served", Align::Right),
    ];
    Ok(format!(
        "## Blocked clients\n\n{clients} clients, each in `BLPOP` on a key of its own; one element pushed to each key in \
         turn, from the push to the waiter's reply.\n\n{}",
        table::render(&header, &rows)
    ))
}

fn measure(setup: &Setup, clients: u64) -> Result<Vec<String>> {
    let server = Server::start(setup)?;
    let before = server.resident_bytes()?;
    let mut waiting = Vec::new();
    for n in 0..clients {
        let mut client = Client::connect(server.address())?;
        let key = format!("key:{n}");
        client.send(&encode(&[b"BLPOP", key.as_bytes(), b"0"]))?;
        waiting.push((key, client));
    }
    std::thread::sleep(Duration::from_secs(2));
    let each = server.resident_bytes()?.saturating_sub(before) / clients;
    let mut pusher = Client::connect(server.address())?;
    let (mut times, mut served) = (Vec::new(), 0);
    for (key, client) in &mut waiting {
        let started = Instant::now();
        pusher.call(&[b"RPUSH", key.as_bytes(), b"x"])?;
        let reply = client.read_ok()?;
        times.push(started.elapsed());
        served += u64::from(reply == Reply::Array(2));
    }
    let felt = Latencies::of(times);
    let micros = |per_mille| felt.quantile(per_mille).as_micros().to_string();
    Ok(vec![
        each.to_string(),
        micros(500),
        micros(990),
        micros(1000),
        format!("{served} of {clients}"),
    ])
}
