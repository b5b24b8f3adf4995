//! The rows of the throughput table, as the command line names them: `get/c50/p16`, `set/c50/p1/r40000/d16384`.

use super::common::load::Load;
use super::test::{Keyspace, Test, VALUE_BYTES};
use std::fmt;
use std::str::FromStr;

/// What is measured where nothing else is asked for: one client, many, very many; depths; and an even rate that every
/// server keeps up with, at which CPU per request and latency compare best.
pub const DEFAULT: [&str; 16] = [
    "ping/c50/p1",
    "get/c1/p1",
    "set/c1/p1",
    "get/c50/p1",
    "set/c50/p1",
    "get/c50/p1/r40000",
    "set/c50/p1/r40000",
    "get/c50/p16",
    "set/c50/p16",
    "get/c50/p64",
    "set/c50/p64",
    "get/c500/p1",
    "set/c500/p1",
    "get/c500/p16",
    "set/c500/p16",
    "multi/c50/p1",
];

/// One row: its load.
#[derive(Clone, Debug)]
pub struct Row {
    test: Test,
    value_bytes: usize,
    connections: usize,
    pipeline: usize,
    rate: Option<u64>,
}

impl Row {
    /// Whether the log has to do with it.
    pub fn writes(&self) -> bool {
        self.test.writes()
    }

    /// The keys it asks for.
    pub fn keyspace(&self) -> Keyspace {
        Keyspace::of(self.test, self.value_bytes)
    }

    /// What is done to a server.
    pub fn load(&self) -> Load {
        Load {
            unit: self.test.unit(self.value_bytes),
            connections: self.connections,
            pipeline: self.pipeline,
            rate: self.rate,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/c{}/p{}", self.test, self.connections, self.pipeline)?;
        if let Some(rate) = self.rate {
            write!(f, "/r{rate}")?;
        }
        if self.value_bytes != VALUE_BYTES {
            write!(f, "/d{}", self.value_bytes)?;
        }
        Ok(())
    }
}

impl FromStr for Row {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let mut row = Self {
            test: parts.next().unwrap_or_default().parse::<Test>()?,
            value_bytes: VALUE_BYTES,
            connections: 50,
            pipeline: 1,
            rate: None,
        };
        for part in parts {
            let (letter, number) = part.split_at_checked(1).unwrap_or_default();
            let number: usize = match number.parse() {
                Ok(number @ 1..=100_000_000) => number,
                _ => {
                    return Err(format!(
                        "{part:?} in {text:?}: a letter and a number from 1 to 100,000,000"
                    ));
                }
            };
            match letter {
                "c" => row.connections = number,
                "p" => row.pipeline = number,
                "r" => row.rate = Some(number as u64),
                "d" => row.value_bytes = number,
                _ => {
                    let letters = "c (connections), p (pipeline), r (requests a second), d (bytes of a value)";
                    return Err(format!("{part:?} in {text:?}: there are {letters}"));
                }
            }
        }
        Ok(row)
    }
}
