//! Walking over members: SSCAN.

use super::common::read_set;
use crate::commands::generic::{WalkOptions, parse_cursor, reply_walk};
use crate::commands::spec::{Group, first_key};
use crate::commands::value::reply_item;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
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
    let cursor = parse_cursor(args.at(2)).ok_or(CmdError::text("ERR invalid cursor"))?;
    let Some(set) = read_set(txn, args.at(1))? else {
        let nothing = Reply::new(reply.proto());
        reply_walk(reply, 0, 0, nothing);
        return Ok(());
    };
    let options = WalkOptions::parse(args.skip(3), b"")?;
    let mut members = Reply::new(reply.proto());
    let mut found = 0;
    let next = set.scan(cursor, options.count, &mut |member| {
        if member.with_bytes(|member| options.matches(member)) {
            reply_item(&mut members, member);
            found += 1;
        }
    });
    reply_walk(reply, next, found, members);
    Ok(())
}
