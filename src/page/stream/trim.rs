//! Which entries a trim takes away: whole nodes if it is approximate, so that nothing has to be looked at. One that
//! passes over what groups refer to takes away runs of entries.

use super::big::BigStream;
use super::group::Group;
use super::id::StreamId;
use super::node::Node;
use super::references::References;

/// Runs of entries: the first and the last id of each.
#[derive(Debug, Default)]
pub struct Runs {
    ids: Vec<(StreamId, StreamId)>,
    count: u64,
    /// The next entry belongs to the last run.
    goes_on: bool,
}

impl Runs {
    /// How many entries they have.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The ids, first, last, first, last, …
    pub fn ids(&self) -> impl Iterator<Item = StreamId> {
        self.ids.iter().flat_map(|(first, last)| [*first, *last])
    }

    fn take(&mut self, id: StreamId) {
        match self.ids.last_mut().filter(|_| self.goes_on) {
            Some((_, last)) => *last = id,
            None => self.ids.push((id, id)),
        }
        self.count += 1;
        self.goes_on = true;
    }

    fn pass_over(&mut self) {
        self.goes_on = false;
    }
}

/// What is to stay of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// So many entries.
    MaxLen(u64),
    /// Those with this id and above.
    MinId(StreamId),
}

impl BigStream {
    /// How many entries a trim takes away from the front. With `approximate`, none but whole nodes, and no more than
    /// `limit` entries (0 = any number). O(what it takes away).
    pub fn count_to_trim(&self, trim: Trim, approximate: bool, limit: u64) -> u64 {
        let mut gone = 0;
        for node in self.entries().nodes() {
            let here = u64::from(node.live());
            let left = self.len() - gone;
            if matches!(trim, Trim::MaxLen(kept) if left <= kept) || limit > 0 && gone + here > limit {
                break;
            }
            let is_whole = match trim {
                Trim::MaxLen(kept) => left - here >= kept,
                Trim::MinId(first) => node.last_id() < first,
            };
            if is_whole {
                gone += here;
                continue;
            }
            if !approximate {
                gone += match trim {
                    Trim::MaxLen(kept) => left - kept,
                    Trim::MinId(first) => node
                        .entries()
                        .take_while(|entry| entry.id < first)
                        .filter(|entry| !entry.is_deleted)
                        .count() as u64,
                };
            }
            break;
        }
        gone
    }

    /// The same, but passing over what groups have still to read or to acknowledge. O(groups · log n), what it takes
    /// away and what it passes over.
    pub fn runs_to_trim(&self, trim: Trim, approximate: bool, limit: u64) -> Runs {
        let mut runs = Runs::default();
        let mut references = References::from(self, self.first_id(), None);
        for node in self.entries().nodes() {
            let here = u64::from(node.live());
            let left = self.len() - runs.count;
            // What lies behind was not read by all.
            if matches!(trim, Trim::MaxLen(kept) if left <= kept)
                || limit > 0 && runs.count + here > limit
                || node.first_id() > references.read_by_all()
            {
                break;
            }
            let is_whole = match trim {
                Trim::MaxLen(kept) => left - here >= kept,
                Trim::MinId(first) => node.last_id() < first,
            };
            if approximate && !is_whole {
                break;
            }
            self.runs_of_node(node, trim, &mut references, &mut runs);
            // As in Redis, what is passed over in the last node is not made up for in the next one.
            if !is_whole {
                break;
            }
        }
        runs
    }

    fn runs_of_node(&self, node: &Node, trim: Trim, references: &mut References<'_>, runs: &mut Runs) {
        for entry in node.entries().filter(|entry| !entry.is_deleted) {
            let is_kept = match trim {
                Trim::MaxLen(kept) => self.len() - runs.count <= kept,
                Trim::MinId(first) => entry.id >= first,
            };
            if is_kept {
                return;
            }
            if references.has(entry.id) {
                runs.pass_over();
            } else {
                runs.take(entry.id);
            }
        }
    }

    /// The groups that any of the first so many entries are pending in, with the ids of those. O(groups · log n), what
    /// is pending before and the entries themselves.
    pub fn pending_among_first(&self, count: u64) -> Vec<(&Group, Vec<StreamId>)> {
        let Some(last) = self.id_at(count.saturating_sub(1)) else {
            return Vec::new();
        };
        let first = self.first_id();
        let ids = |group: &Group| -> Vec<StreamId> {
            let pending = group.pending_from(first).map(|pending| pending.id);
            let among = pending.take_while(|id| *id <= last);
            among.filter(|id| self.entry(*id).is_some()).collect()
        };
        let all = self.groups().iter().map(|group| (group, ids(group)));
        all.filter(|(_, ids)| !ids.is_empty()).collect()
    }

    /// The id of the entry in this place.
    fn id_at(&self, place: u64) -> Option<StreamId> {
        let mut before = 0;
        let node = self.entries().nodes().find(|node| {
            before += u64::from(node.live());
            before > place
        })?;
        let within = place - (before - u64::from(node.live()));
        let mut live = node.entries().filter(|entry| !entry.is_deleted);
        live.nth(within as usize).map(|entry| entry.id)
    }
}
