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

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::Engine;
use super::collection::Collection;
use super::ids::CollectionId;
use super::worker::Kit;
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
    /// The same, but what is there may be too little for it: nothing is promised to it.
    Enough(ValueType),
    /// All that happens to its keys, their end included.
    AnyChange,
}

/// A blocked command.
pub trait Waiter: Send + Sync {
    /// What it waits for.
    fn wanted(&self) -> Wanted;

    /// Tries again, with all of its keys. The caller holds a pass and no lock.
    fn try_again(&self, engine: &Engine, kit: &mut Kit) -> Tried;
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
struct Queue {
    /// In the order of their numbers.
    line: VecDeque<Numbered>,
    /// How many of them want to know of any change.
    of_any_change: usize,
}

impl Queue {
    /// With room for one: most keys have no other.
    fn of_one() -> Self {
        Self {
            line: VecDeque::with_capacity(1),
            of_any_change: 0,
        }
    }

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
            .or_insert_with(Queue::of_one)
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

    /// The first waiter for `key` with a number above `id` that may find something now; `found`: the type of what is
    /// there.
    fn after(&self, key: &[u8], id: u64, found: Option<ValueType>) -> Option<Numbered> {
        let queue = self.0.as_ref()?.get(key)?;
        if found.is_none() && queue.of_any_change == 0 {
            // Thousands may wait, and the waiter that takes the last element changes the key once more.
            return None;
        }
        let may_find = |numbered: &&Numbered| match numbered.waiter.wanted() {
            Wanted::AnyChange => true,
            Wanted::Value(wanted) | Wanted::Enough(wanted) => found == Some(wanted),
        };
        let from = queue.line.partition_point(|numbered| numbered.id <= id);
        queue.line.range(from..).find(may_find).cloned()
    }

    /// All that is in it.
    pub fn all(&self) -> Vec<(Box<[u8]>, VecDeque<Numbered>)> {
        let queues = self.0.iter().flat_map(|queues| queues.iter());
        queues.map(|(key, queue)| (key.clone(), queue.line.clone())).collect()
    }

    /// Takes everything out, for a collection that changes place.
    pub fn take(&mut self) -> Vec<(Box<[u8]>, VecDeque<Numbered>)> {
        let queues = self.0.take().into_iter().flat_map(|queues| *queues);
        queues.map(|(key, queue)| (key, queue.line)).collect()
    }
}

/// A key that has changed, in its collection.
type ReadyKey = (CollectionId, Arc<[u8]>);

/// What a worker has to serve when what it is doing is over.
///
/// Changes to keys that somebody waits for are numbered: a waiter that has tried since the last change of a key has
/// seen it and need not try again, for however many keys it waits.
#[derive(Default)]
pub struct Ready {
    /// Keys in the order in which they were noted, each once.
    queue: VecDeque<ReadyKey>,
    /// The same keys, each with the number of its last change.
    changed: HashMap<ReadyKey, u64>,
    /// Waiters that have tried, each with the number of the last change before it did.
    tried: HashMap<u64, u64>,
    /// The number of the last change.
    changes: u64,
    /// Waiters whose collection has gone, by number.
    orphans: BTreeMap<u64, Arc<dyn Waiter>>,
}

impl Ready {
    /// Notes that `key` has changed, for which somebody waits.
    pub fn note(&mut self, collection: CollectionId, key: &[u8]) {
        self.changes += 1;
        let key: ReadyKey = (collection, key.into());
        if self.changed.insert(key.clone(), self.changes).is_none() {
            self.queue.push_back(key);
        }
    }

    /// Notes a waiter that has to look around wherever it waits.
    pub fn note_orphan(&mut self, numbered: Numbered) {
        self.orphans.insert(numbered.id, numbered.waiter);
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.orphans.is_empty()
    }

    /// Takes out the first key, with the number of its last change.
    fn next(&mut self) -> Option<(ReadyKey, u64)> {
        let key = self.queue.pop_front()?;
        let change = self.changed.remove(&key)?;
        Some((key, change))
    }

    /// Whether a waiter is to try because of a change; if so, notes that it does.
    fn begins_try(&mut self, waiter: u64, change: u64) -> bool {
        let tried = self.tried.entry(waiter).or_default();
        let is_due = *tried < change;
        if is_due {
            *tried = self.changes;
        }
        is_due
    }
}

/// Whether there is anything for [`serve`] to do.
#[inline]
pub fn are_ready(kit: &Kit) -> bool {
    !kit.ready.is_empty()
}

/// Serves the waiters of keys that the worker has changed, and of those that serving changes. The worker holds a pass,
/// and no lock.
#[inline]
pub fn serve(engine: &Engine, kit: &mut Kit) {
    if are_ready(kit) {
        serve_all(engine, kit);
    }
}

#[cold]
fn serve_all(engine: &Engine, kit: &mut Kit) {
    loop {
        for orphan in std::mem::take(&mut kit.ready.orphans).into_values() {
            orphan.try_again(engine, kit);
        }
        let Some(((id, key), change)) = kit.ready.next() else {
            kit.ready.tried = HashMap::new();
            return;
        };
        let collection = engine
            .registry()
            .by_collection(id)
            .map(|slot| Arc::clone(&slot.collection));
        if let Some(collection) = collection {
            serve_key(engine, kit, &collection, &key, change);
        }
    }
}

/// Lets those who wait for a key try, but for those who have done so since its last change.
fn serve_key(engine: &Engine, kit: &mut Kit, collection: &Collection, bytes: &[u8], change: u64) {
    let key = collection.key(bytes);
    let shard = collection.shard(collection.shard_of(key.hash));
    let mut last = 0;
    loop {
        let next = {
            let state = shard.lock();
            let found = state.index.get(key).map(|entry| entry.value().value_type());
            state.waiters.after(bytes, last, found)
        };
        let Some(Numbered { id, waiter }) = next else {
            return;
        };
        last = id;
        if !kit.ready.begins_try(id, change) {
            continue;
        }
        if waiter.try_again(engine, kit) == Tried::Over {
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

        fn try_again(&self, _: &Engine, _: &mut Kit) -> Tried {
            Tried::Waits
        }
    }

    fn numbered(id: u64, wanted: Wanted) -> Numbered {
        let waiter = Arc::new(Nobody(wanted));
        Numbered { id, waiter }
    }

    fn found(table: &WaitTable, value: Option<ValueType>) -> Vec<u64> {
        let next = |id: &u64| table.after(b"k", *id, value).map(|next| next.id);
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
            (found(&table, Some(LIST)), found(&table, None)),
            (vec![1, 2, 3, 5], vec![1, 3])
        );
        assert_eq!(found(&table, Some(ValueType::Str)), [1, 3]);
        [9, 1, 2, 3].into_iter().for_each(|id| table.remove(b"k", id));
        assert_eq!((found(&table, Some(LIST)), found(&table, None)), (vec![5], vec![]));
        table.remove(b"k", 5);
        assert!(!table.has(b"k") && table.has(b"other"));
        table.remove(b"other", 4);
        assert!(table.0.is_none());
    }

    #[test]
    fn what_is_promised_is_what_somebody_waits_for() {
        let mut table = WaitTable::default();
        table.add(b"k", numbered(1, Wanted::AnyChange));
        table.add(b"k", numbered(3, Wanted::Enough(LIST)));
        assert!(!table.is_promised(b"k", LIST));
        assert_eq!(found(&table, Some(LIST)), [1, 3]);
        assert_eq!(found(&table, Some(ValueType::Str)), [1]);
        table.add(b"k", numbered(2, LISTS));
        assert!(table.is_promised(b"k", LIST) && !table.is_promised(b"other", LIST));
        assert!(!table.is_promised(b"k", ValueType::Container(Kind::Zset)));
    }

    const LIST: ValueType = ValueType::Container(Kind::List);
    const LISTS: Wanted = Wanted::Value(LIST);
}
