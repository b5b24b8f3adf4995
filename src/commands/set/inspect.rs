//! Looking at members: SCARD, SISMEMBER, SMEMBERS, SMISMEMBER.

use std::ops::ControlFlow;

use super::common::read_set;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::reply_item;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const SCARD: Spec = Spec {
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RO"])],
    summary: "Returns how many members a set has",
    syntax: "key",
    ..Spec::new("scard", Group::Set, 2, Handler::Read(scard))
};

fn scard(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let set = read_set(txn, args.at(1))?;
    reply.int(set.map_or(0, |set| set.len() as i64));
    Ok(())
}

pub(super) const SISMEMBER: Spec = Spec {
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RO"])],
    summary: "Tells whether a set has a member",
    syntax: "key member",
    ..Spec::new("sismember", Group::Set, 3, Handler::Read(sismember))
};

fn sismember(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let set = read_set(txn, args.at(1))?;
    reply.int(i64::from(set.is_some_and(|set| set.contains(args.at(2)))));
    Ok(())
}

pub(super) const SMISMEMBER: Spec = Spec {
    since: "6.2.0",
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Tells of several members whether a set has them",
    complexity: "O(N) where N is the number of elements being checked for membership",
    syntax: "key member [member ...]",
    ..Spec::new("smismember", Group::Set, -3, Handler::Read(smismember))
};

fn smismember(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let set = read_set(txn, args.at(1))?;
    let members = args.skip(2);
    reply.array(members.len());
    for member in members.iter() {
        reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

pub(super) const SMEMBERS: Spec = Spec {
    acl: &["set"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output_order"],
    summary: "Returns all members",
    complexity: "O(N) where N is the set cardinality.",
    syntax: "key",
    ..Spec::new("smembers", Group::Set, 2, Handler::Read(smembers))
};

fn smembers(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let Some(set) = read_set(txn, args.at(1))? else {
        reply.set(0);
        return Ok(());
    };
    reply.set(set.len() as usize);
    let _ = set.for_each(|member| {
        reply_item(reply, member);
        ControlFlow::<()>::Continue(())
    });
    Ok(())
}
