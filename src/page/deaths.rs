//! When elements of a big container die: the names of those that do, in order of time.
//!
//! **Invariant:** it has exactly the elements with an expiry, each once, under the time that the container says; who
//! has none pays for a pointer.

use std::cmp::Ordering;

use super::tree::{Tree, TreeItem};
use super::trie::Item;

/// When an element dies.
#[derive(Clone, Debug)]
struct Death {
    at_ms: u64,
    name: Item,
}

impl TreeItem for Death {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes()
    }
}

impl Death {
    fn new(at_ms: u64, name: &[u8]) -> Self {
        let name = Item::new(name, None, None);
        Self { at_ms, name }
    }

    fn place(&self, at_ms: u64, name: &[u8]) -> Ordering {
        self.at_ms.cmp(&at_ms).then_with(|| self.name.key().cmp(name))
    }
}

/// See the module. Cloning shares.
#[derive(Clone, Debug, Default)]
pub struct Deaths(Option<Box<Tree<Death>>>);

impl Deaths {
    /// Of these elements, each once; 0 = never.
    pub fn of<'a>(elements: impl Iterator<Item = (&'a [u8], u64)>) -> Self {
        let timed = elements.filter(|(_, at_ms)| *at_ms != 0);
        let mut deaths: Vec<Death> = timed.map(|(name, at_ms)| Death::new(at_ms, name)).collect();
        deaths.sort_unstable_by(|one, other| one.place(other.at_ms, other.name.key()));
        Self((!deaths.is_empty()).then(|| Box::new(deaths.into_iter().collect())))
    }

    /// Whether no element ever dies.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes of heap, exactly. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        let deaths = self.0.as_ref();
        deaths.map_or(0, |deaths| size_of::<Tree<Death>>() + deaths.heap_bytes())
    }

    /// An element dies at another time, or has gone; 0 = never.
    #[inline]
    pub fn note(&mut self, name: &[u8], old_ms: u64, new_ms: u64) {
        if old_ms != new_ms {
            self.move_to(name, old_ms, new_ms);
        }
    }

    fn move_to(&mut self, name: &[u8], old_ms: u64, new_ms: u64) {
        if old_ms != 0
            && let Some(deaths) = &mut self.0
        {
            let taken = deaths.remove_by(|death| death.place(old_ms, name));
            debug_assert!(taken.is_some(), "an element dies that is not known to");
            if deaths.is_empty() {
                self.0 = None;
            }
        }
        if new_ms != 0 {
            let deaths = self.0.get_or_insert_default();
            let placed = deaths.insert_by(|death| death.place(new_ms, name), Death::new(new_ms, name));
            debug_assert!(placed.is_ok(), "an element dies once");
        }
    }

    /// The names of the elements that are dead at `now_ms`, the first that died first.
    pub fn dead(&self, now_ms: u64) -> impl Iterator<Item = &[u8]> {
        let deaths = self.0.iter().flat_map(|deaths| deaths.iter());
        let dead = deaths.take_while(move |death| death.at_ms <= now_ms);
        dead.map(|death| death.name.key())
    }

    /// How many elements are dead at `now_ms`. O(log n).
    pub fn dead_count(&self, now_ms: u64) -> u64 {
        let deaths = self.0.as_ref();
        deaths.map_or(0, |deaths| deaths.partition_point(|death| death.at_ms <= now_ms) as u64)
    }

    /// When the first element dies, Unix milliseconds.
    #[inline]
    pub fn first_ms(&self) -> Option<u64> {
        Some(self.0.as_ref()?.first()?.at_ms)
    }
}
