//! Commands on sorted sets.
//!
//! **Invariant:** whatever asks for a range turns it into an `Interval` of ranks first, so that all ranges
//! are found in O(log n).

mod add;
mod blocking;
mod combine;
mod count;
mod inspect;
mod interval;
mod multi_pop;
mod operation;
mod pop;
mod random;
mod range;
mod range_by;
mod remove;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;

use super::spec::Spec;
use super::spec::assert_sorted;
use super::value::reply_item;
use crate::engine::effect::Effect;
use crate::engine::txn::{ReadTxn, Txn, WrongType};
use crate::page::container::Kind;
use crate::page::entry::EntryRef;
use crate::page::packed::{Item, pack};
use crate::page::zset::{ZsetOp, ZsetRef, pack_members};
use crate::page::{Packed, ValueRef};
use crate::resp::{Proto, Reply};

pub(super) use add::{AddOptions, add_scores};
use interval::Interval;

/// The family.
pub const COMMANDS: &[Spec] = &[
    blocking::BZMPOP,
    blocking::BZPOPMAX,
    blocking::BZPOPMIN,
    add::ZADD,
    inspect::ZCARD,
    count::ZCOUNT,
    combine::ZDIFF,
    combine::ZDIFFSTORE,
    add::ZINCRBY,
    combine::ZINTER,
    combine::ZINTERCARD,
    combine::ZINTERSTORE,
    count::ZLEXCOUNT,
    multi_pop::ZMPOP,
    inspect::ZMSCORE,
    pop::ZPOPMAX,
    pop::ZPOPMIN,
    random::ZRANDMEMBER,
    range::ZRANGE,
    range_by::ZRANGEBYLEX,
    range_by::ZRANGEBYSCORE,
    range::ZRANGESTORE,
    inspect::ZRANK,
    remove::ZREM,
    remove::ZREMRANGEBYLEX,
    remove::ZREMRANGEBYRANK,
    remove::ZREMRANGEBYSCORE,
    range_by::ZREVRANGE,
    range_by::ZREVRANGEBYLEX,
    range_by::ZREVRANGEBYSCORE,
    inspect::ZREVRANK,
    scan::ZSCAN,
    inspect::ZSCORE,
    combine::ZUNION,
    combine::ZUNIONSTORE,
];

const _: () = assert_sorted(COMMANDS);

/// A member of a result, with its score.
pub(super) type Scored<'a> = (f64, Cow<'a, [u8]>);

/// The sorted set that an entry holds.
pub(super) fn zset_of(entry: EntryRef<'_>) -> Result<ZsetRef<'_>, WrongType> {
    ZsetRef::of(entry.value()).ok_or(WrongType)
}

/// The sorted set at `key`, for reading.
pub(super) fn read_zset<'a>(txn: &'a mut ReadTxn<'_, '_>, key: &[u8]) -> Result<Option<ZsetRef<'a>>, WrongType> {
    txn.get(key).map(zset_of).transpose()
}

/// The sorted set at `key` before this command changes it.
fn old_zset<'a>(txn: &'a mut Txn<'_, '_>, key: &[u8]) -> Result<Option<ZsetRef<'a>>, WrongType> {
    txn.old(key).map(zset_of).transpose()
}

/// How many members the sorted set at `key` has, if there is one.
fn zset_len(txn: &mut Txn<'_, '_>, key: &[u8]) -> Result<Option<u64>, WrongType> {
    Ok(old_zset(txn, key)?.map(|zset| zset.len()))
}

fn remove<'a>(txn: &mut Txn<'_, '_>, key: &[u8], members: impl Iterator<Item = &'a [u8]> + Clone) {
    let members = pack(members);
    let op = ZsetOp::Remove { members: &members };
    txn.apply(&Effect::Zset { key, op });
}

fn remove_interval(txn: &mut Txn<'_, '_>, key: &[u8], interval: Interval) {
    if interval.len > 0 {
        let op = ZsetOp::RemoveRange {
            start: interval.start,
            len: interval.len,
        };
        txn.apply(&Effect::Zset { key, op });
    }
}

/// Puts a sorted set of these members, which are in order, in place of whatever `key` holds; of none: deletes it.
pub(super) fn store(txn: &mut Txn<'_, '_>, key: &[u8], members: &[Scored<'_>]) {
    if members.is_empty() {
        txn.delete(key);
        return;
    }
    let items = members.iter().map(|(score, name)| (*score, Item::of(name)));
    let packed = pack_members(items, txn.thresholds());
    txn.put(key, ValueRef::Packed(Kind::Zset, Packed::new(&packed)), None);
}

/// The order of a sorted set.
pub(super) fn sort(members: &mut [Scored<'_>]) {
    // Zero and negative zero are the same place; NaN is none.
    let by_score = |one: &Scored<'_>, other: &Scored<'_>| one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
    members.sort_by(|one, other| by_score(one, other).then_with(|| one.1.cmp(&other.1)));
}

/// Begins an array of `count` members, of which each is to follow by [`reply_member`].
fn reply_header(reply: &mut Reply, count: usize, with_scores: bool) {
    let is_flat = with_scores && reply.proto() == Proto::Resp2;
    reply.array(if is_flat { count * 2 } else { count });
}

fn reply_member(reply: &mut Reply, name: Item<'_>, score: f64, with_scores: bool) {
    if with_scores && reply.proto() == Proto::Resp3 {
        reply.array(2);
    }
    reply_item(reply, name);
    if with_scores {
        reply.double(score);
    }
}
