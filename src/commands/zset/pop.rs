//! Taking members off an end: ZPOPMAX, ZPOPMIN.

use super::common::{old_zset, remove_interval, reply_member};
use super::interval::Interval;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::{count_arg, reply_item};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::Txn;
use crate::page::zset::Member;
use crate::resp::{Args, Reply};

pub(super) const ZPOPMIN: Spec = Spec {
    since: "5.0.0",
    flags: flag::FAST,
    acl: &["sortedset"],
    keys: &[first_key(&["RW", "access", "delete"])],
    summary: "Takes the members with the lowest scores out of a sorted set; the last one takes the set with it",
    complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements \
                 popped.",
    syntax: "key [count]",
    ..Spec::new("zpopmin", Group::SortedSet, -2, Handler::Write(zpopmin))
};

fn zpopmin(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    pop_counted(txn, args, End::Min, reply)
}

pub(super) const ZPOPMAX: Spec = Spec {
    summary: "Takes the members with the highest scores out of a sorted set; the last one takes the set with it",
    ..Spec {
        name: "zpopmax",
        handler: Handler::Write(zpopmax),
        ..ZPOPMIN
    }
};

fn zpopmax(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    pop_counted(txn, args, End::Max, reply)
}

/// An end of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Min,
    Max,
}

impl End {
    /// What a member that goes from there is told as.
    fn popped(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }

    /// The end that `MIN` or `MAX` names.
    pub fn parse(argument: &[u8]) -> Result<Self, CmdError> {
        match argument.to_ascii_lowercase().as_slice() {
            b"min" => Ok(Self::Min),
            b"max" => Ok(Self::Max),
            _ => Err(CmdError::Syntax),
        }
    }
}

fn pop_counted(txn: &mut Txn<'_, '_>, args: Args<'_>, end: End, reply: &mut Reply) -> CmdResult {
    if args.len() > 3 {
        return Err(CmdError::Syntax);
    }
    let count = args.get(2).map(count_arg).transpose()?;
    let key = args.at(1);
    let len = old_zset(txn, key)?.map_or(0, |zset| zset.len());
    let taken = count.unwrap_or(1).min(len) as usize;
    if count.is_some() {
        super::common::reply_header(reply, taken, true);
        return pop(txn, key, end, taken as u64, |member| {
            reply_member(reply, member.name, member.score, true);
        });
    }
    reply.array(taken * 2);
    pop(txn, key, end, taken as u64, |member| reply_flat(reply, member))
}

/// A member and its score, one after the other.
pub(super) fn reply_flat(reply: &mut Reply, member: Member<'_>) {
    reply_item(reply, member.name);
    reply.double(member.score);
}

/// Takes `count` members off an end of the sorted set at `key`, which has so many, each given to `visit` first.
pub(super) fn pop(txn: &mut Txn<'_, '_>, key: &[u8], end: End, count: u64, visit: impl FnMut(Member<'_>)) -> CmdResult {
    let Some(zset) = old_zset(txn, key)? else {
        return Ok(());
    };
    let all = Interval {
        start: 0,
        len: zset.len(),
    };
    let reverse = end == End::Max;
    let interval = all.limited(reverse, 0, count as i64);
    interval.visit(zset, reverse, visit);
    remove_interval(txn, key, interval, end.popped());
    Ok(())
}
