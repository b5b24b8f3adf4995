//! Who is compared: the peers, a version before, and the one at hand.

use super::common::server::{Durability, Program, Server, Setup};
use super::common::sides::{self, Side};
use super::common::{Result, machine};
use super::options::Options;
use std::path::PathBuf;

/// All of them; the last one is judged.
pub struct Sides {
    /// In the order of the tables.
    pub all: Vec<Side>,
    /// Lines about the programs, for the report.
    pub about: Vec<String>,
}

impl Sides {
    /// As the command line says.
    pub fn of(options: &Options) -> Self {
        let peers = options.peers();
        let mut about = Vec::new();
        let mut all = Vec::new();
        for found in peers.found {
            about.push(format!("- {}: {}", found.peer.name(), found.title));
            all.push(Side {
                title: found.title,
                program: Program::Redis(found.program),
            });
        }
        about.extend(peers.missing.iter().map(|line| format!("- **{line}**")));
        let mut lokikv = |title: &str, binary: PathBuf| {
            about.push(format!("- {title}: {}", machine::version(&binary)));
            all.push(Side {
                title: title.to_owned(),
                program: Program::LokiKv(binary),
            });
        };
        if let Some(before) = options.before() {
            lokikv("LokiKV before", before);
        }
        lokikv("LokiKV", options.binary());
        Self { all, about }
    }

    /// Places of all, another one first each round: a drift of the machine favours nobody.
    pub fn order(&self, round: usize) -> impl Iterator<Item = usize> + use<> {
        sides::order(self.all.len(), round)
    }
}

impl Side {
    /// Starts it.
    pub fn start(&self, options: &Options, durability: Durability) -> Result<Server> {
        Server::start(&Setup {
            durability,
            scratch: options.scratch.clone(),
            ..self.setup(options.workers)
        })
    }
}
