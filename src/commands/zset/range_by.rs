//! The older forms of ZRANGE, whose names say what they go by: ZRANGEBYLEX, ZRANGEBYSCORE, ZREVRANGE, ZREVRANGEBYLEX,
//! ZREVRANGEBYSCORE.

use super::interval::By;
use super::range::{Form, ZRANGE, answer};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

const BY_COMPLEXITY: &str = "O(log(N)+M) with N being the number of elements in the sorted set and M the number of \
                             elements being returned. If M is constant (e.g. always asking for the first 10 elements \
                             with LIMIT), you can consider it O(log(N)).";

pub(super) const ZRANGEBYSCORE: Spec = Spec {
    since: "1.0.5",
    summary: "Returns the members of a sorted set whose scores are in a range",
    complexity: BY_COMPLEXITY,
    syntax: "key min max [WITHSCORES] [LIMIT offset count]",
    ..Spec {
        name: "zrangebyscore",
        handler: Handler::Read(zrangebyscore),
        ..ZRANGE
    }
};

fn zrangebyscore(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, &form(By::Score, false), reply)
}

pub(super) const ZREVRANGEBYSCORE: Spec = Spec {
    since: "2.2.0",
    summary: "Returns the members of a sorted set whose scores are in a range, from the highest on",
    syntax: "key max min [WITHSCORES] [LIMIT offset count]",
    ..Spec {
        name: "zrevrangebyscore",
        handler: Handler::Read(zrevrangebyscore),
        ..ZRANGEBYSCORE
    }
};

fn zrevrangebyscore(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, &form(By::Score, true), reply)
}

pub(super) const ZRANGEBYLEX: Spec = Spec {
    since: "2.8.9",
    summary: "Returns the members of a sorted set, all of one score, whose names are in a range",
    syntax: "key min max [LIMIT offset count]",
    ..Spec {
        name: "zrangebylex",
        handler: Handler::Read(zrangebylex),
        ..ZRANGEBYSCORE
    }
};

fn zrangebylex(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, &form(By::Lex, false), reply)
}

pub(super) const ZREVRANGEBYLEX: Spec = Spec {
    summary: "Returns the members of a sorted set, all of one score, whose names are in a range, from the last on",
    syntax: "key max min [LIMIT offset count]",
    ..Spec {
        name: "zrevrangebylex",
        handler: Handler::Read(zrevrangebylex),
        ..ZRANGEBYLEX
    }
};

fn zrevrangebylex(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, &form(By::Lex, true), reply)
}

pub(super) const ZREVRANGE: Spec = Spec {
    summary: "Returns the members of a sorted set from one rank to another, counted from the highest score",
    syntax: "key start stop [WITHSCORES]",
    ..Spec {
        name: "zrevrange",
        handler: Handler::Read(zrevrange),
        ..ZRANGE
    }
};

fn zrevrange(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, &form(By::Rank, true), reply)
}

fn form(by: By, reverse: bool) -> Form {
    Form {
        by: Some(by),
        reverse: Some(reverse),
        stores: false,
    }
}
