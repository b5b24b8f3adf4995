//! What the commands on lists have in common.

use crate::commands::error::CmdError;
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::{Txn, WrongType};
use crate::page::entry::EntryRef;
use crate::page::list::{ListOp, ListRef};
use crate::page::packed::pack;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Left,
    Right,
}

impl End {
    /// The end that `LEFT` or `RIGHT` names.
    pub fn parse(argument: &[u8]) -> Result<Self, CmdError> {
        match argument.to_ascii_lowercase().as_slice() {
            b"left" => Ok(Self::Left),
            b"right" => Ok(Self::Right),
            _ => Err(CmdError::Syntax),
        }
    }

    pub fn opposite(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    pub fn is_front(self) -> bool {
        self == Self::Left
    }

    /// What an element that comes there is told as.
    pub fn pushed(self) -> &'static str {
        match self {
            Self::Left => "lpush",
            Self::Right => "rpush",
        }
    }

    /// What an element that goes from there is told as.
    pub fn popped(self) -> &'static str {
        match self {
            Self::Left => "lpop",
            Self::Right => "rpop",
        }
    }
}

/// The list that an entry holds.
pub(super) fn list_of(entry: EntryRef<'_>) -> Result<ListRef<'_>, WrongType> {
    ListRef::of(entry.value()).ok_or(WrongType)
}

/// The list at `key` before this command changes it.
pub(super) fn old_list<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<ListRef<'a>>, WrongType> {
    txn.old(key).map(list_of).transpose()
}

/// The length of the list at `key`, if there is one.
pub(super) fn list_len(txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<Option<u64>, WrongType> {
    Ok(old_list(txn, key)?.map(|list| list.len()))
}

/// Puts one element at an end of the list at `key`, which is made if there is none.
pub(super) fn push_one(txn: &mut Txn<'_, '_>, key: &[u8], end: End, element: &[u8]) {
    let elements = pack([element]);
    let op = ListOp::Push {
        front: end.is_front(),
        elements: &elements,
    };
    txn.apply(&Effect::List { key, op });
}

/// Takes up to `count` elements off an end of the list at `key`, each given to `visit` first, and tells of it.
pub(super) fn pop(
    txn: &mut Txn<'_, '_>,
    key: &[u8],
    end: End,
    count: u64,
    visit: impl FnMut(crate::page::packed::Item<'_>),
) -> Result<(), WrongType> {
    if take(txn, key, end, count, visit)? > 0 {
        txn.notify_taken(Classes::LIST, end.popped(), key);
    }
    Ok(())
}

/// The same without telling of it; how many there were.
pub(super) fn take(
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
