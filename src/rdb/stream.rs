//! A stream as the format knows it: entries, bounds and counters, consumer groups, messages of producers.
//!
//! **Invariant:** a pending entry belongs to one consumer of its group, named by its place among them, or to nobody.

use crate::page::packed::Item;

use super::object::Elements;

/// The id of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Unix milliseconds.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

impl Id {
    /// As nodes and pending lists have it: big endian, so that bytes sort as ids do.
    pub(super) fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.ms) << 64) | u128::from(self.seq)).to_be_bytes()
    }

    pub(super) fn of_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self {
            ms: (both >> 64) as u64,
            seq: both as u64,
        }
    }
}

/// An entry on its way out of a [`Stream`].
#[derive(Clone, Debug)]
pub struct StreamEntry<'a> {
    /// Its id.
    pub id: Id,
    /// Field, value, field, value, …
    pub pairs: Vec<Item<'a>>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub id: Id,
    /// To whom: place in [`Group::consumers`]; `None`: it was given back.
    pub consumer: Option<usize>,
    /// When it was delivered last, in Unix milliseconds.
    pub delivered_at_ms: u64,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: Vec<u8>,
    /// When it was last heard of, in Unix milliseconds.
    pub seen_at_ms: u64,
    /// When it last got or claimed something, if ever.
    pub active_at_ms: Option<u64>,
}

/// A consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: Vec<u8>,
    /// The last id delivered.
    pub last_id: Id,
    /// How many entries it has read since the stream's first, if that is known.
    pub entries_read: Option<u64>,
    /// Its consumers.
    pub consumers: Vec<Consumer>,
    /// What is pending, by id.
    pub pending: Vec<Pending>,
}

/// A producer's messages as it names them, with the entries that they have become.
pub type Produced = Vec<(Vec<u8>, Id)>;

/// Messages that a stream knows, so that none becomes an entry twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// For how long, in seconds.
    pub duration_s: u64,
    /// How many of each producer.
    pub ids_max: u64,
    /// How many there ever were.
    pub added: u64,
    /// How many came twice.
    pub duplicates: u64,
    /// Producers by name.
    pub producers: Vec<(Vec<u8>, Produced)>,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    entries: Elements,
    length: u64,
    /// The greatest id ever given.
    pub last_id: Id,
    /// The id of the first entry; zero when there is none.
    pub first_id: Id,
    /// The greatest id ever deleted.
    pub max_deleted_id: Id,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// Its consumer groups.
    pub groups: Vec<Group>,
    /// Messages of producers, if there ever were any.
    pub messages: Option<Messages>,
}

impl Stream {
    /// Whether entries are pending that were given back.
    pub fn is_released(&self) -> bool {
        let mut pending = self.groups.iter().flat_map(|group| &group.pending);
        pending.any(|pending| pending.consumer.is_none())
    }

    /// Appends an entry of these fields and values.
    pub fn push(&mut self, id: Id, pairs: &[Item<'_>]) {
        self.length += 1;
        for number in [id.ms, id.seq, pairs.len() as u64] {
            self.entries.push(Item::Int(number as i64));
        }
        for item in pairs {
            self.entries.push(*item);
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = StreamEntry<'_>> {
        let mut items = self.entries.iter();
        std::iter::from_fn(move || {
            let mut number = || match items.next() {
                Some(Item::Int(number)) => Some(number as u64),
                _ => None,
            };
            let id = Id {
                ms: number()?,
                seq: number()?,
            };
            let count = number()?;
            let pairs = items.by_ref().take(count as usize).collect();
            Some(StreamEntry { id, pairs })
        })
    }
}
