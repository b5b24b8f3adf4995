//! Scripts: how many a second are run, and what one costs the server.
//!
//! `cargo bench --bench scripts -- [--cases CASE,…] [--pipelines P,…] [--connections N] [--workers N] [--unpinned]
//! [--rounds N] [--seconds S] [--peers NAME,…] [--markdown FILE]`. `.ci/peers.sh` installs the peers; whoever is
//! missing is named in the report.
//!
//! Each script is run by `EVALSHA` or `FCALL` over many connections; the servers take turns, several rounds; medians
//! and ratios of each round are reported.
//!
//! **Invariants**: no two servers work at the same time; an error reply ends the benchmark.

mod case;
#[path = "../common/mod.rs"]
mod common;
mod report;
#[path = "../compare/table.rs"]
#[allow(dead_code, reason = "uses a part of it")]
mod table;

use std::path::PathBuf;

use case::Case;
use clap::Parser;
use common::cores::Cores;
use common::load::{self, Generator, Load};
use common::peers::Wanted;
use common::server::Server;
use common::sides::{Side, Sides, order};
use common::{Result, machine};
use report::Row;

/// Measures scripts.
#[derive(Debug, Parser)]
#[command(name = "scripts")]
struct Options {
    /// Which scripts [default: all]
    #[arg(long, value_delimiter = ',')]
    cases: Vec<Case>,
    /// Requests sent before replies are waited for.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    pipelines: Vec<usize>,
    /// Connections.
    #[arg(long, default_value_t = 50)]
    connections: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Let the system choose the cores [default: the generator's threads have the last ones, the server the others]
    #[arg(long)]
    unpinned: bool,
    /// Whom to compare with: redis7, redis8, valkey, or NAME=PATH.
    #[arg(long, value_delimiter = ',', default_value = "redis8,valkey")]
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

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("scripts: a benchmark, run by `cargo bench --bench scripts`");
        return Ok(());
    }
    let options = Options::parse();
    let binary = options
        .binary
        .clone()
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_lokikv").into());
    let Sides { all: sides, missing } = Sides::of(&options.peers, binary.clone());
    let rows = measure(&options, &sides)?;
    let titles: Vec<&str> = sides.iter().map(|side| side.title.as_str()).collect();
    let report = format!(
        "## Machine\n\n{}\n{}\n\n## Scripts\n\n{} connections, LokiKV with {} worker(s), {} s each, medians of {}{}; data in \
         memory only. The last columns are LokiKV as a multiple of the line's server.\n\n{}\n",
        machine::describe(Some(&binary)),
        missing.join("\n"),
        options.connections,
        options.workers,
        options.seconds,
        options.rounds,
        if options.unpinned {
            ""
        } else {
            ", server and generator on cores of their own"
        },
        report::render(&titles, &rows)
    );
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}

/// All scripts on all servers.
fn measure(options: &Options, sides: &[Side]) -> Result<Vec<Row>> {
    let cases = if options.cases.is_empty() {
        Case::ALL.to_vec()
    } else {
        options.cases.clone()
    };
    let with_pipelines = |case: &Case| {
        options
            .pipelines
            .iter()
            .map(|depth| (*case, *depth))
            .collect::<Vec<_>>()
    };
    let mut rows: Vec<Row> = cases
        .iter()
        .flat_map(with_pipelines)
        .map(|(case, pipeline)| Row::new(case, pipeline))
        .collect();
    let generator = Generator {
        seconds: options.seconds,
        threads: 1,
        cores: if options.unpinned { None } else { Cores::split(1)? },
    };
    for round in 0..options.rounds {
        eprintln!("scripts: round {}", round + 1);
        let servers = start(options, sides, &cases)?;
        for row in &mut rows {
            row.rounds.push(one_round(options, &servers, row, (&generator, round))?);
        }
    }
    Ok(rows)
}

/// All servers, which know the scripts, stopped.
fn start(options: &Options, sides: &[Side], cases: &[Case]) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    for side in sides {
        let server = Server::start(&side.setup(options.workers))?;
        for case in cases {
            case.prepare(server.address())?;
        }
        server.pause()?;
        servers.push(server);
    }
    Ok(servers)
}

/// One row on all servers, another one first each round: a drift of the machine favours nobody.
fn one_round(
    options: &Options,
    servers: &[Server],
    row: &Row,
    (generator, round): (&Generator, usize),
) -> Result<Vec<load::Sample>> {
    let load = Load {
        unit: row.case.unit(),
        connections: options.connections,
        pipeline: row.pipeline,
        rate: None,
    };
    let mut samples = Vec::new();
    for at in order(servers.len(), round) {
        let server = servers.get(at).ok_or("no such server")?;
        server.resume()?;
        let sample = load::measure(server, &load, generator).map_err(|error| format!("{}: {error}", row.case))?;
        server.pause()?;
        samples.push((at, sample));
    }
    samples.sort_unstable_by_key(|(at, _)| *at);
    Ok(samples.into_iter().map(|(_, sample)| sample).collect())
}
