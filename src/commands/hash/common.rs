//! What the commands on hashes have in common.

use std::ops::ControlFlow;

use crate::engine::effect::Effect;
use crate::engine::txn::{ReadTxn, Txn, WrongType};
use crate::page::entry::EntryRef;
use crate::page::hash::{Field, HashOp, HashRef};
use crate::page::packed::pack;

/// The hash that an entry holds.
pub(super) fn hash_of(entry: EntryRef<'_>) -> Result<HashRef<'_>, WrongType> {
    HashRef::of(entry.value()).ok_or(WrongType)
}

/// The hash at `key`, for reading.
pub(super) fn read_hash<'a>(txn: &'a mut ReadTxn<'_, '_>, key: &[u8]) -> Result<Option<HashRef<'a>>, WrongType> {
    txn.get(key).map(hash_of).transpose()
}

/// The hash at `key` before this command changes it, rid of its dead fields.
pub(super) fn old_hash<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<HashRef<'a>>, WrongType> {
    txn.old_living(key).map(hash_of).transpose()
}

/// Visits the fields that are alive at `now_ms`.
pub(super) fn for_each_alive<'a>(hash: HashRef<'a>, now_ms: u64, mut visit: impl FnMut(Field<'a>)) {
    let _ = hash.for_each(|field| {
        if field.is_alive(now_ms) {
            visit(field);
        }
        ControlFlow::<()>::Continue(())
    });
}

pub(super) fn remove<'a>(txn: &mut Txn<'_, '_>, key: &[u8], fields: impl Iterator<Item = &'a [u8]> + Clone) {
    let fields = pack(fields);
    let op = HashOp::Remove { fields: &fields };
    txn.apply(&Effect::Hash { key, op });
}

/// Sets fields to values; `pairs` is field, value, field, value … How many fields are new.
pub(super) fn set<'a>(
    txn: &mut Txn<'_, '_>,
    key: &[u8],
    pairs: impl Iterator<Item = &'a [u8]> + Clone,
    keeps_expiry: bool,
) -> i64 {
    let pairs = pack(pairs);
    let op = HashOp::Set {
        pairs: &pairs,
        keeps_expiry,
    };
    txn.apply(&Effect::Hash { key, op })
}
