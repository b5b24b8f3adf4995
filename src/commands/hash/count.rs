//! Fields that are numbers: HINCRBY, HINCRBYFLOAT.

use super::common::{old_hash, set};
use crate::commands::spec::{Group, KeySpec, first_key, flag};
use crate::commands::support::long_double::{LongDouble, NAN_OR_INFINITY};
use crate::commands::support::number::parse_i64;
use crate::commands::value::int_arg;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

const KEYS: &[KeySpec] = &[first_key(&["RW", "access", "update"])];

pub(super) const HINCRBY: Spec = Spec {
    since: "2.0.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["hash"],
    keys: KEYS,
    summary: "Adds to the integer in a field, which is 0 if there is none",
    syntax: "key field increment",
    ..Spec::new("hincrby", Group::Hash, 4, Handler::Write(hincrby))
};

fn hincrby(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let by = int_arg(args, 3)?;
    let (key, name) = (args.at(1), args.at(2));
    let old = match old_hash(txn, key)?.and_then(|hash| hash.get(name)) {
        None => 0,
        Some(field) => {
            let old = field.value.with_bytes(parse_i64);
            old.ok_or(CmdError::text("ERR hash value is not an integer"))?
        }
    };
    let sum = old.checked_add(by);
    let sum = sum.ok_or(CmdError::text("ERR increment or decrement would overflow"))?;
    let mut digits = itoa::Buffer::new();
    set(txn, key, [name, digits.format(sum).as_bytes()].into_iter(), true);
    txn.notify(Classes::HASH, "hincrby", key);
    reply.int(sum);
    Ok(())
}

pub(super) const HINCRBYFLOAT: Spec = Spec {
    since: "2.6.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["hash"],
    keys: KEYS,
    summary: "Adds to the decimal number in a field, which is 0 if there is none",
    syntax: "key field increment",
    ..Spec::new("hincrbyfloat", Group::Hash, 4, Handler::Write(hincrbyfloat))
};

fn hincrbyfloat(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let by = LongDouble::parse(args.at(3)).ok_or(CmdError::NotFloat)?;
    if by.is_infinite() {
        return Err(CmdError::text("ERR value is NaN or Infinity"));
    }
    let (key, name) = (args.at(1), args.at(2));
    let old = match old_hash(txn, key)?.and_then(|hash| hash.get(name)) {
        None => LongDouble::ZERO,
        Some(field) => {
            let old = field.value.with_bytes(LongDouble::parse);
            old.ok_or(CmdError::text("ERR hash value is not a float"))?
        }
    };
    let sum = old.checked_add(by).ok_or(CmdError::text(NAN_OR_INFINITY))?;
    if sum.is_infinite() {
        return Err(CmdError::text(NAN_OR_INFINITY));
    }
    let sum = sum.to_text();
    set(txn, key, [name, sum.as_bytes()].into_iter(), true);
    txn.notify(Classes::HASH, "hincrbyfloat", key);
    reply.bulk(sum.as_bytes());
    Ok(())
}
