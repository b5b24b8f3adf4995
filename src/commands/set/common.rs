//! What the commands on sets have in common.

use crate::engine::effect::Effect;
use crate::engine::txn::{ReadTxn, Txn, WrongType};
use crate::page::entry::EntryRef;
use crate::page::packed::pack;
use crate::page::set::{SetOp, SetRef};

/// The set that an entry holds.
pub(super) fn set_of(entry: EntryRef<'_>) -> Result<SetRef<'_>, WrongType> {
    SetRef::of(entry.value()).ok_or(WrongType)
}

/// The set at `key`, for reading.
pub(super) fn read_set<'a>(txn: &'a mut ReadTxn<'_, '_>, key: &[u8]) -> Result<Option<SetRef<'a>>, WrongType> {
    txn.get(key).map(set_of).transpose()
}

/// The set at `key` before this command changes it.
pub(super) fn old_set<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<SetRef<'a>>, WrongType> {
    txn.old(key).map(set_of).transpose()
}

pub(super) fn add<'a>(txn: &mut Txn<'_, '_>, key: &[u8], members: impl Iterator<Item = &'a [u8]> + Clone) {
    let members = pack(members);
    let op = SetOp::Add { members: &members };
    txn.apply(&Effect::Set { key, op });
}

pub(super) fn remove<'a>(txn: &mut Txn<'_, '_>, key: &[u8], members: impl Iterator<Item = &'a [u8]> + Clone) {
    let members = pack(members);
    let op = SetOp::Remove { members: &members };
    txn.apply(&Effect::Set { key, op });
}
