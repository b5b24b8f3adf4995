//! A vector set's parts, chunks of elements before chunks of links, and a set from them again.
//!
//! **Invariant:** what comes out is whole: names are different, links are mutual and lead to elements on their level,
//! the entry is on the highest level. Whether all can be reached is not looked at.

use super::body::Body;
use super::chunks::Chunks;
use super::links::Links;
use super::scratch::Scratch;
use super::set::{Named, VectorSet};
use super::wire::{Content, read_head, read_part};
use crate::page::malformed::Malformed;
use crate::page::packed::Packed;
use crate::page::parts::PartRef;

const OUT_OF_PLACE: Malformed = Malformed::Container("parts of a vector set do not follow on each other");

impl VectorSet {
    /// Whether it is in parts of a collection. O(1).
    pub fn is_parted(&self) -> bool {
        self.bodies.is_named()
    }

    /// Its parts.
    pub fn parts(&self) -> Vec<PartRef> {
        match self.is_parted() {
            true => self.bodies.names().chain(self.links.names()).collect(),
            false => Vec::new(),
        }
    }

    /// The empty set that [`Chunked`] fills.
    ///
    /// # Errors
    /// When `head` is none.
    pub fn of_head(head: &[u8]) -> Result<Self, Malformed> {
        read_head(head)
    }
}

/// A chunk with its first slot and its name, if it has one.
type Placed<T> = (u64, T, Option<PartRef>);

/// What a set is being made of.
#[derive(Default)]
pub struct Chunked {
    bodies: Vec<Placed<Body>>,
    links: Vec<Placed<Links>>,
}

impl Chunked {
    /// The chunk that the element of this slot belongs into.
    pub(super) fn body_for(&mut self, slot: u64, shift: u32) -> Option<&mut Body> {
        chunk_for(&mut self.bodies, slot, shift)
    }

    /// The same for its links.
    pub(super) fn links_for(&mut self, slot: u64, shift: u32) -> Option<&mut Links> {
        chunk_for(&mut self.links, slot, shift)
    }

    /// Takes the next part of the set that `head` is of.
    ///
    /// # Errors
    /// When it is none.
    pub fn push(&mut self, head: &VectorSet, part: &PartRef, packed: Packed<'_>) -> Result<(), Malformed> {
        match read_part(head, packed)? {
            (first, Content::Body(body)) => self.bodies.push((first, body, Some(*part))),
            (first, Content::Links(links)) => self.links.push((first, links, Some(*part))),
        }
        Ok(())
    }

    /// Takes the parts behind its own.
    pub fn append(&mut self, mut other: Self) {
        self.bodies.append(&mut other.bodies);
        self.links.append(&mut other.links);
    }

    /// The set of all of them.
    ///
    /// # Errors
    /// When they are not that.
    pub fn finish(self, mut set: VectorSet, count: u64) -> Result<VectorSet, Malformed> {
        let layout = set.frame.layout;
        check_places(&self.bodies, |body| body.items.len(), layout.bodies_shift, count)?;
        check_places(&self.links, |links| links.upper.len(), layout.links_shift, count)?;
        set.bodies = chunks_of(self.bodies);
        set.links = chunks_of(self.links);
        set.name_all()?;
        // Checksums guard the bytes. Links that are unsound were written so, and are no reason to go without the set.
        if !set.has_sound_links() {
            set.mend_links();
        }
        Ok(set)
    }
}

fn chunk_for<T: Default>(chunks: &mut Vec<Placed<T>>, slot: u64, shift: u32) -> Option<&mut T> {
    let is_first = slot & ((1 << shift) - 1) == 0;
    if is_first {
        chunks.push((slot, T::default(), None));
    }
    chunks.last_mut().map(|(_, chunk, _)| chunk)
}

fn check_places<T>(chunks: &[Placed<T>], len: fn(&T) -> usize, shift: u32, count: u64) -> Result<(), Malformed> {
    let mut next = 0;
    for (first, chunk, _) in chunks {
        let slots = len(chunk) as u64;
        let is_last = next + slots == count;
        if *first != next || slots == 0 || slots > 1 << shift || slots < 1 << shift && !is_last {
            return Err(OUT_OF_PLACE);
        }
        next += slots;
    }
    let is_whole = next == count && u32::try_from(count).is_ok();
    if is_whole { Ok(()) } else { Err(OUT_OF_PLACE) }
}

fn chunks_of<T: Clone>(chunks: Vec<Placed<T>>) -> Chunks<T> {
    let named: Option<Vec<(T, PartRef)>>;
    let is_named = chunks.iter().all(|(_, _, part)| part.is_some());
    if is_named {
        named = chunks
            .into_iter()
            .map(|(_, chunk, part)| Some((chunk, part?)))
            .collect();
        return Chunks::of_parts(named.unwrap_or_default());
    }
    Chunks::of_chunks(chunks.into_iter().map(|(_, chunk, _)| chunk))
}

impl VectorSet {
    /// Makes the order of names, and counts what there is.
    fn name_all(&mut self) -> Result<(), Malformed> {
        let items = self.bodies.iter().flat_map(|body| &body.items);
        let mut named: Vec<Named> = (0..)
            .zip(items)
            .map(|(slot, item)| Named {
                item: item.clone(),
                slot,
            })
            .collect();
        named.sort_unstable_by(|one, other| one.item.key().cmp(other.item.key()));
        if named
            .windows(2)
            .any(|pair| matches!(pair, [one, other] if one.item.key() == other.item.key()))
        {
            return Err(Malformed::Container("an element of a vector set is there twice"));
        }
        self.items_bytes = named.iter().map(|named| named.item.heap_bytes()).sum();
        self.attributes_count = named.iter().filter(|named| named.item.value().is_some()).count() as u64;
        self.names = named.into_iter().collect();
        let upper = self.links.iter().flat_map(|links| &links.upper);
        self.upper_bytes = upper.map(|lists| size_of_val(&**lists)).sum();
        Ok(())
    }

    /// Whether links lead to other elements of their level, once, and back; and the entry is on the top level.
    pub(super) fn has_sound_links(&self) -> bool {
        // Each link adds what its counterpart takes away.
        let (mut balance, mut level_max) = (0_u64, 0);
        for slot in 0..self.slots() {
            let level = self.level_of(slot);
            level_max = level_max.max(level);
            for level in 0..=level {
                let is_sound = Scratch::with(|scratch| {
                    scratch.visited.begin(self.names.len());
                    self.links_of(slot, level).iter().all(|link| {
                        let weight = weight_of(slot.min(*link), slot.max(*link), level);
                        balance = balance.wrapping_add(if slot < *link { weight } else { weight.wrapping_neg() });
                        let is_there = *link != slot && *link < self.slots() && self.level_of(*link) >= level;
                        is_there && scratch.visited.visit(*link)
                    })
                });
                if !is_sound {
                    return false;
                }
            }
        }
        let has_entry = self.entry < self.slots().max(1) && self.level_of(self.entry) == level_max;
        balance == 0 && has_entry
    }
}

/// A number that no other link is likely to have.
fn weight_of(low: u32, high: u32, level: usize) -> u64 {
    let link = u64::from(low) << u32::BITS | u64::from(high);
    xxhash_rust::xxh3::xxh3_64_with_seed(&link.to_le_bytes(), level as u64)
}
