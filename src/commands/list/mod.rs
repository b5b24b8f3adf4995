//! Commands on lists.

mod blocking;
mod edit;
mod move_one;
mod multi_pop;
mod pop;
mod position;
mod push;
mod range;
#[cfg(test)]
mod tests;

use super::error::CmdError;
use super::spec::Spec;
use super::spec::assert_sorted;
use crate::engine::effect::Effect;
use crate::engine::txn::{Txn, WrongType};
use crate::page::entry::EntryRef;
use crate::page::list::{ListOp, ListRef};
use crate::page::packed::pack;

/// The family.
pub const COMMANDS: &[Spec] = &[
    blocking::BLMOVE,
    blocking::BLMPOP,
    blocking::BLPOP,
    blocking::BRPOP,
    blocking::BRPOPLPUSH,
    range::LINDEX,
    edit::LINSERT,
    range::LLEN,
    move_one::LMOVE,
    multi_pop::LMPOP,
    pop::LPOP,
    position::LPOS,
    push::LPUSH,
    push::LPUSHX,
    range::LRANGE,
    edit::LREM,
    edit::LSET,
    edit::LTRIM,
    pop::RPOP,
    move_one::RPOPLPUSH,
    push::RPUSH,
    push::RPUSHX,
];

const _: () = assert_sorted(COMMANDS);

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Left,
    Right,
}

impl End {
    /// The end that `LEFT` or `RIGHT` names.
    fn parse(argument: &[u8]) -> Result<Self, CmdError> {
        match argument.to_ascii_lowercase().as_slice() {
            b"left" => Ok(Self::Left),
            b"right" => Ok(Self::Right),
            _ => Err(CmdError::Syntax),
        }
    }

    fn is_front(self) -> bool {
        self == Self::Left
    }
}

/// The list that an entry holds.
pub(super) fn list_of(entry: EntryRef<'_>) -> Result<ListRef<'_>, WrongType> {
    ListRef::of(entry.value()).ok_or(WrongType)
}

/// The list at `key` before this command changes it.
fn old_list<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<ListRef<'a>>, WrongType> {
    txn.old(key).map(list_of).transpose()
}

/// The length of the list at `key`, if there is one.
fn list_len(txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<Option<u64>, WrongType> {
    Ok(old_list(txn, key)?.map(|list| list.len()))
}

/// Puts one element at an end of the list at `key`, which is made if there is none.
fn push_one(txn: &mut Txn<'_, '_>, key: &[u8], end: End, element: &[u8]) {
    let elements = pack([element]);
    let op = ListOp::Push {
        front: end.is_front(),
        elements: &elements,
    };
    txn.apply(&Effect::List { key, op });
}

/// Takes up to `count` elements off an end of the list at `key`, each given to `visit` first. How many there were.
fn pop(
    txn: &mut Txn<'_, '_>,
    key: &[u8],
    end: End,
    count: u64,
    mut visit: impl FnMut(crate::page::packed::Item<'_>),
) -> Result<u64, WrongType> {
    let Some(list) = old_list(txn, key)? else {
        return Ok(0);
    };
    let front = end.is_front();
    let count = count.min(list.len());
    let mut left = count;
    let mut each = |item| {
        if left == 0 {
            return std::ops::ControlFlow::Break(());
        }
        left -= 1;
        visit(item);
        std::ops::ControlFlow::Continue(())
    };
    let _ = match end {
        // Found without noting where the others are.
        _ if count == 1 => list.end(front).map_or(std::ops::ControlFlow::Continue(()), each),
        End::Left => list.for_each_from(0, &mut each),
        End::Right => list.for_each_back_from(list.len() - 1, &mut each),
    };
    if count > 0 {
        txn.apply(&Effect::List {
            key,
            op: ListOp::Pop { front, count },
        });
    }
    Ok(count)
}
