//! Adding members and changing their scores: ZADD, ZINCRBY.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::common::old_zset;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::zset::{ZsetOp, pack_pairs};
use crate::resp::double::parse_f64;
use crate::resp::{Args, Reply};

pub(super) const ZADD: Spec = Spec {
    since: "1.2.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["sortedset"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Gives members of a sorted set their scores; members and set are made if there are none",
    complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
    syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    ..Spec::new("zadd", Group::SortedSet, -4, Handler::Write(zadd))
};

fn zadd(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    add(txn, args, AddOptions::default(), reply)
}

pub(super) const ZINCRBY: Spec = Spec {
    keys: &[first_key(&["RW", "access", "update"])],
    summary: "Adds to the score of a member of a sorted set; it begins at 0",
    complexity: "O(log(N)) where N is the number of elements in the sorted set.",
    syntax: "key increment member",
    ..Spec {
        name: "zincrby",
        arity: 4,
        handler: Handler::Write(zincrby),
        ..ZADD
    }
};

fn zincrby(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let options = AddOptions {
        incr: true,
        ..AddOptions::default()
    };
    add(txn, args, options, reply)
}

/// Which scores ZADD and its like may set, and what they answer.
#[derive(Clone, Copy, Default)]
pub(in crate::commands) struct AddOptions {
    /// New members only.
    pub nx: bool,
    /// Members that are there only.
    pub xx: bool,
    /// Members whose score grows, and new ones.
    pub gt: bool,
    /// Members whose score gets less, and new ones.
    pub lt: bool,
    /// Those whose score changes are counted, too.
    pub ch: bool,
    /// The score is added to the old one.
    pub incr: bool,
}

impl AddOptions {
    /// Takes options from the arguments behind the key; how many there were.
    fn parse(&mut self, args: Args<'_>) -> usize {
        let mut take = |word: &[u8]| {
            let option = match word.to_ascii_lowercase().as_slice() {
                b"nx" => &mut self.nx,
                b"xx" => &mut self.xx,
                b"gt" => &mut self.gt,
                b"lt" => &mut self.lt,
                b"ch" => &mut self.ch,
                b"incr" => &mut self.incr,
                _ => return false,
            };
            *option = true;
            true
        };
        args.iter().take_while(|word| take(word)).count()
    }

    fn check(self, pairs: usize) -> CmdResult {
        if self.nx && self.xx {
            return Err(CmdError::text(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        if [self.gt, self.lt, self.nx].iter().filter(|given| **given).count() > 1 {
            return Err(CmdError::text(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.incr && pairs > 1 {
            return Err(CmdError::text(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }

    /// What becomes of a member with the score `old` that is to get `score`.
    fn judge(self, old: Option<f64>, score: f64) -> Result<Outcome, CmdError> {
        let Some(old) = old else {
            return Ok(if self.xx {
                Outcome::Refused
            } else {
                Outcome::Added(score)
            });
        };
        if self.nx {
            return Ok(Outcome::Refused);
        }
        let score = if self.incr { old + score } else { score };
        if score.is_nan() {
            return Err(CmdError::text("ERR resulting score is not a number (NaN)"));
        }
        if (self.lt && score >= old) || (self.gt && score <= old) {
            return Ok(Outcome::Refused);
        }
        Ok(if score == old {
            Outcome::Same(score)
        } else {
            Outcome::Updated(score)
        })
    }
}

enum Outcome {
    Refused,
    Same(f64),
    Updated(f64),
    Added(f64),
}

/// Members and their scores; mostly one.
type Scores<'a> = SmallVec<[(f64, &'a [u8]); 2]>;

fn add(txn: &mut Txn<'_, '_>, args: Args<'_>, mut options: AddOptions, reply: &mut Reply) -> CmdResult {
    let pairs = args.skip(2);
    let pairs = pairs.skip(options.parse(pairs));
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CmdError::Syntax);
    }
    options.check(pairs.len() / 2)?;
    let mut wanted = Scores::with_capacity(pairs.len() / 2);
    let mut rest = pairs.iter();
    while let (Some(score), Some(member)) = (rest.next(), rest.next()) {
        wanted.push((parse_f64(score).ok_or(CmdError::NotFloat)?, member));
    }
    add_scores(txn, args.at(1), &wanted, options, reply)
}

/// Gives members their scores as far as the options allow, and answers.
pub(in crate::commands) fn add_scores(
    txn: &mut Txn<'_, '_>,
    key: &[u8],
    wanted: &[(f64, &[u8])],
    options: AddOptions,
    reply: &mut Reply,
) -> CmdResult {
    let zset = old_zset(txn, key)?;
    // A member may come more than once.
    let mut pending: HashMap<&[u8], f64> = HashMap::new();
    let mut changes = Scores::with_capacity(wanted.len());
    let (mut added, mut updated, mut last) = (0, 0, None);
    // What is set lives for ever, as a field of a hash does; what is counted on goes on to die.
    let timed = zset.filter(|zset| !options.incr && zset.expire_min_ms().is_some());
    for &(score, member) in wanted {
        let known = pending.get(member).copied();
        let old = known.or_else(|| zset.and_then(|zset| zset.score(member)));
        last = match options.judge(old, score)? {
            Outcome::Refused => continue,
            Outcome::Same(score) => {
                if timed.and_then(|zset| zset.expiry_of(member)).flatten().is_some() {
                    changes.push((score, member));
                }
                Some(score)
            }
            Outcome::Updated(score) => {
                updated += 1;
                changes.push((score, member));
                Some(score)
            }
            Outcome::Added(score) => {
                added += 1;
                changes.push((score, member));
                Some(score)
            }
        };
        if let (Some(score), 2..) = (last, wanted.len()) {
            pending.insert(member, score);
        }
    }
    if !changes.is_empty() {
        let members = &pack_pairs(changes.iter().copied());
        let op = match options.incr {
            true => ZsetOp::Rescore { members },
            false => ZsetOp::Add { members },
        };
        txn.apply(&Effect::Zset { key, op });
        let name = if options.incr { "zincr" } else { "zadd" };
        txn.notify(Classes::ZSET, name, key);
    }
    match last {
        Some(score) if options.incr => reply.double(score),
        None if options.incr => reply.null(),
        _ if options.ch => reply.int(added + updated),
        _ => reply.int(added),
    }
    Ok(())
}
