//! What a thread has done that clients who cache are to be told of.
//!
//! **Invariants**
//! - What its command means to other clients can be told as soon as that has changed something; what it means to the
//!   client itself, behind its reply; what prefixes bring, when the thread has done what was asked of it together.
//! - A key is told of once for a prefix, however often it has changed since that was last done.
//! - No more is kept than some [`TOLD_BYTES_MAX`], each of three times: beyond that, everything is not to be believed
//!   any more. That is less to tell, and as true.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::prefixes::PrefixId;
use super::space::Space;
use crate::engine::watch::Cause;

/// A script, or a request with many keys, means no more than this to others, to its own client, and to prefixes.
const TOLD_BYTES_MAX: usize = 32 << 20;

/// What an entry takes beside its key, roughly: those of a list of things that are stale, and of a tree for a prefix.
const ENTRY_BYTES: usize = size_of::<Stale>() + 16;
const TREE_ENTRY_BYTES: usize = 96;

/// The clients that have read a key.
pub type Readers = SmallVec<[u64; 2]>;

/// What is not to be believed any more.
#[derive(Debug)]
pub enum Stale {
    /// A key, which these clients have read.
    Key {
        /// The key.
        key: Box<[u8]>,
        /// Who has read it.
        readers: Readers,
        /// Whose command has changed it; 0 = nobody's.
        author: u64,
    },
    /// A key that is not tracked any more, although it has not changed: who has read it is told so in any case.
    Evicted(Box<[u8]>, Readers),
    /// Everything, to everybody.
    All,
}

/// Keys that have changed, by the prefixes that clients want to know of.
#[derive(Default)]
pub struct Broadcast {
    keys: BTreeMap<PrefixId, Authors>,
    count: usize,
    bytes: usize,
}

/// Keys, each with who changed it last.
pub type Authors = BTreeMap<(Space, Arc<[u8]>), u64>;

/// What is stale, in order.
#[derive(Default)]
struct StaleList {
    list: Vec<Stale>,
    bytes: usize,
}

impl Stale {
    /// What it takes, roughly.
    fn bytes(&self) -> usize {
        let of_key = match self {
            Self::Key { key, readers, .. } | Self::Evicted(key, readers) => {
                key.len() + readers.len() * size_of::<u64>()
            }
            Self::All => 0,
        };
        ENTRY_BYTES + of_key
    }
}

impl StaleList {
    fn add(&mut self, stale: Stale) {
        if self.bytes > TOLD_BYTES_MAX {
            return;
        }
        self.bytes += stale.bytes();
        if self.bytes > TOLD_BYTES_MAX {
            self.list = vec![Stale::All];
        } else {
            self.list.push(stale);
        }
    }

    fn take(&mut self) -> Vec<Stale> {
        std::mem::take(self).list
    }
}

impl Broadcast {
    /// Whether there was too much to tell of.
    pub fn is_too_much(&self) -> bool {
        self.bytes > TOLD_BYTES_MAX
    }

    fn add(&mut self, prefix: PrefixId, (space, key): (Space, &[u8]), author: u64) {
        if self.is_too_much() {
            return;
        }
        let keys = self.keys.entry(prefix).or_default();
        if keys.insert((space, key.into()), author).is_none() {
            self.count += 1;
            self.bytes += TREE_ENTRY_BYTES + key.len();
        }
        if self.is_too_much() {
            self.keys = BTreeMap::new();
        }
    }

    /// For each prefix its keys, in order, each with who changed it last, but for what died by itself.
    pub fn by_prefix(&self) -> impl Iterator<Item = (PrefixId, &Authors)> {
        self.keys.iter().map(|(prefix, keys)| (*prefix, keys))
    }
}

/// See the module.
#[derive(Default)]
pub struct Told {
    /// Whose command runs; 0 = none.
    acting: u64,
    stale: StaleList,
    own: StaleList,
    broadcast: Broadcast,
    /// The acting client has something coming.
    tells_acting: bool,
    /// There is something in `stale` or `own`: one look for each request.
    is_due: bool,
}

impl Told {
    /// Sets whose command runs, 0 for nobody's; whose it was before.
    pub fn set_acting(&mut self, client: u64) -> u64 {
        std::mem::replace(&mut self.acting, client)
    }

    /// Whose command runs.
    pub fn acting(&self) -> u64 {
        self.acting
    }

    /// Whether there is anything.
    #[inline]
    pub fn is_any(&self) -> bool {
        self.is_due() || self.is_broadcast()
    }

    /// Whether there is something that does not wait for the end of what is done together.
    #[inline]
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// Whether there is something that does.
    #[inline]
    pub fn is_broadcast(&self) -> bool {
        self.broadcast.count > 0
    }

    /// How much of that there is.
    pub fn broadcast_count(&self) -> usize {
        self.broadcast.count
    }

    /// Takes what can be told at once.
    pub fn take_stale(&mut self) -> Vec<Stale> {
        self.is_due = !self.own.list.is_empty();
        self.stale.take()
    }

    /// Keeps what the acting client is told of behind its reply.
    pub fn keep_own(&mut self, stale: Stale) {
        self.own.add(stale);
        self.is_due = true;
    }

    /// Takes that.
    pub fn take_own(&mut self) -> Vec<Stale> {
        self.is_due = !self.stale.list.is_empty();
        self.own.take()
    }

    /// The acting client is told of something.
    pub fn note_tells_acting(&mut self) {
        self.tells_acting = true;
    }

    /// Whether it is, since this was last asked.
    #[inline]
    pub fn take_tells_acting(&mut self) -> bool {
        self.tells_acting && std::mem::take(&mut self.tells_acting)
    }

    /// Takes what prefixes bring.
    pub fn take_broadcast(&mut self) -> Broadcast {
        std::mem::take(&mut self.broadcast)
    }

    fn note(&mut self, stale: Stale) {
        self.stale.add(stale);
        self.is_due = true;
    }

    pub(super) fn note_key(&mut self, key: Box<[u8]>, readers: Readers) {
        let author = self.acting;
        self.note(Stale::Key { key, readers, author });
    }

    pub(super) fn note_evicted(&mut self, key: Box<[u8]>, readers: Readers) {
        self.note(Stale::Evicted(key, readers));
    }

    pub(super) fn note_all(&mut self) {
        // Many collections may go at once.
        if !matches!(self.stale.list.last(), Some(Stale::All)) {
            self.note(Stale::All);
        }
    }

    pub(super) fn note_prefix(&mut self, prefix: PrefixId, space: Space, key: &[u8], cause: Cause) {
        // What dies or is evicted has no author, whoever finds it.
        let author = if cause == Cause::Write { self.acting } else { 0 };
        self.broadcast.add(prefix, (space, key), author);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ids::DatabaseId;

    const KEY_BYTES: usize = 1 << 20;

    fn key(number: u8) -> Box<[u8]> {
        vec![number; KEY_BYTES].into()
    }

    #[test]
    fn too_much_is_everything_until_it_has_been_told() {
        let mut told = Told::default();
        for _ in 0..2 {
            (0..100).for_each(|number| told.note_key(key(number), Readers::from_elem(1, 1)));
            let stale = told.take_stale();
            assert!(matches!(stale[..], [Stale::All]), "{}", stale.len());
            stale.into_iter().for_each(|stale| told.keep_own(stale));
            (0..100).for_each(|number| told.keep_own(Stale::Evicted(key(number), Readers::new())));
            assert!(told.is_due());
            let own = told.take_own();
            assert!(matches!(own[..], [Stale::All]), "{}", own.len());
            assert!(!told.is_due());
        }
        (0..30).for_each(|number| told.note_key(key(number), Readers::new()));
        assert_eq!(told.take_stale().len(), 30);
    }

    #[test]
    fn many_readers_count() {
        let mut told = Told::default();
        let readers = Readers::from_elem(1, KEY_BYTES);
        (0..5).for_each(|_| told.note_key(Box::default(), readers.clone()));
        assert!(matches!(told.take_stale()[..], [Stale::All]));
    }

    #[test]
    fn prefixes_bring_no_more_either() {
        let mut prefixes = super::super::prefixes::Prefixes::default();
        prefixes.add(b"", 1);
        let mut ids = Vec::new();
        prefixes.visit_matches(b"", |prefix| ids.push(prefix));
        let space = Space::of(DatabaseId::new(0));
        let mut told = Told::default();
        for round in 0..2 {
            (0..100).for_each(|number| told.note_prefix(ids[0], space, &key(number), Cause::Write));
            assert!(told.is_broadcast(), "round {round}");
            let broadcast = told.take_broadcast();
            assert!(broadcast.is_too_much());
            assert_eq!(broadcast.by_prefix().count(), 0);
            assert!(!told.is_any());
        }
        // One key, again and again.
        (0..100).for_each(|_| told.note_prefix(ids[0], space, &key(0), Cause::Write));
        assert!(!told.take_broadcast().is_too_much());
    }
}
