//! Members from one bound to another: ZRANGE, ZRANGESTORE, and what they have in common with their older forms.

use super::common::{Scored, read_zset, reply_header, reply_member, store};
use super::interval::{Bounds, By, Interval};
use crate::commands::spec::{Group, first_key, flag, key_at};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::thresholds::Thresholds;
use crate::page::zset::ZsetRef;
use crate::resp::{Args, Reply};

pub(super) const ZRANGE: Spec = Spec {
    since: "1.2.0",
    acl: &["sortedset"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns the members of a sorted set in a range of ranks, scores or names",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
                 returned.",
    syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    ..Spec::new("zrange", Group::SortedSet, -4, Handler::Read(zrange))
};

fn zrange(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, &Form::default(), reply)
}

pub(super) const ZRANGESTORE: Spec = Spec {
    since: "6.2.0",
    flags: flag::DENY_OOM,
    keys: &[first_key(&["OW", "update"]), key_at(2, &["RO", "access"])],
    summary: "Stores the members of a sorted set in a range of ranks, scores or names",
    complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
                 stored into the destination key.",
    syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    ..Spec {
        name: "zrangestore",
        arity: -5,
        handler: Handler::Write(zrangestore),
        ..ZRANGE
    }
};

fn zrangestore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let form = Form {
        stores: true,
        ..Form::default()
    };
    let query = Query::parse(args.skip(2), &form)?;
    let source = read_zset(txn, args.at(2))?.map(|zset| zset.hold());
    let mut members: Vec<Scored<'_>> = Vec::new();
    if let Some(zset) = source.as_ref().map(|held| held.view()) {
        let each = |member: crate::page::zset::Member<'_>| (member.score, member.name.bytes().into_owned().into());
        query
            .interval(zset)
            .visit(zset, false, |member| members.push(each(member)));
    }
    query.lose_signs(&mut members, txn.thresholds());
    store(txn, args.at(1), &members, ZRANGESTORE.name);
    reply.int(members.len() as i64);
    Ok(())
}

/// What a command of the range family leaves open.
#[derive(Default)]
pub(super) struct Form {
    /// What it goes by, if its options do not say.
    pub by: Option<By>,
    /// Whether from the highest, likewise.
    pub reverse: Option<bool>,
    /// Whether it stores, so that scores are not asked for.
    pub stores: bool,
}

struct Query<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    offset: i64,
    count: i64,
    with_scores: bool,
}

struct Options {
    by: Option<By>,
    reverse: Option<bool>,
    offset: i64,
    count: i64,
    with_scores: bool,
}

impl Options {
    fn parse(options: Args<'_>, form: &Form) -> Result<Self, CmdError> {
        let mut parsed = Self {
            by: form.by,
            reverse: form.reverse,
            offset: 0,
            count: -1,
            with_scores: false,
        };
        let mut at = 0;
        while let Some(option) = options.get(at) {
            match option.to_ascii_lowercase().as_slice() {
                b"withscores" if !form.stores => parsed.with_scores = true,
                b"limit" if at + 2 < options.len() => {
                    let number = |at| options.get(at).and_then(parse_i64).ok_or(CmdError::NotInteger);
                    (parsed.offset, parsed.count) = (number(at + 1)?, number(at + 2)?);
                    at += 2;
                }
                b"rev" if parsed.reverse.is_none() => parsed.reverse = Some(true),
                b"bylex" if parsed.by.is_none() => parsed.by = Some(By::Lex),
                b"byscore" if parsed.by.is_none() => parsed.by = Some(By::Score),
                _ => return Err(CmdError::Syntax),
            }
            at += 1;
        }
        Ok(parsed)
    }
}

impl Query<'_> {
    /// As in Redis, whose result grows member by member, from a small one unless it is known to become large: those
    /// that come while it is small lose the sign of a zero.
    fn lose_signs(&self, members: &mut [Scored<'_>], thresholds: &Thresholds) {
        let is_known = matches!(self.bounds, Bounds::Ranks(..));
        if is_known && !thresholds.zset_fits(members.len() as u64) {
            return;
        }
        let count = members.len();
        for before in 0..count {
            let at = if self.reverse { count - 1 - before } else { before };
            let Some((score, name)) = members.get_mut(at) else {
                return;
            };
            if !thresholds.zset_fits(before as u64 + 1) || !thresholds.zset_item_fits(name.len()) {
                return;
            }
            *score += 0.0;
        }
    }
}

impl<'a> Query<'a> {
    /// Parses from the key on.
    fn parse(args: Args<'a>, form: &Form) -> Result<Self, CmdError> {
        let options = Options::parse(args.skip(3), form)?;
        let by = options.by.unwrap_or(By::Rank);
        let reverse = options.reverse.unwrap_or(false);
        if options.count != -1 && by == By::Rank {
            return Err(CmdError::text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if options.with_scores && by == By::Lex {
            return Err(CmdError::text(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (first, second) = (args.at(1), args.at(2));
        let bounds = if reverse && by != By::Rank {
            Bounds::parse(by, second, first)
        } else {
            Bounds::parse(by, first, second)
        };
        Ok(Self {
            bounds: bounds?,
            reverse,
            offset: options.offset,
            count: options.count,
            with_scores: options.with_scores,
        })
    }

    fn interval(&self, zset: ZsetRef<'_>) -> Interval {
        let interval = self.bounds.interval(zset, self.reverse);
        match self.bounds {
            // Without a count, an offset has not been refused, but means nothing.
            Bounds::Ranks(..) => interval,
            _ => interval.limited(self.reverse, self.offset, self.count),
        }
    }
}

/// Answers a command of the range family.
pub(super) fn answer(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, form: &Form, reply: &mut Reply) -> CmdResult {
    let query = Query::parse(args.skip(1), form)?;
    let Some(zset) = read_zset(txn, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    let interval = query.interval(zset);
    reply_header(reply, interval.len as usize, query.with_scores);
    interval.visit(zset, query.reverse, |member| {
        reply_member(reply, member.name, member.score, query.with_scores);
    });
    Ok(())
}
