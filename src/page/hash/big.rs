//! The big form: a trie of fields, and beside it, in order of time, those of them that die.

use super::field::Field;
use super::op::{HashOp, pairs_of};
use super::packed_form::rows;
use crate::page::deaths::Deaths;
use crate::page::packed::{Builder, FLAG_TIMED, FLAG_WIDE, Item, Packed};
use crate::page::parts::PartedTrie;
use crate::page::trie::{Item as Pair, Trie};
use crate::page::{Change, Mark};

/// A hash that is not small.
#[derive(Clone, Debug)]
pub struct BigHash {
    fields: PartedTrie,
    deaths: Deaths,
    is_wide: bool,
}

fn pair(name: &[u8], value: Item<'_>, at_ms: u64) -> Pair {
    let number = (at_ms != 0).then_some(at_ms);
    value.with_bytes(|value| Pair::new(name, Some(value), number))
}

/// The fields of the packed form.
pub fn pairs(packed: Packed<'_>) -> impl Iterator<Item = Pair> {
    rows(packed).map(|(name, value, at_ms)| name.with_bytes(|name| pair(name, value, at_ms)))
}

fn field_of(pair: &Pair) -> Field<'_> {
    Field {
        name: Item::Bytes(pair.key()),
        value: Item::Bytes(pair.value().unwrap_or_default()),
        expire_at_ms: pair.number(),
    }
}

impl BigHash {
    /// Its fields, of which it has none then: for dropping it.
    pub fn take_trie(&mut self) -> Trie<Pair> {
        self.fields.take_trie()
    }

    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        let fields = PartedTrie::build(rand::random(), pairs(packed), Mark::APART);
        Self::of_parts(fields, packed.is_wide(), packed.is_timed())
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        self.packed(self.fields.iter(), !self.deaths.is_empty())
    }

    fn packed<'a>(&self, fields: impl Iterator<Item = &'a Pair>, is_timed: bool) -> Vec<u8> {
        let mut builder = Builder::new((u8::from(self.is_wide) * FLAG_WIDE) | (u8::from(is_timed) * FLAG_TIMED));
        for pair in fields {
            builder.push_bytes(pair.key());
            builder.push_bytes(pair.value().unwrap_or_default());
            if is_timed {
                builder.push(Item::Int(pair.number().unwrap_or(0) as i64));
            }
        }
        builder.finish()
    }

    /// See [`crate::page::Big::adopt`].
    pub fn adopt(&mut self, mark: Mark<'_>) {
        self.fields.adopt(mark);
    }

    /// The trie of its fields.
    pub fn trie(&self) -> &PartedTrie {
        &self.fields
    }

    /// A part, packed.
    pub fn pack_part(&self, index: usize) -> Vec<u8> {
        let fields: Vec<&Pair> = self.fields.items_of(index).collect();
        // What other parts have is no matter of this one.
        let is_timed = fields.iter().any(|pair| pair.number().is_some());
        self.packed(fields.into_iter(), is_timed)
    }

    /// One with these fields, which have been checked; whether some of them may have an expiry.
    pub fn of_parts(fields: PartedTrie, is_wide: bool, is_timed: bool) -> Self {
        // Looking at each costs a walk through memory.
        let timed = is_timed.then(|| fields.iter()).into_iter().flatten();
        Self {
            deaths: Deaths::of(timed.map(|pair| (pair.key(), pair.number().unwrap_or(0)))),
            fields,
            is_wide,
        }
    }

    /// How many fields it has. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty hash is none")]
    pub fn len(&self) -> u64 {
        self.fields.len() as u64
    }

    /// Whether the name of the compact encoding is lost.
    pub fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// Bytes of heap, exactly. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.fields.heap_bytes() + self.deaths.heap_bytes()
    }

    /// Does `op`.
    pub(super) fn apply(&mut self, op: &HashOp<'_>, change: &Change<'_>) {
        match *op {
            HashOp::Set { pairs, keeps_expiry } => {
                for (name, value) in pairs_of(Packed::new(pairs)) {
                    name.with_bytes(|name| self.set(name, value, keeps_expiry, change));
                }
            }
            HashOp::Remove { fields } => Packed::new(fields)
                .items()
                .for_each(|name| name.with_bytes(|name| self.remove(name, change))),
            HashOp::ExpireAt { fields, expire_at_ms } => Packed::new(fields)
                .items()
                .for_each(|name| name.with_bytes(|name| self.expire_at(name, expire_at_ms, change))),
        }
    }

    fn set(&mut self, name: &[u8], value: Item<'_>, keeps_expiry: bool, change: &Change<'_>) {
        let (thresholds, mut old_ms) = (change.thresholds, 0);
        // Mostly in place.
        let set = |pair: &mut Pair| {
            old_ms = pair.number().unwrap_or(0);
            if !keeps_expiry {
                pair.set_number(None);
            }
            value.with_bytes(|value| pair.set_value(value));
        };
        self.fields.upsert(name, change.mark, set, || pair(name, value, 0));
        let new_ms = if keeps_expiry { old_ms } else { 0 };
        self.deaths.note(name, old_ms, new_ms);
        if !self.is_wide {
            let fits = thresholds.hash_item_fits(name.len()) && thresholds.hash_item_fits(value.bytes_len());
            self.is_wide = !(fits && thresholds.hash_fits(self.len()));
        }
    }

    fn remove(&mut self, name: &[u8], change: &Change<'_>) {
        if let Some(removed) = self.fields.remove(name, change.mark) {
            self.deaths.note(name, removed.number().unwrap_or(0), 0);
        }
    }

    fn expire_at(&mut self, name: &[u8], at_ms: u64, change: &Change<'_>) {
        let number = (at_ms != 0).then_some(at_ms);
        let old = self.fields.update(name, change.mark, |pair| {
            let old = pair.number();
            pair.set_number(number);
            old
        });
        if let Some(old) = old {
            self.deaths.note(name, old.unwrap_or(0), at_ms);
        }
    }

    /// A field, dead or alive.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        self.fields.get(name).map(field_of)
    }

    /// All fields, dead ones too.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(field_of)
    }

    /// When its fields die.
    #[inline]
    pub fn deaths(&self) -> &Deaths {
        &self.deaths
    }

    /// See [`super::HashRef::random`].
    pub fn random(&self, random: &mut dyn FnMut(usize) -> usize) -> Option<Field<'_>> {
        self.fields.random(random).map(field_of)
    }

    /// Of all fields, dead ones too; see [`super::HashRef::sample`].
    pub fn sample(&self, count: usize, random: &mut dyn FnMut(usize) -> usize) -> Vec<Field<'_>> {
        self.fields.sample(count, random).into_iter().map(field_of).collect()
    }

    /// See [`super::HashRef::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, visit: &mut dyn FnMut(Field<'a>)) -> u64 {
        self.fields.scan(cursor, count, |pair| visit(field_of(pair)))
    }
}
