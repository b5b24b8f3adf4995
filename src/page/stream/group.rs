//! A consumer group: how far it has read, its consumers, and what is pending.
//!
//! **Invariants:** a consumer keeps its number while it lives; each counts what is pending for it.

use std::sync::Arc;

use super::id::StreamId;
use super::pending::{Pending, PendingList};

const ARC_BYTES: usize = 2 * size_of::<usize>();

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: Arc<[u8]>,
    /// When it was last heard of, Unix milliseconds.
    pub seen_at_ms: u64,
    /// When it was last given something that was not its own already, Unix milliseconds, if it ever was.
    pub active_at_ms: Option<u64>,
    /// How many entries are pending for it.
    pub pending: u64,
}

/// Consumers by number, and their numbers by name.
#[derive(Clone, Debug, Default)]
struct Consumers {
    slots: Vec<Option<Consumer>>,
    free: Vec<u32>,
    by_name: Vec<u32>,
    names_bytes: usize,
}

impl Consumers {
    fn name(&self, number: u32) -> &[u8] {
        self.get(number).map_or(&[], |consumer| &consumer.name)
    }

    fn get(&self, number: u32) -> Option<&Consumer> {
        self.slots.get(number as usize)?.as_ref()
    }

    /// Where the name is in the order of names, or would be.
    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|number| self.name(*number).cmp(name))
    }

    fn insert(&mut self, at: usize, name: &[u8]) -> u32 {
        let consumer = Some(Consumer {
            name: name.into(),
            seen_at_ms: 0,
            active_at_ms: None,
            pending: 0,
        });
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(slot) = self.slots.get_mut(number as usize) {
                    *slot = consumer;
                }
                number
            }
            None => {
                self.slots.push(consumer);
                self.slots.len() as u32 - 1
            }
        };
        self.by_name.insert(at, number);
        self.names_bytes += ARC_BYTES + name.len();
        number
    }

    fn heap_bytes(&self) -> usize {
        let numbers = self.free.capacity() + self.by_name.capacity();
        ARC_BYTES
            + size_of::<Self>()
            + self.slots.capacity() * size_of::<Option<Consumer>>()
            + numbers * size_of::<u32>()
            + self.names_bytes
    }
}

/// See the module. Cloning shares.
#[derive(Clone, Debug)]
pub struct Group {
    name: Arc<[u8]>,
    /// The last id delivered.
    pub last_id: StreamId,
    /// How many of all entries ever added it has read, if that is known.
    pub entries_read: Option<u64>,
    consumers: Arc<Consumers>,
    pending: PendingList,
}

impl Group {
    /// A group without consumers.
    pub(super) fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self {
            name: name.into(),
            last_id,
            entries_read,
            consumers: Arc::default(),
            pending: PendingList::default(),
        }
    }

    /// With consumers in order of their names, and with what is pending for them, in order of ids; a consumer's number
    /// is its place.
    pub(super) fn with(self, consumers: Vec<Consumer>, pending: Vec<Pending>) -> Self {
        let mut all = Consumers {
            by_name: (0..consumers.len() as u32).collect(),
            names_bytes: consumers.iter().map(|consumer| ARC_BYTES + consumer.name.len()).sum(),
            slots: consumers.into_iter().map(Some).collect(),
            free: Vec::new(),
        };
        for pending in &pending {
            if let Some(Some(consumer)) = all.slots.get_mut(pending.consumer as usize) {
                consumer.pending += 1;
            }
        }
        Self {
            consumers: Arc::new(all),
            pending: PendingList::of_sorted(pending),
            ..self
        }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many consumers it has.
    pub fn consumers_len(&self) -> usize {
        self.consumers.by_name.len()
    }

    /// Its consumers with their numbers, in order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = (u32, &Consumer)> {
        let numbers = self.consumers.by_name.iter().copied();
        numbers.filter_map(|number| Some((number, self.consumers.get(number)?)))
    }

    /// A consumer's number. O(log n).
    pub fn consumer(&self, name: &[u8]) -> Option<u32> {
        let at = self.consumers.place(name).ok()?;
        self.consumers.by_name.get(at).copied()
    }

    /// The consumer with this number.
    pub fn consumer_of_number(&self, number: u32) -> Option<&Consumer> {
        self.consumers.get(number)
    }

    /// The name of the consumer with this number; that of [`super::pending::NOBODY`] is empty.
    pub fn consumer_name(&self, number: u32) -> &[u8] {
        self.consumers.name(number)
    }

    /// How many entries are pending. O(1).
    pub fn pending_len(&self) -> u64 {
        self.pending.len()
    }

    /// How many of those are pending with nobody. O(log n).
    pub fn released_len(&self) -> u64 {
        self.pending.released_len()
    }

    /// The pending entry of this id. O(log n).
    pub fn pending(&self, id: StreamId) -> Option<Pending> {
        self.pending.get(id)
    }

    /// The pending entries from this id on. O(log n) for the first.
    pub fn pending_from(&self, id: StreamId) -> impl Iterator<Item = &Pending> {
        self.pending.iter_from(id)
    }

    /// The last pending entry.
    pub fn last_pending(&self) -> Option<&Pending> {
        self.pending.last()
    }

    /// The entries that are pending for a consumer, from this id on. O(log n) each.
    pub fn pending_of(&self, consumer: u32, from: StreamId) -> impl Iterator<Item = Pending> {
        let ids = self.pending.ids_of(consumer, from);
        ids.filter_map(|id| self.pending.get(id))
    }

    /// The pending entries that were delivered up to this time, those that have waited longest in front. O(log n) each.
    pub fn pending_since(&self, at_ms: u64) -> impl Iterator<Item = Pending> {
        let waited = self.pending.by_time().take_while(move |(time_ms, _)| *time_ms <= at_ms);
        waited.filter_map(|(_, id)| self.pending.get(id))
    }

    /// When the pending entry that has waited longest was delivered. O(1).
    pub fn first_delivery_ms(&self) -> Option<u64> {
        self.pending.by_time().next().map(|(time_ms, _)| time_ms)
    }

    /// Notes that a consumer was heard of; makes it if there is none. Its number.
    pub(super) fn touch(&mut self, name: &[u8], seen_at_ms: u64) -> u32 {
        let consumers = Arc::make_mut(&mut self.consumers);
        let number = match consumers.place(name) {
            Ok(at) => consumers.by_name.get(at).copied().unwrap_or_default(),
            Err(at) => consumers.insert(at, name),
        };
        if let Some(Some(consumer)) = consumers.slots.get_mut(number as usize) {
            consumer.seen_at_ms = seen_at_ms;
        }
        number
    }

    /// Notes when a consumer was given something.
    pub(super) fn set_active(&mut self, number: u32, active_at_ms: Option<u64>) {
        let consumers = Arc::make_mut(&mut self.consumers);
        if let Some(Some(consumer)) = consumers.slots.get_mut(number as usize) {
            consumer.active_at_ms = active_at_ms;
        }
    }

    /// Removes a consumer and what is pending for it.
    pub(super) fn remove_consumer(&mut self, name: &[u8]) {
        let Ok(at) = self.consumers.place(name) else { return };
        let consumers = Arc::make_mut(&mut self.consumers);
        let number = consumers.by_name.remove(at);
        if let Some(slot) = consumers.slots.get_mut(number as usize) {
            *slot = None;
        }
        consumers.free.push(number);
        consumers.names_bytes -= ARC_BYTES + name.len();
        let ids: Vec<StreamId> = self.pending.ids_of(number, StreamId::MIN).collect();
        for id in ids {
            self.pending.remove(id);
        }
    }

    /// Makes an entry pending, or changes the one that is.
    pub(super) fn put(&mut self, pending: Pending) {
        let old = self.pending.put(pending);
        if let Some(old) = old {
            self.count(old.consumer, -1);
        }
        self.count(pending.consumer, 1);
    }

    /// Takes an entry out of what is pending.
    pub(super) fn acknowledge(&mut self, id: StreamId) {
        if let Some(old) = self.pending.remove(id) {
            self.count(old.consumer, -1);
        }
    }

    fn count(&mut self, consumer: u32, change: i64) {
        let consumers = Arc::make_mut(&mut self.consumers);
        if let Some(Some(consumer)) = consumers.slots.get_mut(consumer as usize) {
            consumer.pending = consumer.pending.wrapping_add_signed(change);
        }
    }

    /// Bytes of heap. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        ARC_BYTES + self.name.len() + self.consumers.heap_bytes() + self.pending.heap_bytes()
    }
}
