//! A stream: its entries, what was ever the highest id, and its groups.
//!
//! **Invariants**
//! - No entry has an id above `last_id`.
//! - Groups are in order of their names. `groups_bytes` is what they own, so that nobody has to count.

use std::sync::Arc;

use super::entries::Entries;
use super::group::Group;
use super::id::{StreamId, ids_of};
use super::idempotence::{Idempotence, Limits, Message};
use super::node::Entry;
use super::op::StreamOp;
use super::pending::{NOBODY, Pending};
use crate::page::Change;
use crate::page::packed::{Item, Packed};

const ARC_BYTES: usize = 2 * size_of::<usize>();

/// See the module. Cloning shares all of it.
#[derive(Clone, Debug, Default)]
pub struct BigStream {
    pub(super) entries: Entries,
    pub(super) last_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) entries_added: u64,
    pub(super) groups: Option<Arc<Vec<Group>>>,
    pub(super) groups_bytes: usize,
    pub(super) idempotence: Option<Arc<Idempotence>>,
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
        let known = self.idempotence.as_ref();
        let known = known.map_or(0, |known| ARC_BYTES + size_of::<Idempotence>() + known.heap_bytes());
        self.entries.heap_bytes() + self.groups_bytes + known
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

    /// Whether the first entry has this id or a lower one, or there is none. O(log n).
    pub fn begins_up_to(&self, id: StreamId) -> bool {
        self.entries.second_node_is_up_to(id) || self.first_id() <= id
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

    /// What it knows of producers' messages, if there ever were any, or it was told how many to know.
    pub fn idempotence(&self) -> Option<&Idempotence> {
        self.idempotence.as_deref()
    }

    /// With what it knows of producers' messages.
    pub fn with_idempotence(self, idempotence: Idempotence) -> Self {
        Self {
            idempotence: Some(Arc::new(idempotence)),
            ..self
        }
    }

    /// With these groups, in order of their names.
    pub(super) fn with_groups(self, mut groups: Vec<Group>) -> Self {
        groups.shrink_to_fit();
        let own: usize = groups.iter().map(Group::heap_bytes).sum();
        let mut made = Self {
            groups: (!groups.is_empty()).then(|| Arc::new(groups)),
            ..self
        };
        made.groups_bytes = own + made.list_bytes();
        made
    }

    /// Does `op`.
    pub fn apply(&mut self, op: &StreamOp<'_>, change: &Change<'_>) {
        match *op {
            StreamOp::Create => {}
            StreamOp::Add { id, fields } => {
                self.entries.push(id, Packed::new(fields).items(), change);
                self.last_id = id;
                // Whoever restores or sets it may have begun at the end.
                self.entries_added = self.entries_added.saturating_add(1);
            }
            StreamOp::Delete { ids } => ids_of(ids).for_each(|id| {
                if self.entries.delete(id, change.mark) {
                    self.max_deleted_id = self.max_deleted_id.max(id);
                }
            }),
            StreamOp::Trim { count } => self.entries.delete_first(count, change.mark),
            StreamOp::TrimRuns { runs } => {
                let (runs, _) = runs.as_chunks::<{ 2 * StreamId::BYTES }>();
                for (first, last) in runs
                    .iter()
                    .filter_map(|run| Some((ids_of(run).next()?, ids_of(run).nth(1)?)))
                {
                    self.entries.delete_range(first, last, change.mark);
                }
            }
            StreamOp::SetId {
                last_id,
                max_deleted_id,
                entries_added,
            } => {
                self.last_id = last_id;
                self.max_deleted_id = max_deleted_id;
                self.entries_added = entries_added;
            }
            StreamOp::LimitMessages { duration_s, ids_max } => {
                self.known().set_limits(Limits { duration_s, ids_max });
            }
            StreamOp::Remember {
                producer,
                message,
                id,
                counts,
            } => {
                let name = message;
                let known = self.known();
                known.remember(Message { producer, name, id });
                known.added = known.added.saturating_add(u64::from(counts));
            }
            StreamOp::ForgetMessages { count } => self.known().forget(count),
            StreamOp::Recognise => {
                let known = self.known();
                known.duplicates = known.duplicates.saturating_add(1);
            }
            ref on_groups => self.apply_to_groups(on_groups),
        }
    }

    /// What it knows of producers' messages, to be changed.
    fn known(&mut self) -> &mut Idempotence {
        let nothing = || Arc::new(Idempotence::new(Limits::DEFAULT, 0, 0));
        Arc::make_mut(self.idempotence.get_or_insert_with(nothing))
    }

    fn apply_to_groups(&mut self, op: &StreamOp<'_>) {
        match *op {
            StreamOp::GroupCreate {
                group,
                last_id,
                entries_read,
            } => {
                if let Err(at) = self.place(group) {
                    let group = Group::new(group, last_id, entries_read);
                    let grown = group.heap_bytes() as i64;
                    self.change_list(|groups| {
                        insert_group(groups, at, group);
                        grown
                    });
                }
            }
            StreamOp::GroupDestroy { group } => {
                if let Ok(at) = self.place(group) {
                    self.change_list(|groups| -(groups.remove(at).heap_bytes() as i64));
                }
            }
            StreamOp::GroupSetId { group, .. }
            | StreamOp::ConsumerSeen { group, .. }
            | StreamOp::ConsumerDelete { group, .. }
            | StreamOp::ConsumerTimes { group, .. }
            | StreamOp::Deliver { group, .. }
            | StreamOp::Claim { group, .. }
            | StreamOp::Redeliver { group, .. }
            | StreamOp::Acknowledge { group, .. }
            | StreamOp::Release { group, .. } => self.change(group, |group| change_group(group, op)),
            _ => debug_assert!(false, "not about groups"),
        }
    }

    /// Lets a group be changed, and counts its bytes anew.
    fn change(&mut self, name: &[u8], change: impl FnOnce(&mut Group)) {
        let Ok(at) = self.place(name) else { return };
        self.change_list(|groups| {
            let Some(group) = groups.get_mut(at) else { return 0 };
            let before = group.heap_bytes() as i64;
            change(group);
            group.heap_bytes() as i64 - before
        });
    }

    /// Lets the list of groups be changed, and counts its bytes anew; `change` tells by how many those of the groups
    /// grow.
    fn change_list(&mut self, change: impl FnOnce(&mut Vec<Group>) -> i64) {
        let before = self.list_bytes() as i64;
        // Only a list that is shared is copied: one that grows group by group must not be copied for each.
        let groups = Arc::make_mut(self.groups.get_or_insert_default());
        let grown = change(groups);
        if groups.len() < groups.capacity() / 2 {
            groups.shrink_to_fit();
        }
        if groups.is_empty() {
            self.groups = None;
        }
        let grown = grown + self.list_bytes() as i64 - before;
        self.groups_bytes = self.groups_bytes.wrapping_add_signed(grown as isize);
        debug_assert!(self.groups_bytes >= self.list_bytes());
    }

    /// Bytes of the list of groups itself.
    pub(super) fn list_bytes(&self) -> usize {
        self.groups.as_ref().map_or(0, |groups| {
            ARC_BYTES + size_of::<Vec<Group>>() + groups.capacity() * size_of::<Group>()
        })
    }
}

/// Puts a group where its name belongs. Room for more grows by a quarter: most streams have very few groups.
fn insert_group(groups: &mut Vec<Group>, at: usize, group: Group) {
    if groups.len() == groups.capacity() {
        groups.reserve_exact(groups.len() / 4 + 1);
    }
    groups.insert(at, group);
}

/// Does an operation within one group.
fn change_group(group: &mut Group, op: &StreamOp<'_>) {
    match *op {
        StreamOp::GroupSetId {
            last_id, entries_read, ..
        } => (group.last_id, group.entries_read) = (last_id, entries_read),
        StreamOp::ConsumerSeen { consumer, at_ms, .. } => {
            group.touch(consumer, at_ms);
        }
        StreamOp::ConsumerDelete { consumer, .. } => group.remove_consumer(consumer),
        StreamOp::ConsumerTimes {
            consumer,
            seen_at_ms,
            active_at_ms,
            ..
        } => {
            let number = group.touch(consumer, seen_at_ms);
            group.set_active(number, active_at_ms);
        }
        StreamOp::Deliver { .. } => deliver(group, op),
        StreamOp::Claim {
            consumer,
            at_ms,
            pending,
            ..
        } => {
            let pending = Packed::new(pending);
            let number = redeliver(group, consumer, at_ms, pending);
            if pending.count() > 0 {
                group.set_active(number, Some(at_ms));
            }
        }
        StreamOp::Redeliver {
            consumer,
            at_ms,
            pending,
            ..
        } => {
            redeliver(group, consumer, at_ms, Packed::new(pending));
        }
        StreamOp::Acknowledge { ids, .. } => ids_of(ids).for_each(|id| group.acknowledge(id)),
        StreamOp::Release { pending, .. } => release(group, Packed::new(pending)),
        _ => debug_assert!(false, "not about one group"),
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
    if !ids.is_empty() {
        group.set_active(consumer, Some(at_ms));
    }
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
fn redeliver(group: &mut Group, consumer: &[u8], at_ms: u64, pending: Packed<'_>) -> u32 {
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
    consumer
}

/// Entries that are given back: id (two items), number of deliveries, and so on. They have waited for ever, so that
/// they come before all others.
fn release(group: &mut Group, pending: Packed<'_>) {
    let mut items = pending.items();
    let mut number = || match items.next() {
        Some(Item::Int(number)) => Some(number as u64),
        _ => None,
    };
    while let (Some(ms), Some(seq), Some(deliveries)) = (number(), number(), number()) {
        group.put(Pending {
            id: StreamId::new(ms, seq),
            delivered_at_ms: 0,
            deliveries,
            consumer: NOBODY,
        });
    }
}
