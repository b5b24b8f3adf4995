//! The elements in the order of their names: VRANGE.

use std::ops::Bound;

use super::common::{check_arity, on_key, read_set};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::txn::ReadTxn;
use crate::resp::{Args, Reply, parse_i64};

pub(super) const VRANGE: Spec = Spec {
    since: "8.4.0",
    summary: "The elements of a vector set between two names, in the order of their bytes",
    complexity: "O(log(K)+M) where K is the number of elements in the start prefix, and M is the number of elements returned.",
    syntax: "key start end [count]",
    ..on_key("vrange", Handler::Read(vrange))
};

fn vrange(txn: &mut ReadTxn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    check_arity(args, "VRANGE", 4..=5)?;
    let start = bound(args.at(2), b"-")?;
    let end = bound(args.at(3), b"+")?;
    let count = match args.get(4).map(parse_i64) {
        None => usize::MAX,
        Some(None) => return Err(CmdError::text("ERR COUNT value is not an integer")),
        // A negative count is none.
        Some(Some(count)) => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let Some(set) = read_set(txn, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    let array = reply.deferred_array();
    let mut found = 0;
    if is_forward(start, end) {
        for element in set.range(start, end).take(count) {
            reply.bulk(element);
            found += 1;
        }
    }
    reply.finish_array(array, found);
    Ok(())
}

/// An end of the range; `open` stands for there being none.
fn bound<'a>(text: &'a [u8], open: &[u8]) -> Result<Bound<&'a [u8]>, CmdError> {
    match text {
        _ if text == open => Ok(Bound::Unbounded),
        [b'[', name @ ..] => Ok(Bound::Included(name)),
        [b'(', name @ ..] => Ok(Bound::Excluded(name)),
        _ => Err(CmdError::text("ERR min or max not valid string range item")),
    }
}

/// Whether something can lie between these: containers take it for granted.
fn is_forward(start: Bound<&[u8]>, end: Bound<&[u8]>) -> bool {
    match (start, end) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(start), Bound::Included(end)) => start <= end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start < end,
    }
}
