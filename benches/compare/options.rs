//! The command line of the comparison.

use super::common::cores::Cores;
use super::common::load::Generator;
use super::common::peers::{self, Peer, Wanted};
use super::common::server::Durability;
use super::common::{Result, machine};
use super::rows::{self, Row};
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Requests per second, CPU per request, latency.
    Throughput,
    /// Resident bytes per key.
    Memory,
}

/// Compares LokiKV with its peers, or with a version before, on this machine.
#[derive(Debug, Parser)]
#[command(name = "compare")]
pub struct Options {
    /// One short round, few rows and fewer keys: a check that everything works, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Rounds; medians are reported [default: 3, quick: 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds each measurement lasts [default: 1, quick: 0.3]
    #[arg(long)]
    seconds: Option<f64>,
    /// Only this part of the report.
    #[arg(long, value_enum)]
    only: Option<Section>,
    /// Only these rows, such as get/c50/p16 or set/c50/p1/r40000/d1024: ping, get, set, incr, mget (ten keys) or multi
    /// (MULTI, INCR, EXEC); connections, pipeline, requests a second, bytes of a value.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<Row>,
    /// Only these logs [default: all; reading rows are measured with the first one only]
    #[arg(long, value_enum, value_delimiter = ',')]
    durability: Vec<Durability>,
    /// Only these peers: redis7, redis8, valkey, each with =PATH of its program or without [default: all of them, with
    /// --before none]
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Wanted>,
    /// No peers.
    #[arg(long, conflicts_with = "peers")]
    alone: bool,
    /// Another LokiKV binary, to judge a change by.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Threads of the load generator [default: half of the cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Let the system choose the cores [default: the generator's threads have the last ones, the server the others]
    #[arg(long)]
    unpinned: bool,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    pub workers: usize,
    /// Keys in the memory section [default: 2000000, quick: 200000]
    #[arg(long)]
    keys: Option<u64>,
    /// Write the report to this file, too.
    #[arg(long)]
    pub markdown: Option<PathBuf>,
    /// The LokiKV binary [default: the one cargo has just built]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Directory for the servers' files.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    pub scratch: PathBuf,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Whether this part is to be run. A change is judged by throughput, unless memory is asked for.
    pub fn wants(&self, section: Section) -> bool {
        let default = self.before.is_none() && self.rows.is_empty() || section == Section::Throughput;
        self.only.map_or(default, |only| only == section)
    }

    /// Number of rounds.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// Seconds of one measurement.
    pub fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 0.3 } else { 1.0 })
    }

    /// Keys of the memory section.
    pub fn keys(&self) -> u64 {
        self.keys.unwrap_or(if self.quick { 200_000 } else { 2_000_000 })
    }

    /// How load is made.
    pub fn generator(&self) -> Result<Generator> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or(cores / 2).max(1);
        Ok(Generator {
            seconds: self.seconds(),
            threads,
            cores: if self.unpinned { None } else { Cores::split(threads)? },
        })
    }

    /// Logs to measure with.
    pub fn durabilities(&self) -> Vec<Durability> {
        match (self.durability.as_slice(), self.quick) {
            ([], true) => vec![Durability::Off],
            ([], false) => Durability::ALL.to_vec(),
            (chosen, _) => chosen.to_vec(),
        }
    }

    /// The rows to measure with this log. What only reads has nothing to do with it: once is enough.
    pub fn rows(&self, durability: Durability) -> Vec<Row> {
        let all = match (self.rows.as_slice(), self.quick) {
            ([], true) => named(&["get/c50/p1", "set/c50/p16"]),
            ([], false) => named(&rows::DEFAULT),
            (chosen, _) => chosen.to_vec(),
        };
        let first = self.durabilities().first() == Some(&durability);
        all.into_iter().filter(|row| first || row.writes()).collect()
    }

    /// The peers to compare with.
    pub fn peers(&self) -> peers::Search {
        match self.peers.as_slice() {
            [] if self.alone || self.before.is_some() => peers::Search::default(),
            [] => peers::search(&Peer::ALL.map(Wanted::from)),
            chosen => peers::search(chosen),
        }
    }

    /// The version before.
    pub fn before(&self) -> Option<PathBuf> {
        self.before.clone()
    }

    /// The LokiKV binary that is judged.
    pub fn binary(&self) -> PathBuf {
        let built = Path::new(env!("CARGO_BIN_EXE_lokikv"));
        self.binary.as_deref().unwrap_or(built).to_owned()
    }
}

fn named(names: &[&str]) -> Vec<Row> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
