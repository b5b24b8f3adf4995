//! Commands on sets.

mod change;
mod combine;
mod inspect;
mod operation;
mod random;
mod scan;
#[cfg(test)]
mod tests;

use super::spec::Spec;
use super::spec::assert_sorted;
use crate::engine::effect::Effect;
use crate::engine::txn::{ReadTxn, Txn, WrongType};
use crate::page::entry::EntryRef;
use crate::page::packed::pack;
use crate::page::set::{SetOp, SetRef};

/// The family.
pub const COMMANDS: &[Spec] = &[
    change::SADD,
    inspect::SCARD,
    combine::SDIFF,
    combine::SDIFFSTORE,
    combine::SINTER,
    combine::SINTERCARD,
    combine::SINTERSTORE,
    inspect::SISMEMBER,
    inspect::SMEMBERS,
    inspect::SMISMEMBER,
    change::SMOVE,
    random::SPOP,
    random::SRANDMEMBER,
    change::SREM,
    scan::SSCAN,
    combine::SUNION,
    combine::SUNIONSTORE,
];

const _: () = assert_sorted(COMMANDS);

/// The set that an entry holds.
pub(super) fn set_of(entry: EntryRef<'_>) -> Result<SetRef<'_>, WrongType> {
    SetRef::of(entry.value()).ok_or(WrongType)
}

/// The set at `key`, for reading.
fn read_set<'a>(txn: &'a mut ReadTxn<'_, '_>, key: &[u8]) -> Result<Option<SetRef<'a>>, WrongType> {
    txn.get(key).map(set_of).transpose()
}

/// The set at `key` before this command changes it.
fn old_set<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<SetRef<'a>>, WrongType> {
    txn.old(key).map(set_of).transpose()
}

fn add<'a>(txn: &mut Txn<'_, '_>, key: &[u8], members: impl Iterator<Item = &'a [u8]> + Clone) {
    let members = pack(members);
    let op = SetOp::Add { members: &members };
    txn.apply(&Effect::Set { key, op });
}

fn remove<'a>(txn: &mut Txn<'_, '_>, key: &[u8], members: impl Iterator<Item = &'a [u8]> + Clone) {
    let members = pack(members);
    let op = SetOp::Remove { members: &members };
    txn.apply(&Effect::Set { key, op });
}
