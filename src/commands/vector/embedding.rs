//! The vector of an element: VEMB.

use super::common::{check_arity, is_word, on_key, read_set};
use crate::commands::spec::flag;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::vectors::{Quant, VectorSet};
use crate::resp::{Args, Reply};

pub(super) const VEMB: Spec = Spec {
    flags: flag::FAST,
    summary: "The vector of an element of a vector set",
    syntax: "key element [RAW]",
    ..on_key("vemb", Handler::Read(vemb))
};

fn vemb(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VEMB", 3..=usize::MAX)?;
    if !(3..args.len()).all(|at| is_word(args, at, "raw")) {
        return Err(CmdError::text("ERR invalid option"));
    }
    let set = read_set(txn, args.at(1))?;
    let is_found = set.is_some_and(|set| match args.len() {
        3 => reply_vector(reply, set, args.at(2)),
        _ => reply_raw(reply, set, args.at(2)),
    });
    if !is_found {
        reply.null();
    }
    Ok(())
}

fn reply_vector(reply: &mut Reply, set: &VectorSet, element: &[u8]) -> bool {
    let Some(vector) = set.vector(element) else {
        return false;
    };
    reply.array(vector.len());
    vector.iter().for_each(|value| reply.double(f64::from(*value)));
    true
}

fn reply_raw(reply: &mut Reply, set: &VectorSet, element: &[u8]) -> bool {
    let Some(raw) = set.raw(element) else { return false };
    let quant = set.shape().quant;
    reply.array(if quant == Quant::Q8 { 4 } else { 3 });
    reply.simple(quant.name());
    reply.bulk(raw.bytes);
    reply.double(f64::from(raw.norm));
    if quant == Quant::Q8 {
        reply.double(f64::from(raw.range));
    }
    true
}
