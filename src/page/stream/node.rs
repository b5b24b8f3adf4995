//! A node: some entries one after another in one byte string.
//!
//! The fields of the first entry stand in front, once; an entry that has the same fields has values only. Ids are kept
//! as distances from the first one's.
//!
//! ```text
//!   node:  number of fields, fields …, entry, entry, …
//!   entry: flags, [milliseconds], [number], [number of fields], values … or field, value, …
//! ```
//!
//! All numbers are varints; those in brackets are there as the flags say.
//!
//! **Invariants**
//! - Ids ascend. An entry that is deleted stays, marked, until no other is left; then the node goes.
//! - `listpack_bytes` is what Redis's own node with these entries would take. Nodes end where Redis's would, so that
//!   approximate trimming takes away the same entries.

use std::sync::Arc;

use super::id::StreamId;
use super::listpack::entry_bytes;
use crate::page::exact::{fit, is_loose};
use crate::page::listpack::{EMPTY_BYTES, int_bytes, item_bytes};
use crate::page::malformed::Malformed;
use crate::page::packed::{Item, Items, read_varint, write_varint};
use crate::page::tree::TreeItem;

const DELETED: u8 = 1;
const SAME_FIELDS: u8 = 2;
/// The id's milliseconds are those of the first one.
const SAME_MS: u8 = 4;
/// The id's number is 0, or that of the first one if the milliseconds are.
const NO_SEQ: u8 = 8;
const FLAGS_KNOWN: u8 = DELETED | SAME_FIELDS | SAME_MS | NO_SEQ;

const BYTES_MIN: usize = 48;
const ARC_BYTES: usize = 2 * size_of::<usize>();

#[derive(Clone, Debug)]
struct Content {
    first: StreamId,
    live: u32,
    deleted: u32,
    /// Without its head, whose counters change.
    listpack_bytes: usize,
    bytes: Vec<u8>,
}

/// See the module. Cloning shares.
#[derive(Clone, Debug)]
pub(super) struct Node(Arc<Content>);

impl TreeItem for Node {
    fn weight(&self) -> u64 {
        u64::from(self.0.live)
    }

    fn heap_bytes(&self) -> usize {
        ARC_BYTES + size_of::<Content>() + self.0.bytes.capacity()
    }
}

impl Node {
    /// A node without entries; the next one pushed has this id and these fields.
    pub fn new(first: StreamId, pairs: Items<'_>) -> Self {
        let fields = || pairs.clone().step_by(2);
        let mut content = Content {
            first,
            live: 0,
            deleted: 0,
            listpack_bytes: fields().map(item_bytes).sum(),
            bytes: Vec::new(),
        };
        let count = fields().count() as u64;
        content.reserve(fields().map(Item::written_bytes).sum::<usize>() + 2);
        write_varint(&mut content.bytes, count);
        fields().for_each(|field| field.write(&mut content.bytes));
        Self(Arc::new(content))
    }

    /// From its bytes; also the id of its last entry.
    ///
    /// # Errors
    /// What is wrong.
    pub fn of_bytes(first: StreamId, bytes: Vec<u8>) -> Result<(Self, StreamId), Malformed> {
        let empty = |bytes| Content {
            first,
            live: 0,
            deleted: 0,
            listpack_bytes: 0,
            bytes,
        };
        let (node, mut counted) = (Self(Arc::new(empty(bytes))), empty(Vec::new()));
        let (mut entries, mut last) = (node.entries(), None);
        counted.listpack_bytes = entries.names.clone().map(item_bytes).sum();
        for entry in entries.by_ref() {
            if last.is_some_and(|last| entry.id <= last) || entry.id < first {
                return Err(Malformed::Container("ids of a stream's node do not ascend"));
            }
            last = Some(entry.id);
            counted.count(&entry);
        }
        if counted.live == 0 {
            return Err(Malformed::Container("a stream's node has no entries"));
        }
        if !entries.is_whole() {
            return Err(Malformed::Container("a stream's node is damaged"));
        }
        let Self(mut content) = node;
        let own = Arc::make_mut(&mut content);
        own.live = counted.live;
        own.deleted = counted.deleted;
        own.listpack_bytes = counted.listpack_bytes;
        Ok((Self(content), last.unwrap_or(first)))
    }

    /// The id of the first entry that it was made with.
    pub fn first_id(&self) -> StreamId {
        self.0.first
    }

    /// The id of its last entry, deleted ones included.
    pub fn last_id(&self) -> StreamId {
        self.entries().last().map_or(self.0.first, |entry| entry.id)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// How many entries it has that are not deleted.
    pub fn live(&self) -> u32 {
        self.0.live
    }

    /// Live and deleted ones.
    pub fn total(&self) -> u64 {
        u64::from(self.0.live) + u64::from(self.0.deleted)
    }

    /// What Redis's node would take.
    pub fn listpack_bytes(&self) -> usize {
        let fields = read_varint(&mut &*self.0.bytes).unwrap_or_default();
        let head = [u64::from(self.0.live), u64::from(self.0.deleted), fields, 0];
        let head: usize = head.iter().map(|number| int_bytes(*number as i64)).sum();
        EMPTY_BYTES + head + self.0.listpack_bytes
    }

    /// Appends an entry with an id above all others.
    pub fn push(&mut self, id: StreamId, pairs: Items<'_>) {
        let Content { first, bytes, .. } = &*self.0;
        let mut names = Items::new(bytes);
        let same = names.skip_varint().unwrap_or_default();
        let names = names.take(usize::try_from(same).unwrap_or(usize::MAX));
        let same = pairs.clone().step_by(2).map(Some).eq_by_is(names.map(Some));
        let mut flags = if same { SAME_FIELDS } else { 0 };
        let ms = id.ms.wrapping_sub(first.ms);
        let seq = if ms == 0 {
            id.seq.wrapping_sub(first.seq)
        } else {
            id.seq
        };
        flags |= if ms == 0 { SAME_MS } else { 0 } | if seq == 0 { NO_SEQ } else { 0 };
        let first = *first;
        let content = Arc::make_mut(&mut self.0);
        let items = || pairs.clone().skip(usize::from(same)).step_by(if same { 2 } else { 1 });
        content.reserve(items().map(Item::written_bytes).sum::<usize>() + 24);
        content.bytes.push(flags);
        if ms != 0 {
            write_varint(&mut content.bytes, ms);
        }
        if seq != 0 {
            write_varint(&mut content.bytes, seq);
        }
        if !same {
            write_varint(&mut content.bytes, pairs.clone().count() as u64 / 2);
        }
        items().for_each(|item| item.write(&mut content.bytes));
        content.live += 1;
        content.listpack_bytes += entry_bytes(id, first, same, items());
    }

    /// Gives back room that it does not need.
    pub fn shrink(&mut self) {
        if is_loose(&self.0.bytes) {
            fit(&mut Arc::make_mut(&mut self.0).bytes);
        }
    }

    /// Marks the entry of this id as deleted; whether there was one.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some(at) = self.entry(id).map(|entry| entry.at) else {
            return false;
        };
        self.mark(at);
        true
    }

    /// Marks the first so many entries as deleted.
    pub fn delete_first(&mut self, count: u32) {
        let live = self.entries().filter(|entry| !entry.is_deleted);
        let places: Vec<usize> = live.take(count as usize).map(|entry| entry.at).collect();
        places.into_iter().for_each(|at| self.mark(at));
    }

    /// Marks the entries from `first` to `last` as deleted.
    pub fn delete_range(&mut self, first: StreamId, last: StreamId) {
        let live = self.entries().filter(|entry| !entry.is_deleted);
        let inside = live.filter(|entry| (first..=last).contains(&entry.id));
        let places: Vec<usize> = inside.map(|entry| entry.at).collect();
        places.into_iter().for_each(|at| self.mark(at));
    }

    fn mark(&mut self, at: usize) {
        let content = Arc::make_mut(&mut self.0);
        if let Some(flags) = content.bytes.get_mut(at) {
            *flags |= DELETED;
            content.live -= 1;
            content.deleted += 1;
        }
    }

    /// All entries in order, deleted ones included.
    pub fn entries(&self) -> Entries<'_> {
        let mut names = Items::new(&self.0.bytes);
        let count = names.skip_varint().unwrap_or_default();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut rest = names.clone();
        let is_broken = rest.pass(count).is_none();
        Entries {
            first: self.0.first,
            names: names.take(count),
            names_count: count,
            bytes: self.0.bytes.len(),
            rest,
            is_broken,
        }
    }

    /// The same without those below this id.
    pub fn entries_from(&self, id: StreamId) -> Entries<'_> {
        let mut entries = self.entries();
        if id > self.0.first {
            entries.pass_below(id);
        }
        entries
    }

    /// The entry of this id, if it is not deleted.
    pub fn entry(&self, id: StreamId) -> Option<Entry<'_>> {
        let entry = self.entries_from(id).next()?;
        (entry.id == id && !entry.is_deleted).then_some(entry)
    }
}

impl Content {
    /// Makes room; doubled, so that appending stays cheap.
    fn reserve(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() < more {
            let wanted = (self.bytes.len() / 2).max(more).max(BYTES_MIN);
            self.bytes.reserve_exact(wanted);
        }
    }

    fn count(&mut self, entry: &Entry<'_>) {
        if entry.is_deleted {
            self.deleted += 1;
        } else {
            self.live += 1;
        }
        self.listpack_bytes += entry_bytes(entry.id, self.first, entry.names.is_some(), entry.items());
    }
}

/// Whether two runs of items are equal.
trait EqByIs {
    fn eq_by_is<'a>(self, other: impl Iterator<Item = Option<Item<'a>>>) -> bool;
}

impl<'b, I: Iterator<Item = Option<Item<'b>>>> EqByIs for I {
    fn eq_by_is<'a>(mut self, mut other: impl Iterator<Item = Option<Item<'a>>>) -> bool {
        loop {
            match (self.next().flatten(), other.next().flatten()) {
                (None, None) => return true,
                (Some(one), Some(other)) if one.is(other) => {}
                _ => return false,
            }
        }
    }
}

/// Entries of a node.
#[derive(Clone)]
pub(super) struct Entries<'a> {
    first: StreamId,
    names: std::iter::Take<Items<'a>>,
    names_count: usize,
    bytes: usize,
    rest: Items<'a>,
    is_broken: bool,
}

impl Entries<'_> {
    /// Whether all of the bytes were entries.
    fn is_whole(&self) -> bool {
        !self.is_broken && self.rest.rest().is_empty()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.rest.rest().is_empty() || self.is_broken {
            return None;
        }
        let entry = self.read();
        self.is_broken = entry.is_none();
        entry
    }
}

/// What stands in front of an entry's items, and how many those are.
struct Head {
    flags: u8,
    id: StreamId,
    pairs: usize,
    items: usize,
}

impl<'a> Entries<'a> {
    /// Passes over those whose ids are below this one.
    fn pass_below(&mut self, id: StreamId) {
        if self.is_broken {
            return;
        }
        let mut rest = self.rest.clone();
        loop {
            let mut ahead = rest.clone();
            // What is damaged is found by who reads on.
            let below = self.head(&mut ahead).filter(|head| head.id < id);
            if below.and_then(|head| pass_items(&mut ahead, head.items)).is_none() {
                break;
            }
            rest = ahead;
        }
        self.rest = rest;
    }

    #[inline]
    fn read(&mut self) -> Option<Entry<'a>> {
        let at = self.bytes - self.rest.rest().len();
        let mut rest = self.rest.clone();
        let Head {
            flags,
            id,
            pairs,
            items,
        } = self.head(&mut rest)?;
        let values = rest.clone().take(items);
        pass_items(&mut rest, items)?;
        self.rest = rest;
        Some(Entry {
            id,
            is_deleted: flags & DELETED != 0,
            at,
            pairs,
            names: (flags & SAME_FIELDS != 0).then(|| self.names.clone()),
            values,
        })
    }

    #[inline(always)]
    fn head(&self, rest: &mut Items<'a>) -> Option<Head> {
        let flags = rest.skip_byte().filter(|flags| flags & !FLAGS_KNOWN == 0)?;
        let ms = if flags & SAME_MS == 0 { rest.skip_varint()? } else { 0 };
        let seq = if flags & NO_SEQ == 0 { rest.skip_varint()? } else { 0 };
        let id = if ms == 0 {
            StreamId::new(self.first.ms, self.first.seq.checked_add(seq)?)
        } else {
            StreamId::new(self.first.ms.checked_add(ms)?, seq)
        };
        let (pairs, items) = if flags & SAME_FIELDS != 0 {
            (self.names_count, self.names_count)
        } else {
            let pairs = usize::try_from(rest.skip_varint()?).ok()?;
            (pairs, pairs.checked_mul(2)?)
        };
        Some(Head {
            flags,
            id,
            pairs,
            items,
        })
    }
}

/// Passes over an entry's items; `None` if it cannot have those.
#[inline(always)]
fn pass_items(rest: &mut Items<'_>, items: usize) -> Option<()> {
    for _ in 0..items {
        if rest.is_at_double() {
            return None;
        }
        rest.pass(1)?;
    }
    Some(())
}

/// An entry of a stream.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: StreamId,
    pub(super) is_deleted: bool,
    /// Where in the node its flags are.
    at: usize,
    pairs: usize,
    names: Option<std::iter::Take<Items<'a>>>,
    values: std::iter::Take<Items<'a>>,
}

impl<'a> Entry<'a> {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.pairs
    }

    /// Whether it has none, which no client can make.
    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// What is stored of it.
    fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        self.values.clone()
    }

    /// Visits field, value, field, value, …
    pub fn for_each(&self, mut visit: impl FnMut(Item<'a>)) {
        match &self.names {
            None => self.values.clone().for_each(visit),
            Some(names) => names.clone().zip(self.values.clone()).for_each(|(name, value)| {
                visit(name);
                visit(value);
            }),
        }
    }
}
