//! Walking over members: ZSCAN.

use super::common::read_zset;
use crate::commands::generic::Walk;
use crate::commands::spec::{Group, first_key};
use crate::commands::value::reply_item;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply, format_double, format_general};

pub(super) const ZSCAN: Spec = Spec {
    since: "2.8.0",
    acl: &["sortedset"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Walks over the members of a sorted set and their scores, some with each call",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
                 return back to 0. N is the number of elements inside the collection.",
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOSCORES]",
    ..Spec::new("zscan", Group::SortedSet, -3, Handler::Read(zscan))
};

fn zscan(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let walk = Walk::begin(args)?;
    let zset = read_zset(txn, args.at(1))?;
    walk.answer(zset, b"noscores", reply, |zset, cursor, options, members| {
        let mut found = 0;
        let next = zset.scan(cursor, options.count, &mut |member| {
            if member.name.with_bytes(|name| options.matches(name)) {
                reply_item(members, member.name);
                found += 1;
                if !options.has_flag {
                    members.bulk(score_text(member.score, zset.is_wide()).as_bytes());
                    found += 1;
                }
            }
        });
        (next, found)
    })
}

/// A score as Redis keeps it: its compact encoding has integers and texts, of its other one all digits are printed.
fn score_text(score: f64, is_wide: bool) -> String {
    match is_wide {
        true => format_general(score, 17),
        false => format_double(score),
    }
}
