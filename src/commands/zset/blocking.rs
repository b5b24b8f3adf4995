//! The forms that wait for a member: BZMPOP, BZPOPMAX, BZPOPMIN.

use super::common::zset_len;
use super::multi_pop::{ZMPOP, pop_first};
use super::pop::{End, pop, reply_flat};
use crate::commands::blocking::{Attempt, Wait, first_of, timeout_s};
use crate::commands::multi_pop::{ALL_BUT_LAST, MultiPop};
use crate::commands::spec::{Group, counted_keys, flag};
use crate::commands::{CmdError, Handler, Spec};
use crate::engine::txn::Txn;
use crate::page::container::Kind;
use crate::resp::{Args, Reply};

type Outcome = Result<Attempt, CmdError>;

pub(super) const BZPOPMIN: Spec = Spec {
    since: "5.0.0",
    flags: flag::BLOCKING | flag::FAST,
    acl: &["sortedset"],
    keys: &[ALL_BUT_LAST],
    summary: "Takes the member with the lowest score out of the first of several sorted sets that has one, and waits \
              for one if none has",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    syntax: "key [key ...] timeout",
    ..Spec::new("bzpopmin", Group::SortedSet, -3, Handler::Blocking(bzpopmin))
};

fn bzpopmin(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    pop_one(txn, args, End::Min, reply)
}

pub(super) const BZPOPMAX: Spec = Spec {
    summary: "Takes the member with the highest score out of the first of several sorted sets that has one, and waits \
              for one if none has",
    ..Spec {
        name: "bzpopmax",
        handler: Handler::Blocking(bzpopmax),
        ..BZPOPMIN
    }
};

fn bzpopmax(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    pop_one(txn, args, End::Max, reply)
}

fn pop_one(txn: &mut Txn<'_, '_>, args: Args<'_>, end: End, reply: &mut Reply) -> Outcome {
    let last = args.len() - 1;
    let timeout = timeout_s(args.at(last))?;
    let Some((key, _)) = first_of(txn, args, 1..last, zset_len)? else {
        return Ok(Attempt::Nothing(Wait::for_values(Kind::Zset, 1..last, timeout)));
    };
    reply.array(3);
    reply.bulk(key);
    pop(txn, key, end, 1, |member| reply_flat(reply, member))?;
    Ok(Attempt::Done)
}

pub(super) const BZMPOP: Spec = Spec {
    flags: flag::BLOCKING | flag::MOVABLE_KEYS,
    keys: &[counted_keys(2, &["RW", "access", "delete"])],
    summary: "Takes members out of the first of several sorted sets that has any, and waits for one if none has",
    syntax: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    ..Spec {
        name: "bzmpop",
        arity: -5,
        handler: Handler::Blocking(bzmpop),
        ..ZMPOP
    }
};

fn bzmpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    let options = MultiPop::parse(args, 2, End::parse)?;
    let timeout = timeout_s(args.at(1))?;
    if pop_first(&options, txn, args, reply)? {
        return Ok(Attempt::Done);
    }
    Ok(Attempt::Nothing(Wait::for_values(Kind::Zset, options.keys, timeout)))
}
