//! Adding elements at an end: LPUSH, LPUSHX, RPUSH, RPUSHX.

use super::common::{End, old_list};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::list::ListOp;
use crate::page::packed::pack;
use crate::resp::{Args, Reply};

const COMPLEXITY: &str =
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.";

pub(super) const LPUSH: Spec = Spec {
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["list"],
    keys: &[first_key(&["RW", "insert"])],
    summary: "Adds elements at the front of a list, which is made if there is none",
    complexity: COMPLEXITY,
    syntax: "key element [element ...]",
    ..Spec::new("lpush", Group::List, -3, Handler::Write(lpush))
};

fn lpush(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    push(txn, args, End::Left, false, reply)
}

pub(super) const LPUSHX: Spec = Spec {
    since: "2.2.0",
    summary: "Adds elements at the front of a list, if there is one",
    ..Spec {
        name: "lpushx",
        handler: Handler::Write(lpushx),
        ..LPUSH
    }
};

fn lpushx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    push(txn, args, End::Left, true, reply)
}

pub(super) const RPUSH: Spec = Spec {
    summary: "Adds elements at the back of a list, which is made if there is none",
    ..Spec {
        name: "rpush",
        handler: Handler::Write(rpush),
        ..LPUSH
    }
};

fn rpush(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    push(txn, args, End::Right, false, reply)
}

pub(super) const RPUSHX: Spec = Spec {
    since: "2.2.0",
    summary: "Adds elements at the back of a list, if there is one",
    ..Spec {
        name: "rpushx",
        handler: Handler::Write(rpushx),
        ..LPUSH
    }
};

fn rpushx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    push(txn, args, End::Right, true, reply)
}

fn push(txn: &mut Txn<'_, '_>, args: Args<'_>, end: End, must_exist: bool, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let len = old_list(txn, key)?.map_or(0, |list| list.len());
    if must_exist && len == 0 {
        reply.int(0);
        return Ok(());
    }
    let elements = pack(args.skip(2).iter());
    let op = ListOp::Push {
        front: end.is_front(),
        elements: &elements,
    };
    txn.apply(&Effect::List { key, op });
    txn.notify(Classes::LIST, end.pushed(), key);
    reply.int(len as i64 + args.len() as i64 - 2);
    Ok(())
}
