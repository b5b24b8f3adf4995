//! A tree in parts: runs of its items.
//!
//! **Invariants**
//! - The runs' numbers of items add up to the tree's, and none is without an item.
//! - A part's bytes are those of its items.

use std::ops::Deref;

use super::table::{Row, Table, first_to_join};
use super::{PART_BYTES_MAX, PART_BYTES_NEW, PARTED_BYTES_MIN, Part, PartRef};
use crate::page::change::Mark;
use crate::page::tree::{Tree, TreeItem};

/// A part of a tree.
#[derive(Clone, Debug)]
pub(super) struct Run {
    items: u64,
    pub part: Part,
}

impl TreeItem for Run {
    fn weight(&self) -> u64 {
        self.items
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Row for Run {
    fn part(&self) -> &Part {
        &self.part
    }

    fn part_mut(&mut self) -> &mut Part {
        &mut self.part
    }
}

/// See the module. It is read as the tree that it is.
#[derive(Clone, Debug)]
pub struct PartedTree<T: TreeItem> {
    tree: Tree<T>,
    runs: Table<Run>,
}

impl<T: TreeItem> Default for PartedTree<T> {
    fn default() -> Self {
        Self {
            tree: Tree::new(),
            runs: Table::NONE,
        }
    }
}

impl<T: TreeItem> Deref for PartedTree<T> {
    type Target = Tree<T>;

    #[inline]
    fn deref(&self) -> &Tree<T> {
        &self.tree
    }
}

impl<T: TreeItem> PartedTree<T> {
    /// The tree of these items.
    pub fn build(items: impl IntoIterator<Item = T>, mark: Mark<'_>) -> Self {
        let mut made = Self {
            tree: items.into_iter().collect(),
            runs: Table::NONE,
        };
        made.divide_all(mark);
        made
    }

    /// The tree of these items in these parts: how many items each has, and it.
    pub fn of_parts(items: Vec<T>, parts: &[(u64, PartRef)]) -> Self {
        let mut all = items.iter();
        let runs: Table<Run> = parts
            .iter()
            .map(|(count, name)| Run {
                items: *count,
                part: Part::known(name, all.by_ref().take(*count as usize).map(bytes_of).sum()),
            })
            .collect();
        debug_assert!(runs.rows().is_none() || all.next().is_none(), "parts have all items");
        Self {
            tree: items.into_iter().collect(),
            runs,
        }
    }

    /// Bytes of heap, exactly. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes() + self.runs.heap_bytes()
    }

    /// Whether it is in parts of a collection. O(1).
    pub fn is_parted(&self) -> bool {
        self.runs.is_named()
    }

    /// Its parts.
    pub fn parts(&self) -> Vec<PartRef> {
        self.runs.names()
    }

    /// The items of a part.
    pub fn items_of(&self, index: usize) -> impl Iterator<Item = &T> {
        let run = self
            .runs
            .rows()
            .and_then(|runs| Some((runs.weight_before(index), runs.get(index)?.items)));
        let (start, items) = run.unwrap_or_default();
        self.tree.iter_from(start as usize).take(items as usize)
    }

    /// Puts an item before the one at `index`; at the length, behind the last.
    pub fn insert(&mut self, index: usize, item: T, mark: Mark<'_>) {
        let bytes = bytes_of(&item);
        let is_end = index == 0 || index >= self.tree.len();
        self.tree.insert(index, item);
        let Some(runs) = self.runs.rows_mut() else {
            if self.tree.heap_bytes() >= PARTED_BYTES_MIN {
                self.divide_all(mark);
            }
            return;
        };
        let at_end = if index == 0 { runs.first() } else { runs.last() };
        if is_end && at_end.is_none_or(|run| run.part.bytes + bytes > PART_BYTES_MAX) {
            // So that what is appended fills parts, and leaves them alone once they are full.
            let part = Part::new(bytes, mark);
            let at = if index == 0 { 0 } else { runs.len() };
            return runs.insert(at, Run { items: 1, part });
        }
        let noted = runs.update_within(index as u64, 1, |run| {
            run.items += 1;
            run.part.note(bytes as i64, mark)
        });
        if let Some((at, true)) = noted {
            self.divide(at, mark);
        }
    }

    /// Takes the item at `index` out.
    ///
    /// # Panics
    /// When there is none.
    pub fn remove(&mut self, index: usize, mark: Mark<'_>) -> T {
        let item = self.tree.remove(index);
        if let Some(runs) = self.settled() {
            let noted = runs.update_within(index as u64, -1, |run| {
                run.items -= 1;
                run.part.note(-(bytes_of(&item) as i64), mark);
                run.items == 0 || run.part.is_small()
            });
            if let Some((at, true)) = noted {
                self.join_small(at, mark);
            }
        }
        item
    }

    /// Takes so many items from `index` on out.
    pub fn remove_range(&mut self, index: usize, len: usize, mark: Mark<'_>) {
        let index = index.min(self.tree.len());
        let len = len.min(self.tree.len() - index);
        if let Some(runs) = self.runs.rows_mut() {
            let (mut left, mut items) = (len as u64, self.tree.iter_from(index));
            let (mut at, mut within) = runs.locate(index as u64);
            while left > 0
                && let Some(here) = runs.get(at).map(|run| run.items)
            {
                let gone = left.min(here - within);
                left -= gone;
                let bytes: u64 = items.by_ref().take(gone as usize).map(bytes_of).sum();
                if gone == here {
                    runs.remove(at);
                    continue;
                }
                runs.update(at, |run| {
                    run.items -= gone;
                    run.part.note(-(bytes as i64), mark)
                });
                (at, within) = (at + 1, 0);
            }
        }
        self.tree.remove_range(index, len);
        if let Some(runs) = self.settled() {
            let at = runs.locate(index as u64).0.min(runs.len().saturating_sub(1));
            self.join_small(at, mark);
        }
    }

    /// Lets `body` change the item at `index` in place.
    ///
    /// # Panics
    /// When there is none.
    pub fn update<R>(&mut self, index: usize, mark: Mark<'_>, body: impl FnOnce(&mut T) -> R) -> R {
        let before = self.tree.heap_bytes() as i64;
        let result = self.tree.update(index, body);
        let grown = self.tree.heap_bytes() as i64 - before;
        if let Some(runs) = self.runs.rows_mut() {
            let noted = runs.update_within(index as u64, 0, |run| run.part.note(grown, mark));
            if let Some((at, true)) = noted {
                self.divide(at, mark);
            }
        } else if grown > 0 && self.tree.heap_bytes() >= PARTED_BYTES_MIN {
            self.divide_all(mark);
        }
        result
    }

    /// Gives its parts identities of the collection that it is put into.
    pub fn adopt(&mut self, mark: Mark<'_>) {
        self.runs.adopt(mark);
    }

    /// Makes parts of the whole, if it is long enough for more than one.
    fn divide_all(&mut self, mark: Mark<'_>) {
        if self.tree.heap_bytes() < PARTED_BYTES_MIN {
            return;
        }
        let (mut runs, mut items, mut bytes) = (Vec::new(), 0, 0);
        let mut all = self.tree.iter().peekable();
        while let Some(item) = all.next() {
            items += 1;
            bytes += bytes_of(item);
            if bytes >= PART_BYTES_NEW || all.peek().is_none() {
                let part = Part::new(std::mem::take(&mut bytes), mark);
                runs.push(Run {
                    items: std::mem::take(&mut items),
                    part,
                });
            }
        }
        self.runs = runs.into_iter().collect();
    }

    /// Divides a part of more than one item.
    fn divide(&mut self, at: usize, mark: Mark<'_>) {
        let Some(runs) = self.runs.rows_mut() else { return };
        let Some(Run { items, part }) = runs.get(at).cloned() else {
            return;
        };
        let (mut kept, mut lower) = (0, 0);
        for item in self.tree.iter_from(runs.weight_before(at) as usize) {
            if kept + 1 == items || lower >= part.bytes / 2 {
                break;
            }
            kept += 1;
            lower += bytes_of(item);
        }
        if kept == 0 {
            return;
        }
        runs.update(at, |run| (run.items, run.part.bytes) = (kept, lower));
        let part = Part::new(part.bytes.saturating_sub(lower), mark);
        let items = items - kept;
        runs.insert(at + 1, Run { items, part });
    }

    /// The runs, after items have gone; none any more where the whole has become small.
    fn settled(&mut self) -> Option<&mut Tree<Run>> {
        if self.tree.heap_bytes() < PARTED_BYTES_MIN / 2 {
            self.runs = Table::NONE;
        }
        self.runs.rows_mut()
    }

    /// Joins a part that has become small with a neighbour; lets go of one without items.
    fn join_small(&mut self, at: usize, mark: Mark<'_>) {
        let Some(runs) = self.runs.rows_mut() else { return };
        if runs.get(at).is_some_and(|run| run.items == 0) {
            runs.remove(at);
            return;
        }
        let Some(front) = first_to_join(runs, at) else { return };
        let gone = runs.remove(front + 1);
        runs.update(front, |run| {
            run.items += gone.items;
            run.part.join(&gone.part, mark);
        });
    }
}

fn bytes_of<T: TreeItem>(item: &T) -> u64 {
    item.heap_bytes() as u64
}
