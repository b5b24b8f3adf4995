//! Places in the order: `KRANK`, `KNTH`.

use super::shape::Shape;
use super::{ACL, must_be_ordered};
use crate::commands::error::CmdError;
use crate::commands::spec::{Access, CmdResult, Group, Handler, Spec, first_key};
use crate::commands::value::int_arg;
use crate::engine::keyspace::KeyspaceTxn;
use crate::resp::{Args, Reply};

const COMPLEXITY: &str = "O(log(N)) with N being the number of keys of a bcust collection. O(N) in a bdef one, with a \
                          constant below a hundredth: whole pages are counted at a time.";

/// `KNTH n [WITHVALUE] [WITHTYPE]`
pub const KNTH: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    acl: ACL,
    summary: "Gives the key at a place in the order of an ordered collection, from 0, or from -1 at the end",
    complexity: COMPLEXITY,
    syntax: "n [WITHVALUE] [WITHTYPE]",
    ..Spec::new("knth", Group::Collection, -2, Handler::Keyspace(knth))
};

/// `KRANK key`
pub const KRANK: Spec = Spec {
    unnamed: Access::of(&["RO", "access"]),
    since: "0.1.0",
    acl: ACL,
    keys: &[first_key(&["RO"])],
    summary: "Tells how many keys of an ordered collection come before a key",
    complexity: COMPLEXITY,
    syntax: "key",
    ..Spec::new("krank", Group::Collection, 2, Handler::Keyspace(krank))
};

/// The shape that options from argument `at` on ask for.
fn shape(args: Args<'_>, at: usize) -> Result<Shape, CmdError> {
    let mut shape = Shape::default();
    for option in args.skip(at).iter() {
        if !shape.take(option, "withvalue", "withtype") {
            return Err(CmdError::Syntax);
        }
    }
    Ok(shape)
}

fn knth(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let n = int_arg(args, 1)?;
    let shape = shape(args, 2)?;
    must_be_ordered(txn, "KNTH")?;
    let mut found = false;
    txn.nth(n, |entry| {
        shape.write_one(entry, reply);
        found = true;
    });
    if !found {
        shape.write_none(reply);
    }
    Ok(())
}

fn krank(txn: &mut KeyspaceTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    must_be_ordered(txn, "KRANK")?;
    match txn.rank(args.at(1)) {
        Some(rank) => reply.int(rank as i64),
        None => reply.null(),
    }
    Ok(())
}
