//! Removing keys: `DEL`, `UNLINK`.
//!
//! Large values are always dropped in the background, so the two do the same.

use crate::commands::spec::{CmdResult, Group, Handler, Spec, all_keys, flag};
use crate::engine::txn::Txn;
use crate::resp::{Args, Reply};

const TIPS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

/// `DEL key [key …]`
pub const DEL: Spec = Spec {
    acl: &["keyspace"],
    keys: &[all_keys(&["RM", "delete"], 1, 1)],
    tips: TIPS,
    summary: "Removes keys, of whatever type; replies how many there were",
    complexity: "O(N) where N is the number of keys that will be removed.",
    syntax: "key [key ...]",
    ..Spec::new("del", Group::Generic, -2, Handler::Write(delete))
};

/// `UNLINK key [key …]`
pub const UNLINK: Spec = Spec {
    since: "4.0.0",
    flags: flag::FAST,
    acl: &["keyspace"],
    keys: &[all_keys(&["RM", "delete"], 1, 1)],
    tips: TIPS,
    summary: "Removes keys and frees their memory in the background",
    complexity: "O(1) for each key removed regardless of its size.",
    syntax: "key [key ...]",
    ..Spec::new("unlink", Group::Generic, -2, Handler::Write(delete))
};

fn delete(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let removed = args.skip(1).iter().filter(|key| txn.remove(key)).count();
    reply.int(removed as i64);
    Ok(())
}
