//! Looking at keys: `EXISTS`, `TOUCH`, `TYPE`.

use crate::commands::spec::{CmdResult, Group, Handler, Spec, all_keys, first_key, flag};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

const TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

/// `EXISTS key [key …]`
pub const EXISTS: Spec = Spec {
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: &[all_keys(&["RO"], 1, 1)],
    tips: TIPS,
    summary: "Counts which of the given keys exist; a key named twice counts twice",
    complexity: "O(N) where N is the number of keys to check.",
    syntax: "key [key ...]",
    ..Spec::new("exists", Group::Generic, -2, Handler::Read(exists))
};

/// `TOUCH key [key …]`
pub const TOUCH: Spec = Spec {
    since: "3.2.1",
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: &[all_keys(&["RO"], 1, 1)],
    tips: TIPS,
    summary: "Marks keys as used just now; replies how many exist",
    complexity: "O(N) where N is the number of keys that will be touched.",
    syntax: "key [key ...]",
    ..Spec::new("touch", Group::Generic, -2, Handler::Read(touch))
};

/// `TYPE key`
pub const TYPE: Spec = Spec {
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: &[first_key(&["RO"])],
    summary: "Tells the type of the value at a key",
    syntax: "key",
    ..Spec::new("type", Group::Generic, 2, Handler::Read(type_of))
};

fn exists(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let found = args.skip(1).iter().filter(|key| txn.inspect(key).is_some()).count();
    reply.int(found as i64);
    Ok(())
}

fn touch(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    // It is what a client says that lets its other reads go unnoticed.
    txn.be_loud();
    let found = args.skip(1).iter().filter(|key| txn.get(key).is_some()).count();
    reply.int(found as i64);
    Ok(())
}

fn type_of(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let name = txn
        .inspect(args.at(1))
        .map_or("none", |entry| entry.value().value_type().name());
    reply.simple(name);
    Ok(())
}
