//! The table of parts beside a trie or a tree, in a tree of the same make, so that a clone takes a moment.
//!
//! **Invariant:** there is none, or it has a part.

use super::{Part, PartRef};
use crate::page::PageId;
use crate::page::change::Mark;
use crate::page::tree::{Tree, TreeItem};

/// What a table has for each part.
pub(super) trait Row: TreeItem {
    /// The part.
    fn part(&self) -> &Part;
    /// The part, for changing.
    fn part_mut(&mut self) -> &mut Part;
    /// Where it begins, if that is a part of its name.
    fn start(&self) -> u64 {
        0
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Table<R: TreeItem>(Option<Box<Tree<R>>>);

impl<R: Row> FromIterator<R> for Table<R> {
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        let rows: Tree<R> = rows.into_iter().collect();
        Self((!rows.is_empty()).then(|| Box::new(rows)))
    }
}

impl<R: Row> Table<R> {
    /// No table.
    pub const NONE: Self = Self(None);

    /// Its rows, if there is one.
    pub fn rows(&self) -> Option<&Tree<R>> {
        self.0.as_deref()
    }

    /// The same, for changing.
    pub fn rows_mut(&mut self) -> Option<&mut Tree<R>> {
        self.0.as_deref_mut()
    }

    /// Bytes of heap, exactly. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.rows().map_or(0, |rows| size_of::<Tree<R>>() + rows.heap_bytes())
    }

    /// Whether the parts are those of a collection. O(1).
    pub fn is_named(&self) -> bool {
        let first = self.rows().and_then(Tree::first);
        first.is_some_and(|row| row.part().id != PageId::NONE)
    }

    /// The parts by name.
    pub fn names(&self) -> Vec<PartRef> {
        let rows = self.rows().into_iter().flat_map(Tree::iter);
        rows.map(|row| row.part().named(row.start())).collect()
    }

    /// Gives the parts identities of the collection that they are put into.
    pub fn adopt(&mut self, mark: Mark<'_>) {
        if let Some(rows) = self.rows_mut() {
            let adopted = rows.iter().map(|row| {
                let mut row = row.clone();
                row.part_mut().adopt(mark);
                row
            });
            *rows = adopted.collect();
        }
    }
}

/// The first one of the two neighbours to be joined where part `at` has become small: its smaller neighbour and it, or
/// it and that. `None`: they are to stay as they are.
pub(super) fn first_to_join<R: Row>(rows: &Tree<R>, at: usize) -> Option<usize> {
    let part = rows.get(at).map(Row::part).filter(|part| part.is_small())?;
    let bytes_of = |at: Option<usize>| Some(rows.get(at?)?.part().bytes);
    match (bytes_of(at.checked_sub(1)), bytes_of(Some(at + 1))) {
        (Some(before), behind) if part.fits_with(before) && behind.is_none_or(|behind| before <= behind) => {
            Some(at - 1)
        }
        (_, Some(behind)) if part.fits_with(behind) => Some(at),
        _ => None,
    }
}
