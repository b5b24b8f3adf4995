//! Linking an element to its neighbours.
//!
//! A new element is linked to near ones that lie in different directions: one that is nearer to a neighbour it has
//! already than to itself is left to that one. Where a neighbour has all the links that it may have, one of them has to
//! go: a far one, whose other end has enough links left, and keeps a neighbour in common with it.
//!
//! **Invariant:** a link goes only where its far end keeps a neighbour in common with the near one, or many links; so a
//! level stays in one piece. A new element always gets a link: if there is no other way, it is put in the middle of
//! one.

use super::scratch::Near;
use super::set::VectorSet;
use crate::page::Mark;

/// How many of a neighbour's links are looked at for one that may go. Letting nearer ones go costs recall.
const VICTIMS_MAX: usize = 2;

/// Fewer links are not many, unless an element can have hardly more.
const LINKS_MANY_MIN: usize = 12;

/// How hard an element tries to become a neighbour's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zeal {
    /// Only for the sake of better links, for both.
    Choosy,
    /// It has too few.
    Eager,
}

impl VectorSet {
    /// Links an element to the best of `found`, the nearest first, until it has `wanted` links on this level. One link
    /// it gets at least, if there is anything else on the level.
    pub(super) fn connect(&mut self, slot: u32, level: usize, found: &[Near], wanted: usize, mark: Mark<'_>) {
        self.connect_with(Zeal::Choosy, slot, level, (found, wanted), mark);
        let enough = (wanted / 2).max(1);
        if self.links_of(slot, level).len() < enough {
            self.connect_with(Zeal::Eager, slot, level, (found, enough), mark);
        }
        if self.links_of(slot, level).is_empty() {
            self.put_between(slot, level, found, mark);
        }
    }

    fn connect_with(&mut self, zeal: Zeal, slot: u32, level: usize, (found, wanted): (&[Near], usize), mark: Mark<'_>) {
        let mut linked = self.links_of(slot, level).to_vec();
        for near in found {
            if linked.len() >= wanted {
                return;
            }
            let other = near.slot();
            if other == slot || linked.contains(&other) {
                continue;
            }
            let is_hidden = || linked.iter().any(|link| self.between(*link, other) < near.distance());
            if zeal == Zeal::Choosy && is_hidden() {
                continue;
            }
            if self.make_room(other, slot, level, (near.distance(), zeal), mark) {
                self.link(slot, other, level, mark);
                linked.push(other);
            }
        }
    }

    /// Whether `neighbour` has room for a link to `slot`, or has let another one go for it.
    fn make_room(
        &mut self,
        neighbour: u32,
        slot: u32,
        level: usize,
        (distance, zeal): (f32, Zeal),
        mark: Mark<'_>,
    ) -> bool {
        let links_max = self.frame.layout.links_max(level);
        if self.links_of(neighbour, level).len() < links_max {
            return true;
        }
        let nearer_than = (zeal == Zeal::Choosy).then_some(distance);
        let kept_min = match zeal {
            Zeal::Choosy => self.frame.shape.m as usize / 2,
            Zeal::Eager => self.frame.shape.m as usize / 4,
        };
        let victim = self.dispensable(neighbour, slot, level, (nearer_than, kept_min));
        if let Some(victim) = victim {
            self.unlink(neighbour, victim, level, mark);
        }
        victim.is_some()
    }

    /// A link of `neighbour` that may go: the farthest one, farther than `beyond`, whose other end has more than
    /// `kept_min` links, and has many or is connected with it by a third, which `slot` may be.
    pub(super) fn dispensable(
        &self,
        neighbour: u32,
        slot: u32,
        level: usize,
        (beyond, kept_min): (Option<f32>, usize),
    ) -> Option<u32> {
        let links = self.links_of(neighbour, level);
        let record = self.record(neighbour);
        let links_many = self.links_many(level);
        let mut far: Vec<Near> = links.iter().map(|link| self.near(record, *link)).collect();
        far.sort_unstable_by(|one, other| other.cmp(one));
        let far = far.into_iter().take(VICTIMS_MAX);
        far.take_while(|near| beyond.is_none_or(|distance| near.distance() > distance))
            .map(Near::slot)
            .find(|victim| {
                let others = self.links_of(*victim, level);
                let is_connected = || others.iter().any(|other| *other == slot || links.contains(other));
                others.len() > kept_min && (others.len() >= links_many || is_connected())
            })
    }

    /// From how many links on an element may lose one that nothing else stands for. Some must have as many, or links
    /// hardly ever give way, and what is added late is badly linked.
    fn links_many(&self, level: usize) -> usize {
        let nearly_all = self.frame.layout.links_max(level).saturating_sub(1);
        (self.frame.shape.m as usize).max(LINKS_MANY_MIN.min(nearly_all))
    }

    /// Puts an element in the middle of a link: whatever was connected stays so, and nobody has more links than before.
    pub(super) fn put_between(&mut self, slot: u32, level: usize, found: &[Near], mark: Mark<'_>) {
        let linked = self.links_of(slot, level).to_vec();
        let is_new = |other: &u32| *other != slot && !linked.contains(other);
        let Some(one) = found.iter().map(|near| near.slot()).find(is_new) else {
            return;
        };
        let other = self.links_of(one, level).iter().copied().find(is_new);
        if let Some(other) = other {
            self.unlink(one, other, level, mark);
            self.link(slot, other, level, mark);
        }
        self.link(slot, one, level, mark);
    }

    /// Links two elements to each other. Both must have room, and no such link yet, or neither is changed.
    pub(super) fn link(&mut self, one: u32, other: u32, level: usize, mark: Mark<'_>) -> bool {
        let has_room = |slot| self.links_of(slot, level).len() + 1 < self.frame.layout.words(level);
        let is_new = one != other && !self.links_of(one, level).contains(&other);
        let is_possible = is_new && has_room(one) && has_room(other) && level <= self.level_of(other);
        if is_possible {
            self.change_links(one, level, mark, |list| list.push(other));
            self.change_links(other, level, mark, |list| list.push(one));
        }
        is_possible
    }

    /// Takes the link between two elements away.
    pub(super) fn unlink(&mut self, one: u32, other: u32, level: usize, mark: Mark<'_>) {
        self.change_links(one, level, mark, |list| list.remove(other));
        self.change_links(other, level, mark, |list| list.remove(one));
    }

    pub(super) fn change_links(
        &mut self,
        slot: u32,
        level: usize,
        mark: Mark<'_>,
        change: impl FnOnce(&mut super::links::List<'_>) -> bool,
    ) {
        let layout = self.frame.layout;
        let (chunk, at) = Self::place(slot, layout.links_shift);
        let list = self.links.change(chunk, mark);
        if let Some(mut list) = list.and_then(|links| links.list_mut(at, level, &layout)) {
            change(&mut list);
        }
    }
}
