//! What is asked for: keys by Zipf's law, alone or with scans of keys that nobody asks for again.
//!
//! **Invariant**: a trace is the same each time it is walked.

use std::fmt;

/// After so many requests a scan begins.
const SCAN_EVERY: usize = 10_000;
/// Keys of a scan, as a share of those that fit into memory.
const SCAN_SHARE: usize = 4;

/// A kind of trace.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// How unevenly keys are asked for.
    pub exponent: f64,
    /// Whether scans come in between.
    pub has_scans: bool,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::new(0.7, false),
        Self::new(0.9, false),
        Self::new(1.1, false),
        Self::new(0.7, true),
        Self::new(0.9, true),
        Self::new(1.1, true),
    ];

    const fn new(exponent: f64, has_scans: bool) -> Self {
        Self { exponent, has_scans }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "Zipf {:.1}{}",
            self.exponent,
            if self.has_scans { " with scans" } else { "" }
        )
    }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// For a key by its rank.
    Key(usize),
    /// For a key that is asked for once.
    Once(usize),
}

/// See the module.
pub struct Trace {
    /// How likely a key of this rank, or a lower one, is.
    cumulated: Vec<f64>,
    random: u64,
    has_scans: bool,
    scan_keys: usize,
    asked: usize,
    left_of_scan: usize,
    scanned: usize,
}

impl Trace {
    /// A trace over so many keys.
    pub fn new(kind: Kind, keys: usize) -> Self {
        let weights = (1..=keys).map(|rank| (rank as f64).powf(-kind.exponent));
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        cumulated.iter_mut().for_each(|up_to| *up_to /= sum);
        Self {
            cumulated,
            random: 0x9E37_79B9_7F4A_7C15,
            has_scans: kind.has_scans,
            scan_keys: keys / 10 / SCAN_SHARE,
            asked: 0,
            left_of_scan: 0,
            scanned: 0,
        }
    }

    fn uniform(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next request.
    pub fn next(&mut self) -> Asked {
        if self.left_of_scan > 0 {
            self.left_of_scan -= 1;
            self.scanned += 1;
            return Asked::Once(self.scanned);
        }
        self.asked += 1;
        if self.has_scans && self.asked.is_multiple_of(SCAN_EVERY) {
            self.left_of_scan = self.scan_keys;
        }
        let drawn = self.uniform();
        Asked::Key(self.cumulated.partition_point(|up_to| *up_to < drawn))
    }
}
