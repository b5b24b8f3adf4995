//! Walking over fields: HSCAN.

use super::common::hash_of;
use crate::commands::generic::Walk;
use crate::commands::spec::{Group, first_key};
use crate::commands::value::reply_item;
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::page::hash::Field;
use crate::resp::{Args, Reply};

pub(super) const HSCAN: Spec = Spec {
    since: "2.8.0",
    acl: &["hash"],
    keys: &[first_key(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Walks over the fields of a hash and their values, some with each call",
    complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
                 return back to 0. N is the number of elements inside the collection.",
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    ..Spec::new("hscan", Group::Hash, -3, Handler::Read(hscan))
};

fn hscan(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let now_ms = txn.now_ms();
    let walk = Walk::begin(args)?;
    let hash = txn.get(args.at(1)).map(hash_of).transpose()?;
    walk.answer(hash, b"novalues", reply, |hash, cursor, options, fields| {
        let mut found = 0;
        let next = hash.scan(cursor, options.count, &mut |field: Field<'_>| {
            if !field.is_alive(now_ms) || !field.name.with_bytes(|name| options.matches(name)) {
                return;
            }
            reply_item(fields, field.name);
            if !options.has_flag {
                reply_item(fields, field.value);
            }
            found += 2 - usize::from(options.has_flag);
        });
        (next, found)
    })
}
