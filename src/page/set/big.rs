//! The big form: a trie of members, and beside it, in order of time, those of them that die.

use super::op::SetOp;
use super::packed_form::{keeps_compact_name, rows};
use crate::page::deaths::Deaths;
use crate::page::packed::{Builder, FLAG_TIMED, FLAG_WIDE, Item, Packed};
use crate::page::parts::PartedTrie;
use crate::page::trie::{Item as Member, Trie};
use crate::page::{Change, Mark};

/// A set that is not small.
#[derive(Clone, Debug)]
pub struct BigSet {
    members: PartedTrie,
    deaths: Deaths,
    is_wide: bool,
}

fn made(item: Item<'_>, at_ms: u64) -> Member {
    let number = (at_ms != 0).then_some(at_ms);
    item.with_bytes(|bytes| Member::new(bytes, None, number))
}

fn expiry_of(member: &Member) -> u64 {
    member.number().unwrap_or(0)
}

/// The members of the packed form.
pub fn members(packed: Packed<'_>) -> impl Iterator<Item = Member> {
    rows(packed).map(|(item, at_ms)| made(item, at_ms))
}

impl BigSet {
    /// Its members, of which it has none then: for dropping it.
    pub fn take_trie(&mut self) -> Trie<Member> {
        self.members.take_trie()
    }

    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        let trie = PartedTrie::build(rand::random(), members(packed), Mark::APART);
        Self::of_parts(trie, packed.is_wide(), packed.is_timed())
    }

    /// One with these members, which have been checked; whether some of them may have an expiry.
    pub fn of_parts(members: PartedTrie, is_wide: bool, is_timed: bool) -> Self {
        // Looking at each costs a walk through memory.
        let timed = is_timed.then(|| members.iter()).into_iter().flatten();
        Self {
            deaths: Deaths::of(timed.map(|member| (member.key(), expiry_of(member)))),
            members,
            is_wide,
        }
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        self.packed(self.members.iter(), !self.deaths.is_empty())
    }

    /// A part, packed.
    pub fn pack_part(&self, index: usize) -> Vec<u8> {
        let is_timed = !self.deaths.is_empty() && self.members.items_of(index).any(|member| expiry_of(member) != 0);
        self.packed(self.members.items_of(index), is_timed)
    }

    fn packed<'a>(&self, members: impl Iterator<Item = &'a Member>, is_timed: bool) -> Vec<u8> {
        let mut builder = Builder::new((u8::from(self.is_wide) * FLAG_WIDE) | (u8::from(is_timed) * FLAG_TIMED));
        for member in members {
            builder.push_bytes(member.key());
            if is_timed {
                builder.push(Item::Int(expiry_of(member) as i64));
            }
        }
        builder.finish()
    }

    /// See [`crate::page::Big::adopt`].
    pub fn adopt(&mut self, mark: Mark<'_>) {
        self.members.adopt(mark);
    }

    /// The trie of its members.
    pub fn trie(&self) -> &PartedTrie {
        &self.members
    }

    /// How many members it has. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty set is none")]
    pub fn len(&self) -> u64 {
        self.members.len() as u64
    }

    /// Whether the name of the compact encoding is lost.
    pub fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// Bytes of heap, exactly. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.members.heap_bytes() + self.deaths.heap_bytes()
    }

    /// Does `op`.
    pub(super) fn apply(&mut self, op: &SetOp<'_>, change: &Change<'_>) {
        match *op {
            SetOp::Add { members } => Packed::new(members).items().for_each(|item| self.add(item, change)),
            SetOp::Remove { members } => Packed::new(members)
                .items()
                .for_each(|item| item.with_bytes(|name| self.remove(name, change))),
            SetOp::ExpireAt { members, expire_at_ms } => Packed::new(members)
                .items()
                .for_each(|item| item.with_bytes(|name| self.expire_at(name, expire_at_ms, change))),
        }
    }

    fn add(&mut self, item: Item<'_>, change: &Change<'_>) {
        // One that takes the place of an equal one would live for ever.
        if !self.deaths.is_empty() && item.with_bytes(|name| self.contains(name)) {
            return;
        }
        let is_new = self.members.insert(made(item, 0), change.mark).is_none();
        if is_new && !self.is_wide {
            self.is_wide = !keeps_compact_name(item, self.len(), change.thresholds);
        }
    }

    fn remove(&mut self, name: &[u8], change: &Change<'_>) {
        if let Some(removed) = self.members.remove(name, change.mark) {
            self.deaths.note(name, expiry_of(&removed), 0);
        }
    }

    fn expire_at(&mut self, name: &[u8], at_ms: u64, change: &Change<'_>) {
        let number = (at_ms != 0).then_some(at_ms);
        let old = self.members.update(name, change.mark, |member| {
            let old = expiry_of(member);
            member.set_number(number);
            old
        });
        if let Some(old) = old {
            self.deaths.note(name, old, at_ms);
        }
    }

    /// When a member dies, 0 for never, if it is there.
    pub fn expiry_of(&self, name: &[u8]) -> Option<u64> {
        self.members.get(name).map(expiry_of)
    }

    /// When its members die.
    #[inline]
    pub fn deaths(&self) -> &Deaths {
        &self.deaths
    }

    /// Whether it has a member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.members.contains(member)
    }

    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        self.members.iter().map(|member| Item::Bytes(member.key()))
    }

    /// See [`super::SetRef::random`].
    pub fn random(&self, random: &mut dyn FnMut(usize) -> usize) -> Option<Item<'_>> {
        self.members.random(random).map(|member| Item::Bytes(member.key()))
    }

    /// See [`super::SetRef::sample`].
    pub fn sample(&self, count: usize, random: &mut dyn FnMut(usize) -> usize) -> Vec<Item<'_>> {
        let members = self.members.sample(count, random).into_iter();
        members.map(|member| Item::Bytes(member.key())).collect()
    }

    /// See [`super::SetRef::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, visit: &mut dyn FnMut(Item<'a>)) -> u64 {
        self.members
            .scan(cursor, count, |member| visit(Item::Bytes(member.key())))
    }
}
