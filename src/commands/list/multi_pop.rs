//! Taking elements off the first of several lists that has any: LMPOP.

use super::common::{End, list_len, pop};
use crate::commands::multi_pop::MultiPop;
use crate::commands::spec::{Group, counted_keys, flag};
use crate::commands::value::reply_item;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const LMPOP: Spec = Spec {
    since: "7.0.0",
    flags: flag::MOVABLE_KEYS,
    acl: &["list"],
    keys: &[counted_keys(1, &["RW", "access", "delete"])],
    summary: "Takes elements off an end of the first of several lists that has any",
    complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
    syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    ..Spec::new("lmpop", Group::List, -4, Handler::Write(lmpop))
};

fn lmpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = MultiPop::parse(args, 1, End::parse)?;
    if !pop_first(&options, txn, args, reply)? {
        reply.null_array();
    }
    Ok(())
}

/// Pops from the first key that has something; whether there was one.
pub(super) fn pop_first(
    options: &MultiPop<End>,
    txn: &mut Txn<'_, '_>,
    args: Args<'_>,
    reply: &mut Reply,
) -> Result<bool, CmdError> {
    let Some((key, count)) = options.begin(txn, args, list_len, reply)? else {
        return Ok(false);
    };
    pop(txn, key, options.end, count, |item| reply_item(reply, item))?;
    Ok(true)
}
