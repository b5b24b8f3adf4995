//! Setting and removing fields: HDEL, HMSET, HSET, HSETNX.

use super::common::{old_hash, remove, set};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

pub(super) const HSET: Spec = Spec {
    since: "2.0.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets fields to values; the hash is made if there is none",
    complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called \
                 with multiple field/value pairs.",
    syntax: "key field value [field value ...]",
    ..Spec::new("hset", Group::Hash, -4, Handler::Write(hset))
};

fn hset(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let added = set_pairs(txn, args, HSET.name)?;
    reply.int(added);
    Ok(())
}

/// Sets the pairs of a request; how many fields are new.
fn set_pairs(txn: &mut Txn<'_, '_>, args: Args<'_>, command: &str) -> Result<i64, CmdError> {
    if !args.len().is_multiple_of(2) {
        return Err(CmdError::Arity(command.to_owned()));
    }
    let key = args.at(1);
    // Refuses other types, and lets go of dead fields, which count as new.
    old_hash(txn, key)?;
    let added = set(txn, key, args.skip(2).iter(), false);
    txn.notify(Classes::HASH, "hset", key);
    Ok(added)
}

pub(super) const HMSET: Spec = Spec {
    summary: "Sets fields to values, as HSET",
    complexity: "O(N) where N is the number of fields being set.",
    ..Spec {
        name: "hmset",
        handler: Handler::Write(hmset),
        ..HSET
    }
};

fn hmset(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    set_pairs(txn, args, HMSET.name)?;
    reply.ok();
    Ok(())
}

pub(super) const HSETNX: Spec = Spec {
    since: "2.0.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "insert"])],
    summary: "Sets a field to a value, unless the hash has it",
    syntax: "key field value",
    ..Spec::new("hsetnx", Group::Hash, 4, Handler::Write(hsetnx))
};

fn hsetnx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let is_new = old_hash(txn, key)?.is_none_or(|hash| hash.get(args.at(2)).is_none());
    if is_new {
        set(txn, key, args.skip(2).iter(), false);
        txn.notify(Classes::HASH, "hset", key);
    }
    reply.int(i64::from(is_new));
    Ok(())
}

pub(super) const HDEL: Spec = Spec {
    since: "2.0.0",
    flags: flag::FAST,
    acl: &["hash"],
    keys: &[first_key(&["RW", "delete"])],
    summary: "Removes fields; the last one takes the hash with it",
    complexity: "O(N) where N is the number of fields to be removed.",
    syntax: "key field [field ...]",
    ..Spec::new("hdel", Group::Hash, -3, Handler::Write(hdel))
};

fn hdel(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let mut gone: Vec<&[u8]> = Vec::new();
    if let Some(hash) = old_hash(txn, key)? {
        gone.extend(args.skip(2).iter().filter(|name| hash.get(name).is_some()));
        gone.sort_unstable();
        gone.dedup();
    }
    if !gone.is_empty() {
        remove(txn, key, gone.iter().copied());
        txn.notify_taken(Classes::HASH, "hdel", key);
    }
    reply.int(gone.len() as i64);
    Ok(())
}
