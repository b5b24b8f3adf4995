//! Strings as numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.
//!
//! **Invariant:** what is logged is the sum, not the addition, so replay needs no arithmetic.

use crate::commands::spec::{Group, KeySpec, first_key, flag};
use crate::commands::support::long_double::{LongDouble, NAN_OR_INFINITY};
use crate::commands::support::number::parse_i64;
use crate::commands::value::int_arg;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{Txn, str_of};
use crate::page::StrRef;
use crate::resp::{Args, Reply};

const KEYS: &[KeySpec] = &[first_key(&["RW", "access", "update"])];

pub(super) const INCR: Spec = Spec {
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: KEYS,
    summary: "Adds one to the integer at a key",
    syntax: "key",
    ..Spec::new("incr", Group::String, 2, Handler::Write(incr))
};

fn incr(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    add(txn, args.at(1), 1, reply)
}

pub(super) const DECR: Spec = Spec {
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: KEYS,
    summary: "Subtracts one from the integer at a key",
    syntax: "key",
    ..Spec::new("decr", Group::String, 2, Handler::Write(decr))
};

fn decr(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    add(txn, args.at(1), -1, reply)
}

pub(super) const INCRBY: Spec = Spec {
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: KEYS,
    summary: "Adds to the integer at a key",
    syntax: "key increment",
    ..Spec::new("incrby", Group::String, 3, Handler::Write(incrby))
};

fn incrby(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let by = int_arg(args, 2)?;
    add(txn, args.at(1), by, reply)
}

pub(super) const DECRBY: Spec = Spec {
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: KEYS,
    summary: "Subtracts from the integer at a key",
    syntax: "key decrement",
    ..Spec::new("decrby", Group::String, 3, Handler::Write(decrby))
};

fn decrby(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let by = int_arg(args, 2)?
        .checked_neg()
        .ok_or(CmdError::text("ERR decrement would overflow"))?;
    add(txn, args.at(1), by, reply)
}

fn add(txn: &mut Txn<'_, '_>, key: &[u8], by: i64, reply: &mut Reply) -> CmdResult {
    let (old, expire_at_ms) = match txn.old(key) {
        None => (0, None),
        Some(entry) => {
            let old = str_of(entry)?.whole().and_then(parse_i64).ok_or(CmdError::NotInteger)?;
            (old, entry.expire_at_ms())
        }
    };
    let sum = old
        .checked_add(by)
        .ok_or(CmdError::text("ERR increment or decrement would overflow"))?;
    let mut digits = itoa::Buffer::new();
    txn.put_str(key, StrRef::Inline(digits.format(sum).as_bytes()), expire_at_ms);
    txn.notify(Classes::STRING, "incrby", key);
    reply.int(sum);
    Ok(())
}

pub(super) const INCRBYFLOAT: Spec = Spec {
    since: "2.6.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: KEYS,
    summary: "Adds to the decimal number at a key",
    syntax: "key increment",
    ..Spec::new("incrbyfloat", Group::String, 3, Handler::Write(incrbyfloat))
};

fn incrbyfloat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let (old, expire_at_ms) = match txn.old(key) {
        None => (LongDouble::ZERO, None),
        Some(entry) => {
            let text = str_of(entry)?.whole();
            let old = text.and_then(LongDouble::parse).ok_or(CmdError::NotFloat)?;
            (old, entry.expire_at_ms())
        }
    };
    let by = LongDouble::parse(args.at(2)).ok_or(CmdError::NotFloat)?;
    let sum = old.checked_add(by).ok_or(CmdError::text(NAN_OR_INFINITY))?.to_text();
    txn.put_str(key, StrRef::Inline(sum.as_bytes()), expire_at_ms);
    txn.notify(Classes::STRING, "incrbyfloat", key);
    reply.bulk(sum.as_bytes());
    Ok(())
}
