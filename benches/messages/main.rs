//! Messages to many: how many a second are delivered, what each costs the server, what an idle subscriber takes.
//!
//! `cargo bench --bench messages -- [--rounds N] [--seconds S] [--subscribers N,…] [--pipelines P,…] [--workers N]
//! [--peers NAME,…] [--markdown FILE]`. `.ci/peers.sh` installs the peers; whoever is missing is named in the report.
//!
//! One client publishes messages of 32 bytes; the next batch goes out when all have got the one before. Each audience
//! is measured with each number of publishes at once, on every server in turn, several rounds; medians are reported.
//!
//! **Invariants**: no two servers work at the same time; a message that is not delivered ends the benchmark with an
//! error.

mod audience;
#[path = "../common/mod.rs"]
mod common;
mod rows;
#[path = "../compare/table.rs"]
#[allow(dead_code, reason = "uses a part of it")]
mod table;

use std::path::PathBuf;
use std::time::Duration;

use audience::Audience;
use clap::Parser;
use common::peers::Wanted;
use common::server::Server;
use common::sides::{Side, Sides, order};
use common::{Result, machine, process};
use rows::{Measured, Row};

/// Measures the delivery of messages.
#[derive(Debug, Parser)]
#[command(name = "messages")]
struct Options {
    /// Subscribers of the channel.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    subscribers: Vec<usize>,
    /// Patterns, spread over 100 subscribers, of which one fits; 0: not measured.
    #[arg(long, default_value_t = 10_000)]
    patterns: usize,
    /// Publishes sent at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    pipelines: Vec<usize>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Whom to compare with: redis7, redis8, valkey, or NAME=PATH.
    #[arg(long, value_delimiter = ',', default_value = "redis8,valkey")]
    peers: Vec<Wanted>,
    /// Write the report to this file, too.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("messages: a benchmark, run by `cargo bench --bench messages`");
        return Ok(());
    }
    let options = Options::parse();
    process::raise_open_files_limit()?;
    let built = PathBuf::from(env!("CARGO_BIN_EXE_lokikv"));
    let Sides { all: sides, missing } = Sides::of(&options.peers, built.clone());
    let mut measured = Vec::new();
    for kind in options.audiences() {
        measured.extend(measure(&options, &sides, kind)?);
    }
    let report = format!(
        "## Machine\n\n{}\n{}\n\n## Messages\n\nOne publisher, messages of 32 bytes, {} worker(s), {} s each, medians of {}.\n\n{}\n",
        machine::describe(Some(&built)),
        missing.join("\n"),
        options.workers,
        options.seconds,
        options.rounds,
        rows::render(&measured)
    );
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}

impl Options {
    fn audiences(&self) -> Vec<audience::Kind> {
        let channels = self.subscribers.iter().map(|count| audience::Kind::Channel(*count));
        let patterns = (self.patterns > 0).then_some(audience::Kind::Patterns(self.patterns));
        channels.chain(patterns).collect()
    }
}

/// One audience on all servers: a row for each and each number of publishes at once.
fn measure(options: &Options, sides: &[Side], kind: audience::Kind) -> Result<Vec<Row>> {
    let mut rounds: Vec<Vec<Measured>> = sides
        .iter()
        .flat_map(|_| options.pipelines.iter().map(|_| Vec::new()))
        .collect();
    for round in 0..options.rounds {
        for at in order(sides.len(), round) {
            let Some(side) = sides.get(at) else { continue };
            eprintln!("messages: {}, {}, round {}", kind.name(), side.title, round + 1);
            for (number, measured) in one_round(options, side, kind)?.into_iter().enumerate() {
                if let Some(row) = rounds.get_mut(at * options.pipelines.len() + number) {
                    row.push(measured);
                }
            }
        }
    }
    let places = sides
        .iter()
        .flat_map(|side| options.pipelines.iter().map(move |pipeline| (side, *pipeline)));
    Ok(places
        .zip(rounds)
        .map(|((side, pipeline), rounds)| Row::of(kind.name(), pipeline, &side.title, &rounds))
        .collect())
}

/// A fresh server with this audience: what each number of publishes at once gives.
fn one_round(options: &Options, side: &Side, kind: audience::Kind) -> Result<Vec<Measured>> {
    let server = Server::start(&side.setup(options.workers))?;
    let before = server.resident_bytes()?;
    let mut audience = Audience::gather(server.address(), kind)?;
    let idle_bytes = server.resident_bytes()?.saturating_sub(before) / kind.clients() as u64;
    let mut measured = Vec::new();
    for pipeline in &options.pipelines {
        // A first round warms up.
        audience.publish(*pipeline, Duration::from_millis(200))?;
        let cpu = server.cpu_time()?;
        let delivered = audience.publish(*pipeline, Duration::from_secs(options.seconds))?;
        measured.push(Measured {
            per_second: delivered.messages as f64 / delivered.took.as_secs_f64(),
            cpu_ns: (server.cpu_time()? - cpu).as_nanos() as f64 / delivered.messages.max(1) as f64,
            idle_bytes: idle_bytes as f64,
        });
    }
    Ok(measured)
}
