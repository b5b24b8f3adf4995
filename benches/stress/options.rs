//! The command line of the abuse benchmark.

use super::common::machine;
use super::common::server::{Durability, Program, Setup};
use super::scenarios::Scenario;
use clap::Parser;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measures how servers behave while a client misbehaves.
#[derive(Debug, Parser)]
#[command(name = "stress")]
pub struct Options {
    /// Only these scenarios.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
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
    /// Only Redis.
    #[arg(long)]
    control: bool,
    /// Directory for the servers' files.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    scratch: PathBuf,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Whether this scenario is to be run.
    pub fn wants(&self, scenario: Scenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
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

    /// The servers and how to start them.
    pub fn setups(&self) -> Vec<(&'static str, Setup)> {
        let lokikv = self
            .lokikv()
            .map(|path| ("LokiKV", Program::LokiKv(path.to_path_buf())));
        let programs = [("Redis", Program::redis())].into_iter().chain(lokikv);
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
