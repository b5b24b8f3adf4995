//! Reading from a place: XLEN, XRANGE, XREVRANGE.

use super::common::{reply_entries, stream_of};
use super::id::{parse_end, parse_start};
use crate::commands::spec::{Group, first_key, flag};
use crate::commands::value::int_arg;
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply};

pub(super) const XLEN: Spec = Spec {
    since: "5.0.0",
    flags: flag::FAST,
    acl: &["stream"],
    keys: &[first_key(&["RO"])],
    summary: "How many entries a stream has",
    syntax: "key",
    ..Spec::new("xlen", Group::Stream, 2, Handler::Read(xlen))
};

fn xlen(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let stream = txn.get(args.at(1)).map(stream_of).transpose()?;
    reply.int(stream.map_or(0, |stream| stream.len()) as i64);
    Ok(())
}

pub(super) const XRANGE: Spec = Spec {
    since: "5.0.0",
    acl: &["stream"],
    keys: &[first_key(&["RO", "access"])],
    summary: "The entries of a stream from one id to another",
    complexity: "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
    syntax: "key start end [COUNT count]",
    ..Spec::new("xrange", Group::Stream, -4, Handler::Read(xrange))
};

fn xrange(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    range(txn, args, false, reply)
}

pub(super) const XREVRANGE: Spec = Spec {
    summary: "The entries of a stream from one id back to another",
    complexity: "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
    syntax: "key end start [COUNT count]",
    ..Spec {
        name: "xrevrange",
        handler: Handler::Read(xrevrange),
        ..XRANGE
    }
};

fn xrevrange(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    range(txn, args, true, reply)
}

fn range(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, back: bool, reply: &mut Reply) -> CmdResult {
    let (start, end) = if back { (3, 2) } else { (2, 3) };
    let start = parse_start(args.at(start))?;
    let end = parse_end(args.at(end))?;
    let count = count_option(args)?;
    let Some(stream) = txn.get(args.at(1)).map(stream_of).transpose()? else {
        reply.array(0);
        return Ok(());
    };
    if count == Some(0) {
        reply.null_array();
        return Ok(());
    }
    let count = count.unwrap_or(usize::MAX);
    if start > end {
        reply.array(0);
    } else if back {
        reply_entries(reply, stream.range_back(start, end).take(count));
    } else {
        reply_entries(reply, stream.range(start, end).take(count));
    }
    Ok(())
}

/// `COUNT`, possibly several times; a negative one counts as 0.
fn count_option(args: Args<'_>) -> Result<Option<usize>, CmdError> {
    let mut count = None;
    let mut at = 4;
    while at < args.len() {
        if !args.at(at).eq_ignore_ascii_case(b"count") || at + 1 == args.len() {
            return Err(CmdError::Syntax);
        }
        let number = int_arg(args, at + 1)?;
        count = Some(usize::try_from(number).unwrap_or(0));
        at += 2;
    }
    Ok(count)
}
