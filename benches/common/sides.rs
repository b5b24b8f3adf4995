//! Whom a comparison is between: the peers that are there, and LokiKV.
//!
//! **Invariant:** LokiKV is the last one.

use super::peers::{self, Wanted};
use super::server::{Durability, Program, Setup};
use std::path::PathBuf;

/// One server of a comparison.
pub struct Side {
    /// Its name in the tables.
    pub title: String,
    /// What is started.
    pub program: Program,
}

impl Side {
    /// With data in memory only.
    pub fn setup(&self, workers: usize) -> Setup {
        Setup {
            program: self.program.clone(),
            durability: Durability::Off,
            workers,
            scratch: std::env::temp_dir(),
        }
    }
}

/// All of them.
pub struct Sides {
    /// In the order of the tables.
    pub all: Vec<Side>,
    /// A line about each peer that is not there.
    pub missing: Vec<String>,
}

impl Sides {
    /// The peers that are wanted and there, and this binary.
    pub fn of(wanted: &[Wanted], binary: PathBuf) -> Self {
        let found = peers::search(wanted);
        let peers = found.found.into_iter().map(|found| Side {
            title: found.title,
            program: Program::Redis(found.program),
        });
        let own = Side {
            title: "LokiKV".to_owned(),
            program: Program::LokiKv(binary),
        };
        Self {
            all: peers.chain([own]).collect(),
            missing: found.missing,
        }
    }
}

/// The places of so many servers, another one first each round: a drift of the machine favours nobody.
pub fn order(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| (place + round) % count)
}
