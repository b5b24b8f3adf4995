//! A vector set: elements by slot, links between them, and names in order.
//!
//! **Invariants**
//! - Slots are numbered without gaps: when an element goes, the last one gets its slot. So the state follows from the
//!   operations alone, and memory is that of the elements there are.
//! - Links are mutual and lead to elements that are on their level. Elements are on all levels up to their own.
//! - `names` has each element once, with its slot, in the order of names.
//! - `entry` is an element of the highest level.
//! - `items_bytes` and `upper_bytes` are what names with attributes, and lists of upper levels, own.

use std::cmp::Ordering;
use std::ops::Bound;

use super::body::Body;
use super::chunks::Chunks;
use super::links::Links;
use super::shape::{Layout, Shape};
use super::vector::{Metric, Raw};
use crate::page::tree::{Tree, TreeItem};
use crate::page::trie::Item;

/// A name with its slot.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub item: Item,
    pub slot: u32,
}

impl TreeItem for Named {
    fn heap_bytes(&self) -> usize {
        0
    }

    fn prefetch(&self) {
        self.item.prefetch();
    }
}

/// An element with its score.
pub type Neighbour<'a> = (&'a [u8], f64);

/// What follows from the shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub shape: Shape,
    pub layout: Layout,
    pub metric: Metric,
}

/// See the module. Cloning shares all of it, and takes a moment.
#[derive(Clone, Debug)]
pub struct VectorSet {
    pub(super) frame: triomphe::Arc<Frame>,
    pub(super) bodies: Chunks<Body>,
    pub(super) links: Chunks<Links>,
    pub(super) names: Tree<Named>,
    pub(super) entry: u32,
    pub(super) added: u64,
    pub(super) attributes_count: u64,
    pub(super) items_bytes: usize,
    pub(super) upper_bytes: usize,
}

impl VectorSet {
    /// An empty set.
    pub fn new(shape: Shape) -> Self {
        let layout = Layout::of(&shape);
        let metric = Metric::of(&shape, &layout);
        Self {
            frame: triomphe::Arc::new(Frame { shape, layout, metric }),
            bodies: Chunks::new(),
            links: Chunks::new(),
            names: Tree::new(),
            entry: 0,
            added: 0,
            attributes_count: 0,
            items_bytes: 0,
            upper_bytes: 0,
        }
    }

    /// What its vectors have in common.
    pub fn shape(&self) -> Shape {
        self.frame.shape
    }

    /// How many elements it has. O(1).
    pub fn len(&self) -> u64 {
        self.names.len() as u64
    }

    /// Whether it has none: only while an operation makes it.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many slots there are: one for each element.
    pub(super) fn slots(&self) -> u32 {
        self.names.len() as u32
    }

    /// The highest level of its graph. O(1).
    pub fn max_level(&self) -> usize {
        self.level_of(self.entry)
    }

    /// How many elements have attributes. O(1).
    pub fn attributes_count(&self) -> u64 {
        self.attributes_count
    }

    /// How often an element was ever put in, or given another vector.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Bytes of heap, as if no chunk had been copied. O(1).
    pub fn heap_bytes(&self) -> usize {
        let (layout, slots) = (&self.frame.layout, self.names.len());
        let chunks = |shift: u32, bytes: fn(usize, &Layout) -> usize| {
            let full = slots >> shift;
            full * bytes(1 << shift, layout) + bytes(slots & ((1 << shift) - 1), layout)
        };
        size_of::<usize>()
            + size_of::<Frame>()
            + Chunks::<Body>::table_bytes(self.bodies.len())
            + Chunks::<Links>::table_bytes(self.links.len())
            + chunks(layout.bodies_shift, Body::bytes)
            + chunks(layout.links_shift, Links::bytes)
            + self.names.heap_bytes()
            + self.items_bytes
            + self.upper_bytes
    }

    /// In which chunk of a kind a slot is, and where.
    #[inline]
    pub(super) fn place(slot: u32, shift: u32) -> (usize, usize) {
        ((slot >> shift) as usize, (slot & ((1 << shift) - 1)) as usize)
    }

    /// A slot's vector.
    #[inline]
    pub(super) fn record(&self, slot: u32) -> &[u8] {
        let layout = &self.frame.layout;
        let (chunk, at) = Self::place(slot, layout.bodies_shift);
        self.bodies.get(chunk).map_or(&[], |body| body.record(at, layout))
    }

    pub(super) fn item(&self, slot: u32) -> Option<&Item> {
        let (chunk, at) = Self::place(slot, self.frame.layout.bodies_shift);
        self.bodies.get(chunk)?.items.get(at)
    }

    /// A slot's links on a level.
    #[inline]
    pub(super) fn links_of(&self, slot: u32, level: usize) -> &[u32] {
        let layout = &self.frame.layout;
        let (chunk, at) = Self::place(slot, layout.links_shift);
        self.links.get(chunk).map_or(&[], |links| links.list(at, level, layout))
    }

    /// The highest level that a slot is on.
    pub(super) fn level_of(&self, slot: u32) -> usize {
        let layout = &self.frame.layout;
        let (chunk, at) = Self::place(slot, layout.links_shift);
        self.links.get(chunk).map_or(0, |links| links.level(at, layout))
    }

    /// Where an element is among the names, or would be.
    pub(super) fn find(&self, element: &[u8]) -> (usize, bool) {
        self.names.find(|named| named.item.key().cmp(element))
    }

    /// The slot of an element. O(log n).
    pub(super) fn slot_of(&self, element: &[u8]) -> Option<u32> {
        let (index, is_found) = self.find(element);
        let named = self.names.get(index).filter(|_| is_found);
        named.map(|named| named.slot)
    }

    /// Whether there is such an element. O(log n).
    pub fn contains(&self, element: &[u8]) -> bool {
        self.find(element).1
    }

    /// Its vector as it was given, as far as it is known. O(log n).
    pub fn vector(&self, element: &[u8]) -> Option<Vec<f32>> {
        Some(self.raw(element)?.restored(&self.frame.shape))
    }

    /// Its vector as it is kept. O(log n).
    pub fn raw(&self, element: &[u8]) -> Option<Raw<'_>> {
        let slot = self.slot_of(element)?;
        Some(Raw::of(self.record(slot), &self.frame.layout))
    }

    /// Its attributes, if there is such an element, and if it has any. O(log n).
    pub fn attributes(&self, element: &[u8]) -> Option<Option<&[u8]>> {
        Some(self.item(self.slot_of(element)?)?.value())
    }

    /// Its neighbours with their scores by level, from level 0 up. O(log n), and as many distances as it has links.
    pub fn links(&self, element: &[u8]) -> Option<Vec<Vec<Neighbour<'_>>>> {
        let slot = self.slot_of(element)?;
        let record = self.record(slot);
        let neighbour = |other: &u32| {
            let distance = self.frame.metric.distance(record, self.record(*other));
            Some((self.item(*other)?.key(), score_of(distance)))
        };
        let level = |level| self.links_of(slot, level).iter().filter_map(neighbour).collect();
        Some((0..=self.level_of(slot)).map(level).collect())
    }

    /// The element of this number, in an order of the set's own: for random picks. O(1).
    pub fn at(&self, index: u64) -> Option<&[u8]> {
        Some(self.item(u32::try_from(index).ok()?)?.key())
    }

    /// The elements between these, in the order of their bytes. O(log n) for the first.
    pub fn range<'a>(&'a self, start: Bound<&[u8]>, end: Bound<&'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
        let first = self.names.partition_point(|named| match start {
            Bound::Included(start) => named.item.key() < start,
            Bound::Excluded(start) => named.item.key() <= start,
            Bound::Unbounded => false,
        });
        let names = self.names.iter_from(first).map(|named| named.item.key());
        names.take_while(move |name| match end {
            Bound::Included(end) => (*name).cmp(end) != Ordering::Greater,
            Bound::Excluded(end) => (*name).cmp(end) == Ordering::Less,
            Bound::Unbounded => true,
        })
    }
}

/// How similar elements of this distance are: 1 for the same direction, 0 for the opposite one. Distances of vectors
/// that are kept in bytes can be a little beyond both.
pub(super) fn score_of(distance: f32) -> f64 {
    (1.0 - f64::from(distance) / 2.0).clamp(0.0, 1.0)
}
