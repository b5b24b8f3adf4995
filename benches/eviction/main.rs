//! Eviction: how many requests find their key where memory is for a tenth of the keys, what a SET costs that evicts,
//! and how calm a server stays that evicts at full speed.
//!
//! `cargo bench --bench eviction -- [--parts hits,cost,calm] [--policies POLICY,…] [--keys N] [--requests N]
//! [--seconds S] [--rounds N] [--workers N] [--peers NAME,…] [--markdown FILE]`. `.ci/peers.sh` installs the peers;
//! whoever is missing is named in the report.
//!
//! **Invariants**: no two servers work at the same time; each gets the same requests, and as much memory as it needs
//! for the same keys; an error reply ends the benchmark.

mod calm;
#[path = "../common/mod.rs"]
mod common;
mod cost;
mod hits;
#[path = "../compare/table.rs"]
#[allow(dead_code, reason = "uses a part of it")]
mod table;
mod trace;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::client::Client;
use common::peers::Wanted;
use common::sides::Sides;
use common::{Result, machine};

/// Measures eviction.
#[derive(Debug, Parser)]
#[command(name = "eviction")]
struct Options {
    /// What is measured.
    #[arg(long, value_delimiter = ',', default_value = "hits,cost,calm")]
    parts: Vec<Part>,
    /// Policies whose hits are counted.
    #[arg(long, value_delimiter = ',', default_value = "allkeys-lru,allkeys-lfu")]
    policies: Vec<String>,
    /// Keys that are asked for.
    #[arg(long, default_value_t = 100_000)]
    keys: usize,
    /// Requests of each trace, of which the second half is counted.
    #[arg(long, default_value_t = 1_000_000)]
    requests: usize,
    /// Seconds of each measurement of time.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Rounds of those.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Whom to compare with: redis7, redis8, valkey, or NAME=PATH.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// How many requests find their key.
    Hits,
    /// What a SET costs.
    Cost,
    /// How long SETs take beside large values.
    Calm,
}

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("eviction: a benchmark, run by `cargo bench --bench eviction`");
        return Ok(());
    }
    let options = Options::parse();
    let binary = options
        .binary
        .clone()
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_lokikv").into());
    let Sides { all: sides, missing } = Sides::of(&options.peers, binary.clone());
    let mut report = format!(
        "## Machine\n\n{}\n{}\n",
        machine::describe(Some(&binary)),
        missing.join("\n")
    );
    for part in &options.parts {
        let text = match part {
            Part::Hits => hits::measure(&options, &sides)?,
            Part::Cost => cost::measure(&options, &sides)?,
            Part::Calm => calm::measure(&options, &sides)?,
        };
        report.push_str(&text);
    }
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}

/// Sets a parameter.
fn set(client: &mut Client, name: &str, value: &str) -> Result<()> {
    client.call(&[b"CONFIG", b"SET", name.as_bytes(), value.as_bytes()])?;
    Ok(())
}

/// A figure of `INFO`.
fn figure(client: &mut Client, section: &str, name: &str) -> Result<u64> {
    let text = client.text(&[b"INFO", section.as_bytes()])?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(found
        .ok_or_else(|| format!("INFO {section} has no {name}"))?
        .trim()
        .parse()?)
}

/// Fills a server with values of `value_bytes` at the first `count` of the keys that `key` names, and gives it as much
/// memory as it uses then; the limit.
fn limit_to(address: SocketAddr, count: usize, policy: &str, request: impl Fn(&mut Vec<u8>, usize)) -> Result<u64> {
    const BATCH: usize = 500;
    let mut client = Client::connect(address)?;
    set(&mut client, "maxmemory", "0")?;
    client.call(&[b"FLUSHALL"])?;
    let mut bytes = Vec::new();
    for first in (0..count).step_by(BATCH) {
        let batch = first..count.min(first + BATCH);
        bytes.clear();
        batch.clone().for_each(|number| request(&mut bytes, number));
        client.send(&bytes)?;
        for _ in batch {
            client.read_ok()?;
        }
    }
    let used = figure(&mut client, "memory", "used_memory")?;
    set(&mut client, "maxmemory-policy", policy)?;
    set(&mut client, "maxmemory", &used.to_string())?;
    Ok(used)
}
