//! A vector among arguments: `[REDUCE dim] FP32 blob` or `[REDUCE dim] VALUES count number …`.

use super::common::{float_arg, is_word};
use crate::commands::CmdError;
use crate::page::vectors::{DIM_MAX, Shape};
use crate::resp::{Args, parse_i64};

const INVALID: CmdError = CmdError::text("ERR invalid vector specification");
const TOO_LONG: CmdError = CmdError::text("ERR vectors have at most 65536 dimensions");

const _: () = assert!(DIM_MAX == 65_536);

/// See the module.
pub(super) struct Given {
    /// Its components.
    pub vector: Vec<f32>,
    /// How many dimensions it is to be reduced to.
    pub reduce: Option<u32>,
    /// The first argument behind it.
    pub end: usize,
}

impl Given {
    /// The vector that begins at argument `from`. `may_reduce`: as `VADD` takes it.
    ///
    /// # Errors
    /// It is none, or too long.
    pub fn parse(args: Args<'_>, from: usize, may_reduce: bool) -> Result<Self, CmdError> {
        let (mut at, mut reduce) = (from, None);
        if may_reduce && is_word(args, at, "reduce") {
            reduce = Some(dimensions(args, at + 1)?);
            at += 2;
        }
        if is_word(args, at, "fp32") {
            let blob = args.get(at + 1).ok_or(INVALID)?;
            let vector = floats(blob)?;
            let end = at + 2;
            return Ok(Self { vector, reduce, end });
        }
        if !is_word(args, at, "values") {
            return Err(INVALID);
        }
        let count = dimensions_given(args, at + 1)?;
        let (start, end) = (at + 2, (at + 2).saturating_add(count));
        if end > args.len() {
            return Err(INVALID);
        }
        let vector: Option<Vec<f32>> = (start..end)
            .map(|at| float_arg(args, at).map(|float| float as f32))
            .collect();
        let vector = vector.ok_or(INVALID)?;
        if vector.len() > DIM_MAX as usize {
            return Err(TOO_LONG);
        }
        Ok(Self { vector, reduce, end })
    }

    /// How many dimensions it has, which are not more than a number of 32 bits.
    pub fn dim(&self) -> u32 {
        self.vector.len() as u32
    }

    /// The vector as effects carry it.
    pub fn bytes(&self) -> Vec<u8> {
        self.vector.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

fn dimensions_given(args: Args<'_>, at: usize) -> Result<usize, CmdError> {
    let count = args.get(at).and_then(parse_i64).filter(|count| *count > 0);
    count.and_then(|count| usize::try_from(count).ok()).ok_or(INVALID)
}

fn dimensions(args: Args<'_>, at: usize) -> Result<u32, CmdError> {
    let count = dimensions_given(args, at)?;
    u32::try_from(count)
        .ok()
        .filter(|count| *count <= DIM_MAX)
        .ok_or(TOO_LONG)
}

fn floats(blob: &[u8]) -> Result<Vec<f32>, CmdError> {
    let (floats, rest) = blob.as_chunks::<4>();
    if floats.is_empty() || !rest.is_empty() {
        return Err(INVALID);
    }
    if floats.len() > DIM_MAX as usize {
        return Err(TOO_LONG);
    }
    Ok(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// A vector of `dim` dimensions does not go with a set of this shape.
pub(super) fn mismatch(dim: u32, shape: Shape) -> CmdError {
    format!("ERR Vector dimension mismatch - got {dim} but set has {}", shape.dim).into()
}

/// A vector of `dim` dimensions cannot be reduced as those of a set are.
pub(super) fn projection_mismatch(dim: u32, input_dim: u32) -> CmdError {
    format!("ERR Input dimension mismatch for projection - got {dim} but projection expects {input_dim}").into()
}
