//! `PFDEBUG` and `PFSELFTEST`: a HyperLogLog's insides.
//!
//! **Invariants**: nothing here changes a value, apart from [`super::hll::to_dense`], which `PFDEBUG` also calls.

use std::fmt;

use super::hll::{Encoding, HEADER_BYTES, HllError, REGISTERS, add, check, count, empty, registers, to_dense};
use super::sparse::{Run, runs};
use crate::commands::support::random::Random;

/// `PFDEBUG GETREG`: all registers, one byte each. (Redis also makes the value dense then: call [`to_dense`].)
pub fn register_values(bytes: &[u8]) -> Result<Vec<u8>, HllError> {
    registers(bytes)
}

/// `PFDEBUG ENCODING`: `dense` or `sparse`.
pub fn encoding_name(bytes: &[u8]) -> Result<&'static str, HllError> {
    check(bytes).map(|encoding| match encoding {
        Encoding::Dense => "dense",
        Encoding::Sparse => "sparse",
    })
}

/// `PFDEBUG DECODE`: the runs of a sparse value, as `z:len` (ZERO), `Z:len` (XZERO) and `v:rank,len` (VAL).
///
/// As in Redis they need not add up: a corrupt value can be looked at.
pub fn decode(bytes: &[u8]) -> Result<String, HllError> {
    if check(bytes)? == Encoding::Dense {
        return Err(HllError::NotSparse);
    }
    let words = runs(bytes.get(HEADER_BYTES..).unwrap_or_default()).map(|(_, run)| match run {
        Run::Zero { len } => format!("z:{len}"),
        Run::XZero { len } => format!("Z:{len}"),
        Run::Value { rank, len } => format!("v:{rank},{len}"),
    });
    Ok(words.collect::<Vec<_>>().join(" "))
}

/// What `PFSELFTEST` found wrong.
#[derive(Debug)]
pub enum TestFailure {
    /// A value of its own is refused.
    Refused(HllError),
    /// The forms disagree on whether an element changes them.
    Element {
        /// Which.
        number: u64,
        /// What the elements came from.
        salt: u64,
    },
    /// They disagree on what they have counted.
    Values {
        /// How many elements.
        elements: u64,
        /// What they came from.
        salt: u64,
    },
    /// The estimate is too far from the count.
    TooFar {
        /// How many elements.
        elements: u64,
        /// By how many.
        by: u64,
    },
}

impl fmt::Display for TestFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(out),
            Self::Element { number, salt } => {
                write!(
                    out,
                    "TESTFAILED sparse and dense disagree on element {number}, salt {salt}"
                )
            }
            Self::Values { elements, salt } => {
                write!(
                    out,
                    "TESTFAILED sparse and dense disagree after {elements} elements, salt {salt}"
                )
            }
            Self::TooFar { elements, by } => write!(out, "TESTFAILED Too big error. card:{elements} abserr:{by}"),
        }
    }
}

impl std::error::Error for TestFailure {}

impl From<HllError> for TestFailure {
    fn from(error: HllError) -> Self {
        Self::Refused(error)
    }
}

/// `PFSELFTEST`: sparse and dense values agree on random elements, and counts stay within three and a half standard
/// errors (Redis's own bound). What failed, if anything.
pub fn self_test(random: &mut Random) -> Result<(), TestFailure> {
    const ELEMENTS: u64 = 100_000;
    let (mut sparse, mut dense) = (empty(), empty());
    to_dense(&mut dense)?;
    let salt = random.next_u64();
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let element = (salt ^ number).to_ne_bytes();
        let changed = add(&mut sparse, &element, super::hll::SPARSE_BYTES_MAX_DEFAULT)?;
        if changed != add(&mut dense, &element, 0)? {
            return Err(TestFailure::Element { number, salt });
        }
        if number == checkpoint {
            checkpoint *= 10;
            compare(&sparse, &dense, number, salt)?;
        }
    }
    Ok(())
}

fn compare(sparse: &[u8], dense: &[u8], elements: u64, salt: u64) -> Result<(), TestFailure> {
    let estimate = count(dense)?;
    if count(sparse)? != estimate || registers(sparse) != registers(dense) {
        return Err(TestFailure::Values { elements, salt });
    }
    let standard_error = 1.04 / (REGISTERS as f64).sqrt();
    // Below ten, one collision is already more than the relative bound.
    let bound = if elements < 11 {
        1
    } else {
        (standard_error * elements as f64 * 3.5).ceil() as u64
    };
    if estimate.abs_diff(elements) > bound {
        return Err(TestFailure::TooFar {
            elements,
            by: estimate.abs_diff(elements),
        });
    }
    Ok(())
}
