//! How many members several sets have together: SDIFFCARD, SINTERCARD, SUNIONCARD.

use std::ops::ControlFlow;

use super::combine::{OF_ALL, OF_SMALLEST};
use super::operation::{Operation, held};
use crate::commands::hyperloglog::Sketch;
use crate::commands::spec::{Group, counted_keys, flag};
use crate::commands::support::number::parse_i64;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::set::HeldSet;
use crate::resp::{Args, Reply};

pub(super) const SINTERCARD: Spec = Spec {
    since: "7.0.0",
    flags: flag::MOVABLE_KEYS,
    acl: &["set"],
    keys: &[counted_keys(1, &["RO", "access"])],
    summary: "Returns how many members all of several sets have",
    complexity: OF_SMALLEST,
    syntax: "numkeys key [key ...] [LIMIT limit]",
    ..Spec::new("sintercard", Group::Set, -3, Handler::Read(sintercard))
};

fn sintercard(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Intersection, reply)
}

pub(super) const SDIFFCARD: Spec = Spec {
    since: "8.10.0",
    summary: "Returns how many members of a set others do not have",
    complexity: OF_ALL,
    ..Spec {
        name: "sdiffcard",
        handler: Handler::Read(sdiffcard),
        ..SINTERCARD
    }
};

fn sdiffcard(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Difference, reply)
}

pub(super) const SUNIONCARD: Spec = Spec {
    summary: "Returns how many members several sets have, exactly or about",
    syntax: "numkeys key [key ...] [APPROX] [LIMIT limit]",
    ..Spec {
        name: "sunioncard",
        handler: Handler::Read(sunioncard),
        ..SDIFFCARD
    }
};

fn sunioncard(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    answer(txn, args, Operation::Union, reply)
}

fn answer(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, operation: Operation, reply: &mut Reply) -> CmdResult {
    let keys = parse_i64(args.at(1)).filter(|keys| *keys > 0);
    let keys = keys.ok_or(CmdError::text("ERR numkeys should be greater than 0"))? as usize;
    if keys > args.len() - 2 {
        return Err(CmdError::text(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    let options = Options::parse(args.skip(2 + keys), operation)?;
    let sets = held(txn, (2..2 + keys).map(|at| args.at(at)))?;
    let count = if options.is_approximate {
        about(&sets, options.limit)
    } else {
        exactly(&sets, operation, options.limit)
    };
    reply.int(count as i64);
    Ok(())
}

#[derive(Default)]
struct Options {
    /// Up to which number is counted; 0 = to the end.
    limit: u64,
    is_approximate: bool,
}

impl Options {
    fn parse(options: Args<'_>, operation: Operation) -> Result<Self, CmdError> {
        let mut parsed = Self::default();
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            if operation == Operation::Union && option.eq_ignore_ascii_case(b"approx") {
                parsed.is_approximate = true;
                continue;
            }
            let value = rest.next().filter(|_| option.eq_ignore_ascii_case(b"limit"));
            let value = value.ok_or(CmdError::Syntax)?;
            let limit = parse_i64(value).and_then(|limit| u64::try_from(limit).ok());
            parsed.limit = limit.ok_or(CmdError::text("ERR LIMIT can't be negative"))?;
        }
        Ok(parsed)
    }
}

fn exactly(sets: &[Option<HeldSet>], operation: Operation, limit: u64) -> u64 {
    let mut count = 0;
    operation.run(sets, &mut |_| {
        count += 1;
        if count == limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    count
}

/// As a HyperLogLog counts the members of all sets: in memory that does not depend on how many there are.
fn about(sets: &[Option<HeldSet>], limit: u64) -> u64 {
    let mut sketch = Sketch::default();
    for set in sets.iter().flatten() {
        let _: ControlFlow<()> = set.view().for_each(|member| {
            member.with_bytes(|bytes| sketch.add(bytes));
            ControlFlow::Continue(())
        });
    }
    match limit {
        0 => sketch.count(),
        limit => sketch.count().min(limit),
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Harness;

    #[test]
    fn how_many_together() {
        let mut server = Harness::new();
        server.say("SADD a 1 2 3 x");
        server.say("SADD b 3 4 x y");
        server.say("SET text v");
        for (line, reply) in [
            ("SUNIONCARD 2 a b", ":6"),
            ("SUNIONCARD 3 a b nosuch LIMIT 0", ":6"),
            ("SUNIONCARD 2 a b LIMIT 4", ":4"),
            ("SUNIONCARD 2 a b APPROX", ":6"),
            ("SUNIONCARD 2 a b LIMIT 5 APPROX", ":5"),
            ("SUNIONCARD 2 a b approx limit 100", ":6"),
            ("SUNIONCARD 1 nosuch", ":0"),
            ("SUNIONCARD 1 nosuch APPROX", ":0"),
            ("SDIFFCARD 2 a b", ":2"),
            ("SDIFFCARD 2 a nosuch LIMIT 3", ":3"),
            ("SDIFFCARD 2 nosuch a", ":0"),
            ("SDIFFCARD 1 a", ":4"),
            ("SINTERCARD 2 a b", ":2"),
            ("SDIFFCARD 2 a b APPROX", "-ERR syntax error"),
            ("SINTERCARD 2 a b APPROX", "-ERR syntax error"),
            ("SUNIONCARD 2 a b LIMIT", "-ERR syntax error"),
            ("SUNIONCARD 2 a b LIMIT -1", "-ERR LIMIT can't be negative"),
            ("SUNIONCARD 0 a", "-ERR numkeys should be greater than 0"),
            (
                "SDIFFCARD 3 a b",
                "-ERR Number of keys can't be greater than number of args",
            ),
            (
                "SUNIONCARD 2 a text",
                "-WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
        ] {
            assert_eq!(server.say(line), reply, "{line}");
        }
    }

    #[test]
    fn about_as_many_as_there_are() {
        let mut server = Harness::new();
        for at in 0..10 {
            let members: Vec<String> = (at * 800..at * 800 + 1000).map(|n| n.to_string()).collect();
            server.say(&format!("SADD s{at} {}", members.join(" ")));
        }
        let keys: Vec<String> = (0..10).map(|at| format!("s{at}")).collect();
        let reply = server.say(&format!("SUNIONCARD 10 {} APPROX", keys.join(" ")));
        let count: f64 = reply[1..].parse().unwrap();
        assert!((count / 8200.0 - 1.0).abs() < 0.05, "{count}");
        assert_eq!(server.say(&format!("SUNIONCARD 10 {}", keys.join(" "))), ":8200");
    }
}
