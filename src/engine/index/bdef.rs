//! The `bdef` kind: the standard library's B-tree from separators to pages.
//!
//! It knows nothing of how many entries lie where: ranks are counted page by page, in O(pages).
//!
//! **Invariant:** `key_bytes` is the sum of the separators' lengths.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::ordered::{Directory, Pages, Place};

/// See the module.
#[derive(Default)]
pub struct Bdef {
    pages: BTreeMap<Box<[u8]>, Place>,
    key_bytes: usize,
}

impl Bdef {
    fn covering(&self, key: &[u8]) -> Option<(&[u8], Place)> {
        let up_to = (Bound::Unbounded, Bound::Included(key));
        let (from, place) = self.pages.range::<[u8], _>(up_to).next_back()?;
        Some((from, *place))
    }
}

impl Directory for Bdef {
    fn find(&self, key: &[u8]) -> Option<Place> {
        self.covering(key).map(|(_, place)| place)
    }

    fn insert(&mut self, from: Box<[u8]>, place: Place, _: usize) {
        self.key_bytes += from.len();
        self.pages.insert(from, place);
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some((from, _)) = self.covering(key) {
            let from = Box::<[u8]>::from(from);
            self.key_bytes -= from.len();
            self.pages.remove(&from);
        }
    }

    fn add(&mut self, _: &[u8], _: isize) {}

    fn entries_before(&self, pages: &Pages, key: &[u8]) -> usize {
        let here = self.find(key);
        let before = pages.in_order().take_while(|(place, _)| Some(*place) != here);
        before.map(|(_, page)| page.len()).sum()
    }

    fn nth(&self, pages: &Pages, n: usize) -> Option<(Place, usize)> {
        let mut left = n;
        for (place, page) in pages.in_order() {
            if left < page.len() {
                return Some((place, left));
            }
            left -= page.len();
        }
        None
    }

    fn heap_bytes(&self) -> usize {
        // Nodes are two thirds full.
        self.key_bytes + self.pages.len() * size_of::<(Box<[u8]>, Place)>() * 3 / 2
    }
}
