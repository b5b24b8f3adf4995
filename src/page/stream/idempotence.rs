//! What a stream knows of messages that producers may send again: which producer gave which id to which entry.
//!
//! Three orders share what is known, so that a message is found by its names, the oldest of a producer by the producer,
//! and the oldest of all by its age, each in O(log n). Ages are those of the entries' ids.
//!
//! **Invariants:** all orders have the same messages; no producer has more than `ids_max`; `producers` is how many have
//! any.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::id::StreamId;
use crate::page::tree::{Tree, TreeItem};

const ARC_BYTES: usize = 2 * size_of::<usize>();

/// A message that is known.
#[derive(Debug)]
struct Known {
    id: StreamId,
    /// The producer's name, behind it what it calls the message.
    names: Box<[u8]>,
    producer_bytes: usize,
}

impl Known {
    fn new(producer: &[u8], message: &[u8], id: StreamId) -> Self {
        Self {
            id,
            names: [producer, message].concat().into(),
            producer_bytes: producer.len(),
        }
    }

    fn producer(&self) -> &[u8] {
        self.names.get(..self.producer_bytes).unwrap_or_default()
    }

    fn message(&self) -> &[u8] {
        self.names.get(self.producer_bytes..).unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
struct Named(Arc<Known>);

#[derive(Clone, Debug)]
struct Produced(Arc<Known>);

#[derive(Clone, Debug)]
struct Aged(Arc<Known>);

impl Named {
    fn compare(&self, producer: &[u8], message: &[u8]) -> Ordering {
        (self.0.producer(), self.0.message()).cmp(&(producer, message))
    }
}

impl Produced {
    fn compare(&self, known: &Known) -> Ordering {
        let own = (self.0.producer(), self.0.id, self.0.message());
        own.cmp(&(known.producer(), known.id, known.message()))
    }
}

impl Aged {
    fn compare(&self, known: &Known) -> Ordering {
        let own = (self.0.id, self.0.producer(), self.0.message());
        own.cmp(&(known.id, known.producer(), known.message()))
    }
}

impl TreeItem for Named {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        ARC_BYTES + size_of::<Known>() + self.0.names.len()
    }
}

impl TreeItem for Produced {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl TreeItem for Aged {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        0
    }
}

#[derive(Clone, Debug, Default)]
struct Orders {
    by_names: Tree<Named>,
    by_producer: Tree<Produced>,
    by_age: Tree<Aged>,
}

/// For how long messages are known, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For how long, in seconds.
    pub duration_s: u64,
    /// How many of each producer.
    pub ids_max: u64,
}

impl Limits {
    /// Those of a stream that was not told any.
    pub const DEFAULT: Self = Self {
        duration_s: 100,
        ids_max: 100,
    };

    /// Of entries with ids below this one it is no longer known who produced them.
    fn known_from(self, now_ms: u64) -> StreamId {
        let forgotten_ms = now_ms.checked_sub(self.duration_s.saturating_mul(1000));
        forgotten_ms.map_or(StreamId::MIN, |ms| StreamId::new(ms.saturating_add(1), 0))
    }
}

/// A message as a producer knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message<'a> {
    /// The producer's name.
    pub producer: &'a [u8],
    /// What the producer calls it.
    pub name: &'a [u8],
    /// The entry it became.
    pub id: StreamId,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Idempotence {
    limits: Limits,
    orders: Option<Orders>,
    producers: u64,
    pub(super) added: u64,
    pub(super) duplicates: u64,
}

impl Idempotence {
    /// Nothing known yet, but so many added before, and so many that came twice.
    pub fn new(limits: Limits, added: u64, duplicates: u64) -> Self {
        Self {
            limits,
            orders: None,
            producers: 0,
            added,
            duplicates,
        }
    }

    /// Its limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How many messages there ever were.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// How many came twice.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many messages are held, those that are too old among them.
    pub fn len(&self) -> usize {
        self.orders.as_ref().map_or(0, |orders| orders.by_age.len())
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.orders.is_none()
    }

    /// Bytes of heap. O(1).
    pub fn heap_bytes(&self) -> usize {
        let bytes = |orders: &Orders| {
            orders.by_names.heap_bytes() + orders.by_producer.heap_bytes() + orders.by_age.heap_bytes()
        };
        self.orders.as_ref().map_or(0, bytes)
    }

    /// The entry that a producer's message became, unless that is too long ago. O(log n).
    pub fn find(&self, producer: &[u8], message: &[u8], now_ms: u64) -> Option<StreamId> {
        let orders = self.orders.as_ref()?;
        let (at, is_found) = orders.by_names.find(|known| known.compare(producer, message));
        let found = orders.by_names.get(at).filter(|_| is_found)?;
        Some(found.0.id).filter(|id| *id >= self.limits.known_from(now_ms))
    }

    /// How many of the oldest are too old. O(log n).
    pub fn stale(&self, now_ms: u64) -> usize {
        let from = self.limits.known_from(now_ms);
        let orders = self.orders.as_ref();
        orders.map_or(0, |orders| orders.by_age.partition_point(|known| known.0.id < from))
    }

    /// How many producers have messages that are not too old. O(1) if all are, or none; O(log n) for each producer
    /// otherwise.
    pub fn producers_known(&self, now_ms: u64) -> u64 {
        let Some(orders) = &self.orders else { return 0 };
        let stale = self.stale(now_ms);
        if stale == 0 {
            return self.producers;
        }
        if stale == self.len() {
            return 0;
        }
        let from = self.limits.known_from(now_ms);
        let (mut at, mut count) = (0, 0);
        while let Some(first) = orders.by_producer.get(at) {
            let end = orders.end_of(first.0.producer());
            let last = orders.by_producer.get(end - 1);
            count += u64::from(last.is_some_and(|last| last.0.id >= from));
            at = end;
        }
        count
    }

    /// All that is held, the oldest first.
    pub fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        let all = self.orders.iter().flat_map(|orders| orders.by_age.iter());
        all.map(|known| Message {
            producer: known.0.producer(),
            name: known.0.message(),
            id: known.0.id,
        })
    }

    /// The same by producer, those of each in the order of their ages.
    pub fn by_producer(&self) -> BTreeMap<&[u8], Vec<Message<'_>>> {
        let mut made: BTreeMap<&[u8], Vec<Message<'_>>> = BTreeMap::new();
        for message in self.messages() {
            made.entry(message.producer).or_default().push(message);
        }
        made
    }

    /// Other limits; those that differ make it forget all messages.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        if limits != self.limits {
            (self.limits, self.orders, self.producers) = (limits, None, 0);
        }
    }

    /// Knows a message from now on, in the stead of the producer's oldest if there are too many.
    pub fn remember(&mut self, message: Message<'_>) {
        let Message { producer, name, id } = message;
        let orders = self.orders.get_or_insert_default();
        if let Some(old) = orders.by_names.remove_by(|known| known.compare(producer, name)) {
            self.producers -= u64::from(orders.forget_named(&old.0));
        }
        let known = Arc::new(Known::new(producer, name, id));
        let first = orders.start_of(producer);
        let count = orders.end_of(producer) - first;
        self.producers += u64::from(count == 0);
        orders.put(known);
        // Never more than one, but where limits were read that had been others.
        let excess = (count as u64 + 1).saturating_sub(self.limits.ids_max.max(1));
        for _ in 0..excess {
            let oldest = orders.by_producer.get(first).map(|oldest| Arc::clone(&oldest.0));
            if let Some(oldest) = oldest {
                orders.remove(&oldest);
            }
        }
    }

    /// Forgets the oldest messages, so many.
    pub(super) fn forget(&mut self, count: u64) {
        let Some(orders) = &mut self.orders else { return };
        for _ in 0..count {
            let Some(oldest) = orders.by_age.first().map(|oldest| Arc::clone(&oldest.0)) else {
                break;
            };
            self.producers -= u64::from(orders.remove(&oldest));
        }
        if orders.by_age.is_empty() {
            self.orders = None;
        }
    }
}

impl Orders {
    fn start_of(&self, producer: &[u8]) -> usize {
        self.by_producer.partition_point(|known| known.0.producer() < producer)
    }

    fn end_of(&self, producer: &[u8]) -> usize {
        self.by_producer.partition_point(|known| known.0.producer() <= producer)
    }

    /// Puts what has no equal.
    fn put(&mut self, known: Arc<Known>) {
        let (named, produced) = (Named(Arc::clone(&known)), Produced(Arc::clone(&known)));
        let is_new = self
            .by_names
            .insert_by(|other| other.compare(known.producer(), known.message()), named)
            .is_ok();
        let is_new = is_new
            && self
                .by_producer
                .insert_by(|other| other.compare(&known), produced)
                .is_ok();
        let aged = Aged(Arc::clone(&known));
        let is_new = is_new && self.by_age.insert_by(|other| other.compare(&known), aged).is_ok();
        debug_assert!(is_new);
    }

    /// Takes a message out; whether it was its producer's last.
    fn remove(&mut self, known: &Known) -> bool {
        self.by_names
            .remove_by(|other| other.compare(known.producer(), known.message()));
        self.forget_named(known)
    }

    /// Takes what is no longer under its names out of the other orders; whether it was its producer's last.
    fn forget_named(&mut self, known: &Known) -> bool {
        self.by_producer.remove_by(|other| other.compare(known));
        self.by_age.remove_by(|other| other.compare(known));
        self.start_of(known.producer()) == self.end_of(known.producer())
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    /// Messages in the order in which they came.
    #[derive(Clone, Default)]
    struct Model(Vec<(Vec<u8>, Vec<u8>, StreamId)>);

    impl Model {
        fn remember(&mut self, message: Message<'_>, ids_max: usize) {
            let Message { producer, name, id } = message;
            self.0.retain(|(of, called, _)| (&**of, &**called) != (producer, name));
            self.0.push((producer.to_vec(), name.to_vec(), id));
            let own = |(of, ..): &&(Vec<u8>, Vec<u8>, StreamId)| of == producer;
            if self.0.iter().filter(own).count() > ids_max {
                let oldest = self.0.iter().position(|known| own(&known)).unwrap();
                self.0.remove(oldest);
            }
        }

        fn producers(&self, from_ms: u64) -> u64 {
            let live = self.0.iter().filter(|(.., id)| id.ms >= from_ms);
            let names: std::collections::BTreeSet<_> = live.map(|(producer, ..)| producer).collect();
            names.len() as u64
        }
    }

    fn check_same(known: &Idempotence, model: &Model) {
        let held: Vec<_> = known.messages().collect();
        let expected = model.0.iter().map(|(producer, name, id)| Message {
            producer: producer.as_slice(),
            name: name.as_slice(),
            id: *id,
        });
        assert_eq!(held, expected.collect::<Vec<_>>());
        assert_eq!(known.producers_known(0), model.producers(0));
        assert_eq!(known.len(), model.0.len());
        assert_eq!(known.by_producer().values().map(Vec::len).sum::<usize>(), model.0.len());
    }

    #[test]
    fn behaves_like_a_model() {
        let seed = rand::random::<u64>();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let limits = Limits {
            duration_s: 5,
            ids_max: 7,
        };
        let mut known = Idempotence::new(limits, 0, 0);
        let mut model = Model::default();
        let mut clones = Vec::new();
        for step in 1..4000_u64 {
            let id = StreamId::new(step * 10, step % 3);
            let most = random.random_range(1..20_u8);
            let producer = format!("p{}", random.random_range(0..most));
            let name = random.random_range(0..12_u8).to_string();
            let message = Message {
                producer: producer.as_bytes(),
                name: name.as_bytes(),
                id,
            };
            let now_ms = id.ms + random.random_range(0..9_000);
            let found = known.find(message.producer, message.name, now_ms);
            let expected = model
                .0
                .iter()
                .find(|(of, called, id)| {
                    (&**of, &**called) == (message.producer, message.name) && id.ms + 5_000 > now_ms
                })
                .map(|(.., id)| *id);
            assert_eq!(found, expected);
            known.remember(message);
            model.remember(message, 7);
            if random.random_range(0..9) == 0 {
                let stale = known.stale(now_ms);
                assert_eq!(stale, model.0.iter().filter(|(.., id)| id.ms + 5_000 <= now_ms).count());
                assert_eq!(
                    known.producers_known(now_ms),
                    model.producers((now_ms + 1).saturating_sub(5_000))
                );
                known.forget(stale as u64);
                model.0.drain(..stale);
            }
            check_same(&known, &model);
            if step % 500 == 0 {
                clones.push((known.clone(), model.clone()));
            }
        }
        clones.iter().for_each(|(known, model)| check_same(known, model));
        known.forget(u64::MAX);
        assert!(known.is_empty());
        assert_eq!((known.heap_bytes(), known.producers_known(0)), (0, 0));
    }
}
