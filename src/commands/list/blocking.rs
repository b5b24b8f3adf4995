//! The forms that wait for an element: BLMOVE, BLMPOP, BLPOP, BRPOP, BRPOPLPUSH.

use std::time::Duration;

use super::common::{End, list_len, pop};
use super::move_one::{LMOVE, move_one};
use super::multi_pop::{LMPOP, pop_first};
use crate::commands::blocking::{Attempt, Wait, first_of, timeout_s};
use crate::commands::multi_pop::{ALL_BUT_LAST, MultiPop};
use crate::commands::spec::{Group, counted_keys, flag};
use crate::commands::value::reply_item;
use crate::commands::{CmdError, Handler, Spec};
use crate::engine::txn::Txn;
use crate::page::container::Kind;
use crate::resp::{Args, Reply};

type Outcome = Result<Attempt, CmdError>;

pub(super) const BLPOP: Spec = Spec {
    since: "2.0.0",
    flags: flag::BLOCKING,
    acl: &["list"],
    keys: &[ALL_BUT_LAST],
    summary: "Takes the first element off the first of several lists that has one, and waits for one if none has",
    complexity: "O(N) where N is the number of provided keys.",
    syntax: "key [key ...] timeout",
    ..Spec::new("blpop", Group::List, -3, Handler::Blocking(blpop))
};

fn blpop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> Outcome {
    pop_one(txn, args, End::Left, reply)
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
    pop_one(txn, args, End::Right, reply)
}

fn pop_one(txn: &mut Txn<'_, '_>, args: Args<'_>, end: End, reply: &mut Reply) -> Outcome {
    let last = args.len() - 1;
    let timeout = timeout_s(args.at(last))?;
    let Some((key, _)) = first_of(txn, args, 1..last, list_len)? else {
        return Ok(Attempt::Nothing(Wait::for_values(Kind::List, 1..last, timeout)));
    };
    reply.array(2);
    reply.bulk(key);
    pop(txn, key, end, 1, |item| reply_item(reply, item))?;
    Ok(Attempt::Done)
}

pub(super) const BLMOVE: Spec = Spec {
    flags: flag::DENY_OOM | flag::BLOCKING,
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
    if first_of(txn, args, 1..2, list_len)?.is_some() && move_one(txn, args, ends, reply)? {
        return Ok(Attempt::Done);
    }
    Ok(Attempt::Nothing(Wait {
        in_transaction: Reply::null,
        ..Wait::for_values(Kind::List, 1..2, timeout)
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
    let options = MultiPop::parse(args, 2, End::parse)?;
    let timeout = timeout_s(args.at(1))?;
    if pop_first(&options, txn, args, reply)? {
        return Ok(Attempt::Done);
    }
    Ok(Attempt::Nothing(Wait::for_values(Kind::List, options.keys, timeout)))
}
