//! Members coming and going: SADD, SMOVE, SREM.

use std::collections::HashSet;

use super::common::{add, old_set, remove};
use crate::commands::spec::{Group, first_key, flag, key_at};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::set::SetRef;
use crate::resp::{Args, Reply};

pub(super) const SADD: Spec = Spec {
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RW", "insert"])],
    summary: "Adds members to a set, which is made if there is none",
    complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
                 arguments.",
    syntax: "key member [member ...]",
    ..Spec::new("sadd", Group::Set, -3, Handler::Write(sadd))
};

fn sadd(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let set = old_set(txn, key)?;
    let new = chosen(args, |member| set.is_none_or(|set| !set.contains(member)));
    if !new.is_empty() {
        add(txn, key, new.iter().copied());
        txn.notify(Classes::SET, "sadd", key);
    }
    reply.int(new.len() as i64);
    Ok(())
}

/// The different members among the arguments of which `wanted` is true, in the order given.
fn chosen<'a>(args: Args<'a>, wanted: impl Fn(&[u8]) -> bool) -> Vec<&'a [u8]> {
    let members = args.skip(2);
    if members.len() == 1 {
        return members.iter().filter(|member| wanted(member)).collect();
    }
    let mut seen = HashSet::with_capacity(members.len());
    let mut chosen = Vec::with_capacity(members.len());
    for member in members.iter() {
        if wanted(member) && seen.insert(member) {
            chosen.push(member);
        }
    }
    chosen
}

pub(super) const SREM: Spec = Spec {
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RW", "delete"])],
    summary: "Removes members; the last one takes the set with it",
    complexity: "O(N) where N is the number of members to be removed.",
    syntax: "key member [member ...]",
    ..Spec::new("srem", Group::Set, -3, Handler::Write(srem))
};

fn srem(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let set = old_set(txn, key)?;
    let gone = chosen(args, |member| set.is_some_and(|set| set.contains(member)));
    if !gone.is_empty() {
        remove(txn, key, gone.iter().copied());
        txn.notify_taken(Classes::SET, "srem", key);
    }
    reply.int(gone.len() as i64);
    Ok(())
}

pub(super) const SMOVE: Spec = Spec {
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RW", "access", "delete"]), key_at(2, &["RW", "insert"])],
    summary: "Moves a member from one set to another",
    syntax: "source destination member",
    ..Spec::new("smove", Group::Set, 4, Handler::Write(smove))
};

fn smove(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (source, target, member) = (args.at(1), args.at(2), args.at(3));
    let has = |set: SetRef<'_>| set.contains(member);
    let Some(is_there) = old_set(txn, source)?.map(has) else {
        reply.int(0);
        return Ok(());
    };
    let is_in_target = old_set(txn, target)?.is_some_and(has);
    if is_there && source != target {
        remove(txn, source, [member].into_iter());
        txn.notify_taken(Classes::SET, "srem", source);
        if !is_in_target {
            add(txn, target, [member].into_iter());
            txn.notify(Classes::SET, "sadd", target);
        }
    }
    reply.int(i64::from(is_there));
    Ok(())
}
