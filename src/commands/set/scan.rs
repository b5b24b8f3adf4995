//! Walking over members: SSCAN.

use super::common::read_set;
use crate::commands::generic::Walk;
use crate::commands::spec::{Group, first_key};
use crate::commands::value::reply_item;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const SSCAN: Spec = Spec {
    since: "2.8.0",
    acl: &["set"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Walks over the members of a set, some with each call",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
                 return back to 0. N is the number of elements inside the collection.",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    ..Spec::new("sscan", Group::Set, -3, Handler::Read(sscan))
};

fn sscan(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let walk = Walk::begin(args)?;
    let set = read_set(txn, args.at(1))?;
    walk.answer(set, b"", reply, |set, cursor, options, members| {
        let mut found = 0;
        let next = set.scan(cursor, options.count, &mut |member| {
            if member.with_bytes(|member| options.matches(member)) {
                reply_item(members, member);
                found += 1;
            }
        });
        (next, found)
    })
}
