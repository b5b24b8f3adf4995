//! Looking at elements by their place: LINDEX, LLEN, LRANGE.

use std::ops::ControlFlow;

use super::common::list_of;
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::{int_arg, reply_item};
use crate::commands::{CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const LINDEX: Spec = Spec {
    acl: &["list"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns the element at a place in a list; negative places count from the back",
    complexity: "O(log(N)) where N is the number of elements.",
    syntax: "key index",
    ..Spec::new("lindex", Group::List, 3, Handler::Read(lindex))
};

fn lindex(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let Some(list) = txn.get(args.at(1)).map(list_of).transpose()? else {
        reply.null();
        return Ok(());
    };
    let place = place(int_arg(args, 2)?, list.len());
    match place.and_then(|index| list.get(index)) {
        Some(item) => reply_item(reply, item),
        None => reply.null(),
    }
    Ok(())
}

/// The place that `index` means in a list of `len` elements; negative ones count from the back.
pub(super) fn place(index: i64, len: u64) -> Option<u64> {
    let place = if index < 0 {
        len.checked_add_signed(index)?
    } else {
        index as u64
    };
    (place < len).then_some(place)
}

pub(super) const LLEN: Spec = Spec {
    flags: flag::FAST,
    acl: &["list"],
    keys: &[first_key(&["RO"])],
    summary: "Returns how many elements a list has",
    syntax: "key",
    ..Spec::new("llen", Group::List, 2, Handler::Read(llen))
};

fn llen(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let list = txn.get(args.at(1)).map(list_of).transpose()?;
    reply.int(list.map_or(0, |list| list.len() as i64));
    Ok(())
}

pub(super) const LRANGE: Spec = Spec {
    acl: &["list"],
    keys: &[first_key(&["RO", "access"])],
    summary: "Returns the elements from one place in a list to another, both included",
    complexity: "O(log(N)+M) where N is the number of elements and M the number of those returned.",
    syntax: "key start stop",
    ..Spec::new("lrange", Group::List, 4, Handler::Read(lrange))
};

fn lrange(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (start, stop) = (int_arg(args, 2)?, int_arg(args, 3)?);
    let Some(list) = txn.get(args.at(1)).map(list_of).transpose()? else {
        reply.array(0);
        return Ok(());
    };
    let (start, count) = run(start, stop, list.len());
    reply.array(count as usize);
    let mut left = count;
    let _ = list.for_each_from(start, |item| {
        if left == 0 {
            return ControlFlow::Break(());
        }
        left -= 1;
        reply_item(reply, item);
        ControlFlow::Continue(())
    });
    Ok(())
}

/// The first of the elements from `start` to `stop` in a list of `len`, and how many they are; negative places count
/// from the back, and what lies outside is left out.
pub(super) fn run(start: i64, stop: i64, len: u64) -> (u64, u64) {
    let from_back = |place: i64| {
        if place < 0 {
            place.saturating_add(len as i64)
        } else {
            place
        }
    };
    let (start, stop) = (from_back(start).max(0), from_back(stop).min(len as i64 - 1));
    if start > stop {
        return (0, 0);
    }
    (start as u64, (stop - start + 1) as u64)
}
