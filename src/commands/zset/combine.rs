//! Several sorted sets together: ZDIFF, ZINTER, ZUNION, their STORE forms, ZINTERCARD.

use super::common::{reply_header, reply_member, store};
use super::operation::{Aggregate, Operation, Source, Sources, held};
use crate::commands::spec::{Group, KeySpec, counted_keys, first_key, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::{ReadTxn, Txn};
use crate::page::packed::Item;
use crate::resp::double::parse_f64;
use crate::resp::{Args, Reply};

const SOURCES: KeySpec = counted_keys(2, &["RO", "access"]);
const STORED: &[KeySpec] = &[first_key(&["OW", "update"]), SOURCES];
const DIFFERENCE: &str = "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is \
                          the size of the first set, and K is the size of the result set.";
const INTERSECTION: &str = "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the \
                            number of input sorted sets and M being the number of elements in the resulting sorted set.";
const UNION: &str = "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the \
                     number of elements in the resulting sorted set.";

pub(super) const ZDIFF: Spec = Spec {
    since: "6.2.0",
    flags: flag::MOVABLE_KEYS,
    acl: &["sortedset"],
    keys: &[counted_keys(1, &["RO", "access"])],
    summary: "Returns the members of a sorted set that others do not have",
    complexity: DIFFERENCE,
    syntax: "numkeys key [key ...] [WITHSCORES]",
    ..Spec::new("zdiff", Group::SortedSet, -3, Handler::Read(zdiff))
};

fn zdiff(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Difference, "zdiff", reply)
}

pub(super) const ZINTER: Spec = Spec {
    summary: "Returns the members that all of several sorted sets have",
    complexity: INTERSECTION,
    syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX | COUNT] [WITHSCORES]",
    ..Spec {
        name: "zinter",
        handler: Handler::Read(zinter),
        ..ZDIFF
    }
};

fn zinter(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Intersection, "zinter", reply)
}

pub(super) const ZUNION: Spec = Spec {
    summary: "Returns the members that any of several sorted sets has",
    complexity: UNION,
    ..Spec {
        name: "zunion",
        handler: Handler::Read(zunion),
        ..ZINTER
    }
};

fn zunion(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Union, "zunion", reply)
}

fn answer(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, operation: Operation, name: &str, reply: &mut Reply) -> CmdResult {
    let sources = sources(txn, args, 1, name)?;
    let accepted = Accepted {
        weights: operation != Operation::Difference,
        scores: true,
        limit: false,
    };
    let options = Options::parse(args.skip(2 + sources.len()), sources.len(), &accepted)?;
    let members = Sources::new(&sources, &options.weights).run(operation, options.aggregate);
    reply_header(reply, members.len(), options.with_scores);
    for (score, member) in &members {
        reply_member(reply, Item::Bytes(member), *score, options.with_scores);
    }
    Ok(())
}

pub(super) const ZDIFFSTORE: Spec = Spec {
    flags: flag::DENY_OOM | flag::MOVABLE_KEYS,
    keys: STORED,
    summary: "Stores the members of a sorted set that others do not have",
    syntax: "destination numkeys key [key ...]",
    ..Spec {
        name: "zdiffstore",
        arity: -4,
        handler: Handler::Write(zdiffstore),
        ..ZDIFF
    }
};

fn zdiffstore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    store_result(txn, args, Operation::Difference, "zdiffstore", reply)
}

pub(super) const ZINTERSTORE: Spec = Spec {
    since: "2.0.0",
    summary: "Stores the members that all of several sorted sets have",
    complexity: INTERSECTION,
    syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX | COUNT]",
    ..Spec {
        name: "zinterstore",
        handler: Handler::Write(zinterstore),
        ..ZDIFFSTORE
    }
};

fn zinterstore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    store_result(txn, args, Operation::Intersection, "zinterstore", reply)
}

pub(super) const ZUNIONSTORE: Spec = Spec {
    summary: "Stores the members that any of several sorted sets has",
    complexity: UNION,
    ..Spec {
        name: "zunionstore",
        handler: Handler::Write(zunionstore),
        ..ZINTERSTORE
    }
};

fn zunionstore(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    store_result(txn, args, Operation::Union, "zunionstore", reply)
}

fn store_result(
    txn: &mut Txn<'_, '_>,
    args: Args<'_>,
    operation: Operation,
    name: &str,
    reply: &mut Reply,
) -> CmdResult {
    let sources = sources(txn, args, 2, name)?;
    let accepted = Accepted {
        weights: operation != Operation::Difference,
        scores: false,
        limit: false,
    };
    let options = Options::parse(args.skip(3 + sources.len()), sources.len(), &accepted)?;
    let members = Sources::new(&sources, &options.weights).run(operation, options.aggregate);
    store(txn, args.at(1), &members, name);
    reply.int(members.len() as i64);
    Ok(())
}

pub(super) const ZINTERCARD: Spec = Spec {
    since: "7.0.0",
    summary: "Returns how many members all of several sorted sets have",
    complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
    syntax: "numkeys key [key ...] [LIMIT limit]",
    ..Spec {
        name: "zintercard",
        handler: Handler::Read(zintercard),
        ..ZDIFF
    }
};

fn zintercard(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let sources = sources(txn, args, 1, "zintercard")?;
    let accepted = Accepted {
        weights: false,
        scores: false,
        limit: true,
    };
    let options = Options::parse(args.skip(2 + sources.len()), sources.len(), &accepted)?;
    let count = Sources::new(&sources, &[]).count_common(options.limit);
    reply.int(count as i64);
    Ok(())
}

/// The sources, whose number stands at `at`.
fn sources(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, at: usize, name: &str) -> Result<Vec<Option<Source>>, CmdError> {
    let count = parse_i64(args.at(at)).ok_or(CmdError::NotInteger)?;
    if count < 1 {
        return Err(format!("ERR at least 1 input key is needed for '{name}' command").into());
    }
    let keys = args.skip(at + 1);
    let count = usize::try_from(count).ok().filter(|count| *count <= keys.len());
    held(txn, keys.iter().take(count.ok_or(CmdError::Syntax)?))
}

/// Which options a command takes.
struct Accepted {
    weights: bool,
    scores: bool,
    limit: bool,
}

struct Options {
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: u64,
}

impl Options {
    fn parse(options: Args<'_>, sources: usize, accepted: &Accepted) -> Result<Self, CmdError> {
        let mut parsed = Self {
            weights: Vec::new(),
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: 0,
        };
        let mut at = 0;
        while let Some(option) = options.get(at) {
            let values = options.skip(at + 1);
            at += match option.to_ascii_lowercase().as_slice() {
                b"weights" if accepted.weights && values.len() >= sources => {
                    parsed.weights = weights(values.iter().take(sources))?;
                    1 + sources
                }
                b"aggregate" if accepted.weights && !values.is_empty() => {
                    parsed.aggregate = aggregate(values.at(0))?;
                    2
                }
                b"withscores" if accepted.scores => {
                    parsed.with_scores = true;
                    1
                }
                b"limit" if accepted.limit && !values.is_empty() => {
                    let limit = parse_i64(values.at(0)).and_then(|limit| u64::try_from(limit).ok());
                    parsed.limit = limit.ok_or(CmdError::text("ERR LIMIT can't be negative"))?;
                    2
                }
                _ => return Err(CmdError::Syntax),
            };
        }
        Ok(parsed)
    }
}

fn weights<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> Result<Vec<f64>, CmdError> {
    let weight = |argument| parse_f64(argument).ok_or(CmdError::text("ERR weight value is not a float"));
    arguments.map(weight).collect()
}

fn aggregate(argument: &[u8]) -> Result<Aggregate, CmdError> {
    match argument.to_ascii_lowercase().as_slice() {
        b"sum" => Ok(Aggregate::Sum),
        b"min" => Ok(Aggregate::Min),
        b"max" => Ok(Aggregate::Max),
        b"count" => Ok(Aggregate::Count),
        _ => Err(CmdError::Syntax),
    }
}
