//! What elements are said to be: VGETATTR, VSETATTR.

use super::common::{apply, check_arity, old_set, on_key, read_set};
use crate::commands::spec::{first_key, flag};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::vectors::VectorOp;
use crate::resp::{Args, Reply};

pub(super) const VGETATTR: Spec = Spec {
    flags: flag::FAST,
    summary: "The attributes of an element of a vector set",
    syntax: "key element",
    ..on_key("vgetattr", Handler::Read(vgetattr))
};

fn vgetattr(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VGETATTR", 3..=3)?;
    let set = read_set(txn, args.at(1))?;
    match set.and_then(|set| set.attributes(args.at(2))).flatten() {
        Some(attributes) => reply.bulk(attributes),
        None => reply.null(),
    }
    Ok(())
}

pub(super) const VSETATTR: Spec = Spec {
    flags: flag::FAST | flag::DENY_OOM,
    keys: &[first_key(&["RW", "update"])],
    summary: "Gives an element of a vector set attributes; empty ones take them away",
    syntax: "key element attributes",
    ..on_key("vsetattr", Handler::Write(vsetattr))
};

fn vsetattr(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VSETATTR", 4..=4)?;
    let (key, element, attributes) = (args.at(1), args.at(2), args.at(3));
    let is_there = old_set(txn, key)?.is_some_and(|set| set.contains(element));
    if is_there {
        apply(txn, key, VectorOp::SetAttributes { element, attributes });
    }
    reply.boolean(is_there);
    Ok(())
}
