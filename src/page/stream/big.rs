//! A stream: its entries, what was ever the highest id, and its groups.
//!
//! **Invariants**
//! - No entry has an id above `last_id`.
//! - Groups are in order of their names. `groups_bytes` is what they own, so that nobody has to count.

use std::sync::Arc;

use super::StreamOp;
use super::entries::Entries;
use super::group::Group;
use super::id::{StreamId, ids_of};
use super::node::Entry;
use super::pending::Pending;
use crate::page::packed::{Item, Packed};
use crate::page::thresholds::Thresholds;

const ARC_BYTES: usize = 2 * size_of::<usize>();

/// See the module. Cloning shares all of it.
#[derive(Clone, Debug, Default)]
pub struct BigStream {
    pub(super) entries: Entries,
    pub(super) last_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) entries_added: u64,
    groups: Option<Arc<Vec<Group>>>,
    groups_bytes: usize,
}

impl BigStream {
    /// How many entries it has. O(1).
    #[expect(clippy::len_without_is_empty, reason = "callers count")]
    pub fn len(&self) -> u64 {
        self.entries.len()
    }

    /// Whether the name of the compact encoding is lost; streams have but one.
    pub fn is_wide(&self) -> bool {
        false
    }

    /// Bytes of heap, exactly. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes() + self.groups_bytes
    }

    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// The highest id ever given.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The highest id ever deleted by name.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The id of the first entry; the least one when there is none.
    pub fn first_id(&self) -> StreamId {
        let first = self.range(StreamId::MIN, StreamId::MAX).next();
        first.map_or(StreamId::MIN, |entry| entry.id)
    }

    /// The id of the last entry; the least one when there is none.
    pub fn top_id(&self) -> StreamId {
        let last = self.range_back(StreamId::MIN, StreamId::MAX).next();
        last.map_or(StreamId::MIN, |entry| entry.id)
    }

    /// How many nodes its entries are in.
    pub fn nodes_len(&self) -> usize {
        self.entries.nodes_len()
    }

    /// The entries from `start` to `end`, both included. O(log n) for the first.
    pub fn range(&self, start: StreamId, end: StreamId) -> impl Iterator<Item = Entry<'_>> {
        self.entries.range(start, end)
    }

    /// The same from `end` back to `start`.
    pub fn range_back(&self, start: StreamId, end: StreamId) -> impl Iterator<Item = Entry<'_>> {
        self.entries.range_back(start, end)
    }

    /// The entries behind this id, at most `count`, if there are any. O(log n) for the first.
    pub fn behind(&self, id: StreamId, count: usize) -> Option<impl Iterator<Item = Entry<'_>>> {
        let start = id.next().filter(|start| *start <= self.last_id)?;
        let mut entries = self.range(start, StreamId::MAX).take(count).peekable();
        entries.peek().is_some().then_some(entries)
    }

    /// The entry of this id. O(log n).
    pub fn entry(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// Its groups in order of their names.
    pub fn groups(&self) -> &[Group] {
        self.groups.as_ref().map_or(&[], |groups| groups)
    }

    /// The group of this name. O(log n).
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups().get(self.place(name).ok()?)
    }

    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.groups().binary_search_by(|group| group.name().cmp(name))
    }

    /// With these groups, in order of their names.
    pub(super) fn with_groups(self, groups: Vec<Group>) -> Self {
        let own: usize = groups.iter().map(Group::heap_bytes).sum();
        let groups_bytes = own + list_bytes(&groups);
        Self {
            groups: (!groups.is_empty()).then(|| Arc::new(groups)),
            groups_bytes,
            ..self
        }
    }

    /// Does `op`.
    pub fn apply(&mut self, op: &StreamOp<'_>, thresholds: &Thresholds) {
        match *op {
            StreamOp::Create => {}
            StreamOp::Add { id, fields } => {
                self.entries.push(id, Packed::new(fields).items(), thresholds);
                self.last_id = id;
                // Whoever restores or sets it may have begun at the end.
                self.entries_added = self.entries_added.saturating_add(1);
            }
            StreamOp::Delete { ids } => ids_of(ids).for_each(|id| {
                if self.entries.delete(id) {
                    self.max_deleted_id = self.max_deleted_id.max(id);
                }
            }),
            StreamOp::Trim { count } => self.entries.delete_first(count),
            StreamOp::SetId {
                last_id,
                max_deleted_id,
                entries_added,
            } => {
                self.last_id = last_id;
                self.max_deleted_id = max_deleted_id;
                self.entries_added = entries_added;
            }
            StreamOp::GroupCreate {
                group,
                last_id,
                entries_read,
            } => {
                if let Err(at) = self.place(group) {
                    self.change_groups(|groups| groups.insert(at, Group::new(group, last_id, entries_read)));
                }
            }
            StreamOp::GroupDestroy { group } => {
                if let Ok(at) = self.place(group) {
                    self.change_groups(|groups| drop(groups.remove(at)));
                }
            }
            StreamOp::GroupSetId {
                group,
                last_id,
                entries_read,
            } => self.change(group, |group| {
                (group.last_id, group.entries_read) = (last_id, entries_read)
            }),
            StreamOp::ConsumerSeen { group, consumer, at_ms } => self.change(group, |group| {
                group.touch(consumer, at_ms);
            }),
            StreamOp::ConsumerDelete { group, consumer } => {
                self.change(group, |group| group.remove_consumer(consumer));
            }
            StreamOp::Deliver { group, .. } => self.change(group, |group| deliver(group, op)),
            StreamOp::Claim {
                group,
                consumer,
                at_ms,
                pending,
            } => self.change(group, |group| claim(group, consumer, at_ms, Packed::new(pending))),
            StreamOp::Acknowledge { group, ids } => {
                self.change(group, |group| ids_of(ids).for_each(|id| group.acknowledge(id)));
            }
        }
    }

    /// Lets a group be changed, and counts its bytes anew.
    fn change(&mut self, name: &[u8], change: impl FnOnce(&mut Group)) {
        let Ok(at) = self.place(name) else { return };
        let Some(group) = self
            .groups
            .as_mut()
            .and_then(|groups| Arc::make_mut(groups).get_mut(at))
        else {
            return;
        };
        let before = group.heap_bytes();
        change(group);
        self.groups_bytes = self.groups_bytes - before + group.heap_bytes();
        debug_assert!(self.groups_bytes >= list_bytes(self.groups()));
    }

    fn change_groups(&mut self, change: impl FnOnce(&mut Vec<Group>)) {
        let mut groups = self.groups().to_vec();
        change(&mut groups);
        groups.shrink_to_fit();
        *self = std::mem::take(self).with_groups(groups);
    }
}

fn list_bytes(groups: &[Group]) -> usize {
    match groups.len() {
        0 => 0,
        len => ARC_BYTES + size_of::<Vec<Group>>() + len * size_of::<Group>(),
    }
}

/// New entries for a consumer.
fn deliver(group: &mut Group, op: &StreamOp<'_>) {
    let StreamOp::Deliver {
        consumer,
        at_ms,
        last_id,
        entries_read,
        ids,
        ..
    } = *op
    else {
        return;
    };
    (group.last_id, group.entries_read) = (last_id, entries_read);
    let consumer = group.touch(consumer, at_ms);
    for id in ids_of(ids) {
        group.put(Pending {
            id,
            delivered_at_ms: at_ms,
            deliveries: 1,
            consumer,
        });
    }
}

/// Entries that go over to a consumer: id (two items), time of delivery, number of deliveries, and so on.
fn claim(group: &mut Group, consumer: &[u8], at_ms: u64, pending: Packed<'_>) {
    let consumer = group.touch(consumer, at_ms);
    let mut items = pending.items();
    let mut number = || match items.next() {
        Some(Item::Int(number)) => Some(number as u64),
        _ => None,
    };
    while let (Some(ms), Some(seq), Some(delivered_at_ms), Some(deliveries)) = (number(), number(), number(), number())
    {
        group.put(Pending {
            id: StreamId::new(ms, seq),
            delivered_at_ms,
            deliveries,
            consumer,
        });
    }
}
