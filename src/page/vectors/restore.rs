//! Vector sets from elsewhere, with the graph that they have there.
//!
//! **Invariant:** what comes out is a whole set: links that are not mutual, or lead nowhere, are left out, and elements
//! that cannot be reached without them get new ones.

use super::set::VectorSet;
use super::shape::{LEVELS_MAX, Shape};
use super::vector::Raw;
use crate::page::Mark;
use crate::page::malformed::Malformed;
use crate::page::trie::Item;

/// An element with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// Its name.
    pub element: &'a [u8],
    /// Its attributes.
    pub attributes: Option<&'a [u8]>,
    /// Its vector.
    pub raw: Raw<'a>,
    /// Its links on each level from 0 up, by the places of their elements.
    pub links: Vec<&'a [u32]>,
}

impl VectorSet {
    /// All elements in the order of their places.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.slots()).filter_map(|slot| {
            let item = self.item(slot)?;
            let links = (0..=self.level_of(slot)).map(|level| self.links_of(slot, level));
            Some(Node {
                element: item.key(),
                attributes: item.value(),
                raw: Raw::of(self.record(slot), &self.frame.layout),
                links: links.collect(),
            })
        })
    }

    /// The place of the element where searches begin.
    pub fn entry(&self) -> u32 {
        self.entry
    }
}

/// Makes a set of its elements, which come in the order of their places.
pub struct Restore {
    set: VectorSet,
    /// How many levels above the lowest its elements are on, together.
    levels: u64,
}

/// A few elements may be on so many levels, together; of many there is less than one each. Each takes room for links.
const LEVELS_SPARE: u64 = 64;

impl Restore {
    /// Of a set of this shape, which must be valid.
    pub fn new(shape: Shape) -> Self {
        let set = VectorSet::new(shape);
        Self { set, levels: 0 }
    }

    /// Takes the next element.
    ///
    /// # Errors
    /// When the set cannot have it.
    pub fn push(&mut self, node: &Node<'_>) -> Result<(), Malformed> {
        let set = &mut self.set;
        let record = node.raw.record(&set.frame.shape);
        let record = record.ok_or(Malformed::Container(
            "an element of a vector set has no possible vector",
        ))?;
        let level = node.links.len().saturating_sub(1);
        self.levels += level as u64;
        let is_tall = self.levels > u64::from(set.slots()) + LEVELS_SPARE;
        if level > LEVELS_MAX || is_tall || set.slots() == u32::MAX {
            return Err(Malformed::Container(
                "an element of a vector set is on no possible level",
            ));
        }
        if set.contains(node.element) {
            return Err(Malformed::Container("an element of a vector set is there twice"));
        }
        let item = Item::new(node.element, node.attributes, None);
        let slot = set.push(item, &record, level, Mark::APART);
        for (level, links) in node.links.iter().enumerate() {
            for link in *links {
                set.change_links(slot, level, Mark::APART, |list| list.push(*link));
            }
        }
        Ok(())
    }

    /// The set, to which elements were ever added so often.
    pub fn finish(self, added: u64) -> VectorSet {
        let mut set = self.set;
        set.added = added.max(set.len());
        set.mend_links();
        set
    }
}

impl VectorSet {
    /// Lets go of links that are unsound, and links what cannot be reached without them.
    pub(super) fn mend_links(&mut self) {
        for slot in 0..self.slots() {
            for level in 0..=self.level_of(slot) {
                self.keep_mutual(slot, level);
            }
        }
        let highest = (0..self.slots()).rev().max_by_key(|slot| self.level_of(*slot));
        self.entry = highest.unwrap_or(0);
        self.reach_all();
    }

    /// Lets go of links of a slot that do not lead back, or are there twice.
    fn keep_mutual(&mut self, slot: u32, level: usize) {
        let links = self.links_of(slot, level).to_vec();
        let mut kept: Vec<u32> = Vec::with_capacity(links.len());
        for link in &links {
            let is_sound = *link != slot && *link < self.slots() && !kept.contains(link);
            if is_sound && self.links_of(*link, level).contains(&slot) {
                kept.push(*link);
            }
        }
        if kept.len() < links.len() {
            self.change_links(slot, level, Mark::APART, |list| {
                list.clear();
                kept.iter().all(|link| list.push(*link))
            });
        }
    }

    /// Links elements that no way leads to. O(n).
    fn reach_all(&mut self) {
        let mut is_reached = vec![false; self.names.len()];
        self.flood(self.entry, &mut is_reached);
        for slot in 0..self.slots() {
            if is_reached.get(slot as usize) == Some(&false) {
                let before = self.links_of(slot, 0).len();
                self.reconnect(slot, 0, before + 1, Mark::APART);
                // One without room for more is left to a neighbour of its own.
                if self.links_of(slot, 0).len() > before {
                    self.flood(slot, &mut is_reached);
                }
            }
        }
    }

    /// Marks all that can be reached from a slot on the lowest level.
    pub(super) fn flood(&self, from: u32, is_reached: &mut [bool]) {
        let mut left = vec![from];
        while let Some(slot) = left.pop() {
            if let Some(flag @ false) = is_reached.get_mut(slot as usize) {
                *flag = true;
                left.extend_from_slice(self.links_of(slot, 0));
            }
        }
    }
}
