//! The entries of a stream: nodes in a tree, ordered by id.
//!
//! **Invariants:** every node has an entry that is not deleted; ids ascend over all nodes.

use std::sync::atomic::Ordering::Relaxed;

use super::id::StreamId;
use super::node::{Entry, Node};
use crate::page::packed::Items;
use crate::page::parts::{PartRef, PartedTree};
use crate::page::thresholds::Thresholds;
use crate::page::{Change, Mark};

/// No node grows beyond this, whatever the limits say.
const NODE_BYTES_MAX: u64 = 1 << 30;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries(PartedTree<Node>);

impl Entries {
    /// Of nodes in order.
    pub fn of_nodes(nodes: Vec<Node>) -> Self {
        Self(PartedTree::build(nodes, Mark::APART))
    }

    /// Of nodes in order, so many of them in each of these parts.
    pub fn of_parts(nodes: Vec<Node>, parts: &[(u64, PartRef)]) -> Self {
        Self(PartedTree::of_parts(nodes, parts))
    }

    /// The tree of nodes.
    pub fn tree(&self) -> &PartedTree<Node> {
        &self.0
    }

    /// See [`crate::page::Big::adopt`].
    pub fn adopt(&mut self, mark: Mark<'_>) {
        self.0.adopt(mark);
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.0.iter()
    }

    pub fn nodes_len(&self) -> usize {
        self.0.len()
    }

    /// Whether the second node begins with this id or a lower one: then so does the first entry, as the first node has
    /// one.
    pub fn second_node_is_up_to(&self, id: StreamId) -> bool {
        self.0.get(1).is_some_and(|node| node.first_id() <= id)
    }

    /// How many entries there are. O(1).
    pub fn len(&self) -> u64 {
        self.0.weight()
    }

    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Appends an entry with an id above all others. O(log n).
    pub fn push(&mut self, id: StreamId, pairs: Items<'_>, change: &Change<'_>) {
        let (mark, thresholds) = (change.mark, change.thresholds);
        let added: usize = pairs.clone().map(|item| item.bytes_len()).sum();
        let last = self.0.len().checked_sub(1);
        let is_full = |node: &Node| is_full(node, added, thresholds);
        match last.filter(|last| self.0.get(*last).is_some_and(|node| !is_full(node))) {
            Some(last) => self.0.update(last, mark, |node| node.push(id, pairs)),
            None => {
                if let Some(last) = last {
                    self.0.update(last, mark, Node::shrink);
                }
                let mut node = Node::new(id, pairs.clone());
                node.push(id, pairs);
                self.0.insert(self.0.len(), node, mark);
            }
        }
    }

    /// Deletes an entry; whether there was one. O(log n).
    pub fn delete(&mut self, id: StreamId, mark: Mark<'_>) -> bool {
        let at = self.node_of(id);
        let Some(node) = self.0.get(at) else { return false };
        let live = node.live();
        let is_there = node.entry(id).is_some();
        if is_there && live == 1 {
            self.0.remove(at, mark);
        } else if is_there {
            self.0.update(at, mark, |node| node.delete(id));
        }
        is_there
    }

    /// Deletes the first so many entries.
    pub fn delete_first(&mut self, mut count: u64, mark: Mark<'_>) {
        let mut whole = 0;
        for node in self.0.iter() {
            let live = u64::from(node.live());
            if live > count {
                break;
            }
            count -= live;
            whole += 1;
        }
        self.0.remove_range(0, whole, mark);
        if count > 0 && !self.0.is_empty() {
            self.0.update(0, mark, |node| node.delete_first(count as u32));
        }
    }

    /// Deletes the entries from `first` to `last`, both included. O(log n) and what goes.
    pub fn delete_range(&mut self, first: StreamId, last: StreamId, mark: Mark<'_>) {
        let start = self.node_of(first);
        let is_inside = |entry: &Entry<'_>| !entry.is_deleted && (first..=last).contains(&entry.id);
        let reached = self.0.iter_from(start).take_while(|node| node.first_id() <= last);
        let counts: Vec<(u32, u32)> = reached
            .map(|node| (node.entries().filter(is_inside).count() as u32, node.live()))
            .collect();
        // Only the first and the last node can keep some: those in between are within the range.
        let mut whole = 0..0;
        for (at, (inside, live)) in counts.into_iter().enumerate() {
            let at = start + at;
            if inside == live {
                whole = if whole.is_empty() {
                    at..at + 1
                } else {
                    whole.start..at + 1
                };
            } else if inside > 0 {
                self.0.update(at, mark, |node| node.delete_range(first, last));
            }
        }
        self.0.remove_range(whole.start, whole.len(), mark);
    }

    /// The index of the node that would have `id`.
    fn node_of(&self, id: StreamId) -> usize {
        self.0.partition_point(|node| node.first_id() <= id).saturating_sub(1)
    }

    /// The entries from `start` to `end`, both included. O(log n) for the first.
    pub fn range(&self, start: StreamId, end: StreamId) -> impl Iterator<Item = Entry<'_>> {
        self.0
            .iter_from(self.node_of(start))
            .flat_map(move |node| node.entries_from(start))
            .take_while(move |entry| entry.id <= end)
            .filter(|entry| !entry.is_deleted)
    }

    /// The same from `end` back to `start`.
    pub fn range_back(&self, start: StreamId, end: StreamId) -> impl Iterator<Item = Entry<'_>> {
        self.0
            .iter_back_from(self.node_of(end))
            .flat_map(move |node| {
                let entries: Vec<Entry<'_>> = node.entries().take_while(|entry| entry.id <= end).collect();
                entries.into_iter().rev()
            })
            .take_while(move |entry| entry.id >= start)
            .filter(|entry| !entry.is_deleted)
    }
}

/// Whether Redis would begin a new node for `added` bytes.
fn is_full(node: &Node, added: usize, thresholds: &Thresholds) -> bool {
    let bytes_max = match thresholds.stream_node_bytes_max.load(Relaxed) {
        0 => NODE_BYTES_MAX,
        bytes_max => bytes_max.min(NODE_BYTES_MAX),
    };
    let entries_max = thresholds.stream_node_entries_max.load(Relaxed);
    (node.listpack_bytes() + added) as u64 >= bytes_max || entries_max > 0 && node.total() >= entries_max
}
