//! The command line of the abuse benchmark.

use super::common::machine;
use super::common::peers::{self, Found, Peer, Wanted};
use super::common::server::{Durability, Program, Setup};
use super::hoards;
use super::scenarios::Scenario;
use clap::Parser;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measures how servers behave while a client misbehaves.
#[derive(Debug, Parser)]
#[command(name = "stress")]
pub struct Options {
    /// Only these ways to misbehave, or those of a part: "abuse", "memory".
    #[arg(long, value_delimiter = ',', value_parser = known_name)]
    only: Vec<String>,
    /// Seconds that the lasting scenarios last.
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// The servers' log.
    #[arg(long, value_enum, default_value_t = Durability::Everysec)]
    pub durability: Durability,
    /// Threads LokiKV executes on [default: what it takes by itself]
    #[arg(long, default_value_t = machine::default_workers(), hide_default_value = true)]
    workers: usize,
    /// Write the report to this file, too.
    #[arg(long)]
    pub markdown: Option<PathBuf>,
    /// The LokiKV binary [default: the one cargo has just built]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The peer: redis7, redis8 or valkey, with =PATH of its program or without [default: redis8, else redis7]
    #[arg(long)]
    peer: Option<Wanted>,
    /// Only the peer.
    #[arg(long)]
    control: bool,
    /// Only LokiKV.
    #[arg(long, conflicts_with = "control")]
    alone: bool,
    /// Directory for the servers' files.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    scratch: PathBuf,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Whether this way to misbehave, of this part, is to be tried.
    pub fn wants(&self, part: &str, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part || only == name)
    }

    /// How long the lasting scenarios last.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// The LokiKV binary, unless only Redis is measured.
    pub fn lokikv(&self) -> Option<&Path> {
        let built = Path::new(env!("CARGO_BIN_EXE_lokikv"));
        (!self.control).then(|| self.binary.as_deref().unwrap_or(built))
    }

    /// The peer, or a line that says which one is missing.
    pub fn peer(&self) -> Result<Option<Found>, String> {
        if self.alone {
            return Ok(None);
        }
        let wanted = match &self.peer {
            Some(peer) => vec![peer.clone()],
            None => [Peer::Redis8, Peer::Redis7].map(Wanted::from).to_vec(),
        };
        let search = peers::search(&wanted);
        let found = search.found.into_iter().next();
        found.map(Some).ok_or_else(|| search.missing.join("\n"))
    }

    /// The servers and how to start them.
    pub fn setups(&self, peer: Option<&Found>) -> Vec<(String, Setup)> {
        let peer = peer.map(|found| (found.title.clone(), Program::Redis(found.program.clone())));
        let lokikv = self
            .lokikv()
            .map(|path| ("LokiKV".to_owned(), Program::LokiKv(path.to_path_buf())));
        let programs = peer.into_iter().chain(lokikv);
        programs.map(|(name, program)| (name, self.setup(program))).collect()
    }

    fn setup(&self, program: Program) -> Setup {
        Setup {
            program,
            durability: self.durability,
            workers: self.workers,
            scratch: self.scratch.clone(),
        }
    }
}

/// No scenario may take longer than 15 seconds, start and stop included.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if (0.1..=10.0).contains(&value) => Ok(value),
        _ => Err("a number from 0.1 to 10".to_owned()),
    }
}

fn known_name(text: &str) -> Result<String, String> {
    let scenarios = Scenario::ALL.into_iter().map(Scenario::name);
    let hoards = hoards::all().map(|hoard| hoard.name.to_owned());
    let names: Vec<String> = ["abuse".to_owned(), "memory".to_owned()]
        .into_iter()
        .chain(scenarios)
        .chain(hoards)
        .collect();
    if names.iter().any(|name| name == text) {
        return Ok(text.to_owned());
    }
    Err(format!("there are {}", names.join(", ")))
}
