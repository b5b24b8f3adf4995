//! Taking members out of the first of several sorted sets that has any: ZMPOP.

use super::common::zset_len;
use super::pop::{End, pop, reply_flat};
use crate::commands::multi_pop::MultiPop;
use crate::commands::spec::{Group, counted_keys, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const ZMPOP: Spec = Spec {
    since: "7.0.0",
    flags: flag::MOVABLE_KEYS,
    acl: &["sortedset"],
    keys: &[counted_keys(1, &["RW", "access", "delete"])],
    summary: "Takes the members with the lowest or highest scores out of the first of several sorted sets that has any",
    complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
                 sorted set, and M being the number of elements popped.",
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    ..Spec::new("zmpop", Group::SortedSet, -4, Handler::Write(zmpop))
};

fn zmpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
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
    let Some((key, count)) = options.begin(txn, args, zset_len, reply)? else {
        return Ok(false);
    };
    pop(txn, key, options.end, count, |member| {
        reply.array(2);
        reply_flat(reply, member);
    })?;
    Ok(true)
}
