//! The big form: a tree of chunks, each some elements one after another as in the packed form.
//!
//! **Invariants**
//! - No chunk is empty; one grows beyond its limits by a single element only.
//! - A clone shares all chunks; a change copies the chunk it is in, if that is shared.

use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::op::ListOp;
use super::packed_form::{offset_of, written};
use crate::page::exact::{fit, is_loose};
use crate::page::packed::{Builder, Item, Items, Packed};
use crate::page::parts::{PartRef, PartedTree};
use crate::page::tree::TreeItem;
use crate::page::{Change, Mark};

/// Bytes of a chunk's elements: an operation at an end moves at most so many.
const CHUNK_BYTES_MAX: usize = 2048;
/// Elements of a chunk: an operation within it looks at no more.
const CHUNK_ITEMS_MAX: u32 = 128;
/// Elements of the piece that is cut off a long chunk to take elements off its back: finding the last of it is cheap.
const TAIL_ITEMS: u32 = 16;
/// What a new chunk has room for.
const CHUNK_BYTES_MIN: usize = 64;
/// Two strong and weak counts stand before what an `Arc` points to.
const ARC_BYTES: usize = 2 * size_of::<usize>();

#[derive(Clone, Debug)]
struct Content {
    count: u32,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Chunk(Arc<Content>);

impl TreeItem for Chunk {
    fn weight(&self) -> u64 {
        u64::from(self.0.count)
    }

    fn heap_bytes(&self) -> usize {
        ARC_BYTES + size_of::<Content>() + self.0.bytes.capacity()
    }
}

impl Chunk {
    fn new(count: u32, bytes: Vec<u8>) -> Self {
        Self(Arc::new(Content { count, bytes }))
    }

    fn content(&mut self) -> &mut Content {
        Arc::make_mut(&mut self.0)
    }

    /// Whether another element of `bytes` fits.
    fn has_room(&self, bytes: usize) -> bool {
        self.0.count < CHUNK_ITEMS_MAX && self.0.bytes.len() + bytes <= CHUNK_BYTES_MAX
    }
}

impl Content {
    /// Puts an element before number `at`.
    fn insert(&mut self, at: u32, element: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < element.len() {
            // Doubled, but not beyond what a chunk takes.
            let wanted = (self.bytes.len() * 2).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
            let wanted = wanted.max(self.bytes.len() + element.len());
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        if at == self.count {
            self.bytes.extend_from_slice(element);
        } else {
            let offset = offset_of(&self.bytes, at as usize);
            self.bytes.extend_from_slice(element);
            if let Some(moved) = self.bytes.get_mut(offset..) {
                moved.rotate_right(element.len());
            }
        }
        self.count += 1;
    }

    /// Takes so many elements off an end.
    fn pop(&mut self, front: bool, count: u32) {
        self.count -= count;
        if front {
            let offset = offset_of(&self.bytes, count as usize);
            self.bytes.drain(..offset);
        } else {
            let offset = offset_of(&self.bytes, self.count as usize);
            self.bytes.truncate(offset);
        }
    }

    fn set(&mut self, at: u32, element: &[u8]) {
        let start = offset_of(&self.bytes, at as usize);
        let end = start + offset_of(self.bytes.get(start..).unwrap_or_default(), 1);
        self.bytes.splice(start..end, element.iter().copied());
    }

    /// Keeps the first elements; returns the others.
    fn split(&mut self, kept: u32) -> Chunk {
        let offset = offset_of(&self.bytes, kept as usize);
        let rest = self.bytes.get(offset..).unwrap_or_default().to_vec();
        self.bytes.truncate(offset);
        let chunk = Chunk::new(self.count - kept, rest);
        self.count = kept;
        chunk
    }

    /// Keeps the first half of the elements; returns the others.
    fn halve(&mut self) -> Chunk {
        let chunk = self.split(self.count / 2);
        fit(&mut self.bytes);
        chunk
    }
}

/// A list that is not small.
#[derive(Clone, Debug)]
pub struct BigList(PartedTree<Chunk>);

impl BigList {
    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        Self(PartedTree::build(chunks(packed), Mark::APART))
    }

    /// From what parts have, one after another; how many chunks each has.
    pub fn of_parts(chunks: Chunks, parts: &[(u64, PartRef)]) -> Self {
        Self(PartedTree::of_parts(chunks.0, parts))
    }

    /// Whether it is in parts of a collection. O(1).
    pub fn is_parted(&self) -> bool {
        self.0.is_parted()
    }

    /// Its parts.
    pub fn parts(&self) -> Vec<PartRef> {
        self.0.parts()
    }

    /// A part, packed.
    pub fn pack_part(&self, index: usize) -> Vec<u8> {
        packed(self.0.items_of(index))
    }

    /// See [`crate::page::Big::adopt`].
    pub fn adopt(&mut self, mark: Mark<'_>) {
        self.0.adopt(mark);
    }
    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        packed(self.0.iter())
    }

    /// How many elements it has. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty list is none")]
    pub fn len(&self) -> u64 {
        self.0.weight()
    }

    /// Whether the name of the compact encoding is lost; lists have but one.
    pub fn is_wide(&self) -> bool {
        false
    }

    /// Bytes of heap, exactly. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// The element at an end.
    pub fn end(&self, front: bool) -> Option<Item<'_>> {
        let chunk = if front { self.0.first() } else { self.0.last() }?;
        let index = if front { 0 } else { chunk.0.count.checked_sub(1)? };
        Items::new(&chunk.0.bytes).nth(index as usize)
    }

    /// See [`super::ListRef::for_each_from`].
    pub fn for_each_from<'a, B>(
        &'a self,
        index: u64,
        visit: &mut dyn FnMut(Item<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if index >= self.len() {
            return ControlFlow::Continue(());
        }
        let (chunk, skipped) = self.0.locate(index);
        let mut skipped = skipped as usize;
        for chunk in self.0.iter_from(chunk) {
            let mut items = Items::new(&chunk.0.bytes).skip(std::mem::take(&mut skipped));
            items.try_for_each(&mut *visit)?;
        }
        ControlFlow::Continue(())
    }

    /// See [`super::ListRef::for_each_back_from`].
    pub fn for_each_back_from<'a, B>(
        &'a self,
        index: u64,
        visit: &mut dyn FnMut(Item<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let Some(last) = self.len().checked_sub(1) else {
            return ControlFlow::Continue(());
        };
        let (at, within) = self.0.locate(index.min(last));
        let mut taken = within as usize + 1;
        for chunk in self.0.iter_back_from(at) {
            let bytes = &chunk.0.bytes;
            let mut items = Items::new(bytes);
            let starts: SmallVec<[u32; CHUNK_ITEMS_MAX as usize]> = std::iter::from_fn(|| {
                let start = bytes.len() - items.rest().len();
                items.next().map(|_| start as u32)
            })
            .take(taken)
            .collect();
            for start in starts.into_iter().rev() {
                let mut item = Items::new(bytes.get(start as usize..).unwrap_or_default());
                item.next().map_or(ControlFlow::Continue(()), &mut *visit)?;
            }
            taken = usize::MAX;
        }
        ControlFlow::Continue(())
    }

    /// Does `op`.
    pub fn apply(&mut self, op: &ListOp<'_>, change: &Change<'_>) {
        let mark = change.mark;
        match *op {
            ListOp::Push { front, elements } => {
                let mut items = Packed::new(elements).items();
                while let Some(element) = items.next_written() {
                    self.push(front, element, mark);
                }
            }
            ListOp::Pop { front, count } => self.pop(front, count, mark),
            ListOp::Rotate { from_front, to_front } => self.rotate(from_front, to_front, mark),
            ListOp::Set { index, element } if index < self.len() => {
                let (chunk, within) = self.0.locate(index);
                let element = written(Item::of(element));
                self.0
                    .update(chunk, mark, |chunk| chunk.content().set(within as u32, &element));
                self.fit(chunk, mark);
            }
            ListOp::Insert { index, element } => self.insert(index, &written(Item::of(element)), mark),
            ListOp::Trim { start, len } => {
                let start = start.min(self.len());
                self.pop(true, start, mark);
                self.pop(false, self.len().saturating_sub(len), mark);
            }
            ListOp::Remove { count, front, element } => self.remove(count, front, Item::of(element), mark),
            ListOp::Set { .. } => {}
        }
    }

    fn push(&mut self, front: bool, element: &[u8], mark: Mark<'_>) {
        let end = if front { 0 } else { self.0.len().saturating_sub(1) };
        let has_room = self.0.get(end).is_some_and(|chunk| chunk.has_room(element.len()));
        if has_room {
            self.0.update(end, mark, |chunk| {
                let at = if front { 0 } else { chunk.0.count };
                chunk.content().insert(at, element);
            });
            return;
        }
        if self.0.get(end).is_some_and(|chunk| is_loose(&chunk.0.bytes)) {
            // It takes no more at this end.
            self.0.update(end, mark, |chunk| fit(&mut chunk.content().bytes));
        }
        let mut fresh = Content {
            count: 0,
            bytes: Vec::new(),
        };
        fresh.insert(0, element);
        let at = if front { 0 } else { self.0.len() };
        self.0.insert(at, Chunk(Arc::new(fresh)), mark);
    }

    fn pop(&mut self, front: bool, count: u64, mark: Mark<'_>) {
        let mut left = count.min(self.len());
        while left > 0 {
            let end = if front { 0 } else { self.0.len() - 1 };
            let here = self.0.get(end).map_or(0, TreeItem::weight);
            if here <= left {
                self.0.remove(end, mark);
                left -= here;
            } else if !front && left < u64::from(TAIL_ITEMS) && here > 2 * u64::from(TAIL_ITEMS) {
                let kept = here as u32 - TAIL_ITEMS;
                let tail = self.0.update(end, mark, |chunk| chunk.content().split(kept));
                self.0.insert(end + 1, tail, mark);
            } else {
                self.0
                    .update(end, mark, |chunk| chunk.content().pop(front, left as u32));
                left = 0;
            }
        }
    }

    fn rotate(&mut self, from_front: bool, to_front: bool, mark: Mark<'_>) {
        if from_front == to_front || self.len() < 2 {
            return;
        }
        let from = if from_front { 0 } else { self.len() - 1 };
        let mut moved = Vec::new();
        let _ = self.for_each_from(from, &mut |item| {
            item.write(&mut moved);
            ControlFlow::Break(())
        });
        self.pop(from_front, 1, mark);
        self.push(to_front, &moved, mark);
    }

    fn insert(&mut self, index: u64, element: &[u8], mark: Mark<'_>) {
        if index >= self.len() {
            return self.push(false, element, mark);
        }
        let (chunk, within) = self.0.locate(index);
        self.0
            .update(chunk, mark, |chunk| chunk.content().insert(within as u32, element));
        self.fit(chunk, mark);
    }

    /// Splits the chunk at `index` if it has become too long.
    fn fit(&mut self, index: usize, mark: Mark<'_>) {
        let too_long = |chunk: &Chunk| {
            let Content { count, bytes } = &*chunk.0;
            *count > CHUNK_ITEMS_MAX || bytes.len() > CHUNK_BYTES_MAX && *count > 1
        };
        if self.0.get(index).is_some_and(too_long) {
            let behind = self.0.update(index, mark, |chunk| chunk.content().halve());
            self.0.insert(index + 1, behind, mark);
        }
    }

    fn remove(&mut self, count: u64, front: bool, element: Item<'_>, mark: Mark<'_>) {
        let mut left = if count == 0 { u64::MAX } else { count };
        let mut index = if front { 0 } else { self.0.len() };
        while left > 0 {
            if !front {
                let Some(before) = index.checked_sub(1) else { break };
                index = before;
            }
            let Some(chunk) = self.0.get(index) else { break };
            let gone = Items::new(&chunk.0.bytes).filter(|item| item.is(element)).count() as u64;
            let gone = gone.min(left);
            left -= gone;
            let is_gone = gone > 0 && self.remove_within(index, (gone, front), element, mark);
            index += usize::from(front && !is_gone);
        }
        self.merge_small(mark);
    }

    /// Removes so many equal elements of one chunk, from its front or back; whether the chunk has gone with them.
    fn remove_within(&mut self, index: usize, (gone, front): (u64, bool), element: Item<'_>, mark: Mark<'_>) -> bool {
        self.0.update(index, mark, |chunk| {
            let content = chunk.content();
            let equal = Items::new(&content.bytes).filter(|item| item.is(element)).count() as u64;
            let first = if front { 0 } else { equal - gone };
            let (mut seen, mut kept) = (0, Vec::with_capacity(content.bytes.len()));
            for item in Items::new(&content.bytes) {
                let goes = item.is(element) && {
                    seen += 1;
                    (first + 1..=first + gone).contains(&seen)
                };
                if !goes {
                    item.write(&mut kept);
                }
            }
            content.count -= gone as u32;
            content.bytes = kept;
        });
        let is_empty = self.0.get(index).is_some_and(|chunk| chunk.0.count == 0);
        if is_empty {
            self.0.remove(index, mark);
        }
        is_empty
    }

    /// Joins neighbouring chunks that have become small. O(chunks).
    fn merge_small(&mut self, mark: Mark<'_>) {
        let mut index = 0;
        while let (Some(one), Some(next)) = (self.0.get(index), self.0.get(index + 1)) {
            let (count, bytes) = (one.0.count + next.0.count, one.0.bytes.len() + next.0.bytes.len());
            if count > CHUNK_ITEMS_MAX / 2 || bytes > CHUNK_BYTES_MAX / 2 {
                index += 1;
                continue;
            }
            let next = self.0.remove(index + 1, mark);
            self.0.update(index, mark, |chunk| {
                let content = chunk.content();
                content.bytes.extend_from_slice(&next.0.bytes);
                content.count = count;
            });
        }
    }
}

/// The chunks of a packed form: its items as they are written there, each chunk's copied at once.
fn chunks(packed: Packed<'_>) -> Vec<Chunk> {
    let (mut items, mut chunks) = (packed.items(), Vec::new());
    let (mut rest, mut count, mut bytes) = (items.rest(), 0, 0);
    let mut finish = |count, bytes| {
        let (chunk, behind) = rest.split_at_checked(bytes).unwrap_or_default();
        chunks.push(Chunk::new(count, chunk.to_vec()));
        rest = behind;
    };
    while let Some(item) = items.next_written() {
        if count > 0 && (count == CHUNK_ITEMS_MAX || bytes + item.len() > CHUNK_BYTES_MAX) {
            finish(std::mem::take(&mut count), std::mem::take(&mut bytes));
        }
        (count, bytes) = (count + 1, bytes + item.len());
    }
    if count > 0 {
        finish(count, bytes);
    }
    chunks
}

/// Chunks one after another, packed.
fn packed<'a>(chunks: impl Iterator<Item = &'a Chunk>) -> Vec<u8> {
    let (mut count, mut bytes) = (0, Vec::new());
    for chunk in chunks {
        count += chunk.weight();
        bytes.extend_from_slice(&chunk.0.bytes);
    }
    Builder::from_items(0, count, bytes).finish()
}

/// What a list is being made of.
#[derive(Default)]
pub struct Chunks(Vec<Chunk>);

impl Chunks {
    /// Takes the elements of a part, which have been checked; how many chunks they make.
    pub fn push(&mut self, packed: Packed<'_>) -> u64 {
        let before = self.0.len();
        self.0.append(&mut chunks(packed));
        (self.0.len() - before) as u64
    }

    /// Takes the chunks that come behind.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }
}
