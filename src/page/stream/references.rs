//! Which groups refer to an entry: those that it is pending in, and those that have not read as far.
//!
//! Asked in order of ids, it goes along all groups at once, each at the next entry that is pending in it. So whoever
//! asks for many ids pays for the groups once, and then for what is pending among those ids alone.
//!
//! **Invariants:** ids are asked for in ascending order. The heap has each group that has something pending from the
//! last id asked for on, once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::big::BigStream;
use super::group::Group;
use super::id::StreamId;

/// See the module.
pub struct References<'a> {
    groups: &'a [Group],
    /// What is pending next in a group, and the group's place.
    next: BinaryHeap<Reverse<(StreamId, usize)>>,
    read_by_all: StreamId,
}

impl<'a> References<'a> {
    /// Those of all groups from `from` on; what is pending in the group `except` does not count. O(groups · log n).
    pub fn from(stream: &'a BigStream, from: StreamId, except: Option<&[u8]>) -> Self {
        let groups = stream.groups();
        let mut made = Self {
            groups,
            next: BinaryHeap::new(),
            read_by_all: groups.iter().map(|group| group.last_id).min().unwrap_or(StreamId::MAX),
        };
        for (place, group) in groups.iter().enumerate() {
            if except != Some(group.name()) {
                made.stand_at(place, from);
            }
        }
        made
    }

    /// Up to which id all groups have read.
    pub fn read_by_all(&self) -> StreamId {
        self.read_by_all
    }

    /// Whether a group has still to read or to acknowledge the entry of this id.
    pub fn has(&mut self, id: StreamId) -> bool {
        id > self.read_by_all || self.pending_place(id).is_some()
    }

    /// Calls `visit` with each group that the entry of this id is pending in. The next id must be a higher one.
    pub fn for_each_pending(&mut self, id: StreamId, mut visit: impl FnMut(&'a Group)) {
        while let Some(place) = self.pending_place(id) {
            self.next.pop();
            if let Some(next) = id.next() {
                self.stand_at(place, next);
            }
            if let Some(group) = self.groups.get(place) {
                visit(group);
            }
        }
    }

    /// The place of a group that the entry of this id is pending in: the one that is first in the heap.
    fn pending_place(&mut self, id: StreamId) -> Option<usize> {
        while let Some(Reverse((next, place))) = self.next.peek().copied() {
            if next >= id {
                return (next == id).then_some(place);
            }
            self.next.pop();
            self.stand_at(place, id);
        }
        None
    }

    fn stand_at(&mut self, place: usize, from: StreamId) {
        let group = self.groups.get(place);
        if let Some(pending) = group.and_then(|group| group.pending_from(from).next()) {
            self.next.push(Reverse((pending.id, place)));
        }
    }
}
