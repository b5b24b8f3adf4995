//! Members by chance: SPOP, SRANDMEMBER.

use std::collections::HashSet;

use super::{old_set, read_set, remove};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::support::number::parse_i64_in;
use crate::commands::value::{count_arg, reply_item};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::packed::Item;
use crate::page::set::SetRef;
use crate::resp::{Args, Reply};

/// Where more than one in so many is wanted, all are looked at and the others left out.
const SAMPLE_SHARE: u64 = 3;

pub(super) const SPOP: Spec = Spec {
    flags: flag::FAST,
    acl: &["set"],
    keys: &[first_key(&["RW", "access", "delete"])],
    tips: &["nondeterministic_output"],
    summary: "Takes members out by chance and returns them",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
    syntax: "key [count]",
    ..Spec::new("spop", Group::Set, -2, Handler::Write(spop))
};

fn spop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(CmdError::Syntax);
    }
    let count = args.get(2).map(count_arg).transpose()?;
    let mut dice = txn.dice();
    let key = args.at(1);
    let set = old_set(txn, key)?;
    let Some(count) = count else {
        let member = set.and_then(|set| set.random(&mut |n| dice.below(n)));
        let Some(member) = member.map(|member| member.bytes().into_owned()) else {
            reply.null();
            return Ok(());
        };
        reply.bulk(&member);
        remove(txn, key, [member.as_slice()].into_iter());
        return Ok(());
    };
    let members = set.map_or_else(Vec::new, |set| distinct(set, count, &mut |n| dice.below(n)));
    let members: Vec<Vec<u8>> = members.into_iter().map(|member| member.bytes().into_owned()).collect();
    reply.set(members.len());
    members.iter().for_each(|member| reply.bulk(member));
    if !members.is_empty() {
        remove(txn, key, members.iter().map(Vec::as_slice));
    }
    Ok(())
}

pub(super) const SRANDMEMBER: Spec = Spec {
    acl: &["set"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Returns members by chance: one, so many different ones, or (negative) so many that may repeat",
    complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
    syntax: "key [count]",
    ..Spec::new("srandmember", Group::Set, -2, Handler::Read(srandmember))
};

fn srandmember(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(CmdError::Syntax);
    }
    let count = args
        .get(2)
        .map(|count| parse_i64_in(count, -i64::MAX, i64::MAX))
        .transpose();
    let count = count.map_err(|error| error.to_string())?;
    let mut dice = txn.dice();
    let mut random = |n| dice.below(n);
    let set = read_set(txn, args.at(1))?;
    let Some(count) = count else {
        match set.and_then(|set| set.random(&mut random)) {
            Some(member) => reply_item(reply, member),
            None => reply.null(),
        }
        return Ok(());
    };
    let members = match set {
        None => Vec::new(),
        Some(set) if count < 0 => repeated(set, count.unsigned_abs(), &mut random),
        Some(set) => distinct(set, count as u64, &mut random),
    };
    reply.array(members.len());
    members.into_iter().for_each(|member| reply_item(reply, member));
    Ok(())
}

fn repeated<'a>(set: SetRef<'a>, count: u64, random: &mut dyn FnMut(usize) -> usize) -> Vec<Item<'a>> {
    if let SetRef::Packed(_) = set {
        let members = set.members();
        return (0..count)
            .map_while(|_| members.get(random(members.len())).copied())
            .collect();
    }
    (0..count).map_while(|_| set.random(random)).collect()
}

fn distinct<'a>(set: SetRef<'a>, count: u64, random: &mut dyn FnMut(usize) -> usize) -> Vec<Item<'a>> {
    if matches!(set, SetRef::Big(_)) && count.saturating_mul(SAMPLE_SHARE) < set.len() {
        let (mut seen, mut members) = (HashSet::new(), Vec::new());
        while (members.len() as u64) < count {
            let Some(member) = set.random(random) else { break };
            if seen.insert(member.bytes()) {
                members.push(member);
            }
        }
        return members;
    }
    let mut members = set.members();
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(members.len());
    for at in 0..count {
        let other = at + random(members.len() - at);
        members.swap(at, other);
    }
    members.truncate(count);
    members
}
