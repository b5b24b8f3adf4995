//! One key by its neighbourhood: `KFIRST`, `KLAST`, `KNEXT`, `KPREV`.

use super::shape::Shape;
use super::{ACL, bound, must_be_ordered};
use crate::commands::error::CmdError;
use crate::commands::spec::{Access, CmdResult, Group, Handler, Spec, flag};
use crate::engine::index::ordered::{Edge, KeyRange};
use crate::engine::keyspace::KeyspaceTxn;
use crate::engine::ranges::Part;
use crate::resp::{Args, Reply};

const COMPLEXITY: &str = "O(log(N)) with N being the number of keys.";

/// `KFIRST [PREFIX prefix] [WITHVALUE] [WITHTYPE]`
pub const KFIRST: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    flags: flag::FAST,
    acl: ACL,
    summary: "Gives the least key of an ordered collection",
    complexity: COMPLEXITY,
    syntax: "[PREFIX prefix] [WITHVALUE] [WITHTYPE]",
    ..Spec::new("kfirst", Group::Collection, -1, Handler::Keyspace(kfirst))
};

/// `KLAST [PREFIX prefix] [WITHVALUE] [WITHTYPE]`
pub const KLAST: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    flags: flag::FAST,
    acl: ACL,
    summary: "Gives the greatest key of an ordered collection",
    complexity: COMPLEXITY,
    syntax: "[PREFIX prefix] [WITHVALUE] [WITHTYPE]",
    ..Spec::new("klast", Group::Collection, -1, Handler::Keyspace(klast))
};

/// `KNEXT key [PREFIX prefix] [WITHVALUE] [WITHTYPE]`
pub const KNEXT: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    flags: flag::FAST,
    acl: ACL,
    summary: "Gives the least key of an ordered collection above a key, which need not be there",
    complexity: COMPLEXITY,
    syntax: "key [PREFIX prefix] [WITHVALUE] [WITHTYPE]",
    ..Spec::new("knext", Group::Collection, -2, Handler::Keyspace(knext))
};

/// `KPREV key [PREFIX prefix] [WITHVALUE] [WITHTYPE]`
pub const KPREV: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    flags: flag::FAST,
    acl: ACL,
    summary: "Gives the greatest key of an ordered collection below a key, which need not be there",
    complexity: COMPLEXITY,
    syntax: "key [PREFIX prefix] [WITHVALUE] [WITHTYPE]",
    ..Spec::new("kprev", Group::Collection, -2, Handler::Keyspace(kprev))
};

#[derive(Default)]
struct Options<'a> {
    prefix: Option<&'a [u8]>,
    shape: Shape,
}

impl<'a> Options<'a> {
    fn parse(options: Args<'a>) -> Result<Self, CmdError> {
        let mut parsed = Self::default();
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            if parsed.shape.take(option, "withvalue", "withtype") {
                continue;
            }
            if !option.eq_ignore_ascii_case(b"prefix") {
                return Err(CmdError::Syntax);
            }
            parsed.prefix = Some(rest.next().ok_or(CmdError::Syntax)?);
        }
        Ok(parsed)
    }
}

fn kfirst(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    one(txn, "KFIRST", KeyRange::ALL, false, args.skip(1), reply)
}

fn klast(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    one(txn, "KLAST", KeyRange::ALL, true, args.skip(1), reply)
}

fn knext(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let above = KeyRange {
        low: Edge::After(args.at(1).to_vec()),
        high: Edge::End,
    };
    one(txn, "KNEXT", above, false, args.skip(2), reply)
}

fn kprev(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let below = KeyRange {
        low: Edge::Start,
        high: Edge::Before(args.at(1).to_vec()),
    };
    one(txn, "KPREV", below, true, args.skip(2), reply)
}

/// Answers with the first entry of a range, or the last one.
fn one(
    txn: &mut KeyspaceTxn<'_, '_>,
    command: &str,
    range: KeyRange,
    reverse: bool,
    options: Args<'_>,
    reply: &mut Reply,
) -> CmdResult {
    let Options { prefix, shape } = Options::parse(options)?;
    must_be_ordered(txn, command)?;
    let range = range.and(bound::range(b"-", b"+", prefix));
    let part = Part {
        reverse,
        offset: 0,
        limit: 1,
    };
    let mut found = false;
    txn.range(&range, part, |entry| {
        shape.write_one(entry, reply);
        found = true;
    });
    if !found {
        shape.write_none(reply);
    }
    Ok(())
}
