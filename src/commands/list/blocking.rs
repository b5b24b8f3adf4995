//! The forms that wait for an element: BLMOVE, BLMPOP, BLPOP, BRPOP, BRPOPLPUSH.

use std::time::Duration;

use super::common::{End, old_list, pop};
use super::move_one::{LMOVE, move_one};
use super::multi_pop::{LMPOP, Options};
use crate::commands::blocking::{Attempt, Wait, timeout_s};
use crate::commands::spec::{Begin, Find, Group, KeySpec, counted_keys, first_key, flag};
use crate::commands::value::reply_item;
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

pub(super) const BLPOP: Spec = Spec {
    since: "2.0.0",
    flags: flag::NO_SCRIPT | flag::BLOCKING,
    acl: &["list"],
    keys: &[ALL_BUT_LAST],
    summary: "Takes the first element off the first of several lists that has one, and waits for one if none has",
    complexity: "O(N) where N is the number of provided keys.",
    syntax: "key [key ...] timeout",
    ..Spec::new("blpop", Group::List, -3, Handler::Blocking(blpop))
};

fn blpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    pop_first(txn, args, End::Left, reply)
}

pub(super) const BRPOP: Spec = Spec {
    summary: "Takes the last element off the first of several lists that has one, and waits for one if none has",
    ..Spec {
        name: "brpop",
        handler: Handler::Blocking(brpop),
        ..BLPOP
    }
};

fn brpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    pop_first(txn, args, End::Right, reply)
}

fn pop_first(txn: &mut Txn<'_, '_>, args: Args<'_>, end: End, reply: &mut Reply) -> Outcome {
    let last = args.len() - 1;
    let timeout = timeout_s(args.at(last))?;
    for key in (1..last).map(|at| args.at(at)) {
        if old_list(txn, key)?.is_some() {
            reply.array(2);
            reply.bulk(key);
            pop(txn, key, end, 1, |item| reply_item(reply, item))?;
            return Ok(Attempt::Done);
        }
    }
    Ok(Attempt::Nothing(Wait::for_keys(1..last, timeout)))
}

pub(super) const BLMOVE: Spec = Spec {
    flags: flag::DENY_OOM | flag::NO_SCRIPT | flag::BLOCKING,
    summary: "Moves an element from an end of a list to an end of another, and waits for one if there is none",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
    ..Spec {
        name: "blmove",
        arity: 6,
        handler: Handler::Blocking(blmove),
        ..LMOVE
    }
};

fn blmove(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    let ends = (End::parse(args.at(3))?, End::parse(args.at(4))?);
    move_or_wait(txn, args, ends, timeout_s(args.at(5))?, reply)
}

pub(super) const BRPOPLPUSH: Spec = Spec {
    since: "2.2.0",
    summary: "Moves the last element of a list to the front of another, and waits for one if there is none",
    syntax: "source destination timeout",
    ..Spec {
        name: "brpoplpush",
        arity: 4,
        handler: Handler::Blocking(brpoplpush),
        ..BLMOVE
    }
};

fn brpoplpush(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    move_or_wait(txn, args, (End::Right, End::Left), timeout_s(args.at(3))?, reply)
}

fn move_or_wait(
    txn: &mut Txn<'_, '_>,
    args: Args<'_>,
    ends: (End, End),
    timeout: Option<Duration>,
    reply: &mut Reply,
) -> Outcome {
    if move_one(txn, args, ends, reply)? {
        return Ok(Attempt::Done);
    }
    Ok(Attempt::Nothing(Wait {
        in_transaction: Reply::null,
        ..Wait::for_keys(1..2, timeout)
    }))
}

pub(super) const BLMPOP: Spec = Spec {
    flags: flag::BLOCKING | flag::MOVABLE_KEYS,
    keys: &[counted_keys(2, &["RW", "access", "delete"])],
    summary: "Takes elements off an end of the first of several lists that has any, and waits for one if none has",
    syntax: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    ..Spec {
        name: "blmpop",
        arity: -5,
        handler: Handler::Blocking(blmpop),
        ..LMPOP
    }
};

fn blmpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    let options = Options::parse(args, 2)?;
    let timeout = timeout_s(args.at(1))?;
    if options.pop_first(txn, args, reply)? {
        return Ok(Attempt::Done);
    }
    Ok(Attempt::Nothing(Wait::for_keys(options.keys, timeout)))
}
