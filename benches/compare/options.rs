//! The command line of the comparison.

use super::common::machine;
use super::common::server::{Durability, Program, Setup};
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Requests per second and CPU per request.
    Throughput,
    /// Resident bytes per key.
    Memory,
}

/// Compares LokiKV with Redis on this machine.
#[derive(Debug, Parser)]
#[command(name = "compare")]
pub struct Options {
    /// One short round and fewer keys: a check that everything works, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Rounds; medians are reported [default: 3, quick: 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds each measurement should last [default: 2, quick: 0.4]
    #[arg(long)]
    seconds: Option<f64>,
    /// Only this part of the report.
    #[arg(long, value_enum)]
    only: Option<Section>,
    /// Only these durability modes.
    #[arg(long, value_enum, value_delimiter = ',')]
    durability: Vec<Durability>,
    /// Requests per pipeline.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub pipeline: Vec<usize>,
    /// Threads of the load generator in pipelined runs.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Keys in the memory section [default: 2000000, quick: 200000]
    #[arg(long)]
    keys: Option<u64>,
    /// Write the report to this file, too.
    #[arg(long)]
    pub markdown: Option<PathBuf>,
    /// The LokiKV binary [default: the one cargo has just built]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Redis in both roles: shows how much of a difference is noise.
    #[arg(long)]
    control: bool,
    /// Directory for the servers' files.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    scratch: PathBuf,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The two sides of the comparison, in the order of the columns.
pub const SIDES: [&str; 2] = ["Redis", "LokiKV"];

impl Options {
    /// Whether this part is to be run.
    pub fn wants(&self, section: Section) -> bool {
        self.only.is_none_or(|only| only == section)
    }

    /// Number of rounds.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Seconds of one measurement.
    pub fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 0.4 } else { 2.0 })
    }

    /// Keys of the memory section.
    pub fn keys(&self) -> u64 {
        self.keys.unwrap_or(if self.quick { 200_000 } else { 2_000_000 })
    }

    /// Durability modes to measure.
    pub fn durabilities(&self) -> &[Durability] {
        if self.durability.is_empty() {
            &Durability::ALL
        } else {
            &self.durability
        }
    }

    /// The LokiKV binary, unless Redis stands in for it.
    pub fn lokikv(&self) -> Option<&Path> {
        let built = Path::new(env!("CARGO_BIN_EXE_lokikv"));
        (!self.control).then(|| self.binary.as_deref().unwrap_or(built))
    }

    /// How to start each of [`SIDES`].
    pub fn setups(&self, durability: Durability) -> [Setup; 2] {
        let candidate = self
            .lokikv()
            .map_or(Program::Redis, |path| Program::LokiKv(path.to_path_buf()));
        [Program::Redis, candidate].map(|program| Setup {
            program,
            durability,
            workers: self.workers,
            scratch: self.scratch.clone(),
        })
    }

    /// A sentence on how the figures were made.
    pub fn method(&self) -> String {
        let control = if self.control {
            " **Control run: the second side is Redis, too.**"
        } else {
            ""
        };
        format!(
            "Medians of {} rounds, servers alternating, {} s a measurement.{control}",
            self.rounds(),
            self.seconds()
        )
    }
}
