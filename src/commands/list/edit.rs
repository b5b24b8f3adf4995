//! Changing a list anywhere: LINSERT, LREM, LSET, LTRIM.

use std::ops::ControlFlow;

use super::common::old_list;
use super::range::{place, run};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::{int_arg, symmetric};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::list::{ListOp, ListRef};
use crate::page::packed::Item;
use crate::resp::{Args, Reply};

pub(super) const LINSERT: Spec = Spec {
    since: "2.2.0",
    flags: flag::DENY_OOM,
    acl: &["list"],
    keys: &[first_key(&["RW", "insert"])],
    summary: "Puts an element before or behind another one in a list",
    complexity: "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that \
                 inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere \
                 on the right end (tail) is O(N).",
    syntax: "key <BEFORE | AFTER> pivot element",
    ..Spec::new("linsert", Group::List, 5, Handler::Write(linsert))
};

fn linsert(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let behind = match args.at(2).to_ascii_lowercase().as_slice() {
        b"before" => 0,
        b"after" => 1,
        _ => return Err(CmdError::Syntax),
    };
    let key = args.at(1);
    let Some(list) = old_list(txn, key)? else {
        reply.int(0);
        return Ok(());
    };
    let len = list.len();
    let Some(pivot) = find(list, Item::of(args.at(3))) else {
        reply.int(-1);
        return Ok(());
    };
    let op = ListOp::Insert {
        index: pivot + behind,
        element: args.at(4),
    };
    txn.apply(&Effect::List { key, op });
    txn.notify(Classes::LIST, "linsert", key);
    reply.int(len as i64 + 1);
    Ok(())
}

/// The first place of an element.
fn find(list: ListRef<'_>, element: Item<'_>) -> Option<u64> {
    let mut at = 0;
    let flow = list.for_each_from(0, |item| {
        if item.is(element) {
            return ControlFlow::Break(at);
        }
        at += 1;
        ControlFlow::Continue(())
    });
    flow.break_value()
}

pub(super) const LREM: Spec = Spec {
    acl: &["list"],
    keys: &[first_key(&["RW", "delete"])],
    summary: "Removes elements that are equal to one: the first so many, the last (negative), or all (0)",
    complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
    syntax: "key count element",
    ..Spec::new("lrem", Group::List, 4, Handler::Write(lrem))
};

fn lrem(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let count = symmetric(args.at(2))?;
    let (key, element) = (args.at(1), args.at(3));
    let Some(list) = old_list(txn, key)? else {
        reply.int(0);
        return Ok(());
    };
    let (front, count) = (count >= 0, count.unsigned_abs());
    let removed = count_equal(list, Item::of(element), if count == 0 { u64::MAX } else { count });
    if removed > 0 {
        let op = ListOp::Remove { count, front, element };
        txn.apply(&Effect::List { key, op });
        txn.notify_taken(Classes::LIST, "lrem", key);
    }
    reply.int(removed as i64);
    Ok(())
}

/// How many elements are equal to one, counted up to `max`.
fn count_equal(list: ListRef<'_>, element: Item<'_>, max: u64) -> u64 {
    let mut count = 0;
    let _ = list.for_each_from(0, |item| {
        count += u64::from(item.is(element));
        if count == max {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    count
}

pub(super) const LSET: Spec = Spec {
    flags: flag::DENY_OOM,
    acl: &["list"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Sets the element at a place in a list",
    complexity: "O(log(N)) where N is the number of elements.",
    syntax: "key index element",
    ..Spec::new("lset", Group::List, 4, Handler::Write(lset))
};

fn lset(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let key = args.at(1);
    let len = old_list(txn, key)?.ok_or(CmdError::NoSuchKey)?.len();
    let index = place(int_arg(args, 2)?, len).ok_or(CmdError::text("ERR index out of range"))?;
    let element = args.at(3);
    let op = ListOp::Set { index, element };
    txn.apply(&Effect::List { key, op });
    txn.notify(Classes::LIST, "lset", key);
    reply.ok();
    Ok(())
}

pub(super) const LTRIM: Spec = Spec {
    acl: &["list"],
    keys: &[first_key(&["RW", "delete"])],
    summary: "Removes all elements but those from one place in a list to another",
    complexity: "O(N) where N is the number of elements to be removed by the operation.",
    syntax: "key start stop",
    ..Spec::new("ltrim", Group::List, 4, Handler::Write(ltrim))
};

fn ltrim(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (start, stop) = (int_arg(args, 2)?, int_arg(args, 3)?);
    let key = args.at(1);
    if let Some(list) = old_list(txn, key)? {
        let whole = list.len();
        let (start, len) = run(start, stop, whole);
        if len < whole {
            let op = ListOp::Trim { start, len };
            txn.apply(&Effect::List { key, op });
        }
        txn.notify_taken(Classes::LIST, "ltrim", key);
    }
    reply.ok();
    Ok(())
}
