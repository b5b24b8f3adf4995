//! What a thread keeps while something can be taken back: old entries, in the order in which they changed, and what is
//! to be told of keys.
//!
//! **Invariant:** within a level the first step of a key has what the key had when the level began; whoever takes steps
//! back from the last one on comes to that in the end.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::counts::Counts;
use crate::engine::ids::CollectionId;
use crate::engine::watch::Cause;
use crate::page::Entry;
use crate::wal::LogMark;

/// What is told of a key at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It has changed.
    Changed(Cause),
    /// It was there for no time at all.
    Flickered,
    /// A client has read it, and is told when it changes.
    Read(u64),
}

/// A key with its collection, as one string of bytes.
#[derive(Clone)]
pub struct Place(Arc<[u8]>);

const ID_BYTES: usize = size_of::<u32>();

impl Place {
    pub fn key(&self) -> &[u8] {
        self.0.get(ID_BYTES..).unwrap_or_default()
    }

    fn collection(&self) -> CollectionId {
        let id = self.0.first_chunk::<ID_BYTES>().copied().unwrap_or_default();
        CollectionId::new(u32::from_le_bytes(id))
    }
}

/// A key before it changed.
pub struct Step {
    place: Place,
    old: Option<Entry>,
    /// What was counted of it since.
    pub counts: Counts,
}

impl Step {
    pub fn collection(&self) -> CollectionId {
        self.place.collection()
    }

    /// What is kept for it alone.
    pub fn kept_bytes(&self) -> usize {
        self.old.as_ref().map_or(0, Entry::copied_bytes)
    }

    pub fn into_parts(self) -> (Place, Counts, Option<Entry>) {
        (self.place, self.counts, self.old)
    }
}

/// Where an attempt begins.
pub struct Level {
    steps: usize,
    tellings: usize,
    pub log_mark: LogMark,
    pub was_in_transaction: bool,
}

impl Level {
    pub fn new(log_mark: LogMark, was_in_transaction: bool) -> Self {
        Self {
            steps: 0,
            tellings: 0,
            log_mark,
            was_in_transaction,
        }
    }
}

/// A key that something has happened to.
struct Seen {
    place: Place,
    /// Its step in this level.
    step: Option<usize>,
    /// What was noted last.
    last: Option<What>,
}

/// What is to be told, in order.
#[derive(Default)]
pub struct Tellings(Vec<(Place, What)>);

impl Tellings {
    pub fn iter(&self) -> impl Iterator<Item = (CollectionId, &[u8], What)> {
        self.0
            .iter()
            .map(|(place, what)| (place.collection(), place.key(), *what))
    }
}

/// See the module.
#[derive(Default)]
pub struct Undo {
    levels: Vec<Level>,
    steps: Vec<Step>,
    tellings: Tellings,
    seen: Vec<Seen>,
    /// Where each is, by the bytes of its place.
    index: HashMap<Arc<[u8]>, usize>,
    /// The one of the last change, which often is that of the next.
    latest: usize,
    /// Room for a place that is being looked for.
    wanted: Vec<u8>,
}

impl Undo {
    pub fn begin(&mut self, mut level: Level) {
        level.steps = self.steps.len();
        level.tellings = self.tellings.0.len();
        self.levels.push(level);
        self.forget_seen();
    }

    /// Ends the innermost level.
    pub fn end(&mut self) -> Option<Level> {
        self.forget_seen();
        self.levels.pop()
    }

    pub fn is_attempted(&self) -> bool {
        !self.levels.is_empty()
    }

    /// The last step behind the beginning of `level`. What is to be told of it goes with it.
    pub fn pop_behind(&mut self, level: Option<&Level>) -> Option<Step> {
        let (steps, tellings) = level.map_or((0, 0), |level| (level.steps, level.tellings));
        self.tellings.0.truncate(tellings);
        (self.steps.len() > steps).then(|| self.steps.pop()).flatten()
    }

    pub fn into_parts(self) -> (Vec<Step>, Tellings) {
        (self.steps, self.tellings)
    }

    /// Keeps what a key has, unless that has been done; how many bytes that takes.
    pub fn keep(&mut self, id: CollectionId, key: &[u8], cause: Cause, old: impl FnOnce() -> Option<Entry>) -> usize {
        let at = self.find(id, key);
        self.note_at(at, What::Changed(cause));
        let Some(seen) = self.seen.get_mut(at) else { return 0 };
        let mut kept_bytes = 0;
        let at = *seen.step.get_or_insert_with(|| {
            let step = Step {
                place: seen.place.clone(),
                old: old(),
                counts: Counts::default(),
            };
            kept_bytes = step.kept_bytes();
            self.steps.push(step);
            self.steps.len() - 1
        });
        if let Some(step) = self.steps.get_mut(at) {
            step.counts.add_one(cause);
        }
        kept_bytes
    }

    /// Notes what is to be told of a key.
    pub fn note(&mut self, id: CollectionId, key: &[u8], what: What) {
        let at = self.find(id, key);
        self.note_at(at, what);
    }

    fn note_at(&mut self, at: usize, what: What) {
        if let Some(seen) = self.seen.get_mut(at)
            && seen.last != Some(what)
        {
            seen.last = Some(what);
            self.tellings.0.push((seen.place.clone(), what));
        }
    }

    /// Which of those that were seen a key is.
    fn find(&mut self, id: CollectionId, key: &[u8]) -> usize {
        self.wanted.clear();
        self.wanted.extend_from_slice(&id.get().to_le_bytes());
        self.wanted.extend_from_slice(key);
        let is_latest = |seen: &Seen| *seen.place.0 == *self.wanted;
        if self.seen.get(self.latest).is_some_and(is_latest) {
            return self.latest;
        }
        self.latest = match self.index.get(self.wanted.as_slice()) {
            Some(at) => *at,
            None => self.add(),
        };
        self.latest
    }

    fn add(&mut self) -> usize {
        let place: Arc<[u8]> = self.wanted.as_slice().into();
        let at = self.seen.len();
        self.index.insert(Arc::clone(&place), at);
        self.seen.push(Seen {
            place: Place(place),
            step: None,
            last: None,
        });
        at
    }

    /// What comes from here on is kept, and told, anew.
    fn forget_seen(&mut self) {
        self.seen.clear();
        self.index.clear();
    }
}
