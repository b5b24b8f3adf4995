//! An element from one list to another, or around: LMOVE, RPOPLPUSH.

use super::common::{End, old_list, push_one, take};
use crate::commands::spec::{Group, first_key, flag, key_at};
use crate::commands::value::reply_item;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::list::ListOp;
use crate::resp::{Args, Reply};

pub(super) const LMOVE: Spec = Spec {
    since: "6.2.0",
    flags: flag::DENY_OOM,
    acl: &["list"],
    keys: &[first_key(&["RW", "access", "delete"]), key_at(2, &["RW", "insert"])],
    summary: "Moves an element from an end of a list to an end of another, and returns it",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    ..Spec::new("lmove", Group::List, 5, Handler::Write(lmove))
};

fn lmove(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let ends = (End::parse(args.at(3))?, End::parse(args.at(4))?);
    move_or_null(txn, args, ends, reply)
}

pub(super) const RPOPLPUSH: Spec = Spec {
    since: "1.2.0",
    summary: "Moves the last element of a list to the front of another, and returns it",
    syntax: "source destination",
    ..Spec {
        name: "rpoplpush",
        arity: 3,
        handler: Handler::Write(rpoplpush),
        ..LMOVE
    }
};

fn rpoplpush(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    move_or_null(txn, args, (End::Right, End::Left), reply)
}

fn move_or_null(txn: &mut Txn<'_, '_>, args: Args<'_>, ends: (End, End), reply: &mut Reply) -> CmdResult {
    if !move_one(txn, args, ends, reply)? {
        reply.null();
    }
    Ok(())
}

/// Moves an element from the list at argument 1 to that at argument 2 and answers with it; whether there was one.
pub(super) fn move_one(
    txn: &mut Txn<'_, '_>,
    args: Args<'_>,
    (from, to): (End, End),
    reply: &mut Reply,
) -> Result<bool, CmdError> {
    let (source, target) = (args.at(1), args.at(2));
    let Some(list) = old_list(txn, source)? else {
        return Ok(false);
    };
    if source == target {
        if let Some(item) = list.end(from.is_front()) {
            reply_item(reply, item);
        }
        let op = ListOp::Rotate {
            from_front: from.is_front(),
            to_front: to.is_front(),
        };
        txn.apply(&Effect::List { key: source, op });
        txn.notify(Classes::LIST, to.pushed(), source);
        txn.notify(Classes::LIST, from.popped(), source);
        return Ok(true);
    }
    old_list(txn, target)?;
    let mut moved = Vec::new();
    take(txn, source, from, 1, |item| {
        reply_item(reply, item);
        moved = item.bytes().into_owned();
    })?;
    push_one(txn, target, to, &moved);
    txn.notify(Classes::LIST, to.pushed(), target);
    txn.notify_taken(Classes::LIST, from.popped(), source);
    Ok(true)
}
