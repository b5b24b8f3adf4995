//! Putting elements in: VADD.

use super::common::{apply, check_arity, is_word, old_set, on_key};
use super::given::{Given, mismatch, projection_mismatch};
use crate::commands::spec::{first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::page::vectors::{EF_ADD, EF_MAX, M_DEFAULT, M_MAX, M_MIN, Quant, Shape, VectorOp};
use crate::resp::{Args, Reply, parse_i64};

pub(super) const VADD: Spec = Spec {
    flags: flag::DENY_OOM,
    keys: &[first_key(&["RW", "update"])],
    summary: "Puts an element into a vector set, or gives it another vector; the set is made if there is none",
    complexity: "O(log(N)) for each element added, where N is the number of elements in the vector set.",
    syntax: "key [REDUCE dim] <FP32 vector | VALUES num number [number ...]> element [CAS] [NOQUANT | Q8 | BIN] [EF build-exploration-factor] [SETATTR attributes] [M numlinks]",
    ..on_key("vadd", Handler::Write(vadd))
};

/// What stands behind the element.
struct Options<'a> {
    quant: Quant,
    m: u32,
    ef: u32,
    attributes: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, from: usize) -> Result<Self, CmdError> {
        let mut options = Self {
            quant: Quant::Q8,
            m: M_DEFAULT,
            ef: EF_ADD,
            attributes: None,
        };
        let mut at = from;
        while at < args.len() {
            let value = args.get(at + 1);
            let number = |min: u32, max: u32| {
                let number = value.and_then(parse_i64).and_then(|number| u32::try_from(number).ok());
                number.filter(|number| (min..=max).contains(number))
            };
            let mut is_pair = false;
            match value {
                // Links are looked for by the change itself, so there is nothing to check and set.
                _ if is_word(args, at, "cas") => {}
                _ if is_word(args, at, "noquant") => options.quant = Quant::F32,
                _ if is_word(args, at, "bin") => options.quant = Quant::Bin,
                _ if is_word(args, at, "q8") => options.quant = Quant::Q8,
                Some(_) if is_word(args, at, "ef") => {
                    options.ef = number(1, EF_MAX).ok_or(CmdError::text("ERR invalid EF"))?;
                    is_pair = true;
                }
                Some(_) if is_word(args, at, "m") => {
                    options.m = number(M_MIN, M_MAX).ok_or(CmdError::text("ERR invalid M"))?;
                    is_pair = true;
                }
                Some(value) if is_word(args, at, "setattr") => {
                    options.attributes = Some(value);
                    is_pair = true;
                }
                _ => return Err(CmdError::text("ERR invalid option after element")),
            }
            at += if is_pair { 2 } else { 1 };
        }
        Ok(options)
    }
}

fn vadd(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VADD", 5..=usize::MAX)?;
    let given = Given::parse(args, 2, true)?;
    let element = args.get(given.end).ok_or_else(|| CmdError::Arity("VADD".to_owned()))?;
    let options = Options::parse(args, given.end + 1)?;
    let key = args.at(1);
    let set = old_set(txn, key)?;
    let is_new = set.is_none_or(|set| !set.contains(element));
    let shape = match set {
        Some(set) => checked(set.shape(), &given, &options)?,
        None => Shape {
            quant: options.quant,
            m: options.m,
            dim: given.reduce.unwrap_or(given.dim()),
            input_dim: given.reduce.map(|_| given.dim()),
        },
    };
    let vector = given.bytes();
    let op = VectorOp::Add {
        element,
        vector: &vector,
        shape,
        ef: options.ef,
        attributes: options.attributes.map(serde_bytes::Bytes::new),
    };
    apply(txn, key, op);
    reply.boolean(is_new);
    Ok(())
}

/// The shape of a set that a vector may go into.
fn checked(shape: Shape, given: &Given, options: &Options<'_>) -> Result<Shape, CmdError> {
    if options.quant != shape.quant {
        return Err(CmdError::text(
            "ERR asked quantization mismatch with existing vector set",
        ));
    }
    if options.m != shape.m {
        return Err(CmdError::text("ERR asked M value mismatch with existing vector set"));
    }
    let dim = given.dim();
    match (shape.input_dim, given.reduce) {
        (None, _) if dim != shape.dim => Err(mismatch(dim, shape)),
        (None, Some(_)) => Err(CmdError::text(
            "ERR cannot add projection to existing set without projection",
        )),
        (None, None) => Ok(shape),
        (Some(_), reduce) if reduce != Some(shape.dim) => Err(mismatch(dim, shape)),
        (Some(input_dim), _) if dim != input_dim => Err(projection_mismatch(dim, input_dim)),
        (Some(_), _) => Ok(shape),
    }
}
