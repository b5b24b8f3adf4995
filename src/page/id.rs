//! [`PageId`]: by which a page is known in its collection, and [`PageIds`], which gives them out.
//!
//! **Invariant:** on disk it is the bare `u64`: serde passes it through.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The identity of a page within its collection, from 1; never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageId(u64);

impl PageId {
    /// Of no page.
    pub const NONE: PageId = PageId(0);
    /// Of a collection's first page.
    pub const FIRST: PageId = PageId(1);

    /// The page of this number.
    #[inline]
    pub const fn new(number: u64) -> Self {
        PageId(number)
    }

    /// Its number.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// That of the page made after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        PageId(self.0 + 1)
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The source of a collection's page identities.
#[derive(Debug)]
pub struct PageIds(AtomicU64);

impl PageIds {
    /// One that goes on with `next`, or with the first page there can be.
    pub const fn from(next: PageId) -> Self {
        Self(AtomicU64::new(if next.0 == 0 { 1 } else { next.0 }))
    }

    /// An identity that no page has had.
    pub fn take(&self) -> PageId {
        PageId(self.0.fetch_add(1, Ordering::Relaxed))
    }

    /// The one that would be given next.
    pub fn peek(&self) -> PageId {
        PageId(self.0.load(Ordering::Relaxed))
    }

    /// Goes on with `next`, or with the first page there can be.
    pub fn continue_with(&self, next: PageId) {
        self.0.store(next.0.max(1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::codec;

    #[test]
    fn it_is_stored_and_shown_as_its_number() {
        for number in [0, 1, 250, 251, 65_536, u64::MAX] {
            let (mut bare, mut wrapped) = (Vec::new(), Vec::new());
            codec::encode(&number, None, &mut bare);
            codec::encode(&PageId::new(number), None, &mut wrapped);
            assert_eq!(bare, wrapped);
            assert_eq!(PageId::new(number).to_string(), number.to_string());
        }
    }

    #[test]
    fn none_is_given_twice() {
        let ids = PageIds::from(PageId::default());
        assert_eq!(
            (ids.take(), ids.take(), ids.peek()),
            (PageId::FIRST, PageId::new(2), PageId::new(3))
        );
        ids.continue_with(PageId::new(9));
        assert_eq!(ids.take(), PageId::new(9));
    }
}
