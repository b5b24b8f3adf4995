//! Removing members: ZREM, ZREMRANGEBYLEX, ZREMRANGEBYRANK, ZREMRANGEBYSCORE.

use std::collections::HashSet;

use super::common::{old_zset, remove, remove_interval};
use super::interval::{Bounds, By};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const ZREM: Spec = Spec {
    since: "1.2.0",
    flags: flag::FAST,
    acl: &["sortedset"],
    keys: &[first_key(&["RW", "delete"])],
    summary: "Removes members; the last one takes the sorted set with it",
    complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be \
                 removed.",
    syntax: "key member [member ...]",
    ..Spec::new("zrem", Group::SortedSet, -3, Handler::Write(zrem))
};

fn zrem(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let Some(zset) = old_zset(txn, key)? else {
        reply.int(0);
        return Ok(());
    };
    let mut seen = HashSet::new();
    let is_there = |member: &&[u8]| zset.score(member).is_some();
    let gone: Vec<&[u8]> = args
        .skip(2)
        .iter()
        .filter(is_there)
        .filter(|member| seen.insert(*member))
        .collect();
    if !gone.is_empty() {
        remove(txn, key, gone.iter().copied());
        txn.notify_taken(Classes::ZSET, "zrem", key);
    }
    reply.int(gone.len() as i64);
    Ok(())
}

pub(super) const ZREMRANGEBYSCORE: Spec = Spec {
    flags: 0,
    summary: "Removes the members of a sorted set whose scores are in a range",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
                 removed by the operation.",
    syntax: "key min max",
    ..Spec {
        name: "zremrangebyscore",
        arity: 4,
        handler: Handler::Write(zremrangebyscore),
        ..ZREM
    }
};

fn zremrangebyscore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    remove_range(txn, args, By::Score, reply)
}

pub(super) const ZREMRANGEBYRANK: Spec = Spec {
    since: "2.0.0",
    summary: "Removes the members of a sorted set from one rank to another",
    syntax: "key start stop",
    ..Spec {
        name: "zremrangebyrank",
        handler: Handler::Write(zremrangebyrank),
        ..ZREMRANGEBYSCORE
    }
};

fn zremrangebyrank(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    remove_range(txn, args, By::Rank, reply)
}

pub(super) const ZREMRANGEBYLEX: Spec = Spec {
    since: "2.8.9",
    summary: "Removes the members of a sorted set, all of one score, whose names are in a range",
    ..Spec {
        name: "zremrangebylex",
        handler: Handler::Write(zremrangebylex),
        ..ZREMRANGEBYSCORE
    }
};

fn zremrangebylex(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    remove_range(txn, args, By::Lex, reply)
}

fn remove_range(txn: &mut Txn<'_, '_>, args: Args<'_>, by: By, reply: &mut Reply) -> CmdResult {
    let bounds = Bounds::parse(by, args.at(2), args.at(3))?;
    let key = args.at(1);
    let zset = old_zset(txn, key)?;
    let interval = zset.map_or_else(Default::default, |zset| bounds.interval(zset, false));
    let name = match by {
        By::Score => ZREMRANGEBYSCORE.name,
        By::Rank => ZREMRANGEBYRANK.name,
        By::Lex => ZREMRANGEBYLEX.name,
    };
    remove_interval(txn, key, interval, name);
    reply.int(interval.len as i64);
    Ok(())
}
