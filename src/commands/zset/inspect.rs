//! Looking at single members: ZCARD, ZMSCORE, ZRANK, ZREVRANK, ZSCORE.

use super::common::read_zset;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const ZCARD: Spec = Spec {
    since: "1.2.0",
    flags: flag::FAST,
    acl: &["sortedset"],
    keys: &[first_key(&["RO"])],
    summary: "Returns how many members a sorted set has",
    syntax: "key",
    ..Spec::new("zcard", Group::SortedSet, 2, Handler::Read(zcard))
};

fn zcard(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let zset = read_zset(txn, args.at(1))?;
    reply.int(zset.map_or(0, |zset| zset.len() as i64));
    Ok(())
}

pub(super) const ZSCORE: Spec = Spec {
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns the score of a member of a sorted set",
    syntax: "key member",
    ..Spec {
        name: "zscore",
        arity: 3,
        handler: Handler::Read(zscore),
        ..ZCARD
    }
};

fn zscore(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let zset = read_zset(txn, args.at(1))?;
    reply_score(reply, zset.and_then(|zset| zset.score(args.at(2))));
    Ok(())
}

fn reply_score(reply: &mut Reply, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

pub(super) const ZMSCORE: Spec = Spec {
    since: "6.2.0",
    summary: "Returns the scores of members of a sorted set",
    complexity: "O(N) where N is the number of members being requested.",
    syntax: "key member [member ...]",
    ..Spec {
        name: "zmscore",
        arity: -3,
        handler: Handler::Read(zmscore),
        ..ZSCORE
    }
};

fn zmscore(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let zset = read_zset(txn, args.at(1))?;
    let members = args.skip(2);
    reply.array(members.len());
    for member in members.iter() {
        reply_score(reply, zset.and_then(|zset| zset.score(member)));
    }
    Ok(())
}

pub(super) const ZRANK: Spec = Spec {
    since: "2.0.0",
    summary: "Returns how many members of a sorted set stand before a member",
    complexity: "O(log(N))",
    syntax: "key member [WITHSCORE]",
    ..Spec {
        name: "zrank",
        arity: -3,
        handler: Handler::Read(zrank),
        ..ZSCORE
    }
};

fn zrank(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    rank(txn, args, "zrank", |rank, _| rank, reply)
}

pub(super) const ZREVRANK: Spec = Spec {
    summary: "Returns how many members of a sorted set stand behind a member",
    ..Spec {
        name: "zrevrank",
        handler: Handler::Read(zrevrank),
        ..ZRANK
    }
};

fn zrevrank(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    rank(txn, args, "zrevrank", |rank, len| len - 1 - rank, reply)
}

fn rank(
    txn: &mut ReadTxn<'_, '_>,
    args: Args<'_>,
    name: &str,
    of: fn(u64, u64) -> u64,
    reply: &mut Reply,
) -> CmdResult {
    if args.len() > 4 {
        return Err(CmdError::Arity(name.to_owned()));
    }
    let with_score = args.get(3).is_some();
    if args.get(3).is_some_and(|word| !word.eq_ignore_ascii_case(b"withscore")) {
        return Err(CmdError::Syntax);
    }
    let zset = read_zset(txn, args.at(1))?;
    let found = zset.and_then(|zset| zset.rank(args.at(2)).map(|found| (found, zset.len())));
    match found {
        Some(((rank, score), len)) => {
            if with_score {
                reply.array(2);
            }
            reply.int(of(rank, len) as i64);
            if with_score {
                reply.double(score);
            }
        }
        None if with_score => reply.null_array(),
        None => reply.null(),
    }
    Ok(())
}
