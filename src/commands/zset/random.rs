//! Members by chance: ZRANDMEMBER.

use std::collections::HashSet;

use super::{read_zset, reply_header, reply_member};
use crate::commands::spec::{Group, first_key};
use crate::commands::support::number::parse_i64_in;
use crate::commands::value::reply_item;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::zset::{Member, ZsetRef};
use crate::resp::{Args, Reply};

pub(super) const ZRANDMEMBER: Spec = Spec {
    since: "6.2.0",
    acl: &["sortedset"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Returns members by chance: one, so many different ones, or (negative) so many that may repeat",
    complexity: "O(N) where N is the number of elements returned",
    syntax: "key [count [WITHSCORES]]",
    ..Spec::new("zrandmember", Group::SortedSet, -2, Handler::Read(zrandmember))
};

/// Where more than one in so many is wanted, all are looked at and the others left out.
const SAMPLE_SHARE: u64 = 3;

fn zrandmember(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let mut dice = txn.dice();
    let mut random = |n| dice.below(n);
    if args.len() == 2 {
        let zset = read_zset(txn, args.at(1))?;
        match zset.and_then(|zset| zset.get(random(zset.len() as usize) as u64)) {
            Some(member) => reply_item(reply, member.name),
            None => reply.null(),
        }
        return Ok(());
    }
    let (count, with_scores) = parse(args)?;
    let members = match read_zset(txn, args.at(1))? {
        None => Vec::new(),
        Some(zset) if count < 0 => repeated(zset, count.unsigned_abs(), &mut random),
        Some(zset) => distinct(zset, count as u64, &mut random),
    };
    if members.is_empty() {
        reply.array(0);
        return Ok(());
    }
    reply_header(reply, members.len(), with_scores);
    for Member { name, score } in members {
        reply_member(reply, name, score, with_scores);
    }
    Ok(())
}

fn parse(args: Args<'_>) -> Result<(i64, bool), CmdError> {
    let count = parse_i64_in(args.at(2), -i64::MAX, i64::MAX).map_err(|error| error.to_string())?;
    let with_scores = args.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"withscores"));
    if args.len() > 4 || args.len() == 4 && !with_scores {
        return Err(CmdError::Syntax);
    }
    if with_scores && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(CmdError::text("ERR value is out of range"));
    }
    Ok((count, with_scores))
}

fn all(zset: ZsetRef<'_>) -> Vec<Member<'_>> {
    let mut members = Vec::with_capacity(zset.len() as usize);
    let _ = zset.for_each_from(0, |member| {
        members.push(member);
        std::ops::ControlFlow::<()>::Continue(())
    });
    members
}

fn repeated<'a>(zset: ZsetRef<'a>, count: u64, random: &mut dyn FnMut(usize) -> usize) -> Vec<Member<'a>> {
    if let ZsetRef::Packed(_) = zset {
        let members = all(zset);
        let picked = (0..count).map_while(|_| members.get(random(members.len())).copied());
        return picked.collect();
    }
    let len = zset.len() as usize;
    (0..count).map_while(|_| zset.get(random(len) as u64)).collect()
}

fn distinct<'a>(zset: ZsetRef<'a>, count: u64, random: &mut dyn FnMut(usize) -> usize) -> Vec<Member<'a>> {
    if matches!(zset, ZsetRef::Big(_)) && count.saturating_mul(SAMPLE_SHARE) < zset.len() {
        let (mut seen, mut members) = (HashSet::new(), Vec::new());
        while (members.len() as u64) < count {
            let rank = random(zset.len() as usize) as u64;
            if seen.insert(rank) {
                members.extend(zset.get(rank));
            }
        }
        return members;
    }
    let mut members = all(zset);
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(members.len());
    if count < members.len() {
        for at in 0..count {
            let other = at + random(members.len() - at);
            members.swap(at, other);
        }
        members.truncate(count);
    }
    members
}
