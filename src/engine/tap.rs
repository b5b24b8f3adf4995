//! The tap: changes of one collection, kept in order for its conversion while it is in use.
//!
//! A writer appends its effect under the shard's lock, so that effects on a key are in the order in which they
//! happened. One collection at a time.
//!
//! **Invariants**
//! - From [`super::Engine::open_tap`] (under the exclusive gate) on, every change of the collection is in the queue,
//!   until it is closed.
//! - What waits is bounded: writers are slowed, then held back, and beyond `BYTES_MAX` the conversion is lost, not a
//!   write.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::effect::Effect;
use super::ids::CollectionId;
use super::pace::Pace;
use crate::page::Spliced;

/// Above this, writers pause once a batch.
const SLOW_BYTES: u64 = 64 << 20;
/// More is not kept.
const BYTES_MAX: u64 = 512 << 20;
/// Effects are gathered to pieces of about this size.
const PIECE_BYTES: usize = 256 << 10;
/// What an effect counts beside its bytes.
const EFFECT_BYTES: u64 = 32;

/// A part of what happened.
#[derive(Debug)]
pub enum Change {
    /// Effects on keys, as in a record's payload.
    Keys(Spliced),
    /// The collection was emptied.
    Flushed,
}

/// Why a collection can no longer be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It was dropped, or another one was put in its place.
    Gone,
    /// It became a cache, or ceased to be one.
    Reconfigured,
    /// Changes came faster than they were followed.
    Overrun,
}

impl Lost {
    /// As a sentence.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Gone => "the collection was dropped or replaced meanwhile",
            Self::Reconfigured => "the collection's checkpoint setting was changed meanwhile",
            Self::Overrun => "the collection changes faster than it can be converted, try again when it is quieter",
        }
    }
}

struct Open {
    collection: CollectionId,
    /// Whether it was a cache when it was opened.
    is_cache: bool,
    changes: Vec<Change>,
    lost: Option<Lost>,
}

/// See the module.
#[derive(Default)]
pub struct Tap {
    open: Mutex<Option<Open>>,
    bytes: AtomicU64,
    /// Above this, writers are held back; 0 = not.
    hold_bytes: AtomicU64,
}

impl Tap {
    /// Begins to keep changes of a collection. Under the exclusive gate.
    pub(super) fn open(&self, collection: CollectionId, is_cache: bool) {
        *self.open.lock() = Some(Open {
            collection,
            is_cache,
            changes: Vec::new(),
            lost: None,
        });
    }

    /// The collection whose changes it keeps.
    pub(super) fn followed(&self) -> Option<CollectionId> {
        self.open.lock().as_ref().map(|open| open.collection)
    }

    /// Keeps changes no longer; tells of which collection it did.
    pub(super) fn close(&self) -> Option<CollectionId> {
        let open = self.open.lock().take();
        self.bytes.store(0, Ordering::Relaxed);
        self.hold_bytes.store(0, Ordering::Relaxed);
        open.map(|open| open.collection)
    }

    /// Takes what has happened since the last call.
    ///
    /// # Errors
    /// Why the collection can no longer be followed.
    pub fn take(&self) -> Result<Vec<Change>, Lost> {
        let mut open = self.open.lock();
        let open = open.as_mut().ok_or(Lost::Gone)?;
        if let Some(lost) = open.lost {
            return Err(lost);
        }
        self.bytes.store(0, Ordering::Relaxed);
        Ok(std::mem::take(&mut open.changes))
    }

    /// Bytes waiting, roughly.
    pub fn waiting_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Holds writers back while more than this waits.
    pub fn hold_above(&self, bytes: u64) {
        self.hold_bytes.store(bytes, Ordering::Relaxed);
    }

    /// What writers are to do.
    #[inline]
    pub fn pace(&self) -> Pace {
        let bytes = self.bytes.load(Ordering::Relaxed);
        if bytes == 0 {
            return Pace::Free;
        }
        let hold = self.hold_bytes.load(Ordering::Relaxed);
        if hold > 0 && bytes > hold {
            Pace::Hold
        } else if bytes > SLOW_BYTES {
            Pace::Slow
        } else {
            Pace::Free
        }
    }

    /// Appends an effect on a key. Under the shard's lock.
    pub(super) fn push(&self, id: CollectionId, effect: &Effect<'_>) {
        let mut open = self.open.lock();
        let Some(open) = open.as_mut().filter(|open| open.collection == id) else {
            return;
        };
        if open.lost.is_some() {
            return;
        }
        let piece = match open.changes.last_mut() {
            Some(Change::Keys(piece)) if piece.len() < PIECE_BYTES => piece,
            _ => {
                open.changes.push(Change::Keys(Spliced::default()));
                match open.changes.last_mut() {
                    Some(Change::Keys(piece)) => piece,
                    _ => return,
                }
            }
        };
        let before = piece.len();
        effect.encode(id, piece);
        let bytes = (piece.len() - before) as u64 + EFFECT_BYTES;
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > BYTES_MAX {
            open.lose(Lost::Overrun);
            self.bytes.store(0, Ordering::Relaxed);
        }
    }

    /// A collection was changed as such, and that was taken back: what it is cannot be followed any more.
    pub(super) fn lose(&self, id: CollectionId) {
        if let Some(open) = self.open.lock().as_mut().filter(|open| open.collection == id) {
            open.lose(Lost::Gone);
        }
    }

    /// Notes an effect on collection `id` as such, which the registry has applied. `is_there`: whether it still is.
    /// Returns whether what is in its place now is to be followed.
    pub(super) fn note(&self, id: CollectionId, effect: &Effect<'_>, is_there: bool) -> bool {
        let mut open = self.open.lock();
        let Some(open) = open.as_mut().filter(|open| open.collection == id) else {
            return false;
        };
        if !is_there {
            open.lose(Lost::Gone);
            return false;
        }
        match effect {
            Effect::CollectionFlush => {
                // What came before does not matter any more.
                open.changes.clear();
                open.changes.push(Change::Flushed);
                self.bytes.store(0, Ordering::Relaxed);
                return true;
            }
            Effect::CollectionConfigure { settings } if settings.is_cache != open.is_cache => {
                open.lose(Lost::Reconfigured);
            }
            _ => {}
        }
        false
    }
}

impl Open {
    fn lose(&mut self, lost: Lost) {
        self.changes = Vec::new();
        self.lost = Some(lost);
    }
}
