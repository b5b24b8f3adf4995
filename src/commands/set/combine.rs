//! Several sets together: SDIFF, SINTER, SUNION and their STORE forms.

use std::ops::ControlFlow;

use super::operation::{Operation, held};
use crate::commands::spec::{Group, KeySpec, all_keys, first_key, flag};
use crate::commands::value::reply_item;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::container::Kind;
use crate::page::set::pack_members;
use crate::page::{Packed, ValueRef};
use crate::resp::{Args, Reply};

const SOURCES: KeySpec = all_keys(&["RO", "access"], 2, 1);
pub(super) const OF_ALL: &str = "O(N) where N is the total number of elements in all given sets.";
pub(super) const OF_SMALLEST: &str =
    "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.";

pub(super) const SDIFF: Spec = Spec {
    acl: &["set"],
    keys: &[all_keys(&["RO", "access"], 1, 1)],
    tips: &["nondeterministic_output_order"],
    summary: "Returns the members of a set that others do not have",
    complexity: OF_ALL,
    syntax: "key [key ...]",
    ..Spec::new("sdiff", Group::Set, -2, Handler::Read(sdiff))
};

fn sdiff(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Difference, reply)
}

pub(super) const SINTER: Spec = Spec {
    summary: "Returns the members that all of several sets have",
    complexity: OF_SMALLEST,
    ..Spec {
        name: "sinter",
        handler: Handler::Read(sinter),
        ..SDIFF
    }
};

fn sinter(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Intersection, reply)
}

pub(super) const SUNION: Spec = Spec {
    summary: "Returns the members that any of several sets has",
    ..Spec {
        name: "sunion",
        handler: Handler::Read(sunion),
        ..SDIFF
    }
};

fn sunion(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Union, reply)
}

fn answer(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, operation: Operation, reply: &mut Reply) -> CmdResult {
    let sets = held(txn, args.skip(1).iter())?;
    let header = reply.deferred_set();
    let mut count = 0;
    operation.run(&sets, &mut |member| {
        reply_item(reply, member);
        count += 1;
        ControlFlow::Continue(())
    });
    reply.finish_set(header, count);
    Ok(())
}

pub(super) const SDIFFSTORE: Spec = Spec {
    flags: flag::DENY_OOM,
    acl: &["set"],
    keys: &[first_key(&["OW", "update"]), SOURCES],
    summary: "Stores the members of a set that others do not have",
    complexity: OF_ALL,
    syntax: "destination key [key ...]",
    ..Spec::new("sdiffstore", Group::Set, -3, Handler::Write(sdiffstore))
};

fn sdiffstore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    store(txn, args, Operation::Difference, reply)
}

pub(super) const SINTERSTORE: Spec = Spec {
    keys: &[first_key(&["OW", "update"]), SOURCES],
    summary: "Stores the members that all of several sets have",
    complexity: OF_SMALLEST,
    ..Spec {
        name: "sinterstore",
        handler: Handler::Write(sinterstore),
        ..SDIFFSTORE
    }
};

fn sinterstore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    store(txn, args, Operation::Intersection, reply)
}

pub(super) const SUNIONSTORE: Spec = Spec {
    summary: "Stores the members that any of several sets has",
    ..Spec {
        name: "sunionstore",
        handler: Handler::Write(sunionstore),
        ..SDIFFSTORE
    }
};

fn sunionstore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    store(txn, args, Operation::Union, reply)
}

fn store(txn: &mut Txn<'_, '_>, args: Args<'_>, operation: Operation, reply: &mut Reply) -> CmdResult {
    let sets = held(txn, args.skip(2).iter())?;
    let mut members = Vec::new();
    operation.run(&sets, &mut |member| {
        members.push(member);
        ControlFlow::Continue(())
    });
    let target = args.at(1);
    if members.is_empty() {
        txn.remove(target);
    } else {
        let packed = pack_members(members.iter().copied(), txn.thresholds());
        txn.replace(target, ValueRef::Packed(Kind::Set, Packed::new(&packed)), None);
        txn.notify(Classes::SET, operation.stored(), target);
    }
    reply.int(members.len() as i64);
    Ok(())
}
