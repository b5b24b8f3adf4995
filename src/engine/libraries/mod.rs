//! Libraries of functions as data: their names and their code, whatever is in it.
//!
//! **Invariants**
//! - They change as collections do: only under the exclusive gate, by effects that the registry applies.
//! - Two states with the same [`Libraries::changes`] have the same libraries, also where one was taken back meanwhile.
//! - Each library that is put gets a number, which checkpoints know it by. Of all that a directory of checkpoints and
//!   its log tell, each has another one.

mod change;

use std::borrow::Borrow;
use std::cmp::Ordering as Order;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::CollectionError;

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
struct Placed {
    number: u64,
    library: Arc<Library>,
}

impl Placed {
    fn name(&self) -> &[u8] {
        &self.library.name
    }
}

impl Borrow<[u8]> for Placed {
    fn borrow(&self) -> &[u8] {
        self.name()
    }
}

impl PartialEq for Placed {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Placed {}

impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Placed {
    fn cmp(&self, other: &Self) -> Order {
        self.name().cmp(other.name())
    }
}

/// All libraries of a server, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    by_name: BTreeSet<Placed>,
    bytes: u64,
    changes: u64,
    next_number: u64,
}

impl Libraries {
    /// The library of this name.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.by_name.get(name).map(|found| &found.library)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Library>> {
        self.numbered().map(|(_, library)| library)
    }

    /// The same, with their numbers.
    pub fn numbered(&self) -> impl ExactSizeIterator<Item = (u64, &Arc<Library>)> {
        self.by_name.iter().map(|placed| (placed.number, &placed.library))
    }

    /// No library has had this number or a higher one.
    pub fn next_number(&self) -> u64 {
        self.next_number
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

    /// Those of a checkpoint, with their numbers.
    pub fn restored(next_number: u64, numbered: impl IntoIterator<Item = (u64, Library)>) -> Self {
        let mut libraries = Self::default();
        for (number, library) in numbered {
            libraries.place(number, Arc::new(library));
        }
        libraries.next_number = next_number;
        libraries
    }

    /// Puts a library in the place of that of its name.
    pub(super) fn put(&mut self, library: Arc<Library>) {
        self.place(self.next_number, library);
        self.next_number += 1;
    }

    fn place(&mut self, number: u64, library: Arc<Library>) {
        self.bytes += library.bytes();
        if let Some(old) = self.by_name.replace(Placed { number, library }) {
            self.bytes -= old.library.bytes();
        }
        self.note_change();
    }

    /// Takes one away.
    ///
    /// # Errors
    /// When there is none of this name.
    pub(super) fn delete(&mut self, name: &[u8]) -> Result<(), CollectionError> {
        let gone = self.by_name.take(name);
        let gone = gone.ok_or_else(|| CollectionError::NoLibrary(name.into()))?;
        self.bytes -= gone.library.bytes();
        self.note_change();
        Ok(())
    }

    /// What is there when all are deleted.
    pub(super) fn flushed(&self) -> Self {
        let mut none = Self {
            next_number: self.next_number,
            ..Self::default()
        };
        none.note_change();
        none
    }

    fn note_change(&mut self) {
        self.changes = LAST_CHANGE.fetch_add(1, Ordering::Relaxed) + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_bytes_are_counted() {
        let mut libraries = Libraries::default();
        for (name, code) in [("b", "12"), ("a", "1"), ("c", ""), ("a", "4321")] {
            libraries.put(Arc::new(Library::new(name.as_bytes(), code.as_bytes())));
        }
        let names: Vec<_> = libraries.iter().map(|library| library.name[0]).collect();
        assert_eq!((names, libraries.len()), (b"abc".to_vec(), 3));
        assert_eq!(libraries.get(b"a").map(|library| &*library.code), Some(&b"4321"[..]));
        assert_eq!(libraries.bytes(), 3 * OVERHEAD_BYTES + 3 + 6);
        assert!(libraries.delete(b"a").is_ok() && libraries.delete(b"a").is_err());
        assert_eq!(libraries.bytes(), 2 * OVERHEAD_BYTES + 2 + 2);
    }

    #[test]
    fn every_state_has_a_number_of_its_own() {
        let library = |code: &[u8]| Arc::new(Library::new(b"a", code));
        let mut libraries = Libraries::default();
        libraries.put(library(b"1"));
        let before = libraries.clone();
        libraries.put(library(b"2"));
        let taken_back = libraries.changes();
        let mut libraries = before.clone();
        assert_eq!(libraries.changes(), before.changes());
        libraries.put(library(b"3"));
        assert!(libraries.changes() != taken_back && libraries.changes() != before.changes());
        assert_ne!(libraries.flushed().changes(), libraries.flushed().changes());
        assert_eq!(libraries.flushed().next_number(), libraries.next_number());
    }
}
