//! How an ordered index finds a page by a key.
//!
//! A page is entered with its *separator*: it covers the keys from there up to the next separator. The first page's is
//! the empty key.

use super::pages::{Pages, Place};

/// See the module.
pub trait Directory: Default {
    /// The page that covers `key`; `None` only when there is no page.
    fn find(&self, key: &[u8]) -> Option<Place>;

    /// Enters a page of `entries` entries, which covers the keys from `from` on.
    fn insert(&mut self, from: Box<[u8]>, place: Place, entries: usize);

    /// Forgets the page that covers `key`, with its entries; the one before it covers its keys then.
    fn remove(&mut self, key: &[u8]);

    /// The page that covers `key` has so many entries more.
    fn add(&mut self, key: &[u8], entries: isize);

    /// How many entries are in the pages before the one that covers `key`.
    fn entries_before(&self, pages: &Pages, key: &[u8]) -> usize;

    /// The page with the `n`-th entry (from 0), and how many of the page's are before that.
    fn nth(&self, pages: &Pages, n: usize) -> Option<(Place, usize)>;

    /// Bytes of heap.
    fn heap_bytes(&self) -> usize;
}
