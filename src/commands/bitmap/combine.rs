//! BITOP: bits of several strings combined into another.

use crate::commands::spec::{Access, Begin, Find, Group, KeySpec, all_keys, flag};
use crate::commands::support::bits::{BitOp, bit_op};
use crate::commands::value::{Held, replace_made};
use crate::commands::{CmdError, CmdResult, Handler, Spec};
use crate::engine::events::Classes;
use crate::engine::txn::Txn;
use crate::page::StrRef;
use crate::resp::{Args, Reply};

pub(super) const BITOP: Spec = Spec {
    since: "2.6.0",
    flags: flag::DENY_OOM,
    acl: &["bitmap"],
    keys: &[
        KeySpec {
            access: Access::of(&["OW", "update"]),
            begin: Begin::Index(2),
            find: Find::Range {
                last: 0,
                step: 1,
                limit: 0,
            },
            notes: None,
            access_of: None,
        },
        all_keys(&["RO", "access"], 3, 1),
    ],
    summary: "Stores what an operation on the bits of strings makes of them at a key",
    complexity: "O(N)",
    syntax: "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
    ..Spec::new("bitop", Group::Bitmap, -4, Handler::Write(bitop))
};

fn bitop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let op = operation(args.at(1))?;
    if op == BitOp::Not && args.len() != 4 {
        return Err(CmdError::text("ERR BITOP NOT must be called with a single source key."));
    }
    if let (Some(name), 4) = (name_of_two(op), args.len()) {
        let error = format!("ERR BITOP {name} must be called with at least two source keys.");
        return Err(error.into());
    }
    let target = args.at(2);
    let mut held: Vec<Held> = Vec::with_capacity(args.len() - 3);
    for key in args.skip(3).iter() {
        let value = txn.get_str(key)?;
        held.push(value.map_or_else(|| Held::Small(Vec::new()), Held::from));
    }
    let inputs: Vec<StrRef<'_>> = held.iter().map(Held::text).collect();
    let result = bit_op(op, &inputs);
    let len = result.len();
    if len == 0 {
        txn.remove(target);
    } else {
        replace_made(txn, target, result);
        txn.notify(Classes::STRING, "set", target);
    }
    reply.int(len as i64);
    Ok(())
}

/// The name of an operation that sets the first string against the others.
fn name_of_two(op: BitOp) -> Option<&'static str> {
    match op {
        BitOp::Diff => Some("DIFF"),
        BitOp::Diff1 => Some("DIFF1"),
        BitOp::AndOr => Some("ANDOR"),
        BitOp::And | BitOp::Or | BitOp::Xor | BitOp::Not | BitOp::One => None,
    }
}

fn operation(word: &[u8]) -> Result<BitOp, CmdError> {
    let operations: [(&[u8], BitOp); 8] = [
        (b"AND", BitOp::And),
        (b"OR", BitOp::Or),
        (b"XOR", BitOp::Xor),
        (b"NOT", BitOp::Not),
        (b"DIFF", BitOp::Diff),
        (b"DIFF1", BitOp::Diff1),
        (b"ANDOR", BitOp::AndOr),
        (b"ONE", BitOp::One),
    ];
    operations
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, op)| op)
        .ok_or(CmdError::Syntax)
}
