//! Taking elements out: VREM.

use super::common::{apply, check_arity, old_set, on_key};
use crate::commands::spec::first_key;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::page::vectors::VectorOp;
use crate::resp::{Args, Reply};

pub(super) const VREM: Spec = Spec {
    keys: &[first_key(&["RW", "delete"])],
    summary: "Takes an element out of a vector set, which goes with its last one",
    complexity: "O(log(N)) for each element removed, where N is the number of elements in the vector set.",
    syntax: "key element",
    ..on_key("vrem", Handler::Write(vrem))
};

fn vrem(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VREM", 3..=3)?;
    let (key, element) = (args.at(1), args.at(2));
    let is_there = old_set(txn, key)?.is_some_and(|set| set.contains(element));
    if is_there {
        apply(txn, key, VectorOp::Remove { element });
    }
    reply.boolean(is_there);
    Ok(())
}
