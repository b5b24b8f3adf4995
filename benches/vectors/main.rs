//! Vector sets: how many of the nearest are found, how many searches a second there are, and what an element costs.
//!
//! `cargo bench --bench vectors -- [--elements N] [--dimensions N] [--connections N,…] [--searches N] [--rounds N]
//! [--workers N] [--peers NAME,…] [--markdown FILE]`. `.ci/peers.sh` installs the peers; whoever is missing is named in
//! the report.
//!
//! All servers get the same vectors, those of two sets: in random directions, and around centres. The servers take
//! turns; medians of the rounds are reported. What is found is compared with what the server itself finds by looking at
//! all elements (`TRUTH`).
//!
//! **Invariants**: no two servers work at the same time; an error reply ends the benchmark.

#[path = "../common/mod.rs"]
mod common;
mod data;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use common::client::{Client, Reply, encode_into};
use common::peers::Wanted;
use common::server::Server;
use common::sides::{Side, Sides, order};
use common::stats::{median, thousands};
use common::{Result, machine};
use data::{Data, Spread};

/// Requests that are sent before replies are waited for while a set is filled.
const BATCH: usize = 50;
/// How many are searched for.
const COUNT: &[u8] = b"10";

/// Measures vector sets.
#[derive(Debug, Parser)]
#[command(name = "vectors")]
struct Options {
    /// Elements of a set.
    #[arg(long, default_value_t = 100_000)]
    elements: usize,
    /// Dimensions.
    #[arg(long, default_value_t = 256)]
    dimensions: usize,
    /// Connections that search at the same time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    connections: Vec<usize>,
    /// Searches of a round.
    #[arg(long, default_value_t = 2_000)]
    searches: usize,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Whom to compare with: redis8, or NAME=PATH.
    #[arg(long, value_delimiter = ',', default_value = "redis8")]
    peers: Vec<Wanted>,
    /// The LokiKV binary [default: the one cargo has just built]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Write the report to this file, too.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a server has done with one set.
struct Outcome {
    fill_us: f64,
    memory_bytes: f64,
    recall: f64,
    /// Searches a second for each number of connections, in each round.
    rates: Vec<Vec<f64>>,
}

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("vectors: a benchmark, run by `cargo bench --bench vectors`");
        return Ok(());
    }
    let options = Options::parse();
    let binary = options
        .binary
        .clone()
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_lokikv").into());
    let Sides { all: sides, missing } = Sides::of(&options.peers, binary.clone());
    let mut report = format!(
        "## Machine\n\n{}\n{}\n\n## Vector sets\n\n{} elements of {} dimensions, default options, {} worker(s), medians of \
         {} rounds of {} searches for 10.\n\n",
        machine::describe(Some(&binary)),
        missing.join("\n"),
        options.elements,
        options.dimensions,
        options.workers,
        options.rounds,
        options.searches
    );
    for spread in [Spread::Random, Spread::Clustered] {
        let outcomes = measure(&options, &sides, spread)?;
        report.push_str(&render(&options, &sides, spread, &outcomes));
    }
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}

/// One set on all servers.
fn measure(options: &Options, sides: &[Side], spread: Spread) -> Result<Vec<Outcome>> {
    let data = Data::new(spread, (options.elements, options.searches), options.dimensions);
    let mut servers = Vec::new();
    let mut outcomes = Vec::new();
    for side in sides {
        eprintln!("vectors: {spread:?}, filling {}", side.title);
        let server = Server::start(&side.setup(options.workers))?;
        outcomes.push(fill(&server, &data)?);
        server.pause()?;
        servers.push(server);
    }
    for round in 0..options.rounds {
        for at in order(servers.len(), round) {
            let (Some(server), Some(outcome)) = (servers.get(at), outcomes.get_mut(at)) else {
                continue;
            };
            server.resume()?;
            let rates = options
                .connections
                .iter()
                .map(|connections| rate(server, &data, *connections));
            outcome.rates.push(rates.collect::<Result<_>>()?);
            server.pause()?;
        }
    }
    for server in &servers {
        server.resume()?;
    }
    Ok(outcomes)
}

/// Fills a server's set; how long an element took, what it takes, and how well it is found.
fn fill(server: &Server, data: &Data) -> Result<Outcome> {
    let mut client = Client::connect(server.address())?;
    let started = Instant::now();
    for (number, batch) in data.elements.chunks(BATCH).enumerate() {
        let mut requests = Vec::new();
        for (at, vector) in batch.iter().enumerate() {
            let name = format!("element:{}", number * BATCH + at);
            encode_into(&mut requests, &[b"VADD", b"set", b"FP32", vector, name.as_bytes()]);
        }
        client.send(&requests)?;
        for _ in batch {
            client.read_ok()?;
        }
    }
    let fill_us = started.elapsed().as_secs_f64() * 1e6 / data.elements.len() as f64;
    let memory = match client.call(&[b"MEMORY", b"USAGE", b"set", b"SAMPLES", b"0"])? {
        Reply::Integer(bytes) => bytes as f64,
        other => return Err(format!("MEMORY USAGE is answered by {other:?}").into()),
    };
    let (mut hits, mut all) = (0, 0);
    for vector in data.searches.iter().take(500) {
        let found = client.texts(&search(vector))?;
        let nearest = client.texts(&[&search(vector)[..], &[b"TRUTH"]].concat())?;
        hits += nearest.iter().filter(|name| found.contains(name)).count();
        all += nearest.len();
    }
    Ok(Outcome {
        fill_us,
        memory_bytes: memory,
        recall: hits as f64 / all as f64,
        rates: Vec::new(),
    })
}

/// A search.
fn search(vector: &[u8]) -> [&[u8]; 6] {
    [b"VSIM", b"set", b"FP32", vector, b"COUNT", COUNT]
}

/// Searches a second over so many connections.
fn rate(server: &Server, data: &Data, connections: usize) -> Result<f64> {
    let address = server.address();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|first| {
                scope.spawn(move || -> std::result::Result<(), String> {
                    let mut client = Client::connect(address).map_err(|error| error.to_string())?;
                    for vector in data.searches.iter().skip(first).step_by(connections) {
                        client.call(&search(vector)).map_err(|error| error.to_string())?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(outcome) => outcome,
            Err(_) => Err("a thread has panicked".to_owned()),
        })
    })?;
    Ok(data.searches.len() as f64 / started.elapsed().as_secs_f64())
}

fn render(options: &Options, sides: &[Side], spread: Spread, outcomes: &[Outcome]) -> String {
    let mut out = format!("{spread:?} directions:\n\n| server | µs to add | bytes each | recall@10 |");
    for connections in &options.connections {
        out.push_str(&format!(" searches/s, {connections} connection(s) |"));
    }
    out.push_str("\n|---|--:|--:|--:|");
    out.push_str(&"--:|".repeat(options.connections.len()));
    out.push('\n');
    for (side, outcome) in sides.iter().zip(outcomes) {
        let each_bytes = outcome.memory_bytes / options.elements as f64;
        let (title, fill_us, recall) = (&side.title, outcome.fill_us, outcome.recall * 100.0);
        out.push_str(&format!("| {title} | {fill_us:.0} | {each_bytes:.0} | {recall:.1} % |"));
        for at in 0..options.connections.len() {
            let rates: Vec<f64> = outcome
                .rates
                .iter()
                .filter_map(|round| round.get(at).copied())
                .collect();
            out.push_str(&format!(" {} |", thousands(median(&rates))));
        }
        out.push('\n');
    }
    out.push('\n');
    out
}
