//! What paced writers feel while checkpoints (in Redis: BGSAVE) follow one another, and without.
//!
//! `cargo bench --bench checkpoint -- [--keys N | --containers ELEMENTS] [--rate N] [--seconds S] [--rounds N]
//! [--markdown FILE]`. Needs `redis-server` in the path.
//!
//! **Invariants**: the two servers never run at the same time; each is measured without checkpoints and with them in
//! turn, on the same data.

#[path = "../common/mod.rs"]
mod common;
mod data;
#[path = "../compare/loader.rs"]
#[allow(dead_code, reason = "uses one of its key shapes")]
mod loader;
mod saver;
#[path = "../compare/table.rs"]
#[allow(dead_code, reason = "uses a part of it")]
mod table;
mod writers;

use clap::Parser;
use common::server::{Durability, Program, Server, Setup};
use common::stats::{Latencies, median};
use common::{Result, machine};
use data::Data;
use saver::Saver;
use std::path::PathBuf;
use std::time::Duration;
use table::Align;

/// Measures writers' latency beside checkpoints.
#[derive(Debug, Parser)]
#[command(name = "checkpoint")]
struct Options {
    /// Keys in place.
    #[arg(long, default_value_t = 5_000_000)]
    keys: u64,
    /// Big containers of so many elements in place of keys.
    #[arg(long)]
    containers: Option<u64>,
    /// Program of the other server.
    #[arg(long, default_value = "redis-server")]
    redis: PathBuf,
    /// Writes a second, of all writers together.
    #[arg(long, default_value_t = 16_000)]
    rate: u64,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Rounds; medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The log of both servers.
    #[arg(long, value_enum, default_value_t = Durability::Everysec)]
    durability: Durability,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Only LokiKV.
    #[arg(long)]
    alone: bool,
    /// Write the report to this file, too.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn data(&self) -> Data {
        self.containers.map_or(Data::Keys(self.keys), Data::Containers)
    }
}

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("checkpoint: a benchmark, run by `cargo bench --bench checkpoint`");
        return Ok(());
    }
    let options = Options::parse();
    let built = PathBuf::from(env!("CARGO_BIN_EXE_lokikv"));
    let mut rows = Vec::new();
    if !options.alone {
        rows.extend(measure(&options, "Redis", Program::Redis(options.redis.clone()))?);
    }
    rows.extend(measure(&options, "LokiKV", Program::LokiKv(built.clone()))?);
    let header = [
        ("Server", Align::Left),
        ("checkpoints", Align::Right),
        ("writes/s", Align::Right),
        ("p50 ms", Align::Right),
        ("p99 ms", Align::Right),
        ("p99.9 ms", Align::Right),
        ("max ms", Align::Right),
    ];
    let report = format!(
        "## Machine\n\n{}\n\n## Writers beside checkpoints\n\n{}, {} writes a second at random, {} s each, medians of {}; log: \
         {}. A write's time counts from the moment it was due, where the one before was late.\n\n{}\n",
        machine::describe(Some(&built)),
        options.data().describe(),
        options.rate,
        options.seconds,
        options.rounds,
        options.durability.name(),
        table::render(&header, &rows)
    );
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}

fn measure(options: &Options, name: &str, program: Program) -> Result<[Vec<String>; 2]> {
    let is_redis = matches!(program, Program::Redis(_));
    let server = Server::start(&Setup {
        program,
        durability: options.durability,
        workers: options.workers,
        scratch: std::env::temp_dir(),
    })?;
    eprintln!("{name}: filling");
    options.data().load(server.address())?;
    let (mut without, mut with, mut saved) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        eprintln!("{name}: round {round}");
        let write = || {
            writers::run(
                server.address(),
                options.data(),
                options.rate,
                Duration::from_secs(options.seconds),
            )
        };
        without.push(write()?);
        let saver = Saver::start(server.address(), is_redis)?;
        with.push(write()?);
        saved.push(saver.finish()? as f64);
    }
    Ok([
        row(name, "none".to_owned(), options, &without),
        row(name, format!("{:.0}", median(&saved)), options, &with),
    ])
}

fn row(name: &str, checkpoints: String, options: &Options, rounds: &[Latencies]) -> Vec<String> {
    let ms = |of: fn(&Latencies) -> Duration| {
        let values: Vec<f64> = rounds.iter().map(|felt| of(felt).as_secs_f64() * 1e3).collect();
        format!("{:.2}", median(&values))
    };
    let counts: Vec<f64> = rounds.iter().map(|felt| felt.count() as f64).collect();
    vec![
        name.to_owned(),
        checkpoints,
        format!("{:.0}", median(&counts) / options.seconds as f64),
        ms(|felt| felt.quantile(500)),
        ms(|felt| felt.quantile(990)),
        ms(|felt| felt.quantile(999)),
        ms(|felt| felt.quantile(1000)),
    ]
}
