//! Containers beside Redis's: memory per element, throughput, the slowest command on a million elements, blocked
//! clients.
//!
//! `cargo bench --bench containers -- [--quick] [--rounds N] [--only SECTION] [--before BINARY] [--markdown FILE]`.
//! Needs `redis-server` and `redis-benchmark` in the path.
//!
//! **Invariants**: the two servers never run at the same time; both get the same load from the same generator; nothing
//! is written but `--markdown FILE`.

mod blocked;
#[path = "../common/mod.rs"]
mod common;
mod fill;
mod latency;
mod memory;
#[path = "../compare/table.rs"]
mod table;
mod throughput;

use clap::{Parser, ValueEnum};
use common::server::{Durability, Program, Setup};
use common::{Result, machine};
use std::path::PathBuf;

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Bytes per element.
    Memory,
    /// Requests per second.
    Throughput,
    /// The slowest of commands that are not O(n), with a million elements in place.
    Latency,
    /// Thousands of blocked clients.
    Blocked,
}

/// Compares LokiKV's containers with Redis's on this machine.
#[derive(Debug, Parser)]
#[command(name = "containers")]
pub struct Options {
    /// Less of everything: a check that it works, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Rounds; medians are reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only this part of the report.
    #[arg(long, value_enum)]
    only: Option<Section>,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Another LokiKV binary in Redis's place, to judge a change by.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Write the report to this file, too.
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// `full`, or a part of it in a quick run.
    pub fn scaled(&self, full: u64) -> u64 {
        if self.quick { (full / 20).max(1) } else { full }
    }

    /// Number of rounds.
    pub fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds }
    }

    /// The two sides, in the order of the columns.
    pub fn sides(&self) -> [(&'static str, Setup); 2] {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_lokikv"));
        let other = match &self.before {
            Some(binary) => ("before", Program::LokiKv(binary.clone())),
            None => ("Redis", Program::redis()),
        };
        [other, ("LokiKV", Program::LokiKv(built))].map(|(name, program)| (name, self.setup(program)))
    }

    fn setup(&self, program: Program) -> Setup {
        Setup {
            program,
            durability: Durability::Off,
            workers: self.workers,
            scratch: std::env::temp_dir(),
        }
    }

    /// What stands over the two columns of a figure.
    pub fn titles(&self, figure: &str) -> [String; 2] {
        self.sides().map(|(name, _)| format!("{name} {figure}"))
    }
}

fn main() -> Result<()> {
    if !common::asked_to_run() {
        println!("containers: a benchmark, run by `cargo bench --bench containers`");
        return Ok(());
    }
    let options = Options::parse();
    let built = PathBuf::from(env!("CARGO_BIN_EXE_lokikv"));
    let mut report = vec![format!("## Machine\n\n{}", machine::describe(Some(&built)))];
    type Part = fn(&Options) -> Result<String>;
    let parts: [(Section, Part); 4] = [
        (Section::Memory, memory::run),
        (Section::Throughput, throughput::run),
        (Section::Latency, latency::run),
        (Section::Blocked, blocked::run),
    ];
    for (section, run) in parts {
        if options.only.is_none_or(|only| only == section) {
            report.push(run(&options)?);
        }
    }
    let report = report.join("\n\n") + "\n";
    println!("{report}");
    match &options.markdown {
        Some(path) => Ok(std::fs::write(path, report)?),
        None => Ok(()),
    }
}
