//! Clients that wait for a key to have something: who they are, and how a writer serves them.
//!
//! A blocking command that finds nothing enters a waiter for each of its keys, under the locks that it looked with, so
//! that no write can come between. An effect on a key that somebody waits for is noted by the worker that applies it;
//! when its command, transaction or section is over, that worker lets the waiters try again, the first one first.
//!
//! **Invariants**
//! - A table belongs to its shard's lock; a waiter tries with no shard locked but those it locks itself.
//! - A waiter is told of every change that it wants to know of until it is served or gives up, whichever is first and
//!   never both.
//! - Where a key has what its waiters take, somebody is about to serve them: it is promised to them
//!   ([`WaitTable::is_promised`]).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Engine;
use super::collection::Collection;
use super::effect::CollectionId;
use super::worker::Worker;
use crate::page::value::ValueType;

/// What came of a waiter's try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It has been served, now or before, or has given up.
    Over,
    /// There was nothing for it.
    Waits,
}

/// What a waiter wants to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// That one of its keys has a value of this type. Until then whatever else happens to the key is nothing to it.
    Value(ValueType),
    /// All that happens to its keys, their end included.
    AnyChange,
}

/// A blocked command.
pub trait Waiter: Send + Sync {
    /// What it waits for.
    fn wanted(&self) -> Wanted;

    /// Tries again, since `key` has changed, or its collection has gone. The caller holds a pass and no lock.
    fn try_again(&self, engine: &Engine, worker: &mut Worker, key: Option<&[u8]>) -> Tried;
}

/// A waiter with its number; smaller numbers came first.
#[derive(Clone)]
pub struct Numbered {
    /// Its number.
    pub id: u64,
    /// Itself.
    pub waiter: Arc<dyn Waiter>,
}

/// Who waits for one key.
#[derive(Default)]
struct Queue {
    /// In the order of their numbers.
    line: VecDeque<Numbered>,
    /// How many of them want to know of any change.
    of_any_change: usize,
}

impl Queue {
    fn add(&mut self, numbered: Numbered) {
        self.of_any_change += usize::from(numbered.waiter.wanted() == Wanted::AnyChange);
        let at = self.line.partition_point(|other| other.id <= numbered.id);
        self.line.insert(at, numbered);
    }

    fn remove(&mut self, id: u64) {
        let at = self.line.binary_search_by_key(&id, |numbered| numbered.id);
        let removed = at.ok().and_then(|at| self.line.remove(at));
        if removed.is_some_and(|numbered| numbered.waiter.wanted() == Wanted::AnyChange) {
            self.of_any_change -= 1;
        }
    }
}

type Queues = HashMap<Box<[u8]>, Queue>;

/// Keys of a shard that somebody waits for, each with its waiters in order. Empty tables own nothing.
#[derive(Default)]
pub struct WaitTable(Option<Box<Queues>>);

impl WaitTable {
    /// Adds a waiter behind those of `key` with smaller numbers.
    pub fn add(&mut self, key: &[u8], numbered: Numbered) {
        self.0
            .get_or_insert_default()
            .entry(key.into())
            .or_default()
            .add(numbered);
    }

    /// Takes a waiter away, if it is there.
    pub fn remove(&mut self, key: &[u8], id: u64) {
        let Some(queues) = &mut self.0 else { return };
        if let Some(queue) = queues.get_mut(key) {
            queue.remove(id);
            if queue.line.is_empty() {
                queues.remove(key);
            }
        }
        if queues.is_empty() {
            self.0 = None;
        }
    }

    /// Whether somebody waits for `key`.
    #[inline]
    pub fn has(&self, key: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|queues| queues.contains_key(key))
    }

    /// Whether somebody waits for such a value at `key`, which has one: for values that their waiters take.
    pub fn is_promised(&self, key: &[u8], value: ValueType) -> bool {
        let queue = self.0.as_ref().and_then(|queues| queues.get(key));
        queue.is_some_and(|queue| queue.line.iter().any(|n| n.waiter.wanted() == Wanted::Value(value)))
    }

    /// The first waiter for `key` with a number above `id` that may find something now; `is_there`: whether the key is.
    fn after(&self, key: &[u8], id: u64, is_there: bool) -> Option<Numbered> {
        let queue = self.0.as_ref()?.get(key)?;
        if !is_there && queue.of_any_change == 0 {
            // Thousands may wait, and whoever takes the last of something changes the key once more.
            return None;
        }
        let mut rest = queue
            .line
            .range(queue.line.partition_point(|numbered| numbered.id <= id)..);
        rest.find(|numbered| is_there || numbered.waiter.wanted() == Wanted::AnyChange)
            .cloned()
    }

    /// Takes everything out, for a collection that changes place.
    pub fn take(&mut self) -> Vec<(Box<[u8]>, VecDeque<Numbered>)> {
        let queues = self.0.take().into_iter().flat_map(|queues| *queues);
        queues.map(|(key, queue)| (key, queue.line)).collect()
    }
}

/// What a worker has to serve when what it is doing is over.
#[derive(Default)]
pub struct Ready {
    keys: VecDeque<(CollectionId, Box<[u8]>)>,
    /// Waiters whose collection has gone.
    orphans: Vec<Numbered>,
}

impl Ready {
    /// Notes that `key` has changed, for which somebody waits.
    pub fn note(&mut self, collection: CollectionId, key: &[u8]) {
        let is_noted = |(id, noted): &(CollectionId, Box<[u8]>)| *id == collection && **noted == *key;
        if !self.keys.iter().any(is_noted) {
            self.keys.push_back((collection, key.into()));
        }
    }

    /// Notes a waiter that has to look around wherever it waits.
    pub fn note_orphan(&mut self, numbered: Numbered) {
        self.orphans.push(numbered);
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.orphans.is_empty()
    }
}

/// Whether there is anything for [`serve`] to do.
#[inline]
pub fn are_ready(worker: &Worker) -> bool {
    !worker.ready.is_empty()
}

/// Serves the waiters of keys that the worker has changed, and of those that serving changes. The worker holds a pass,
/// and no lock.
#[inline]
pub fn serve(engine: &Engine, worker: &mut Worker) {
    if are_ready(worker) {
        serve_all(engine, worker);
    }
}

#[cold]
fn serve_all(engine: &Engine, worker: &mut Worker) {
    loop {
        for orphan in std::mem::take(&mut worker.ready.orphans) {
            orphan.waiter.try_again(engine, worker, None);
        }
        let Some((id, key)) = worker.ready.keys.pop_front() else {
            return;
        };
        let collection = engine
            .registry()
            .by_collection(id)
            .map(|slot| Arc::clone(&slot.collection));
        if let Some(collection) = collection {
            serve_key(engine, worker, &collection, &key);
        }
    }
}

fn serve_key(engine: &Engine, worker: &mut Worker, collection: &Collection, bytes: &[u8]) {
    let key = collection.key(bytes);
    let shard = collection.shard(collection.shard_of(key.hash));
    let mut last = 0;
    loop {
        let next = {
            let state = shard.lock();
            let is_there = state.index.get(key).is_some();
            state.waiters.after(bytes, last, is_there)
        };
        let Some(Numbered { id, waiter }) = next else {
            return;
        };
        last = id;
        if waiter.try_again(engine, worker, Some(bytes)) == Tried::Over {
            shard.lock().waiters.remove(bytes, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::container::Kind;

    struct Nobody(Wanted);

    impl Waiter for Nobody {
        fn wanted(&self) -> Wanted {
            self.0
        }

        fn try_again(&self, _: &Engine, _: &mut Worker, _: Option<&[u8]>) -> Tried {
            Tried::Waits
        }
    }

    fn numbered(id: u64, wanted: Wanted) -> Numbered {
        let waiter = Arc::new(Nobody(wanted));
        Numbered { id, waiter }
    }

    fn found(table: &WaitTable, is_there: bool) -> Vec<u64> {
        let next = |id: &u64| table.after(b"k", *id, is_there).map(|next| next.id);
        std::iter::successors(next(&0), next).collect()
    }

    #[test]
    fn waiters_are_found_in_order_of_their_numbers() {
        let mut table = WaitTable::default();
        let mut add = |key: &[u8], id, wanted| table.add(key, numbered(id, wanted));
        add(b"k", 2, LISTS);
        add(b"k", 1, Wanted::AnyChange);
        add(b"k", 5, LISTS);
        add(b"k", 3, Wanted::AnyChange);
        add(b"other", 4, LISTS);
        assert_eq!(
            (found(&table, true), found(&table, false)),
            (vec![1, 2, 3, 5], vec![1, 3])
        );
        [9, 1, 2, 3].into_iter().for_each(|id| table.remove(b"k", id));
        assert_eq!((found(&table, true), found(&table, false)), (vec![5], vec![]));
        table.remove(b"k", 5);
        assert!(!table.has(b"k") && table.has(b"other"));
        table.remove(b"other", 4);
        assert!(table.0.is_none());
    }

    #[test]
    fn what_is_promised_is_what_somebody_waits_for() {
        let mut table = WaitTable::default();
        table.add(b"k", numbered(1, Wanted::AnyChange));
        assert!(!table.is_promised(b"k", LIST));
        table.add(b"k", numbered(2, LISTS));
        assert!(table.is_promised(b"k", LIST) && !table.is_promised(b"other", LIST));
        assert!(!table.is_promised(b"k", ValueType::Container(Kind::Zset)));
    }

    const LIST: ValueType = ValueType::Container(Kind::List);
    const LISTS: Wanted = Wanted::Value(LIST);
}
