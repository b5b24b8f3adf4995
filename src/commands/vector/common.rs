//! What the commands on vector sets have in common.

use crate::commands::spec::{Group, Handler, KeySpec, Spec, first_key};
use crate::commands::{CmdError, CmdResult};
use crate::engine::effect::Effect;
use crate::engine::txn::{ReadTxn, Txn, WrongType};
use crate::page::entry::EntryRef;
use crate::page::vectors::{self, VectorOp, VectorSet};
use crate::resp::Args;
use crate::resp::double::parse_f64;

/// The key of a command that reads.
pub(super) const READ: &[KeySpec] = &[first_key(&["RO", "access"])];

/// Most commands on vector sets: since Redis 8.0, with a key as first argument.
pub(super) const fn on_key(name: &'static str, handler: Handler) -> Spec {
    Spec {
        since: "8.0.0",
        keys: READ,
        ..Spec::new(name, Group::VectorSet, -2, handler)
    }
}

/// The vector set that an entry holds.
fn vectors_of(entry: EntryRef<'_>) -> Result<&VectorSet, WrongType> {
    vectors::vectors_of(entry.value()).ok_or(WrongType)
}

/// The vector set at `key` before this command changes it.
pub(super) fn old_set<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<&'a VectorSet>, WrongType> {
    txn.old(key).map(vectors_of).transpose()
}

/// The vector set at `key`, counted as a use of the key.
pub(super) fn read_set<'a>(txn: &'a mut ReadTxn<'_, '_>, key: &[u8]) -> Result<Option<&'a VectorSet>, WrongType> {
    txn.get(key).map(vectors_of).transpose()
}

pub(super) fn apply(txn: &mut Txn<'_, '_>, key: &[u8], op: VectorOp<'_>) {
    txn.apply(&Effect::Vectors { key, op });
}

/// Refuses a call of `command` (in capitals) whose arguments are not as many as one of `counts`, the command's name
/// included.
pub(super) fn check_arity(args: Args<'_>, command: &str, counts: std::ops::RangeInclusive<usize>) -> CmdResult {
    if counts.contains(&args.len()) {
        Ok(())
    } else {
        Err(CmdError::Arity(command.to_owned()))
    }
}

/// Whether argument `at` is `word`.
pub(super) fn is_word(args: Args<'_>, at: usize, word: &str) -> bool {
    args.get(at)
        .is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
}

/// Argument `at` as a float.
pub(super) fn float_arg(args: Args<'_>, at: usize) -> Option<f64> {
    args.get(at).and_then(parse_f64)
}
