//! What a thread has done that clients who cache are to be told of.
//!
//! **Invariants**
//! - What its command means to other clients can be told as soon as that has changed something; what it means to the
//!   client itself, behind its reply; what prefixes bring, when the thread has done what was asked of it together.
//! - A key is told of once for a prefix, however often it has changed since that was last done.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::prefixes::PrefixId;
use super::space::Space;
use crate::engine::watch::Cause;

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
}

/// Keys, each with who changed it last.
pub type Authors = BTreeMap<(Space, Arc<[u8]>), u64>;

impl Broadcast {
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
    stale: Vec<Stale>,
    own: Vec<Stale>,
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
        self.is_due = !self.own.is_empty();
        std::mem::take(&mut self.stale)
    }

    /// Keeps what the acting client is told of behind its reply.
    pub fn keep_own(&mut self, stale: Stale) {
        self.own.push(stale);
        self.is_due = true;
    }

    /// Takes that.
    pub fn take_own(&mut self) -> Vec<Stale> {
        self.is_due = !self.stale.is_empty();
        std::mem::take(&mut self.own)
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
        self.stale.push(stale);
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
        if !matches!(self.stale.last(), Some(Stale::All)) {
            self.note(Stale::All);
        }
    }

    pub(super) fn note_prefix(&mut self, prefix: PrefixId, space: Space, key: &[u8], cause: Cause) {
        let keys = self.broadcast.keys.entry(prefix).or_default();
        // What dies or is evicted has no author, whoever finds it.
        let author = if cause == Cause::Write { self.acting } else { 0 };
        let is_new = keys.insert((space, key.into()), author).is_none();
        self.broadcast.count += usize::from(is_new);
    }
}
