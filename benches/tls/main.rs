//! TLS: throughput, handshakes, memory of idle connections, and those that are in while thousands a second come.
//!
//! `cargo bench --bench tls -- [--peers NAME,…] [--rounds N] [--seconds S] [--pipelines P,…] [--idle N] [--storm N]
//! [--only PART,…] [--workers N] [--markdown FILE]`. The peers need TLS: Debian's Redis has it.
//!
//! Requests come from `redis-benchmark --tls`, handshakes and storms from clients here. Certificates are of the curve
//! P-256, as most are by now.
//!
//! **Invariants**: no two servers work at the same time; a request that is not answered ends the benchmark with an
//! error.

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod files;
mod storm;
#[path = "../compare/table.rs"]
#[allow(dead_code, reason = "uses a part of it")]
mod table;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use common::peers::Wanted;
use common::server::{Server, free_port};
use common::sides::{Side, Sides, order};
use common::stats::{median, thousands};
use common::{Result, machine, process};
use files::Files;
use table::Align;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests a second.
    Throughput,
    /// Handshakes a second.
    Handshakes,
    /// Bytes of an idle connection.
    Memory,
    /// Latency of those inside under a storm.
    Storm,
}

/// Measures TLS.
#[derive(Debug, Parser)]
#[command(name = "tls")]
struct Options {
    /// Whom to compare with: redis7, redis8, valkey, or NAME=PATH.
    #[arg(long, value_delimiter = ',', default_value = "redis7")]
    peers: Vec<Wanted>,
    /// What to measure [default: all].
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Rounds; medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Requests sent at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    pipelines: Vec<u32>,
    /// Clients of redis-benchmark.
    #[arg(long, default_value_t = 50)]
    clients: u32,
    /// Idle connections.
    #[arg(long, default_value_t = 2000)]
    idle: usize,
    /// Connections a second of a storm.
    #[arg(long, default_value_t = 10_000)]
    storm: u32,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Write the report to this file, too.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One that runs, and its TLS port.
pub struct Running {
    server: Server,
    port: u16,
}

/// What was measured, by its name and its unit, of each server in turn.
type Figures = Vec<(String, f64)>;

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("tls: a benchmark, run by `cargo bench --bench tls`");
        return Ok(());
    }
    let options = Options::parse();
    process::raise_open_files_limit()?;
    let built = PathBuf::from(env!("CARGO_BIN_EXE_lokikv"));
    let Sides { all: sides, missing } = Sides::of(&options.peers, built.clone());
    let files = Files::make()?;
    let mut measured: Vec<Vec<Figures>> = sides.iter().map(|_| Vec::new()).collect();
    for round in 0..options.rounds {
        for at in order(sides.len(), round) {
            let (Some(side), Some(rounds)) = (sides.get(at), measured.get_mut(at)) else {
                continue;
            };
            eprintln!("tls: {}, round {}", side.title, round + 1);
            rounds.push(one_round(&options, side, &files)?);
        }
    }
    let report = format!(
        "## Machine\n\n{}\n{}\n\n## TLS\n\n{} worker(s), {} s each, medians of {}.\n\n{}\n",
        machine::describe(Some(&built)),
        missing.join("\n"),
        options.workers,
        options.seconds,
        options.rounds,
        render(&sides, &measured)
    );
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn start(&self, side: &Side, files: &Files) -> Result<Running> {
        let setup = side.setup(self.workers);
        let port = free_port()?;
        let server = Server::start_with(&setup, files.arguments(&side.program, port))?;
        Ok(Running { server, port })
    }
}

/// Everything that is wanted, of one server.
fn one_round(options: &Options, side: &Side, files: &Files) -> Result<Figures> {
    let mut figures = Figures::new();
    if options.wants(Part::Throughput) {
        let running = options.start(side, files)?;
        for test in ["set", "get"] {
            for pipeline in &options.pipelines {
                figures.extend(throughput(options, &running, files, test, *pipeline)?);
            }
        }
    }
    if options.wants(Part::Handshakes) {
        let running = options.start(side, files)?;
        let cpu = running.server.cpu_time()?;
        let count = clients::handshakes(running.port, files, options.time())?;
        let spent = running.server.cpu_time()? - cpu;
        figures.push(("handshakes/s".to_owned(), count / options.time().as_secs_f64()));
        figures.push(("CPU µs/handshake".to_owned(), spent.as_micros() as f64 / count.max(1.0)));
    }
    if options.wants(Part::Memory) {
        let running = options.start(side, files)?;
        let before = running.server.resident_bytes()?;
        let idle = clients::connect_many(running.port, files, options.idle)?;
        std::thread::sleep(Duration::from_secs(1));
        let grown = running.server.resident_bytes()?.saturating_sub(before);
        figures.push(("bytes/idle connection".to_owned(), grown as f64 / idle.len() as f64));
    }
    if options.wants(Part::Storm) {
        for kind in [storm::Kind::Plain, storm::Kind::Tls] {
            let running = options.start(side, files)?;
            figures.extend(storm::measure(&running, kind, options.storm, options.time(), files)?);
        }
    }
    Ok(figures)
}

/// What `redis-benchmark --tls` gives, and what of its CPU the server spends on it.
fn throughput(options: &Options, running: &Running, files: &Files, test: &str, pipeline: u32) -> Result<Figures> {
    // About so many a second on whatever machine: the first run tells how many that are.
    let mut per_second = 0.0;
    let mut cpu_ns = 0.0;
    for seconds in [0.5, options.seconds as f64] {
        let guess: f64 = if per_second > 0.0 {
            per_second
        } else {
            40_000.0 * f64::from(pipeline.min(4))
        };
        let requests = (guess * seconds).max(10_000.0).round();
        let cpu = running.server.cpu_time()?;
        per_second = redis_benchmark(options, running, files, test, pipeline, requests)?;
        cpu_ns = (running.server.cpu_time()? - cpu).as_nanos() as f64 / requests;
    }
    let name = format!("{test} P={pipeline}");
    Ok(vec![
        (format!("{name}, requests/s"), per_second),
        (format!("{name}, CPU ns/request"), cpu_ns),
    ])
}

fn redis_benchmark(
    options: &Options,
    running: &Running,
    files: &Files,
    test: &str,
    pipeline: u32,
    requests: f64,
) -> Result<f64> {
    let (port, count) = (running.port.to_string(), format!("{requests:.0}"));
    let output = Command::new("redis-benchmark")
        .args(["-h", "localhost", "-p", &port, "--tls", "--cacert"])
        .arg(files.authority())
        .args(["-t", test, "-n", &count, "-c", &options.clients.to_string()])
        .args(["-P", &pipeline.to_string(), "-d", "32", "-r", "100000", "--csv"])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .find(|line| line.to_lowercase().starts_with(&format!("\"{test}\"")));
    let figure = line.and_then(|line| line.split("\",\"").nth(1)?.trim_matches('"').parse().ok());
    figure.ok_or_else(|| format!("redis-benchmark: {text}{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// A row for each figure, with LokiKV's, the last one's, as a multiple of each of the others.
fn render(sides: &[Side], measured: &[Vec<Figures>]) -> String {
    let mut header = vec![("", Align::Left)];
    header.extend(sides.iter().map(|side| (side.title.as_str(), Align::Right)));
    let beside: Vec<String> = sides.iter().map(|side| format!("LokiKV/{}", side.title)).collect();
    let others = sides.len() - 1;
    header.extend(beside.iter().take(others).map(|title| (title.as_str(), Align::Right)));
    let names: Vec<&String> = measured
        .first()
        .and_then(|rounds| rounds.first())
        .map_or_else(Vec::new, |figures| figures.iter().map(|(name, _)| name).collect());
    let rows: Vec<Vec<String>> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let of = |rounds: &Vec<Figures>| {
                let values: Vec<f64> = rounds
                    .iter()
                    .filter_map(|figures| figures.get(at))
                    .map(|(_, value)| *value)
                    .collect();
                median(&values)
            };
            let values: Vec<f64> = measured.iter().map(of).collect();
            let mut row = vec![(*name).clone()];
            row.extend(values.iter().map(|value| shown(*value)));
            let own = values.last().copied().unwrap_or_default();
            row.extend(values.iter().take(others).map(|other| table::ratio(&[*other, own])));
            row
        })
        .collect();
    table::render(&header, &rows)
}

fn shown(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.2}")
    } else {
        thousands(value)
    }
}
