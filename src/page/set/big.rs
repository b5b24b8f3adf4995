//! The big form: a trie of members.

use super::packed_form::keeps_compact_name;
use crate::page::packed::{Builder, FLAG_WIDE, Item, Packed};
use crate::page::parts::PartedTrie;
use crate::page::trie::Item as Member;
use crate::page::{Change, Mark};

/// A set that is not small.
#[derive(Clone, Debug)]
pub struct BigSet {
    members: PartedTrie,
    is_wide: bool,
}

fn made(item: Item<'_>) -> Member {
    item.with_bytes(|bytes| Member::new(bytes, None, None))
}

/// The members of the packed form.
pub fn members(packed: Packed<'_>) -> impl Iterator<Item = Member> {
    packed.items().map(made)
}

impl BigSet {
    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        Self {
            members: PartedTrie::build(rand::random(), members(packed), Mark::APART),
            is_wide: packed.is_wide(),
        }
    }

    /// One with these members, which have been checked.
    pub fn of_parts(members: PartedTrie, is_wide: bool) -> Self {
        Self { members, is_wide }
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        self.packed(self.members.iter())
    }

    /// A part, packed.
    pub fn pack_part(&self, index: usize) -> Vec<u8> {
        self.packed(self.members.items_of(index))
    }

    fn packed<'a>(&self, members: impl Iterator<Item = &'a Member>) -> Vec<u8> {
        let mut builder = Builder::new(u8::from(self.is_wide) * FLAG_WIDE);
        members.for_each(|member| builder.push_bytes(member.key()));
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
    pub fn heap_bytes(&self) -> usize {
        self.members.heap_bytes()
    }

    /// Adds or removes members.
    pub(super) fn apply(&mut self, members: Packed<'_>, adds: bool, change: &Change<'_>) {
        for item in members.items() {
            if adds {
                self.add(item, change);
            } else {
                item.with_bytes(|bytes| drop(self.members.remove(bytes, change.mark)));
            }
        }
    }

    fn add(&mut self, item: Item<'_>, change: &Change<'_>) {
        let is_new = self.members.insert(made(item), change.mark).is_none();
        if is_new && !self.is_wide {
            self.is_wide = !keeps_compact_name(item, self.len(), change.thresholds);
        }
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
