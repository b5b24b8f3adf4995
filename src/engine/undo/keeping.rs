//! What a thread keeps while something can be taken back: old entries, in the order in which they changed, and what is
//! to be told of keys.
//!
//! **Invariant:** within a level the first step of a key has what the key had when the level began; whoever takes steps
//! back from the last one on comes to that in the end.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::engine::counts::Counts;
use crate::engine::ids::CollectionId;
use crate::engine::watch::{Cause, Watcher};
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

impl What {
    /// Why it has changed, if it has.
    pub fn cause(self) -> Option<Cause> {
        match self {
            Self::Changed(cause) => Some(cause),
            Self::Flickered => Some(Cause::Write),
            Self::Read(_) => None,
        }
    }
}

/// So many keys are found by looking at all of them.
const FEW: usize = 8;
/// Room of each list that is kept for the next attempt, and that of a key.
const ROOM_KEPT: usize = 64;
const WANTED_KEPT: usize = 1024;

/// A key with its collection, as one string of bytes.
#[derive(Clone)]
pub struct Place(Arc<[u8]>);

const ID_BYTES: usize = size_of::<u32>();

impl Place {
    pub fn key(&self) -> &[u8] {
        self.0.get(ID_BYTES..).unwrap_or_default()
    }

    pub fn collection(&self) -> CollectionId {
        let id = self.0.first_chunk::<ID_BYTES>().copied().unwrap_or_default();
        CollectionId::new(u32::from_le_bytes(id))
    }
}

/// Something before it changed.
pub enum Step {
    /// A key.
    Key(KeyStep),
    /// Collections as such: what that is is known to whoever kept it.
    Whole(Box<dyn Any + Send>),
}

/// A key before it changed.
pub struct KeyStep {
    place: Place,
    old: Option<Entry>,
    /// What was counted of it since.
    pub counts: Counts,
}

impl KeyStep {
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
    resolved: usize,
    pub log_mark: LogMark,
    pub was_in_transaction: bool,
}

impl Level {
    pub fn new(log_mark: LogMark, was_in_transaction: bool) -> Self {
        Self {
            steps: 0,
            tellings: 0,
            resolved: 0,
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

/// What is to be told.
pub enum Telling {
    /// What has happened to a key.
    Of(Place, What),
    /// All that clients cache is stale.
    AllStale,
    /// These have watched what has changed.
    Raised(Vec<Watcher>),
    /// Those who wait for a key are to look.
    Awake(CollectionId, Box<[u8]>),
}

/// See the module.
#[derive(Default)]
pub struct Undo {
    levels: Vec<Level>,
    steps: Vec<Step>,
    tellings: Vec<Telling>,
    /// Who watches what so many of them are about is known, and told by one of them.
    resolved: usize,
    seen: Vec<Seen>,
    /// Where each is, by the bytes of its place, once there are more than [`FEW`].
    index: HashMap<Arc<[u8]>, usize>,
    /// The one of the last change, which often is that of the next.
    latest: usize,
    /// Room for a place that is being looked for.
    wanted: Vec<u8>,
    /// The addresses of collections that have been made meanwhile, which are kept as long as this.
    made: HashSet<usize>,
}

impl Undo {
    pub fn begin(&mut self, mut level: Level) {
        level.steps = self.steps.len();
        level.tellings = self.tellings.len();
        level.resolved = self.resolved;
        self.levels.push(level);
        self.forget_seen();
    }

    /// Ends the innermost level.
    pub fn end(&mut self) -> Option<Level> {
        self.forget_seen();
        let level = self.levels.pop();
        if self.levels.is_empty() {
            self.made = HashSet::new();
        }
        level
    }

    /// Notes that the collection at an address has been made.
    pub fn note_made(&mut self, address: usize) {
        self.made.insert(address);
    }

    /// Whether it has been.
    pub fn has_made(&self, address: usize) -> bool {
        self.made.contains(&address)
    }

    pub fn is_attempted(&self) -> bool {
        !self.levels.is_empty()
    }

    /// The last step behind the beginning of `level`. What is to be told of it goes with it.
    pub fn pop_behind(&mut self, level: Option<&Level>) -> Option<Step> {
        let (steps, tellings) = level.map_or((0, 0), |level| (level.steps, level.tellings));
        self.tellings.truncate(tellings);
        self.resolved = level.map_or(0, |level| level.resolved);
        (self.steps.len() > steps).then(|| self.steps.pop()).flatten()
    }

    /// What is to be told, which is taken out; with each whether another one tells those who watch what it is about.
    pub fn take_tellings(&mut self) -> impl Iterator<Item = (Telling, bool)> {
        let resolved = std::mem::take(&mut self.resolved);
        let numbered = self.tellings.drain(..).enumerate();
        numbered.map(move |(at, telling)| (telling, at < resolved))
    }

    /// The steps, which are taken out.
    pub fn take_steps(&mut self) -> impl Iterator<Item = Step> {
        self.steps.drain(..)
    }

    /// Whether it is worth keeping for the next attempt: it has little room, and is empty.
    pub fn is_worth_keeping(&self) -> bool {
        let rooms = [self.steps.capacity(), self.tellings.capacity(), self.seen.capacity()];
        self.steps.is_empty() && rooms.iter().all(|room| *room <= ROOM_KEPT) && self.wanted.capacity() <= WANTED_KEPT
    }

    /// Keeps what a key has, unless that has been done; how many bytes that takes.
    pub fn keep(&mut self, id: CollectionId, key: &[u8], cause: Cause, old: impl FnOnce() -> Option<Entry>) -> usize {
        let at = self.find(id, key);
        self.note_at(at, What::Changed(cause));
        let Some(seen) = self.seen.get_mut(at) else { return 0 };
        let mut kept_bytes = 0;
        let at = *seen.step.get_or_insert_with(|| {
            let step = KeyStep {
                place: seen.place.clone(),
                old: old(),
                counts: Counts::default(),
            };
            kept_bytes = step.kept_bytes();
            self.steps.push(Step::Key(step));
            self.steps.len() - 1
        });
        if let Some(Step::Key(step)) = self.steps.get_mut(at) {
            step.counts.add_one(cause);
        }
        kept_bytes
    }

    /// Keeps the collections as they are. What comes from here on is of others.
    pub fn push_whole(&mut self, whole: Box<dyn Any + Send>) {
        self.forget_seen();
        self.steps.push(Step::Whole(whole));
    }

    /// The last time that collections were kept.
    pub fn last_whole(&mut self) -> Option<&mut (dyn Any + Send)> {
        self.steps.iter_mut().rev().find_map(|step| match step {
            Step::Whole(whole) => Some(&mut **whole),
            Step::Key(_) => None,
        })
    }

    /// Notes something else that is to be told.
    pub fn tell(&mut self, telling: Telling) {
        self.tellings.push(telling);
    }

    /// Changes of keys of which it is not known yet who watches them.
    pub fn unresolved(&self) -> impl Iterator<Item = (CollectionId, &[u8], Cause)> {
        self.tellings
            .iter()
            .skip(self.resolved)
            .filter_map(|telling| match telling {
                Telling::Of(place, what) => Some((place.collection(), place.key(), what.cause()?)),
                _ => None,
            })
    }

    /// These watch them.
    pub fn resolve(&mut self, watchers: Vec<Watcher>) {
        if !watchers.is_empty() {
            self.tellings.push(Telling::Raised(watchers));
        }
        self.resolved = self.tellings.len();
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
            self.tellings.push(Telling::Of(seen.place.clone(), what));
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
        let found = if self.seen.len() <= FEW {
            self.seen.iter().position(is_latest)
        } else {
            self.index.get(self.wanted.as_slice()).copied()
        };
        self.latest = match found {
            Some(at) => at,
            None => self.add(),
        };
        self.latest
    }

    fn add(&mut self) -> usize {
        let place: Arc<[u8]> = self.wanted.as_slice().into();
        let at = self.seen.len();
        self.seen.push(Seen {
            place: Place(place),
            step: None,
            last: None,
        });
        let new = if at == FEW { 0 } else { at };
        if at >= FEW {
            let places = self.seen.iter().enumerate().skip(new);
            self.index
                .extend(places.map(|(at, seen)| (Arc::clone(&seen.place.0), at)));
        }
        at
    }

    /// What comes from here on is kept, and told, anew.
    fn forget_seen(&mut self) {
        self.seen.clear();
        self.index.clear();
    }
}
