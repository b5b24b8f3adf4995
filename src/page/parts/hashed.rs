//! A trie in parts: runs of hashes.
//!
//! **Invariants**
//! - The first part begins at hash 0, each goes up to where the next one begins, and none is without an item.
//! - A part's bytes are those of its items.

use std::ops::Deref;

use super::table::{Row, Table, first_to_join};
use super::{PART_BYTES_NEW, PARTED_BYTES_MIN, Part, PartRef};
use crate::page::change::Mark;
use crate::page::tree::TreeItem;
use crate::page::trie::{Item, Trie};

/// A part of a trie.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its first hash.
    pub start: u64,
    /// The part.
    pub part: Part,
}

impl TreeItem for Span {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Row for Span {
    fn part(&self) -> &Part {
        &self.part
    }

    fn part_mut(&mut self) -> &mut Part {
        &mut self.part
    }

    fn start(&self) -> u64 {
        self.start
    }
}

/// See the module. It is read as the trie that it is.
#[derive(Clone, Debug)]
pub struct PartedTrie {
    trie: Trie<Item>,
    spans: Table<Span>,
}

impl Deref for PartedTrie {
    type Target = Trie<Item>;

    #[inline]
    fn deref(&self) -> &Trie<Item> {
        &self.trie
    }
}

impl PartedTrie {
    /// The trie of these items; see [`Trie::build`].
    pub fn build(seed: u64, items: impl IntoIterator<Item = Item>, mark: Mark<'_>) -> Self {
        let mut made = Self {
            trie: Trie::build(seed, items),
            spans: Table::NONE,
        };
        made.divide_all(mark);
        made
    }

    /// The trie itself, in place of which there is an empty one: for dropping it.
    pub fn take_trie(&mut self) -> Trie<Item> {
        std::mem::replace(&mut self.trie, Trie::new(0))
    }

    /// The trie of these items with their hashes in these parts, made by so many threads.
    pub fn of_parts(seed: u64, runs: Vec<Vec<(u64, Item)>>, spans: Vec<Span>, threads: usize) -> Self {
        let item_bytes: u64 = spans.iter().map(|span| span.part.bytes).sum();
        Self {
            trie: Trie::build_hashed(seed, runs, item_bytes as usize, threads),
            spans: spans.into_iter().collect(),
        }
    }

    /// Bytes of heap, exactly. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.trie.heap_bytes() + self.spans.heap_bytes()
    }

    /// Whether it is in parts of a collection. O(1).
    pub fn is_parted(&self) -> bool {
        self.spans.is_named()
    }

    /// Its parts.
    pub fn parts(&self) -> Vec<PartRef> {
        self.spans.names()
    }

    /// The items of a part, in no order.
    pub fn items_of(&self, index: usize) -> impl Iterator<Item = &Item> {
        let start = |index| Some(self.spans.rows()?.get(index)?.start);
        let (mut from, end) = (start(index), start(index + 1).unwrap_or(0));
        let leaves = std::iter::from_fn(move || {
            let (items, next) = self.trie.leaf_in(from?, end);
            from = (next != end).then_some(next);
            Some(items)
        });
        leaves.flatten()
    }

    /// Puts an item in; returns the one of equal key that it replaces.
    pub fn insert(&mut self, item: Item, mark: Mark<'_>) -> Option<Item> {
        let hash = self.trie.hash_of(item.key());
        let (before, added) = (self.trie.heap_bytes() as i64, item.heap_bytes() as i64);
        let replaced = self.trie.insert_hashed(hash, item);
        let grown = match &replaced {
            // Nothing but the items then, nodes are as large as they were.
            Some(_) => self.trie.heap_bytes() as i64 - before,
            None => added,
        };
        self.note(hash, grown, mark);
        replaced
    }

    /// Lets `change` change the item of this key, all but its key, or puts in what `make` makes, if there is none.
    pub fn upsert(&mut self, key: &[u8], mark: Mark<'_>, change: impl FnOnce(&mut Item), make: impl FnOnce() -> Item) {
        let (hash, before) = (self.trie.hash_of(key), self.trie.heap_bytes() as i64);
        let mut added = 0;
        let make = || {
            let item = make();
            added = item.heap_bytes() as i64;
            item
        };
        let is_new = self.trie.upsert_hashed(hash, key, change, make);
        let grown = match is_new {
            true => added,
            false => self.trie.heap_bytes() as i64 - before,
        };
        self.note(hash, grown, mark);
    }

    /// Takes out the item of this key.
    pub fn remove(&mut self, key: &[u8], mark: Mark<'_>) -> Option<Item> {
        let hash = self.trie.hash_of(key);
        let removed = self.trie.remove_hashed(hash, key)?;
        self.note(hash, -(removed.heap_bytes() as i64), mark);
        Some(removed)
    }

    /// Changes the item of this key, if there is one, all but its key; returns what `body` returns.
    pub fn update<R>(&mut self, key: &[u8], mark: Mark<'_>, body: impl FnOnce(&mut Item) -> R) -> Option<R> {
        let hash = self.trie.hash_of(key);
        let before = self.trie.heap_bytes() as i64;
        let result = self.trie.update_hashed(hash, key, body)?;
        let grown = self.trie.heap_bytes() as i64 - before;
        self.note(hash, grown, mark);
        Some(result)
    }

    /// Gives its parts identities of the collection that it is put into.
    pub fn adopt(&mut self, mark: Mark<'_>) {
        self.spans.adopt(mark);
    }

    /// Notes that the part of this hash has changed, and has grown so much; lets go of parts where the whole has become
    /// small.
    #[inline]
    fn note(&mut self, hash: u64, grown: i64, mark: Mark<'_>) {
        if grown < 0 && self.trie.heap_bytes() < PARTED_BYTES_MIN / 2 {
            self.spans = Table::NONE;
        }
        let Some(spans) = self.spans.rows_mut() else {
            if grown > 0 && self.trie.heap_bytes() >= PARTED_BYTES_MIN {
                self.divide_all(mark);
            }
            return;
        };
        let begins = |span: &Span| span.start <= hash;
        let Some(Span { part, .. }) = spans.last_mut(begins) else {
            return;
        };
        let (is_long, is_small) = (part.note(grown, mark), grown < 0 && part.is_small());
        if is_long || is_small {
            self.reshape(hash, is_long, mark);
        }
    }

    /// Divides the part of this hash, or joins it with another.
    #[cold]
    fn reshape(&mut self, hash: u64, is_long: bool, mark: Mark<'_>) {
        let spans = self.spans.rows();
        let behind = spans.map_or(0, |spans| spans.partition_point(|span| span.start <= hash));
        let at = behind.saturating_sub(1);
        if is_long {
            self.divide(at, mark);
        } else {
            self.join_small(at, mark);
        }
    }

    /// Makes parts of the whole, if it is long enough for more than one.
    fn divide_all(&mut self, mark: Mark<'_>) {
        if self.trie.heap_bytes() < PARTED_BYTES_MIN {
            return;
        }
        let (mut spans, mut start, mut bytes) = (Vec::new(), 0, 0);
        self.for_each_leaf(0, 0, |leaf_bytes, next| {
            bytes += leaf_bytes;
            if bytes >= PART_BYTES_NEW || next == 0 {
                let part = Part::new(std::mem::take(&mut bytes), mark);
                spans.push(Span { start, part });
                start = next;
            }
        });
        self.spans = spans.into_iter().collect();
    }

    /// Tells the bytes of each leaf's items with hashes from `start` up to `end`, and the hash behind it.
    fn for_each_leaf(&self, start: u64, end: u64, mut visit: impl FnMut(u64, u64)) {
        let mut from = start;
        loop {
            let (items, next) = self.trie.leaf_in(from, end);
            visit(items.map(|item| item.heap_bytes() as u64).sum(), next);
            if next == end {
                return;
            }
            from = next;
        }
    }

    /// Divides a part between two leaves, where there are two.
    fn divide(&mut self, at: usize, mark: Mark<'_>) {
        let Some(spans) = self.spans.rows() else { return };
        let Some(Span { start, part }) = spans.get(at).cloned() else {
            return;
        };
        let end = spans.get(at + 1).map_or(0, |next| next.start);
        let (mut lower, mut cut) = (0, None);
        self.for_each_leaf(start, end, |bytes, next| {
            if cut.is_none() && next != end {
                lower += bytes;
                cut = (lower >= part.bytes / 2).then_some(next);
            }
        });
        let upper = part.bytes.saturating_sub(lower);
        let (Some(cut), true, Some(spans)) = (cut, upper > 0, self.spans.rows_mut()) else {
            return;
        };
        spans.update(at, |span| span.part.bytes = lower);
        let part = Part::new(upper, mark);
        spans.insert(at + 1, Span { start: cut, part });
    }

    /// Joins a part that has become small with a neighbour.
    fn join_small(&mut self, at: usize, mark: Mark<'_>) {
        let Some(spans) = self.spans.rows_mut() else { return };
        let Some(front) = first_to_join(spans, at) else { return };
        let gone = spans.remove(front + 1).part;
        spans.update(front, |span| span.part.join(&gone, mark));
    }
}
