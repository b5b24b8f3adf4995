//! How many members are in a range: ZCOUNT, ZLEXCOUNT.

use super::common::read_zset;
use super::interval::{Bounds, By};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const ZCOUNT: Spec = Spec {
    since: "2.0.0",
    flags: flag::FAST,
    acl: &["sortedset"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns how many members of a sorted set have scores in a range",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    syntax: "key min max",
    ..Spec::new("zcount", Group::SortedSet, 4, Handler::Read(zcount))
};

fn zcount(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    count(txn, args, By::Score, reply)
}

pub(super) const ZLEXCOUNT: Spec = Spec {
    since: "2.8.9",
    summary: "Returns how many members of a sorted set, all of one score, have names in a range",
    ..Spec {
        name: "zlexcount",
        handler: Handler::Read(zlexcount),
        ..ZCOUNT
    }
};

fn zlexcount(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    count(txn, args, By::Lex, reply)
}

fn count(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, by: By, reply: &mut Reply) -> CmdResult {
    let bounds = Bounds::parse(by, args.at(2), args.at(3))?;
    let zset = read_zset(txn, args.at(1))?;
    reply.int(zset.map_or(0, |zset| bounds.interval(zset, false).len as i64));
    Ok(())
}
