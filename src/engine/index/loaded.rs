//! Pages on their way from disk into an index, built as wholes: no splits, no directory that grows entry by entry.
//!
//! A page needs nothing of its neighbours while it is built, so that threads can build pages of one shard at once; how
//! they fit together is judged when all of them are installed.
//!
//! **Invariant:** a page that is not installed frees what it holds.

use std::cmp::Ordering;

use super::KeyRef;
use super::hmap::prefix_mask;
use super::misfit::{Cover, Misfit};
use crate::page::PageId;
use crate::page::entry::Entry;
use crate::page::hash_page::{HashPage, Header};
use crate::page::image::Anchor;
use crate::page::ordered_page::OrderedPage;

/// One more than the greatest prefix.
const ALL_HASHES: u64 = 1 << 32;

/// A page that is being built, and its figures.
pub struct LoadedPage {
    form: Form,
    /// Entries so far.
    pub keys: u64,
    /// Those with an expiry.
    pub expires: u64,
    /// Hashes with fields that die.
    pub timed: u64,
    /// Heap bytes of the entries.
    pub entry_bytes: u64,
}

enum Form {
    Hashed(HashedPage),
    Ordered(OrderedPage),
}

impl LoadedPage {
    fn new(form: Form) -> Self {
        Self {
            form,
            keys: 0,
            expires: 0,
            timed: 0,
            entry_bytes: 0,
        }
    }

    /// Of the hashed kind.
    pub fn hashed(page: HashedPage) -> Self {
        Self::new(Form::Hashed(page))
    }

    /// Of an ordered kind.
    pub fn ordered(page: OrderedPage) -> Self {
        Self::new(Form::Ordered(page))
    }

    /// Takes the next entry, whose key is `key`.
    ///
    /// # Errors
    /// When it does not belong there.
    pub fn push(&mut self, key: KeyRef<'_>, entry: Entry) -> Result<(), Misfit> {
        self.keys += 1;
        self.expires += u64::from(entry.expire_at_ms().is_some());
        self.timed += u64::from(entry.is_timed());
        self.entry_bytes += entry.heap_bytes() as u64;
        match &mut self.form {
            Form::Hashed(page) => page.push(key, entry),
            Form::Ordered(page) => page.push(entry).map_err(|_| Misfit::NotAscending),
        }
    }
}

/// What of a page says where it belongs among those of its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    id: PageId,
    extent: Extent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Extent {
    /// Hashes with the bits of an anchor.
    Anchor(Anchor),
    /// Keys from the first to the last; `None` without any.
    Keys(Option<[Box<[u8]>; 2]>),
}

impl Outline {
    /// The hashes it has, of a page of a hashed collection.
    pub fn anchor(&self) -> Option<Anchor> {
        match self.extent {
            Extent::Anchor(anchor) => Some(anchor),
            Extent::Keys(_) => None,
        }
    }
}

impl LoadedPage {
    /// Its outline.
    pub fn outline(&self) -> Outline {
        match &self.form {
            Form::Hashed(page) => Outline {
                id: page.header().id,
                extent: Extent::Anchor(page.anchor()),
            },
            Form::Ordered(page) => Outline {
                id: page.header.id,
                extent: Extent::Keys(extent_of(page).map(|(first, last)| [first.into(), last.into()])),
            },
        }
    }
}

/// Whether pages of these outlines make a shard; sorts them.
///
/// # Errors
/// When they do not.
pub fn check_fit(pages: &mut [Outline]) -> Result<(), Misfit> {
    pages.sort_unstable_by(|one, other| match (&one.extent, &other.extent) {
        (Extent::Anchor(one), Extent::Anchor(other)) => one.prefix.cmp(&other.prefix),
        (Extent::Keys(one), Extent::Keys(other)) => one.cmp(other),
        (Extent::Anchor(_), Extent::Keys(_)) => Ordering::Less,
        (Extent::Keys(_), Extent::Anchor(_)) => Ordering::Greater,
    });
    check_cover(pages.iter().filter_map(|page| match &page.extent {
        Extent::Anchor(anchor) => Some((page.id, *anchor)),
        Extent::Keys(_) => None,
    }))?;
    check_ascending(pages.iter().filter_map(|page| match &page.extent {
        Extent::Anchor(_) => None,
        Extent::Keys(keys) => Some((page.id, keys.as_ref().map(|[first, last]| (&**first, &**last)))),
    }))
}

/// Whether anchors, in the order of their prefixes, cover all hashes, each once. An empty list is valid.
pub fn check_cover(pages: impl Iterator<Item = (PageId, Anchor)>) -> Result<(), Misfit> {
    let mut covered = None;
    for (id, anchor) in pages {
        let (from, up_to) = (u64::from(anchor.prefix), covered.unwrap_or(0));
        if from != up_to {
            let cover = Cover { page: id, up_to, from };
            return Err(if from < up_to {
                Misfit::HashesOverlap(cover)
            } else {
                Misfit::Hole(cover)
            });
        }
        covered = Some(up_to + (1 << (32 - u32::from(anchor.depth))));
    }
    match covered {
        None | Some(ALL_HASHES) => Ok(()),
        Some(up_to) => Err(Misfit::Uncovered(up_to)),
    }
}

/// Whether pages in the order of their keys are apart from each other. Only a sole page may be empty.
pub(super) fn check_ascending<'a>(
    pages: impl Iterator<Item = (PageId, Option<(&'a [u8], &'a [u8])>)>,
) -> Result<(), Misfit> {
    let mut before: Option<(PageId, Option<&[u8]>)> = None;
    for (id, extent) in pages {
        match (before, extent) {
            (Some((empty, None)), _) => return Err(Misfit::Empty(empty)),
            (Some(_), None) => return Err(Misfit::Empty(id)),
            (Some((left, Some(last))), Some((first, _))) if last >= first => {
                return Err(Misfit::KeysOverlap { page: id, left });
            }
            _ => before = Some((id, extent.map(|(_, last)| last))),
        }
    }
    Ok(())
}

/// The first and the last key of a page.
pub(super) fn extent_of(page: &OrderedPage) -> Option<(&[u8], &[u8])> {
    page.first_key().zip(page.last_key())
}

/// The pages, all of the hashed kind.
pub(super) fn hashed(pages: Vec<LoadedPage>) -> Result<Vec<HashedPage>, Misfit> {
    let page_of = |page: LoadedPage| match page.form {
        Form::Hashed(page) => Ok(page),
        Form::Ordered(_) => Err(Misfit::WrongKind),
    };
    pages.into_iter().map(page_of).collect()
}

/// The pages, all of an ordered kind and whole.
pub(super) fn in_order(pages: Vec<LoadedPage>) -> Result<Vec<OrderedPage>, Misfit> {
    let page_of = |page: LoadedPage| match page.form {
        Form::Ordered(mut page) => {
            page.settle();
            Ok(page)
        }
        Form::Hashed(_) => Err(Misfit::WrongKind),
    };
    pages.into_iter().map(page_of).collect()
}

/// A hash page that no directory owns yet.
pub struct HashedPage {
    page: Option<HashPage>,
    shard_bits: u8,
}

impl HashedPage {
    /// Takes over a page that nobody else knows.
    pub(super) fn new(page: HashPage, shard_bits: u8) -> Self {
        Self {
            page: Some(page),
            shard_bits,
        }
    }

    fn page(&self) -> HashPage {
        #[expect(clippy::expect_used, reason = "taken only by `into_page`, which consumes")]
        self.page.expect("a page")
    }

    /// The page's header.
    pub(super) fn header(&self) -> &Header {
        #[expect(clippy::expect_used, reason = "as above")]
        self.page.as_ref().expect("a page").header()
    }

    /// Where it belongs.
    pub(super) fn anchor(&self) -> Anchor {
        let header = self.header();
        Anchor {
            prefix: header.prefix,
            depth: header.depth,
        }
    }

    /// Gives the page away.
    pub(super) fn into_page(mut self) -> HashPage {
        let page = self.page();
        self.page = None;
        page
    }

    fn push(&mut self, key: KeyRef<'_>, entry: Entry) -> Result<(), Misfit> {
        let mut page = self.page();
        let header = page.header();
        let local = ((key.hash << self.shard_bits) >> 32) as u32;
        if local & prefix_mask(header.depth) != header.prefix {
            return Err(Misfit::WrongPage);
        }
        if page.find(header.lines, key.hash, key.bytes).is_some() {
            return Err(Misfit::Twice);
        }
        page.insert(key.hash, entry).map(drop).map_err(|_| Misfit::MoreThanSaid)
    }
}

impl Drop for HashedPage {
    fn drop(&mut self) {
        if let Some(mut page) = self.page.take() {
            page.drain_into(&mut Vec::new());
            // SAFETY: no directory has named this page, so nobody else has it.
            unsafe { page.free() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(prefix: u32, depth: u8) -> (PageId, Anchor) {
        (PageId::new(u64::from(prefix >> 28)), Anchor { prefix, depth })
    }

    #[test]
    fn anchors_cover_every_hash_once() {
        let (quarter, half) = (1 << 30, 1 << 31);
        let whole = [anchor(0, 2), anchor(quarter, 2), anchor(half, 1)];
        assert_eq!(check_cover(whole.into_iter()), Ok(()));
        assert_eq!(check_cover([anchor(0, 0)].into_iter()), Ok(()));
        assert_eq!(check_cover(std::iter::empty()), Ok(()));
        let bad: [&[_]; 5] = [
            &[anchor(0, 2), anchor(half, 1)],
            &[anchor(0, 1), anchor(quarter, 2), anchor(half, 1)],
            &[anchor(0, 1), anchor(0, 1), anchor(half, 1)],
            &[anchor(0, 1)],
            &[anchor(half, 1)],
        ];
        for pages in bad {
            assert!(check_cover(pages.iter().copied()).is_err(), "{pages:?}");
        }
    }

    #[test]
    fn key_ranges_are_apart_and_only_a_sole_page_is_empty() {
        let keys = |id: PageId, range: Option<(&'static str, &'static str)>| {
            (id, range.map(|(first, last)| (first.as_bytes(), last.as_bytes())))
        };
        let (one, two, empty) = (
            keys(PageId::FIRST, Some(("a", "c"))),
            keys(PageId::new(2), Some(("d", "d"))),
            keys(PageId::new(3), None),
        );
        for good in [&[one, two][..], &[empty], &[]] {
            assert_eq!(check_ascending(good.iter().copied()), Ok(()));
        }
        let touching = keys(PageId::new(4), Some(("c", "x")));
        for bad in [
            &[one, touching][..],
            &[two, one],
            &[empty, one],
            &[one, empty],
            &[one, one],
        ] {
            assert!(check_ascending(bad.iter().copied()).is_err(), "{bad:?}");
        }
    }
}
