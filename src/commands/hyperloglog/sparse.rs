//! The sparse registers: a list of runs, each an opcode.
//!
//! ```text
//! 00llllll           ZERO   l + 1 registers (1 to 64) that are zero
//! 01llllll llllllll  XZERO  l + 1 registers (1 to 16384) that are zero
//! 1vvvvvll           VAL    l + 1 registers (1 to 4) of rank v + 1 (1 to 32)
//! ```
//!
//! **Invariants**: a register is raised by the same splits and merges as in Redis, including merges it does not make
//! (only five opcodes around the change are looked at), so that the bytes are the same. Valid runs add up to 16384.

use super::estimate::{Histogram, record};
use super::hll::{HEADER_BYTES, HllError, REGISTERS};

/// The opcodes of an empty value: one XZERO over everything.
pub(super) const EMPTY: [u8; 2] = [0x7f, 0xff];

const RANK_MAX: u8 = 32;
const ZERO_LEN_MAX: usize = 64;
const VALUE_LEN_MAX: usize = 4;
/// How many opcodes are looked at for merging after a change.
const MERGE_SCAN: usize = 5;

/// One run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// A short run of zeros.
    Zero { len: usize },
    /// A long run of zeros.
    XZero { len: usize },
    /// A run of one rank.
    Value { rank: u8, len: usize },
}

impl Run {
    /// Reads the opcode at the start of `bytes`; a missing second byte counts as zero.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let &first = bytes.first()?;
        Some(match first >> 6 {
            0 => Self::Zero {
                len: usize::from(first & 0x3f) + 1,
            },
            1 => {
                let second = bytes.get(1).copied().unwrap_or(0);
                Self::XZero {
                    len: usize::from(u16::from_be_bytes([first & 0x3f, second])) + 1,
                }
            }
            _ => Self::Value {
                rank: (first >> 2 & 0x1f) + 1,
                len: usize::from(first & 3) + 1,
            },
        })
    }

    /// How many registers it covers.
    fn len(self) -> usize {
        match self {
            Self::Zero { len } | Self::XZero { len } | Self::Value { len, .. } => len,
        }
    }

    /// How many bytes its opcode takes.
    fn width(self) -> usize {
        if matches!(self, Self::XZero { .. }) { 2 } else { 1 }
    }

    /// The rank of its registers.
    fn rank(self) -> u8 {
        match self {
            Self::Value { rank, .. } => rank,
            Self::Zero { .. } | Self::XZero { .. } => 0,
        }
    }

    /// A run of this rank in the shortest opcode.
    fn new(rank: u8, len: usize) -> Self {
        match rank {
            0 if len > ZERO_LEN_MAX => Self::XZero { len },
            0 => Self::Zero { len },
            rank => Self::Value { rank, len },
        }
    }

    fn encode(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Zero { len } => bytes.push((len - 1) as u8),
            Self::XZero { len } => bytes.extend_from_slice(&(0x4000 | (len - 1) as u16).to_be_bytes()),
            Self::Value { rank, len } => bytes.push(0x80 | (rank - 1) << 2 | (len - 1) as u8),
        }
    }
}

/// The runs of a value (header left out), each with the place of its opcode.
pub(super) fn runs(opcodes: &[u8]) -> impl Iterator<Item = (usize, Run)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let run = Run::decode(opcodes.get(at..)?)?;
        let place = at;
        at += run.width();
        Some((place, run))
    })
}

/// How many registers have each rank. O(length).
pub(super) fn histogram(opcodes: &[u8]) -> Result<Histogram, HllError> {
    let mut histogram: Histogram = [0; 64];
    let mut total = 0;
    for (_, run) in runs(opcodes) {
        record(&mut histogram, run.rank(), run.len());
        total += run.len();
    }
    if total == REGISTERS {
        Ok(histogram)
    } else {
        Err(HllError::Corrupt)
    }
}

/// All registers, one byte each. O(registers).
pub(super) fn unpack(opcodes: &[u8]) -> Result<Vec<u8>, HllError> {
    let mut ranks = Vec::with_capacity(REGISTERS);
    for (_, run) in runs(opcodes) {
        if ranks.len() + run.len() > REGISTERS {
            return Err(HllError::Corrupt);
        }
        ranks.resize(ranks.len() + run.len(), run.rank());
    }
    if ranks.len() == REGISTERS {
        Ok(ranks)
    } else {
        Err(HllError::Corrupt)
    }
}

/// What became of raising a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is at least that high already.
    Unchanged,
    /// It was raised.
    Raised,
    /// It must be raised, but the value has to be dense for that; nothing was changed.
    Full,
}

/// The run that covers a register.
struct Found {
    run: Run,
    /// Its first register.
    first: usize,
    /// Where its opcode is in the value.
    place: usize,
    /// Where the opcode before it is, or its own place.
    previous: usize,
}

fn find(bytes: &[u8], index: usize) -> Option<Found> {
    let (mut first, mut previous) = (0, HEADER_BYTES);
    for (at, run) in runs(bytes.get(HEADER_BYTES..)?) {
        let place = HEADER_BYTES + at;
        if index < first + run.len() {
            return Some(Found {
                run,
                first,
                place,
                previous,
            });
        }
        previous = place;
        first += run.len();
    }
    None
}

/// Raises a register to at least `rank` within `bytes_max` bytes. O(length).
pub(super) fn raise(bytes: &mut Vec<u8>, index: usize, rank: u8, bytes_max: usize) -> Result<Outcome, HllError> {
    if rank > RANK_MAX {
        return Ok(Outcome::Full);
    }
    let found = find(bytes, index).ok_or(HllError::Corrupt)?;
    let Found {
        run,
        first,
        place,
        previous,
    } = found;
    if run.rank() >= rank {
        return Ok(Outcome::Unchanged);
    }
    let before = index - first;
    let after = first + run.len() - 1 - index;
    let mut opcodes = Vec::with_capacity(5);
    for (rank, len) in [(run.rank(), before), (rank, 1), (run.rank(), after)] {
        if len > 0 {
            Run::new(rank, len).encode(&mut opcodes);
        }
    }
    if opcodes.len() > run.width() && bytes.len() + opcodes.len() - run.width() > bytes_max {
        return Ok(Outcome::Full);
    }
    let end = (place + run.width()).min(bytes.len());
    bytes.splice(place..end, opcodes);
    merge_around(bytes, previous);
    Ok(Outcome::Raised)
}

/// Joins neighbouring runs of one rank, among the few opcodes from `at` on.
fn merge_around(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..MERGE_SCAN {
        let Some(run) = bytes.get(at..).and_then(Run::decode) else {
            return;
        };
        let next = bytes.get(at + run.width()..).and_then(Run::decode);
        match (run, next) {
            (
                Run::Value { rank, len },
                Some(Run::Value {
                    rank: next_rank,
                    len: next_len,
                }),
            ) if rank == next_rank && len + next_len <= VALUE_LEN_MAX => {
                let mut joined = Vec::with_capacity(1);
                Run::Value {
                    rank,
                    len: len + next_len,
                }
                .encode(&mut joined);
                bytes.splice(at..at + 2, joined);
            }
            _ => at += run.width(),
        }
    }
}
