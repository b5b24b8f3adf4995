//! What keys hold, in collections of the standard library, and what changes do to that: nothing of the engine's
//! containers is used but to read them element by element.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::change::{Change, Scored};
use crate::engine::registry::{Registry, Slot};
use crate::page::ValueRef;
use crate::page::hash::HashRef;
use crate::page::list::ListRef;
use crate::page::mortal::{Mortal, check_times};
use crate::page::packed::Item;
use crate::page::set::SetRef;
use crate::page::stream::{BigStream, StreamId, stream_of};
use crate::page::zset::ZsetRef;

/// A collection's name.
pub type Name = &'static str;
/// The collections there are.
pub const NAMES: [Name; 3] = ["default", "1", "side"];
/// A key in a collection.
pub type Place = (Name, Vec<u8>);

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Str(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    /// When members die, 0 for never.
    Set(BTreeMap<Vec<u8>, u64>),
    Zset(Zset),
    /// Values and when fields die, 0 for never.
    Hash(BTreeMap<Vec<u8>, (Vec<u8>, u64)>),
    Stream(Stream),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zset {
    pub scores: BTreeMap<Vec<u8>, i64>,
    pub order: BTreeSet<Scored>,
    /// When members die, of those that do.
    pub times: BTreeMap<Vec<u8>, u64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    pub entries: BTreeMap<StreamId, Vec<Vec<u8>>>,
    pub last_id: StreamId,
    pub max_deleted_id: StreamId,
    pub entries_added: u64,
    pub groups: BTreeMap<Vec<u8>, Group>,
    pub messages: Option<Messages>,
}

/// Messages of producers.
#[derive(Clone, Debug, PartialEq)]
pub struct Messages {
    pub ids_max: u64,
    pub added: u64,
    /// Entry, producer, name; ordered so.
    pub messages: Vec<(StreamId, Vec<u8>, Vec<u8>)>,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            ids_max: 100,
            added: 0,
            messages: Vec::new(),
        }
    }
}

impl Messages {
    pub fn remember(&mut self, producer: &[u8], name: &[u8], id: StreamId) {
        self.added += 1;
        self.messages.retain(|known| (&*known.1, &*known.2) != (producer, name));
        self.messages.push((id, producer.to_vec(), name.to_vec()));
        self.messages.sort();
        let mut own = self.messages.iter().filter(|known| known.1 == producer);
        if own.clone().count() as u64 > self.ids_max {
            let oldest = own.next().cloned();
            self.messages.retain(|known| Some(known) != oldest.as_ref());
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub last_id: StreamId,
    pub entries_read: Option<u64>,
    /// When they were heard of.
    pub consumers: BTreeMap<Vec<u8>, u64>,
    /// When delivered, how often, and to whom.
    pub pending: BTreeMap<StreamId, (u64, u64, Vec<u8>)>,
}

impl Zset {
    /// One that was there dies when it would have, if it keeps its time.
    pub fn insert(&mut self, (score, name): Scored, keeps_expiry: bool) {
        let time = self.times.get(&name).copied().filter(|_| keeps_expiry);
        self.remove(&name);
        self.expire(&name, time.unwrap_or(0));
        self.scores.insert(name.clone(), score);
        self.order.insert((score, name));
    }

    pub fn expire(&mut self, name: &[u8], at_ms: u64) {
        self.times.remove(name);
        if at_ms != 0 {
            self.times.insert(name.to_vec(), at_ms);
        }
    }

    pub fn remove(&mut self, name: &[u8]) {
        if let Some(score) = self.scores.remove(name) {
            self.order.remove(&(score, name.to_vec()));
            self.times.remove(name);
        }
    }
}

impl Group {
    /// Its consumer was heard of.
    pub fn touch(&mut self, consumer: &[u8], at_ms: u64) {
        self.consumers.insert(consumer.to_vec(), at_ms);
    }
}

fn owned(item: Item<'_>) -> Vec<u8> {
    item.bytes().into_owned()
}

/// Scores are quarters.
pub fn score_of(quarters: i64) -> f64 {
    quarters as f64 / 4.0
}

impl Value {
    /// What the engine has, element by element.
    pub fn of(value: ValueRef<'_>) -> Self {
        const ON: ControlFlow<()> = ControlFlow::Continue(());
        if let Some(text) = value.as_str() {
            return Self::Str(text.contiguous().into_owned());
        }
        if let Some(stream) = stream_of(value) {
            return Self::Stream(Stream::of(stream));
        }
        if let Some(list) = ListRef::of(value) {
            let mut all = VecDeque::new();
            let _ = list.for_each_from(0, |item| {
                all.push_back(owned(item));
                ON
            });
            return Self::List(all);
        }
        if let Some(set) = SetRef::of(value) {
            let mut all = BTreeMap::new();
            let _ = set.for_each(|member| {
                let name = owned(member);
                let at_ms = set.expiry_of(&name).unwrap().unwrap_or(0);
                assert!(all.insert(name, at_ms).is_none(), "a member is there twice");
                ON
            });
            check_times(Mortal::of(value), &all);
            return Self::Set(all);
        }
        if let Some(zset) = ZsetRef::of(value) {
            let (mut all, mut last) = (Zset::default(), None);
            let _ = zset.for_each_from(0, |member| {
                let scored = ((member.score * 4.0) as i64, owned(member.name));
                assert!(last < Some(scored.clone()), "members are not in their order");
                assert_eq!(zset.score(&scored.1), Some(member.score));
                last = Some(scored.clone());
                let at_ms = zset.expiry_of(&scored.1).unwrap().unwrap_or(0);
                all.expire(&scored.1, at_ms);
                all.insert(scored, true);
                ON
            });
            let time = |name: &Vec<u8>| (name.clone(), all.times.get(name).copied().unwrap_or(0));
            check_times(Mortal::of(value), &all.scores.keys().map(time).collect());
            return Self::Zset(all);
        }
        let mut all = BTreeMap::new();
        let hash = HashRef::of(value).unwrap();
        let _ = hash.for_each(|field| {
            let held = (owned(field.value), field.expire_at_ms.unwrap_or(0));
            assert!(all.insert(owned(field.name), held).is_none(), "a field is there twice");
            ON
        });
        Self::Hash(all)
    }

    /// Roughly how large it is.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Str(text) => text.len(),
            Self::List(all) => all.iter().map(|element| element.len() + 2).sum(),
            Self::Set(all) => all.keys().map(|member| member.len() + 16).sum(),
            Self::Zset(all) => all.scores.keys().map(|member| member.len() + 40).sum(),
            Self::Hash(all) => all
                .iter()
                .map(|(field, (value, _))| field.len() + value.len() + 24)
                .sum(),
            Self::Stream(all) => all.entries.values().flatten().map(|item| item.len() + 4).sum(),
        }
    }
}

impl Stream {
    fn of(stream: &BigStream) -> Self {
        let fields = |entry: &crate::page::stream::Entry<'_>| {
            let mut fields = Vec::new();
            entry.for_each(|item| fields.push(owned(item)));
            fields
        };
        let entries = stream.range(StreamId::MIN, StreamId::MAX);
        let groups = stream.groups().iter().map(|group| {
            let consumers = group.consumers();
            let pending = group.pending_from(StreamId::MIN).map(|pending| {
                let name = group.consumer_name(pending.consumer).to_vec();
                (pending.id, (pending.delivered_at_ms, pending.deliveries, name))
            });
            let of = Group {
                last_id: group.last_id,
                entries_read: group.entries_read,
                consumers: consumers
                    .map(|(_, consumer)| (consumer.name.to_vec(), consumer.seen_at_ms))
                    .collect(),
                pending: pending.collect(),
            };
            (group.name().to_vec(), of)
        });
        let found = Self {
            entries: entries.map(|entry| (entry.id, fields(&entry))).collect(),
            last_id: stream.last_id(),
            max_deleted_id: stream.max_deleted_id(),
            entries_added: stream.entries_added(),
            messages: stream.idempotence().map(|known| Messages {
                ids_max: known.limits().ids_max,
                added: known.added(),
                messages: known
                    .messages()
                    .map(|message| (message.id, message.producer.to_vec(), message.name.to_vec()))
                    .collect(),
            }),
            groups: groups.collect(),
        };
        assert_eq!(found.entries.len() as u64, stream.len());
        let ids = stream.range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id);
        assert!(ids.is_sorted(), "entries are not in their order");
        found
    }
}

/// A change to some keys.
#[derive(Clone, Debug)]
pub enum Op {
    Put(Place, Vec<u8>),
    /// Bytes over those of a string from there on.
    Write(Place, usize, Vec<u8>),
    Delete(Place),
    Expire(Place, u64),
    Change(Place, Change),
    /// To the second place what the first one has.
    Copy(Place, Place),
    /// To another key of the same collection.
    Rename(Place, Vec<u8>),
    Flush(Name),
}

/// Keys of all collections with their values and when they die, 0 for never. A clone shares values.
#[derive(Clone, Default, PartialEq)]
pub struct Model(pub BTreeMap<Place, (Arc<Value>, u64)>);

impl Model {
    pub fn of(registry: &Registry) -> Self {
        let name = |slot: &Slot| NAMES.into_iter().find(|name| **name == *slot.name).unwrap();
        Self::of_slots(registry.slots().map(|slot| (name(slot), slot)))
    }

    /// What collections have, under these names.
    pub fn of_slots<'a>(slots: impl IntoIterator<Item = (Name, &'a Slot)>) -> Self {
        let mut found = Self::default();
        for (name, slot) in slots {
            for shard in slot.collection.shards_if_any() {
                let _ = shard.lock().index.for_each(|entry| {
                    let held = (Arc::new(Value::of(entry.value())), entry.expire_at_ms().unwrap_or(0));
                    assert!(found.0.insert((name, entry.key().to_vec()), held).is_none());
                    ControlFlow::<()>::Continue(())
                });
            }
        }
        found
    }

    /// One collection of it.
    pub fn only(&self, name: Name) -> Self {
        let mut only = Self::default();
        only.replace(name, self, name);
        only
    }

    pub fn get(&self, place: &Place) -> Option<&Value> {
        self.0.get(place).map(|(value, _)| &**value)
    }

    /// What is in a collection.
    pub fn keys_of(&self, name: Name) -> impl Iterator<Item = (&Vec<u8>, &(Arc<Value>, u64))> {
        let keys = self.0.iter().filter(move |((of, _), _)| *of == name);
        keys.map(|((_, key), held)| (key, held))
    }

    /// Collection `to` becomes what `from` is in `source`.
    pub fn replace(&mut self, to: Name, source: &Self, from: Name) {
        self.0.retain(|(of, _), _| *of != to);
        let keys = source.keys_of(from);
        self.0.extend(keys.map(|(key, held)| ((to, key.clone()), held.clone())));
    }

    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Put(place, text) => drop(self.0.insert(place.clone(), (Arc::new(Value::Str(text.clone())), 0))),
            Op::Write(place, offset, bytes) => {
                if let Some((value, _)) = self.0.get_mut(place)
                    && let Value::Str(text) = Arc::make_mut(value)
                {
                    let end = offset + bytes.len();
                    text.resize(text.len().max(end), 0);
                    text[*offset..end].copy_from_slice(bytes);
                }
            }
            Op::Delete(place) => drop(self.0.remove(place)),
            Op::Expire(place, at_ms) => {
                if let Some(held) = self.0.get_mut(place) {
                    held.1 = *at_ms;
                }
            }
            Op::Copy(from, to) => {
                if let Some(held) = self.0.get(from).cloned() {
                    self.0.insert(to.clone(), held);
                }
            }
            Op::Rename(from, to) => {
                if let Some(held) = self.0.remove(from) {
                    self.0.insert((from.0, to.clone()), held);
                }
            }
            Op::Flush(name) => self.0.retain(|(of, _), _| of != name),
            Op::Change(place, change) => {
                if !self.0.contains_key(place) {
                    let Some(fresh) = change.makes() else { return };
                    self.0.insert(place.clone(), (Arc::new(fresh), 0));
                }
                let stays = self
                    .0
                    .get_mut(place)
                    .is_some_and(|held| change.apply(Arc::make_mut(&mut held.0)));
                if !stays {
                    self.0.remove(place);
                }
            }
        }
    }

    /// Which keys differ, for messages.
    pub fn difference(&self, other: &Self) -> String {
        let keys: BTreeSet<&Place> = self.0.keys().chain(other.0.keys()).collect();
        let of = |model: &Self, place: &Place| match model.0.get(place) {
            Some((value, at_ms)) => format!("{} bytes, expiry {at_ms}", value.bytes()),
            None => "nothing".to_owned(),
        };
        let told = keys
            .into_iter()
            .filter(|place| self.0.get(*place) != other.0.get(*place));
        told.map(|place| {
            let (name, key) = (place.0, String::from_utf8_lossy(&place.1));
            format!("{name} {key}: {}, not {}; ", of(self, place), of(other, place))
        })
        .collect()
    }
}
