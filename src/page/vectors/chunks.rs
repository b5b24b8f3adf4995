//! What a set has for each slot, in chunks of slots: each is shared until it changes, and a part of the set on disk.
//!
//! **Invariants**
//! - Every group but the last has [`GROUP`] chunks, none is empty.
//! - All chunks have identities of the collection, or none has.
//! - A chunk that has changed has the LSN of the change for its version.

use triomphe::Arc;

use crate::lsn::Lsn;
use crate::page::parts::PartRef;
use crate::page::{Mark, PageId};

/// Chunks of a group: a change after a clone copies a group's table, and that of groups.
const GROUP: usize = 64;
/// Header of a counted allocation.
const ARC_BYTES: usize = size_of::<usize>();

#[derive(Debug)]
struct Row<T> {
    chunk: Arc<T>,
    id: PageId,
    version: Lsn,
}

impl<T> Clone for Row<T> {
    fn clone(&self) -> Self {
        Self {
            chunk: Arc::clone(&self.chunk),
            ..*self
        }
    }
}

type Group<T> = Arc<Vec<Row<T>>>;

/// See the module. Cloning takes a moment.
#[derive(Debug)]
pub(super) struct Chunks<T> {
    groups: Arc<Vec<Group<T>>>,
    rows: usize,
    is_named: bool,
}

impl<T> Clone for Chunks<T> {
    fn clone(&self) -> Self {
        Self {
            groups: Arc::clone(&self.groups),
            ..*self
        }
    }
}

impl<T: Clone> Chunks<T> {
    pub fn new() -> Self {
        Self {
            groups: Arc::new(Vec::new()),
            rows: 0,
            is_named: false,
        }
    }

    /// Chunks with their names on disk.
    pub fn of_parts(chunks: Vec<(T, PartRef)>) -> Self {
        let mut made = Self::new();
        made.is_named = true;
        for (chunk, part) in chunks {
            made.push_row(Row {
                chunk: Arc::new(chunk),
                id: part.id,
                version: part.version,
            });
        }
        made
    }

    /// Chunks that are no parts of a collection.
    pub fn of_chunks(chunks: impl Iterator<Item = T>) -> Self {
        let mut made = Self::new();
        chunks.for_each(|chunk| made.push(chunk, Mark::APART));
        made
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether they are parts of a collection.
    pub fn is_named(&self) -> bool {
        self.is_named
    }

    #[inline]
    pub fn get(&self, at: usize) -> Option<&T> {
        self.groups.get(at / GROUP)?.get(at % GROUP).map(|row| &*row.chunk)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.groups.iter().flat_map(|group| group.iter()).map(|row| &*row.chunk)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = PartRef> {
        self.groups.iter().flat_map(|group| group.iter()).map(|row| PartRef {
            start: 0,
            id: row.id,
            version: row.version,
        })
    }

    /// One of them, to be changed.
    pub fn change(&mut self, at: usize, mark: Mark<'_>) -> Option<&mut T> {
        if at >= self.rows {
            return None;
        }
        let group = Arc::make_mut(&mut self.groups).get_mut(at / GROUP)?;
        let row = Arc::make_mut(group).get_mut(at % GROUP)?;
        row.version = mark.lsn;
        Some(Arc::make_mut(&mut row.chunk))
    }

    /// Puts one behind the last.
    pub fn push(&mut self, chunk: T, mark: Mark<'_>) {
        self.push_row(Row {
            chunk: Arc::new(chunk),
            id: if self.is_named { mark.new_id() } else { PageId::NONE },
            version: mark.lsn,
        });
    }

    fn push_row(&mut self, row: Row<T>) {
        let groups = Arc::make_mut(&mut self.groups);
        match groups.last_mut().filter(|group| group.len() < GROUP) {
            Some(group) => Arc::make_mut(group).push(row),
            None => groups.push(Arc::new(vec![row])),
        }
        self.rows += 1;
    }

    /// Lets go of the last one.
    pub fn pop(&mut self) {
        let groups = Arc::make_mut(&mut self.groups);
        let Some(last) = groups.last_mut() else { return };
        let last = Arc::make_mut(last);
        self.rows -= usize::from(last.pop().is_some());
        if last.is_empty() {
            groups.pop();
        }
    }

    /// Gives all of them identities of the collection that they are put into, or takes those away.
    pub fn adopt(&mut self, mark: Option<Mark<'_>>) {
        self.is_named = mark.is_some_and(|mark| mark.page_ids.is_some());
        for group in Arc::make_mut(&mut self.groups) {
            for row in Arc::make_mut(group) {
                row.id = mark.map_or(PageId::NONE, |mark| mark.new_id());
                row.version = mark.map_or(row.version, |mark| mark.lsn);
            }
        }
    }

    /// Bytes of the tables of so many chunks, and of what each takes besides its content.
    pub fn table_bytes(rows: usize) -> usize {
        let tables = |full: usize, rest: usize| full * GROUP + rest.next_power_of_two().min(GROUP);
        let groups = rows.div_ceil(GROUP);
        let group_bytes = ARC_BYTES + size_of::<Vec<Row<T>>>();
        tables(rows / GROUP, rows % GROUP) * size_of::<Row<T>>()
            + groups * (group_bytes + size_of::<Group<T>>())
            + rows * (ARC_BYTES + size_of::<T>())
            + ARC_BYTES
            + size_of::<Vec<Group<T>>>()
    }
}
