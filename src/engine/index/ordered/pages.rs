//! The pages of an ordered index: where they are, in which order, and under which identity.
//!
//! **Invariants**
//! - A page keeps its place from its making to its end; the place of one that went is used again. So a walk over places
//!   meets every page that is there all the while.
//! - `first`, `next` and `previous` run through all pages in key order.
//! - The identity of a page that another swallowed leads to that one, as long as it is remembered.

use std::collections::{BTreeMap, HashMap};

use crate::page::ordered_page::OrderedPage;
use crate::page::relocation::{Relocation, address_of};
use crate::page::{Entry, PageId};

/// Where a page is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u32);

/// So many swallowed pages are remembered.
const FORWARDS_MAX: usize = 4096;

struct Kept {
    page: OrderedPage,
    previous: Option<Place>,
    next: Option<Place>,
    /// Position in `live`.
    live_at: usize,
}

/// See the module.
#[derive(Default)]
pub struct Pages {
    slots: Vec<Option<Box<Kept>>>,
    vacant: Vec<Place>,
    live: Vec<Place>,
    places: HashMap<PageId, Place>,
    forwards: BTreeMap<PageId, PageId>,
    first: Option<Place>,
    last: Option<Place>,
    block_bytes: usize,
}

impl Pages {
    fn kept(&self, place: Place) -> &Kept {
        let kept = self.slots.get(place.0 as usize).and_then(Option::as_deref);
        #[expect(
            clippy::expect_used,
            reason = "directories name live pages only; going on would lose data"
        )]
        kept.expect("a place without a page")
    }

    fn kept_mut(&mut self, place: Place) -> &mut Kept {
        let kept = self.slots.get_mut(place.0 as usize).and_then(Option::as_deref_mut);
        #[expect(
            clippy::expect_used,
            reason = "directories name live pages only; going on would lose data"
        )]
        kept.expect("a place without a page")
    }

    /// The page at a place.
    #[inline]
    pub fn page(&self, place: Place) -> &OrderedPage {
        &self.kept(place).page
    }

    /// Changes the page at a place, keeping count of its memory.
    #[inline]
    pub fn change<R>(&mut self, place: Place, change: impl FnOnce(&mut OrderedPage) -> R) -> R {
        let page = &mut self.kept_mut(place).page;
        let before = page.block_bytes();
        let result = change(page);
        let after = page.block_bytes();
        self.block_bytes = self.block_bytes + after - before;
        result
    }

    /// Moves what `relocation` wants of the page at a place; whether it came to the end of it. It takes as much as
    /// before.
    pub fn relocate(&mut self, place: Place, relocation: &mut Relocation<'_>) -> bool {
        let Some(slot) = self.slots.get_mut(place.0 as usize) else {
            return true;
        };
        let Some(kept) = slot else { return true };
        let is_done = kept.page.relocate(relocation);
        if is_done && relocation.wants(address_of(&**kept)) {
            let fresh = slot.take().map(|kept| Box::new(*kept));
            if let Some(kept) = &fresh {
                relocation.note_block(address_of(&**kept), size_of::<Kept>());
            }
            *slot = fresh;
        }
        is_done
    }

    /// Takes out all entries of pages that are not used any more.
    pub fn take_entries(&mut self, entries: &mut Vec<Entry>) {
        for kept in self.slots.iter_mut().flatten() {
            kept.page.take_into(entries);
        }
    }

    /// Changes two neighbours together.
    pub fn change_both<R>(
        &mut self,
        one: Place,
        other: Place,
        change: impl FnOnce(&mut OrderedPage, &mut OrderedPage) -> R,
    ) -> Option<R> {
        let mut kept = self.slots.get_mut(other.0 as usize)?.take()?;
        let before = kept.page.block_bytes();
        let result = self.change(one, |page| change(page, &mut kept.page));
        self.block_bytes = self.block_bytes + kept.page.block_bytes() - before;
        if let Some(slot) = self.slots.get_mut(other.0 as usize) {
            *slot = Some(kept);
        }
        Some(result)
    }

    /// Takes a page in behind another, or as the first one.
    pub fn insert(&mut self, page: OrderedPage, previous: Option<Place>) -> Place {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            Place((self.slots.len() - 1) as u32)
        });
        self.places.insert(page.header.id, place);
        self.block_bytes += page.block_bytes();
        let next = match previous {
            Some(previous) => self.kept(previous).next,
            None => self.first,
        };
        let kept = Kept {
            page,
            previous,
            next,
            live_at: self.live.len(),
        };
        self.live.push(place);
        if let Some(slot) = self.slots.get_mut(place.0 as usize) {
            *slot = Some(Box::new(kept));
        }
        self.link(previous, Some(place));
        self.link(Some(place), next);
        place
    }

    fn link(&mut self, previous: Option<Place>, next: Option<Place>) {
        match previous {
            Some(previous) => self.kept_mut(previous).next = next,
            None => self.first = next,
        }
        match next {
            Some(next) => self.kept_mut(next).previous = previous,
            None => self.last = previous,
        }
    }

    /// Lets a page go that the one before it has swallowed.
    pub fn remove(&mut self, place: Place, into: Place) {
        let Some(kept) = self.slots.get_mut(place.0 as usize).and_then(Option::take) else {
            return;
        };
        self.link(kept.previous, kept.next);
        self.block_bytes -= kept.page.block_bytes();
        self.live.swap_remove(kept.live_at);
        if let Some(moved) = self.live.get(kept.live_at).copied() {
            self.kept_mut(moved).live_at = kept.live_at;
        }
        self.vacant.push(place);
        let id = kept.page.header.id;
        self.places.remove(&id);
        self.forwards.insert(id, self.page(into).header.id);
        if self.forwards.len() > FORWARDS_MAX {
            self.forwards.pop_first();
        }
    }

    /// The page of that identity, or the one that has swallowed it.
    pub fn by_id(&self, mut id: PageId) -> Option<Place> {
        loop {
            if let Some(place) = self.places.get(&id) {
                return Some(*place);
            }
            id = *self.forwards.get(&id)?;
        }
    }

    /// The page with the least keys.
    pub fn first(&self) -> Option<Place> {
        self.first
    }

    /// The page with the greatest keys.
    pub fn last(&self) -> Option<Place> {
        self.last
    }

    /// The page behind.
    pub fn next(&self, place: Place) -> Option<Place> {
        self.kept(place).next
    }

    /// The page before.
    pub fn previous(&self, place: Place) -> Option<Place> {
        self.kept(place).previous
    }

    /// Pages in key order.
    pub fn in_order(&self) -> impl Iterator<Item = (Place, &OrderedPage)> {
        std::iter::successors(self.first, |place| self.next(*place)).map(|place| (place, self.page(place)))
    }

    /// The first page whose place is number `from` or later, and the number behind it.
    pub fn from_slot(&self, from: usize) -> Option<(Place, usize)> {
        let at = from + self.slots.get(from..)?.iter().position(Option::is_some)?;
        Some((Place(at as u32), at + 1))
    }

    /// How many pages there are.
    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// The `n`-th page in no order that means anything.
    pub fn any(&self, n: usize) -> Option<Place> {
        self.live.get(n).copied()
    }

    /// Bytes of heap, entries apart.
    pub fn heap_bytes(&self) -> usize {
        let links = size_of::<Kept>() - size_of::<OrderedPage>() + size_of::<Option<Box<Kept>>>();
        let maps = self.places.capacity() * size_of::<(u64, Place, u8)>()
            + self.forwards.len() * size_of::<(u64, u64)>()
            + (self.vacant.capacity() + self.live.capacity()) * size_of::<Place>();
        self.block_bytes + self.slots.capacity() * links + maps
    }
}
