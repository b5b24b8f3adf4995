//! What the commands on sorted sets have in common.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::interval::Interval;
use crate::commands::value::reply_item;
use crate::engine::effect::Effect;
use crate::engine::events::Classes;
use crate::engine::txn::{ReadTxn, Txn, WrongType};
use crate::page::container::Kind;
use crate::page::entry::EntryRef;
use crate::page::packed::{Item, pack};
use crate::page::zset::{ZsetOp, ZsetRef, pack_members};
use crate::page::{Packed, ValueRef};
use crate::resp::{Proto, Reply};

/// A member of a result, with its score.
pub(in crate::commands) type Scored<'a> = (f64, Cow<'a, [u8]>);

/// The sorted set that an entry holds.
pub(super) fn zset_of(entry: EntryRef<'_>) -> Result<ZsetRef<'_>, WrongType> {
    ZsetRef::of(entry.value()).ok_or(WrongType)
}

/// The sorted set at `key`, for reading.
pub(in crate::commands) fn read_zset<'a>(
    txn: &'a mut ReadTxn<'_, '_>,
    key: &[u8],
) -> Result<Option<ZsetRef<'a>>, WrongType> {
    txn.get(key).map(zset_of).transpose()
}

/// The sorted set at `key` before this command changes it.
pub(super) fn old_zset<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<ZsetRef<'a>>, WrongType> {
    txn.old(key).map(zset_of).transpose()
}

/// How many members the sorted set at `key` has, if there is one.
pub(super) fn zset_len(txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<Option<u64>, WrongType> {
    Ok(old_zset(txn, key)?.map(|zset| zset.len()))
}

pub(super) fn remove<'a>(txn: &mut Txn<'_, '_>, key: &[u8], members: impl Iterator<Item = &'a [u8]> + Clone) {
    let members = pack(members);
    let op = ZsetOp::Remove { members: &members };
    txn.apply(&Effect::Zset { key, op });
}

pub(super) fn remove_interval(txn: &mut Txn<'_, '_>, key: &[u8], interval: Interval, name: &str) {
    if interval.len > 0 {
        let op = ZsetOp::RemoveRange {
            start: interval.start,
            len: interval.len,
        };
        txn.apply(&Effect::Zset { key, op });
        txn.notify_taken(Classes::ZSET, name, key);
    }
}

/// Puts a sorted set of these members, which are in order, in place of whatever `key` holds; of none: deletes it.
pub(in crate::commands) fn store(txn: &mut Txn<'_, '_>, key: &[u8], members: &[Scored<'_>], name: &str) {
    if members.is_empty() {
        txn.remove(key);
        return;
    }
    let items = members.iter().map(|(score, name)| (*score, Item::of(name)));
    let packed = pack_members(items, txn.thresholds());
    txn.replace(key, ValueRef::Packed(Kind::Zset, Packed::new(&packed)), None);
    txn.notify(Classes::ZSET, name, key);
}

/// The order of a sorted set.
pub(in crate::commands) fn sort(members: &mut [Scored<'_>]) {
    // Zero and negative zero are the same place; NaN is none.
    let by_score = |one: &Scored<'_>, other: &Scored<'_>| one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
    members.sort_by(|one, other| by_score(one, other).then_with(|| one.1.cmp(&other.1)));
}

/// Begins an array of `count` members, of which each is to follow by [`reply_member`].
pub(super) fn reply_header(reply: &mut Reply, count: usize, with_scores: bool) {
    let is_flat = with_scores && reply.proto() == Proto::Resp2;
    reply.array(if is_flat { count * 2 } else { count });
}

pub(super) fn reply_member(reply: &mut Reply, name: Item<'_>, score: f64, with_scores: bool) {
    if with_scores && reply.proto() == Proto::Resp3 {
        reply.array(2);
    }
    reply_item(reply, name);
    if with_scores {
        reply.double(score);
    }
}
