//! The entries of a group that are delivered and not acknowledged: by id, by consumer and id, and by the time of their
//! delivery.
//!
//! **Invariants:** all orders have the same entries. An empty list owns nothing.

use std::cmp::Ordering;

use super::id::StreamId;
use crate::page::tree::{Tree, TreeItem};

/// The number of no consumer: an entry that was given back has it.
pub const NOBODY: u32 = u32::MAX;

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub id: StreamId,
    /// When it was delivered last, Unix milliseconds.
    pub delivered_at_ms: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// To whom: the consumer's number, or [`NOBODY`].
    pub consumer: u32,
}

impl Pending {
    /// For how long it has been with its consumer, as clients are told: milliseconds, -1 if it was given back.
    pub fn told_idle_ms(&self, now_ms: u64) -> i64 {
        match self.consumer {
            NOBODY => -1,
            _ => now_ms.saturating_sub(self.delivered_at_ms).cast_signed(),
        }
    }
}

/// Its place in the order by consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owned {
    consumer: u32,
    id: StreamId,
}

/// Its place in the order by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Timed {
    delivered_at_ms: u64,
    id: StreamId,
}

impl TreeItem for Pending {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl TreeItem for Owned {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl TreeItem for Timed {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        0
    }
}

#[derive(Clone, Debug, Default)]
struct Orders {
    by_id: Tree<Pending>,
    by_consumer: Tree<Owned>,
    by_time: Tree<Timed>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingList(Option<Orders>);

impl PendingList {
    /// Of entries in order of their ids.
    pub fn of_sorted(pending: Vec<Pending>) -> Self {
        if pending.is_empty() {
            return Self(None);
        }
        let mut owned: Vec<Owned> = pending.iter().map(Pending::owned).collect();
        owned.sort_unstable();
        let mut timed: Vec<Timed> = pending.iter().map(Pending::timed).collect();
        timed.sort_unstable();
        Self(Some(Orders {
            by_id: pending.into_iter().collect(),
            by_consumer: owned.into_iter().collect(),
            by_time: timed.into_iter().collect(),
        }))
    }

    pub fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, |orders| orders.by_id.len() as u64)
    }

    pub fn heap_bytes(&self) -> usize {
        let bytes =
            |orders: &Orders| orders.by_id.heap_bytes() + orders.by_consumer.heap_bytes() + orders.by_time.heap_bytes();
        self.0.as_ref().map_or(0, bytes)
    }

    /// The entry of this id. O(log n).
    pub fn get(&self, id: StreamId) -> Option<Pending> {
        let orders = self.0.as_ref()?;
        let found = orders.by_id.get(orders.place(id))?;
        (found.id == id).then_some(*found)
    }

    /// Puts an entry, in the stead of the one with its id; the one it replaces. O(log n).
    pub fn put(&mut self, pending: Pending) -> Option<Pending> {
        let orders = self.0.get_or_insert_default();
        let is_new = add(&mut orders.by_id, pending, |other| other.id.cmp(&pending.id));
        let old = (!is_new).then(|| orders.replace(pending)).flatten();
        if old.is_none_or(|old| old.consumer != pending.consumer) {
            if let Some(old) = &old {
                orders.disown(old);
            }
            // There is none like it: an id is pending once.
            let owned = pending.owned();
            add(&mut orders.by_consumer, owned, |other| other.cmp(&owned));
        }
        if old.is_none_or(|old| old.delivered_at_ms != pending.delivered_at_ms) {
            if let Some(old) = &old {
                orders.forget_time(old);
            }
            let timed = pending.timed();
            add(&mut orders.by_time, timed, |other| other.cmp(&timed));
        }
        old
    }

    /// Takes the entry of this id out. O(log n).
    pub fn remove(&mut self, id: StreamId) -> Option<Pending> {
        let orders = self.0.as_mut()?;
        let removed = orders.by_id.remove_by(|other| other.id.cmp(&id))?;
        orders.disown(&removed);
        orders.forget_time(&removed);
        if orders.by_id.is_empty() {
            self.0 = None;
        }
        Some(removed)
    }

    /// The entries from this id on.
    pub fn iter_from(&self, id: StreamId) -> impl Iterator<Item = &Pending> {
        let orders = self.0.iter();
        orders.flat_map(move |orders| orders.by_id.iter_from(orders.place(id)))
    }

    /// The last one.
    pub fn last(&self) -> Option<&Pending> {
        self.0.as_ref()?.by_id.last()
    }

    /// The ids with the times of their delivery, those that were delivered first in front.
    pub fn by_time(&self) -> impl Iterator<Item = (u64, StreamId)> {
        let orders = self.0.iter();
        let timed = orders.flat_map(|orders| orders.by_time.iter());
        timed.map(|timed| (timed.delivered_at_ms, timed.id))
    }

    /// How many are pending with nobody. O(log n).
    pub fn released_len(&self) -> u64 {
        self.0.as_ref().map_or(0, |orders| {
            let owned = orders.by_consumer.partition_point(|owned| owned.consumer < NOBODY);
            (orders.by_consumer.len() - owned) as u64
        })
    }

    /// The ids that are pending for a consumer, from this one on.
    pub fn ids_of(&self, consumer: u32, from: StreamId) -> impl Iterator<Item = StreamId> {
        let first = Owned { consumer, id: from };
        let owned = self.0.iter().flat_map(move |orders| {
            let at = orders.by_consumer.partition_point(|other| *other < first);
            orders.by_consumer.iter_from(at)
        });
        owned
            .take_while(move |owned| owned.consumer == consumer)
            .map(|owned| owned.id)
    }
}

/// Adds an item in order, `compare` telling how others are to it; whether there was no equal one. What is delivered is
/// mostly newer than all before: then nothing is searched.
fn add<T: TreeItem>(tree: &mut Tree<T>, item: T, compare: impl Fn(&T) -> Ordering) -> bool {
    if tree.last().is_none_or(|last| compare(last) == Ordering::Less) {
        tree.insert(tree.len(), item);
        return true;
    }
    tree.insert_by(compare, item).is_ok()
}

impl Orders {
    fn place(&self, id: StreamId) -> usize {
        self.by_id.partition_point(|other| other.id < id)
    }

    /// Puts an entry in the stead of the one with its id; that one.
    fn replace(&mut self, pending: Pending) -> Option<Pending> {
        let at = self.place(pending.id);
        let old = self.by_id.get(at).copied()?;
        self.by_id.update(at, |found| *found = pending);
        Some(old)
    }

    fn disown(&mut self, pending: &Pending) {
        let owned = pending.owned();
        self.by_consumer.remove_by(|other| other.cmp(&owned));
    }

    fn forget_time(&mut self, pending: &Pending) {
        let timed = pending.timed();
        self.by_time.remove_by(|other| other.cmp(&timed));
    }
}

impl Pending {
    /// How often it was delivered, once it is so again: no more than can be told.
    pub fn deliveries_after(&self) -> u64 {
        self.deliveries.saturating_add(1).min(i64::MAX as u64)
    }

    fn timed(&self) -> Timed {
        Timed {
            delivered_at_ms: self.delivered_at_ms,
            id: self.id,
        }
    }

    fn owned(&self) -> Owned {
        Owned {
            consumer: self.consumer,
            id: self.id,
        }
    }
}
