//! How far a group has come: counters that stay known as long as nothing was deleted ahead, as Redis computes them.

use super::big::BigStream;
use super::group::Group;
use super::id::StreamId;

impl BigStream {
    /// Whether an entry with this id or a later one may have been deleted.
    fn has_gap_from(&self, id: StreamId) -> bool {
        let gap = self.max_deleted_id();
        self.len() > 0 && gap != StreamId::MIN && id <= gap
    }

    /// How many entries were ever added up to this id, if that can be told.
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        let added = self.entries_added();
        if added == 0 {
            return Some(0);
        }
        if self.len() == 0 && id <= self.last_id() || id == self.last_id() {
            return Some(added);
        }
        if id > self.last_id() || id != StreamId::MIN && id < self.max_deleted_id() {
            return None;
        }
        let first = self.first_id();
        let gap = self.max_deleted_id();
        if gap != StreamId::MIN && gap >= first {
            return None;
        }
        let before = added.saturating_sub(self.len());
        match id.cmp(&first) {
            std::cmp::Ordering::Less => Some(before),
            std::cmp::Ordering::Equal => Some(before.saturating_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// The counter of a group after it has read the entry of this id; `before` is how far it had read before, unless
    /// that is ahead of all that is there.
    pub fn entries_read_after(&self, id: StreamId, before: Option<StreamId>, entries_read: Option<u64>) -> Option<u64> {
        match entries_read {
            Some(read) if before.is_some_and(|before| !self.has_gap_from(before)) => Some(read.saturating_add(1)),
            before if self.entries_added() == 0 => before,
            _ => self.entries_up_to(id),
        }
    }

    /// How many entries a group has not read yet, if that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added() == 0 || self.len() == 0 {
            return Some(0);
        }
        let first = self.first_id();
        if group.last_id < first && self.max_deleted_id() < first {
            // All that is there is ahead of it, and nothing is missing.
            return i64::try_from(self.len()).ok();
        }
        let read = group
            .entries_read
            .filter(|_| !self.has_gap_from(group.last_id))
            .or_else(|| self.entries_up_to(group.last_id))?;
        Some(self.entries_added().wrapping_sub(read) as i64)
    }
}
