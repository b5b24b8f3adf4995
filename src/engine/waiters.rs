//! Clients that wait for a key to have something: who they are, and how a writer serves them.
//!
//! A blocking command that finds nothing enters a waiter for each of its keys, under the locks that it looked with, so
//! that no write can come between. An effect on a key that somebody waits for is noted by the worker that applies it;
//! when its command, transaction or section is over, that worker lets the waiters try again, the first one first, and
//! each once, unless a key of its changes while others are served.
//!
//! **Invariants**
//! - A table belongs to its shard's lock; a waiter tries with no shard locked but those it locks itself.
//! - A waiter is told of every change to its keys until it is served or gives up, whichever is first and never both.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::Engine;
use super::collection::Collection;
use super::effect::CollectionId;
use super::worker::Kit;

/// What came of a waiter's try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It has been served, now or before, or has given up.
    Over,
    /// There was nothing for it.
    Waits,
}

/// A blocked command.
pub trait Waiter: Send + Sync {
    /// Tries again. The caller holds a pass and no lock.
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

type Queues = HashMap<Box<[u8]>, VecDeque<Numbered>>;

/// Keys of a shard that somebody waits for, each with its waiters in order. Empty tables own nothing.
#[derive(Default)]
pub struct WaitTable(Option<Box<Queues>>);

impl WaitTable {
    /// Adds a waiter behind those of `key` with smaller numbers.
    pub fn add(&mut self, key: &[u8], numbered: Numbered) {
        let queue = self.0.get_or_insert_default().entry(key.into()).or_default();
        let at = queue.partition_point(|other| other.id <= numbered.id);
        queue.insert(at, numbered);
    }

    /// Takes a waiter away, if it is there.
    pub fn remove(&mut self, key: &[u8], id: u64) {
        let Some(queues) = &mut self.0 else { return };
        if let Some(queue) = queues.get_mut(key) {
            if let Ok(at) = queue.binary_search_by_key(&id, |numbered| numbered.id) {
                queue.remove(at);
            }
            if queue.is_empty() {
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

    /// The first waiter for `key` with a number above `id`.
    fn after(&self, key: &[u8], id: u64) -> Option<Numbered> {
        let queue = self.0.as_ref()?.get(key)?;
        queue.get(queue.partition_point(|numbered| numbered.id <= id)).cloned()
    }

    /// Takes everything out, for a collection that changes place.
    pub fn take(&mut self) -> Vec<(Box<[u8]>, VecDeque<Numbered>)> {
        self.0
            .take()
            .map_or_else(Vec::new, |queues| queues.into_iter().collect())
    }
}

/// A key that has changed, in its collection.
type ReadyKey = (CollectionId, Arc<[u8]>);

/// What a worker has to serve when what it is doing is over.
///
/// Changes to keys that somebody waits for are numbered: whoever has tried since the last change of a key has seen it
/// and need not try again, for however many keys it waits.
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
    let (mut last, mut served) = (0, false);
    loop {
        let next = {
            let state = shard.lock();
            // What was served last may have taken the last of it; the others need not look.
            if served && state.index.get(key).is_none() {
                return;
            }
            state.waiters.after(bytes, last)
        };
        let Some(Numbered { id, waiter }) = next else {
            return;
        };
        last = id;
        if !kit.ready.begins_try(id, change) {
            continue;
        }
        if waiter.try_again(engine, kit) == Tried::Over {
            served = true;
            shard.lock().waiters.remove(bytes, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Waiter for Nobody {
        fn try_again(&self, _: &Engine, _: &mut Kit) -> Tried {
            Tried::Waits
        }
    }

    fn numbered(id: u64) -> Numbered {
        let waiter = Arc::new(Nobody);
        Numbered { id, waiter }
    }

    #[test]
    fn waiters_are_found_in_order_of_their_numbers() {
        let mut table = WaitTable::default();
        [2, 1, 5, 3].into_iter().for_each(|id| table.add(b"k", numbered(id)));
        table.add(b"other", numbered(4));
        let mut found = Vec::new();
        while let Some(next) = table.after(b"k", found.last().copied().unwrap_or(0)) {
            found.push(next.id);
        }
        assert_eq!(found, [1, 2, 3, 5]);
        [9, 1, 2, 5, 3].into_iter().for_each(|id| table.remove(b"k", id));
        assert!(!table.has(b"k") && table.has(b"other"));
        table.remove(b"other", 4);
        assert!(table.0.is_none());
    }
}
