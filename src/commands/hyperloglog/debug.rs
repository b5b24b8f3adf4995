//! `PFDEBUG` and `PFSELFTEST`: a HyperLogLog's insides.
//!
//! **Invariants**: nothing here changes a value, apart from [`super::to_dense`], which `PFDEBUG` also calls.

use super::sparse::{Run, runs};
use super::{Encoding, HEADER_BYTES, HllError, REGISTERS, add, check, count, empty, registers, to_dense};
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

/// `PFSELFTEST`: sparse and dense values agree on random elements, and counts stay within three and a half standard
/// errors (Redis's own bound). What failed, if anything.
pub fn self_test(random: &mut Random) -> Result<(), String> {
    const ELEMENTS: u64 = 100_000;
    let (mut sparse, mut dense) = (empty(), empty());
    let failed = |error: HllError| error.to_string();
    to_dense(&mut dense).map_err(failed)?;
    let salt = random.next_u64();
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let element = (salt ^ number).to_ne_bytes();
        let changed = add(&mut sparse, &element, super::SPARSE_BYTES_MAX_DEFAULT).map_err(failed)?;
        if changed != add(&mut dense, &element, 0).map_err(failed)? {
            return Err(format!(
                "TESTFAILED sparse and dense disagree on element {number}, salt {salt}"
            ));
        }
        if number == checkpoint {
            checkpoint *= 10;
            compare(&sparse, &dense, number, salt)?;
        }
    }
    Ok(())
}

fn compare(sparse: &[u8], dense: &[u8], elements: u64, salt: u64) -> Result<(), String> {
    let failed = |error: HllError| error.to_string();
    let estimate = count(dense).map_err(failed)?;
    if count(sparse).map_err(failed)? != estimate || registers(sparse) != registers(dense) {
        return Err(format!(
            "TESTFAILED sparse and dense disagree after {elements} elements, salt {salt}"
        ));
    }
    let standard_error = 1.04 / (REGISTERS as f64).sqrt();
    // Below ten, one collision is already more than the relative bound.
    let bound = if elements < 11 {
        1
    } else {
        (standard_error * elements as f64 * 3.5).ceil() as u64
    };
    if estimate.abs_diff(elements) > bound {
        return Err(format!(
            "TESTFAILED Too big error. card:{elements} abserr:{}",
            estimate.abs_diff(elements)
        ));
    }
    Ok(())
}
