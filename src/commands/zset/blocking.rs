//! The forms that wait for a member: BZMPOP, BZPOPMAX, BZPOPMIN.

use super::common::old_zset;
use super::multi_pop::{Options, ZMPOP};
use super::pop::{End, pop, reply_flat};
use crate::commands::blocking::{Attempt, Wait, timeout_s};
use crate::commands::spec::{Begin, Find, Group, KeySpec, counted_keys, first_key, flag};
use crate::commands::{CmdError, Handler, Spec};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

type Outcome = Result<Attempt, CmdError>;

const ALL_BUT_LAST: KeySpec = KeySpec {
    begin: Begin::Index(1),
    find: Find::Range {
        last: -2,
        step: 1,
        limit: 0,
    },
    ..first_key(&["RW", "access", "delete"])
};

pub(super) const BZPOPMIN: Spec = Spec {
    since: "5.0.0",
    flags: flag::NO_SCRIPT | flag::BLOCKING | flag::FAST,
    acl: &["sortedset"],
    keys: &[ALL_BUT_LAST],
    summary: "Takes the member with the lowest score out of the first of several sorted sets that has one, and waits \
              for one if none has",
    complexity: "O(log(N)) with N being the number of elements in the sorted set.",
    syntax: "key [key ...] timeout",
    ..Spec::new("bzpopmin", Group::SortedSet, -3, Handler::Blocking(bzpopmin))
};

fn bzpopmin(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    pop_first(txn, args, End::Min, reply)
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
    pop_first(txn, args, End::Max, reply)
}

fn pop_first(txn: &mut Txn<'_, '_>, args: Args<'_>, end: End, reply: &mut Reply) -> Outcome {
    let last = args.len() - 1;
    let timeout = timeout_s(args.at(last))?;
    for key in (1..last).map(|at| args.at(at)) {
        if old_zset(txn, key)?.is_some() {
            reply.array(3);
            reply.bulk(key);
            pop(txn, key, end, 1, |member| reply_flat(reply, member))?;
            return Ok(Attempt::Done);
        }
    }
    Ok(Attempt::Nothing(Wait::for_keys(1..last, timeout)))
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
    let options = Options::parse(args, 2)?;
    let timeout = timeout_s(args.at(1))?;
    if options.pop_first(txn, args, reply)? {
        return Ok(Attempt::Done);
    }
    Ok(Attempt::Nothing(Wait::for_keys(options.keys, timeout)))
}
