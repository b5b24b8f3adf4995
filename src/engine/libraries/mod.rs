//! Libraries of functions as data: their names and their code, whatever is in it.
//!
//! **Invariants**
//! - They change as collections do: only under the exclusive gate, by effects that the registry applies.
//! - Two states with the same [`Libraries::changes`] have the same libraries, also where one was taken back meanwhile.

mod change;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::cmp::Ordering as Order;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a library takes beside its name and its code: the shared allocation and its place in the set.
const OVERHEAD_BYTES: u64 = 64;

/// The number of the last change of any state.
static LAST_CHANGE: AtomicU64 = AtomicU64::new(0);

/// A library. Which language it is in is told by its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// By which it is known.
    pub name: Box<[u8]>,
    /// As it was loaded.
    pub code: Box<[u8]>,
}

impl Library {
    /// One of these.
    pub fn new(name: &[u8], code: &[u8]) -> Self {
        Self {
            name: name.into(),
            code: code.into(),
        }
    }

    /// What it takes.
    pub fn bytes(&self) -> u64 {
        self.name.len() as u64 + self.code.len() as u64 + OVERHEAD_BYTES
    }
}

/// A library in its place, which its name tells.
#[derive(Clone, Debug)]
struct ByName(Arc<Library>);

impl Borrow<[u8]> for ByName {
    fn borrow(&self) -> &[u8] {
        &self.0.name
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ByName {}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> Order {
        self.0.name.cmp(&other.0.name)
    }
}

/// All libraries of a server, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    by_name: BTreeSet<ByName>,
    bytes: u64,
    changes: u64,
}

impl Libraries {
    /// The library of this name.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.by_name.get(name).map(|found| &found.0)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Library>> {
        self.by_name.iter().map(|library| &library.0)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// What they take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Another number whenever they are others; the same one only where they are the same.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Puts a library in the place of that of its name.
    pub(super) fn put(&mut self, library: Arc<Library>) {
        self.bytes += library.bytes();
        if let Some(ByName(old)) = self.by_name.replace(ByName(library)) {
            self.bytes -= old.bytes();
        }
        self.note_change();
    }

    /// Takes one away; whether it was there.
    pub(super) fn delete(&mut self, name: &[u8]) -> bool {
        let Some(ByName(gone)) = self.by_name.take(name) else {
            return false;
        };
        self.bytes -= gone.bytes();
        self.note_change();
        true
    }

    /// None at all.
    pub(super) fn none() -> Self {
        let mut none = Self::default();
        none.note_change();
        none
    }

    fn note_change(&mut self) {
        self.changes = LAST_CHANGE.fetch_add(1, Ordering::Relaxed) + 1;
    }
}
