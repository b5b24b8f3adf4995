//! Several keys at once: MGET, MSET, MSETNX.

use crate::commands::spec::{Group, all_keys, flag};
use crate::commands::value::{reply_str, str_arg};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn, str_of};
use crate::resp::{Args, Reply};

pub(super) const MGET: Spec = Spec {
    flags: flag::FAST,
    acl: &["string"],
    keys: &[all_keys(&["RO", "access"], 1, 1)],
    tips: &["request_policy:multi_shard"],
    summary: "Returns the strings at several keys",
    complexity: "O(N) where N is the number of keys.",
    syntax: "key [key ...]",
    ..Spec::new("mget", Group::String, -2, Handler::Read(mget))
};

fn mget(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    reply.array(args.len() - 1);
    for key in args.skip(1).iter() {
        // Another type counts as nothing here.
        reply_str(reply, txn.get(key).and_then(|entry| str_of(entry).ok()));
    }
    Ok(())
}

pub(super) const MSET: Spec = Spec {
    since: "1.0.1",
    flags: flag::DENY_OOM,
    acl: &["string"],
    keys: &[all_keys(&["OW", "update"], 1, 2)],
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    summary: "Sets several keys to strings",
    complexity: "O(N) where N is the number of keys.",
    syntax: "key value [key value ...]",
    ..Spec::new("mset", Group::String, -3, Handler::Write(mset))
};

fn mset(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_pairs(args, MSET.name)?;
    put_pairs(txn, args);
    reply.ok();
    Ok(())
}

pub(super) const MSETNX: Spec = Spec {
    since: "1.0.1",
    flags: flag::DENY_OOM,
    acl: &["string"],
    keys: &[all_keys(&["OW", "insert"], 1, 2)],
    tips: &["request_policy:multi_shard", "response_policy:agg_min"],
    summary: "Sets several keys to strings, all of them or, if any of the keys exists, none",
    complexity: "O(N) where N is the number of keys.",
    syntax: "key value [key value ...]",
    ..Spec::new("msetnx", Group::String, -3, Handler::Write(msetnx))
};

fn msetnx(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_pairs(args, MSETNX.name)?;
    let all_free = args.skip(1).iter().step_by(2).all(|key| txn.old(key).is_none());
    if all_free {
        put_pairs(txn, args);
    }
    reply.int(i64::from(all_free));
    Ok(())
}

fn check_pairs(args: Args<'_>, command: &str) -> CmdResult {
    if args.len().is_multiple_of(2) {
        return Err(CmdError::Arity(command.to_owned()));
    }
    Ok(())
}

/// Sets every key; of a repeated one the last value stays.
fn put_pairs(txn: &mut Txn<'_, '_>, args: Args<'_>) {
    for at in (1..args.len()).step_by(2) {
        let key = args.at(at);
        txn.replace_str(key, str_arg(args, at + 1), None);
        txn.notify(Classes::STRING, "set", key);
    }
}
