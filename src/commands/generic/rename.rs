//! Giving keys another name: `RENAME`, `RENAMENX`.
//!
//! **Invariant:** the value appears under its new name and goes from the old one in a single WAL record.

use super::transfer::Taken;
use crate::commands::error::CmdError;
use crate::commands::spec::{Access, Begin, CmdResult, Find, Group, Handler, KeySpec, Spec, first_key, flag};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

/// The second argument as a single key.
pub(super) const fn second_key(flags: &'static [&'static str]) -> KeySpec {
    KeySpec {
        access: Access::of(flags),
        begin: Begin::Index(2),
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        notes: None,
        access_of: None,
    }
}

/// `RENAME key newkey`
pub const RENAME: Spec = Spec {
    acl: &["keyspace"],
    keys: &[first_key(&["RW", "access", "delete"]), second_key(&["OW", "update"])],
    summary: "Renames a key; a key that had the new name is overwritten",
    syntax: "key newkey",
    ..Spec::new("rename", Group::Generic, 3, Handler::Write(rename))
};

/// `RENAMENX key newkey`
pub const RENAMENX: Spec = Spec {
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: &[first_key(&["RW", "access", "delete"]), second_key(&["OW", "insert"])],
    summary: "Renames a key if the new name is free",
    syntax: "key newkey",
    ..Spec::new("renamenx", Group::Generic, 3, Handler::Write(renamenx))
};

fn rename(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (from, to) = (args.at(1), args.at(2));
    let taken = txn.peek(from).map(Taken::from).ok_or(CmdError::NoSuchKey)?;
    if from != to {
        move_to(txn, from, to, &taken);
    }
    reply.ok();
    Ok(())
}

fn renamenx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (from, to) = (args.at(1), args.at(2));
    let taken = txn.peek(from).map(Taken::from).ok_or(CmdError::NoSuchKey)?;
    // Also when both are the same key: it exists.
    let free = !txn.exists(to);
    if free {
        move_to(txn, from, to, &taken);
    }
    reply.int(i64::from(free));
    Ok(())
}

fn move_to(txn: &mut Txn<'_, '_>, from: &[u8], to: &[u8], taken: &Taken) {
    let source = txn.source(from);
    taken.put(txn, to, source);
    txn.delete(from);
}
