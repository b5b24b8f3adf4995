//! A chunk of lists of links: one on each level that an element is on. A list is its length, and slots.
//!
//! **Invariant:** no list is longer than it has room for.

use super::body::room_for;
use super::shape::Layout;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    /// The lists of the lowest level, one behind the other.
    pub lowest: Vec<u32>,
    /// For each slot its lists of the other levels, from level 1 up.
    pub upper: Vec<Box<[u32]>>,
}

impl Links {
    /// The links of a slot on a level.
    #[inline]
    pub fn list(&self, at: usize, level: usize, layout: &Layout) -> &[u32] {
        let words = layout.words(level);
        let (lists, at) = match level {
            0 => (&*self.lowest, at),
            level => (self.upper.get(at).map_or(&[][..], |lists| lists), level - 1),
        };
        match lists.get(at * words..(at + 1) * words) {
            Some([count, slots @ ..]) => slots.get(..*count as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The list itself, to be changed.
    pub fn list_mut(&mut self, at: usize, level: usize, layout: &Layout) -> Option<List<'_>> {
        let words = layout.words(level);
        let (lists, at) = match level {
            0 => (&mut *self.lowest, at),
            level => (&mut **self.upper.get_mut(at)?, level - 1),
        };
        match lists.get_mut(at * words..(at + 1) * words) {
            Some([count, slots @ ..]) => Some(List { count, slots }),
            _ => None,
        }
    }

    /// The highest level that a slot is on.
    pub fn level(&self, at: usize, layout: &Layout) -> usize {
        self.upper.get(at).map_or(0, |lists| lists.len() / layout.upper_words)
    }

    /// Adds a slot that is on so many levels besides the lowest, without links.
    pub fn push(&mut self, level: usize, layout: &Layout) {
        let room = room_for(self.upper.len() + 1, layout.links_shift);
        self.upper.reserve_exact(room - self.upper.len());
        self.lowest
            .reserve_exact(room * layout.lowest_words - self.lowest.len());
        self.upper.push(vec![0; level * layout.upper_words].into_boxed_slice());
        self.lowest.resize(self.upper.len() * layout.lowest_words, 0);
    }

    /// Takes the last slot's lists out: the lowest level's, and the others'.
    pub fn pop(&mut self, layout: &Layout) -> Option<(Vec<u32>, Box<[u32]>)> {
        let upper = self.upper.pop()?;
        let start = self.upper.len() * layout.lowest_words;
        let lowest = self.lowest.get(start..).unwrap_or_default().to_vec();
        self.lowest.truncate(start);
        let room = room_for(self.upper.len(), layout.links_shift);
        self.upper.shrink_to(room);
        self.lowest.shrink_to(room * layout.lowest_words);
        Some((lowest, upper))
    }

    /// Puts others in the place of a slot's lists.
    pub fn replace(&mut self, at: usize, (lowest, upper): (Vec<u32>, Box<[u32]>), layout: &Layout) {
        let start = at * layout.lowest_words;
        if let Some(place) = self.lowest.get_mut(start..start + layout.lowest_words)
            && place.len() == lowest.len()
        {
            place.copy_from_slice(&lowest);
        }
        if let Some(place) = self.upper.get_mut(at) {
            *place = upper;
        }
    }

    /// Bytes of the chunk of so many slots, those of the upper levels aside.
    pub fn bytes(count: usize, layout: &Layout) -> usize {
        let slot_bytes = layout.lowest_words * size_of::<u32>() + size_of::<Box<[u32]>>();
        room_for(count, layout.links_shift) * slot_bytes
    }
}

/// A list of links, to be changed.
pub(super) struct List<'a> {
    count: &'a mut u32,
    slots: &'a mut [u32],
}

impl List<'_> {
    /// Appends a link, if there is room.
    pub fn push(&mut self, slot: u32) -> bool {
        let place = self.slots.get_mut(*self.count as usize);
        let has_room = place.is_some();
        if let Some(place) = place {
            *place = slot;
            *self.count += 1;
        }
        has_room
    }

    /// Takes a link out; the last one takes its place.
    pub fn remove(&mut self, slot: u32) -> bool {
        let Some(links) = self.slots.get_mut(..*self.count as usize) else {
            return false;
        };
        let found = links.iter().position(|link| *link == slot);
        if let Some(at) = found {
            links.swap(at, links.len() - 1);
            *self.count -= 1;
        }
        found.is_some()
    }

    /// Lets go of all links.
    pub fn clear(&mut self) {
        *self.count = 0;
    }

    /// Lets a link lead elsewhere.
    pub fn redirect(&mut self, from: u32, to: u32) -> bool {
        let links = self.slots.get_mut(..*self.count as usize).unwrap_or_default();
        let found = links.iter_mut().find(|link| **link == from);
        let is_found = found.is_some();
        if let Some(link) = found {
            *link = to;
        }
        is_found
    }
}
