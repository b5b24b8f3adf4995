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
    summary: "Stores the AND, OR, XOR or NOT of strings at a key",
    complexity: "O(N)",
    syntax: "<AND | OR | XOR | NOT> destkey key [key ...]",
    ..Spec::new("bitop", Group::Bitmap, -4, Handler::Write(bitop))
};

fn bitop(txn: &mut Txn<'_, '_>, args: Args<'_>, reply: &mut Reply) -> CmdResult {
    let op = operation(args.at(1))?;
    if op == BitOp::Not && args.len() != 4 {
        return Err(CmdError::text("ERR BITOP NOT must be called with a single source key."));
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

fn operation(word: &[u8]) -> Result<BitOp, CmdError> {
    let operations: [(&[u8], BitOp); 4] = [
        (b"AND", BitOp::And),
        (b"OR", BitOp::Or),
        (b"XOR", BitOp::Xor),
        (b"NOT", BitOp::Not),
    ];
    operations
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, op)| op)
        .ok_or(CmdError::Syntax)
}
