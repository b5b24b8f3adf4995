//! Ranges of keys of an ordered collection: read by [`KeyspaceTxn`], deleted by [`RangeTxn`].
//!
//! The collection's one shard is locked for as long as a command looks, so that it sees one instant.
//!
//! **Invariants**
//! - A dead key is neither shown nor counted; those met on the way are removed, up to a bound.
//! - A deletion holds the lock for one bounded batch at a time; what the batch deletes is one record of the log.

use std::ops::{ControlFlow, Deref, DerefMut};

use parking_lot::MutexGuard;

use super::collection::Collection;
use super::effect::Effect;
use super::events::Classes;
use super::index::ordered::{Edge, InOrder, KeyRange};
use super::keyspace::KeyspaceTxn;
use super::scope::Scope;
use super::watch::Cause;
use crate::page::entry::EntryRef;

/// Most dead keys that a look at a range removes; the expiry sweep sees to the others.
const DEAD_MAX: usize = 1024;
/// Keys deleted under one hold of the lock.
const BATCH: usize = 1024;

/// Which entries of a range are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// From the greatest key down.
    pub reverse: bool,
    /// Live entries passed over first.
    pub offset: usize,
    /// Most entries wanted then.
    pub limit: usize,
}

impl KeyspaceTxn<'_, '_> {
    /// Asks the collection's one shard; nothing when it was never written to.
    fn in_order<R: Default>(&self, ask: impl FnOnce(&dyn InOrder) -> R) -> R {
        let Some(shard) = self.collection().shards_if_any().first() else {
            return R::default();
        };
        let state = shard.lock();
        state.index.in_order().map(ask).unwrap_or_default()
    }

    /// Visits the live entries of a part of a range.
    pub fn range(&mut self, range: &KeyRange, part: Part, mut visit: impl FnMut(EntryRef<'_>)) {
        let now_ms = self.now_ms();
        let mut dead = Vec::new();
        self.in_order(|index| {
            let mut left = part.limit;
            let Some(range) = behind_offset(index, range, part, now_ms).filter(|_| left > 0) else {
                return;
            };
            index.walk(&range, part.reverse, &mut |entry| {
                if entry.is_expired(now_ms) {
                    if dead.len() < DEAD_MAX {
                        dead.push(entry.key().to_vec());
                    }
                    return ControlFlow::Continue(());
                }
                visit(entry);
                left -= 1;
                if left == 0 {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
        });
        self.expire(&dead);
    }

    /// How many live entries a range has.
    pub fn count(&self, range: &KeyRange) -> usize {
        let now_ms = self.now_ms();
        self.in_order(|index| count(index, range, now_ms))
    }

    /// How many live entries are before `key`; `None` when it is not there.
    pub fn rank(&self, key: &[u8]) -> Option<usize> {
        let now_ms = self.now_ms();
        let (low, high) = (Edge::Before(key.to_vec()), Edge::After(key.to_vec()));
        self.in_order(|index| {
            let rank = index.live_before(&low, now_ms);
            (index.live_before(&high, now_ms) > rank).then_some(rank)
        })
    }

    /// Visits the `n`-th live entry, counted from 0, or from -1 at the end.
    pub fn nth(&self, n: i64, visit: impl FnOnce(EntryRef<'_>)) {
        let now_ms = self.now_ms();
        self.in_order(|index| {
            let from_end = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
            let at = match usize::try_from(n) {
                Ok(at) => Some(at),
                Err(_) => index.live_before(&Edge::End, now_ms).checked_sub(from_end),
            };
            if let Some(entry) = at.and_then(|at| index.nth_live(at, now_ms)) {
                visit(entry);
            }
        });
    }
}

fn count(index: &dyn InOrder, range: &KeyRange, now_ms: u64) -> usize {
    if range.is_empty() {
        return 0;
    }
    index.live_before(&range.high, now_ms) - index.live_before(&range.low, now_ms)
}

/// The range without the entries to be passed over; `None` when that leaves nothing.
fn behind_offset(index: &dyn InOrder, range: &KeyRange, part: Part, now_ms: u64) -> Option<KeyRange> {
    if part.offset == 0 {
        return Some(range.clone());
    }
    let left = count(index, range, now_ms).checked_sub(part.offset)?;
    let before = index.live_before(&range.low, now_ms);
    let mut range = range.clone();
    if part.reverse {
        let last = index.nth_live(before + left.checked_sub(1)?, now_ms)?;
        range.high = Edge::After(last.key().to_vec());
    } else {
        let first = index.nth_live(before + part.offset, now_ms)?;
        range.low = range.low.max(Edge::Before(first.key().to_vec()));
    }
    Some(range)
}

/// A command's view of a collection whose ranges it may delete.
pub struct RangeTxn<'t, 'e>(KeyspaceTxn<'t, 'e>);

impl<'t, 'e> RangeTxn<'t, 'e> {
    /// A view of `collection` within `scope`.
    pub fn new(scope: &'t mut Scope<'e>, collection: &'t Collection) -> Self {
        Self(KeyspaceTxn::new(scope, collection))
    }

    /// Deletes the first `limit` live keys of a range, and dead ones between them; returns how many were alive.
    /// Others get to the collection between the batches, unless a transaction keeps them out.
    pub fn delete_range(&mut self, mut range: KeyRange, limit: usize) -> usize {
        let mut deleted = 0;
        while deleted < limit {
            let (alive, last) = self.delete_batch(&range, (limit - deleted).min(BATCH));
            deleted += alive;
            let Some(last) = last else {
                break;
            };
            range.low = Edge::After(last);
        }
        deleted
    }

    /// Deletes up to `limit` live keys, and dead ones, as one record; returns how many were alive, and the last key if
    /// there may be more.
    fn delete_batch(&mut self, range: &KeyRange, limit: usize) -> (usize, Option<Vec<u8>>) {
        let (scope, collection) = self.0.parts();
        let Some(shard) = collection.shards_if_any().first() else {
            return (0, None);
        };
        let mut state = shard.lock();
        let now_ms = scope.worker().now_ms();
        let mut found: Vec<(Vec<u8>, bool)> = Vec::new();
        let (mut alive, mut dead) = (0, 0);
        if let Some(index) = state.index.in_order() {
            index.walk(range, false, &mut |entry| {
                let is_dead = entry.is_expired(now_ms);
                if is_dead && dead == DEAD_MAX {
                    return ControlFlow::Continue(());
                }
                found.push((entry.key().to_vec(), is_dead));
                dead += usize::from(is_dead);
                alive += usize::from(!is_dead);
                if alive == limit {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        }
        for (bytes, is_dead) in &found {
            let effect = Effect::Delete { key: bytes };
            let (cause, class, name) = if *is_dead {
                (Cause::Expiry, Classes::EXPIRED, "expired")
            } else {
                (Cause::Write, Classes::GENERIC, "del")
            };
            scope.apply_under(collection, shard, &mut state, collection.key(bytes), &effect, cause);
            scope.notify(collection, class, name, bytes);
        }
        scope.worker().counters().expired.add(dead as u64);
        scope.end_batch();
        // Who waits comes first now.
        MutexGuard::unlock_fair(state);
        let last = found.pop().filter(|_| alive == limit);
        (alive, last.map(|(key, _)| key))
    }
}

impl<'t, 'e> Deref for RangeTxn<'t, 'e> {
    type Target = KeyspaceTxn<'t, 'e>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for RangeTxn<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
