//! Parts of a string: APPEND, GETRANGE, SETRANGE, STRLEN, SUBSTR.

use std::ops::Range;

use crate::commands::spec::{Group, KeySpec, first_key, flag};
use crate::commands::value::{check_length, int_arg, reply_range, str_arg};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn};
use crate::resp::{Args, Reply};

pub(super) const APPEND: Spec = Spec {
    since: "2.0.0",
    flags: flag::DENY_OOM | flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["RW", "insert"])],
    summary: "Appends to the string at a key, which is created if it is missing",
    complexity: "O(1) amortised for appending little to a value of any size.",
    syntax: "key value",
    ..Spec::new("append", Group::String, 3, Handler::Write(append))
};

fn append(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, tail) = (args.at(1), args.at(2));
    let Some(len) = txn.old_str(key)?.map(|text| text.len()) else {
        txn.put_str(key, str_arg(args, 2), None);
        txn.notify(Classes::STRING, "append", key);
        reply.int(tail.len() as i64);
        return Ok(());
    };
    check_length(len as u64, tail.len(), txn.string_bytes_max())?;
    txn.write_range(key, len, tail);
    txn.notify(Classes::STRING, "append", key);
    reply.int((len + tail.len()) as i64);
    Ok(())
}

pub(super) const SETRANGE: Spec = Spec {
    since: "2.2.0",
    flags: flag::DENY_OOM,
    acl: &["string"],
    keys: &[first_key(&["RW", "update"])],
    summary: "Overwrites part of the string at a key from an offset on, with zero bytes up to there if it is shorter",
    complexity: "O(M) where M is the length of the value; O(1) for small ones.",
    syntax: "key offset value",
    ..Spec::new("setrange", Group::String, 4, Handler::Write(setrange))
};

fn setrange(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (key, bytes) = (args.at(1), args.at(3));
    let offset = u64::try_from(int_arg(args, 2)?).map_err(|_| CmdError::text("ERR offset is out of range"))?;
    let len = txn.old_str(key)?.map_or(0, |text| text.len());
    if bytes.is_empty() {
        reply.int(len as i64);
        return Ok(());
    }
    check_length(offset, bytes.len(), txn.string_bytes_max())?;
    let offset = offset as usize;
    txn.write_range_or_create(key, offset, bytes);
    txn.notify(Classes::STRING, "setrange", key);
    reply.int(len.max(offset + bytes.len()) as i64);
    Ok(())
}

pub(super) const STRLEN: Spec = Spec {
    since: "2.2.0",
    flags: flag::FAST,
    acl: &["string"],
    keys: &[first_key(&["RO"])],
    summary: "Returns the length of the string at a key",
    syntax: "key",
    ..Spec::new("strlen", Group::String, 2, Handler::Read(strlen))
};

fn strlen(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let len = txn.get_str(args.at(1))?.map_or(0, |text| text.len());
    reply.int(len as i64);
    Ok(())
}

const RANGE_KEYS: &[KeySpec] = &[first_key(&["RO", "access"])];
const RANGE_COMPLEXITY: &str = "O(N) where N is the length of the part; O(1) for a small part of any string.";

pub(super) const GETRANGE: Spec = Spec {
    since: "2.4.0",
    acl: &["string"],
    keys: RANGE_KEYS,
    summary: "Returns part of the string at a key",
    complexity: RANGE_COMPLEXITY,
    syntax: "key start end",
    ..Spec::new("getrange", Group::String, 4, Handler::Read(getrange))
};

pub(super) const SUBSTR: Spec = Spec {
    acl: &["string"],
    keys: RANGE_KEYS,
    summary: "Returns part of the string at a key (the former name of GETRANGE)",
    complexity: RANGE_COMPLEXITY,
    syntax: "key start end",
    ..Spec::new("substr", Group::String, 4, Handler::Read(getrange))
};

fn getrange(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let (start, end) = (int_arg(args, 2)?, int_arg(args, 3)?);
    match txn.get_str(args.at(1))? {
        None => reply.bulk(b""),
        Some(text) => reply_range(reply, text, resolve(start, end, text.len())),
    }
    Ok(())
}

/// The range from `start` to `end`, both included, negative ones counted from the end.
fn resolve(start: i64, end: i64, len: usize) -> Range<usize> {
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let len = len as i64;
    let from_front = |index: i64| if index < 0 { (len + index).max(0) } else { index };
    let (start, end) = (from_front(start), from_front(end).min(len - 1));
    if start > end {
        0..0
    } else {
        start as usize..end as usize + 1
    }
}
