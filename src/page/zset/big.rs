//! The big form: a tree in order of score and member, and a trie from member to score, which share each pair; beside
//! them, in order of time, the members that die. Those have their time as the pair's value.
//!
//! **Invariant:** tree and trie have the same members with the same scores.

use std::cmp::Ordering;

use super::member::Member;
use super::op::{ZsetOp, pairs_of};
use super::order::{Order, Ordered};
use crate::page::deaths::Deaths;
use crate::page::packed::{Builder, FLAG_TIMED, FLAG_WIDE, Item, Packed, time_of};
use crate::page::parts::PartedTrie;
use crate::page::tree::{Tree, TreeItem};
use crate::page::trie::{Item as Pair, Trie};
use crate::page::{Change, Mark};

/// A member in its place; the score stands beside the pair so that comparing rarely goes there.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub score: f64,
    pub pair: Pair,
}

impl TreeItem for Scored {
    const SEPARATES: bool = true;

    fn heap_bytes(&self) -> usize {
        // The trie counts it.
        0
    }
}

impl Scored {
    pub fn of(pair: Pair) -> Self {
        Self {
            score: score_of(&pair),
            pair,
        }
    }

    /// Its place beside that of a score and a name; no score is NaN.
    #[inline]
    fn place(&self, score: f64, name: &[u8]) -> Ordering {
        let by_score = self.score.partial_cmp(&score).unwrap_or(Ordering::Equal);
        by_score.then_with(|| self.pair.key().cmp(name))
    }

    fn member(&self) -> Member<'_> {
        Member {
            name: Item::Bytes(self.pair.key()),
            score: self.score,
        }
    }
}

pub(super) fn pair(score: f64, name: &[u8], at_ms: u64) -> Pair {
    let time = at_ms.to_le_bytes();
    Pair::new(name, (at_ms != 0).then_some(&time), Some(score.to_bits()))
}

/// The members of the packed form, in its order.
pub fn pairs(packed: Packed<'_>) -> impl Iterator<Item = Pair> {
    let (mut items, is_timed) = (packed.items(), packed.is_timed());
    std::iter::from_fn(move || {
        let (score, name) = (items.next()?.number()?, items.next()?);
        let at_ms = if is_timed { time_of(items.next()) } else { 0 };
        Some(name.with_bytes(|name| pair(score, name, at_ms)))
    })
}

fn score_of(pair: &Pair) -> f64 {
    f64::from_bits(pair.number().unwrap_or_default())
}

fn expiry_of(pair: &Pair) -> u64 {
    let time = pair.value().and_then(|value| value.try_into().ok());
    time.map_or(0, u64::from_le_bytes)
}

/// A sorted set that is not small.
#[derive(Clone, Debug)]
pub struct BigZset {
    order: Tree<Scored>,
    members: PartedTrie,
    deaths: Deaths,
    is_wide: bool,
}

impl BigZset {
    /// Its members, of which it has none then, nor an order: for dropping it.
    pub fn take_trie(&mut self) -> Trie<Pair> {
        self.order = Tree::default();
        self.members.take_trie()
    }

    /// From the packed form, which has been checked.
    pub fn unpack(packed: Packed<'_>) -> Self {
        let order: Tree<Scored> = pairs(packed).map(Scored::of).collect();
        let pairs = order.iter().map(|scored| scored.pair.clone());
        let trie = PartedTrie::build(rand::random(), pairs, Mark::APART);
        Self::of_parts(trie, Ordered(order), packed.is_wide(), packed.is_timed())
    }

    /// One with these members, which have been checked, and their order; whether some of them may have an expiry.
    pub fn of_parts(members: PartedTrie, order: Ordered, is_wide: bool, is_timed: bool) -> Self {
        // Looking at each costs a walk through memory.
        let timed = is_timed.then(|| members.iter()).into_iter().flatten();
        Self {
            deaths: Deaths::of(timed.map(|pair| (pair.key(), expiry_of(pair)))),
            order: order.0,
            members,
            is_wide,
        }
    }

    /// The packed form. O(n).
    pub fn pack(&self) -> Vec<u8> {
        self.packed(self.order.iter(), !self.deaths.is_empty())
    }

    /// A part, packed.
    pub fn pack_part(&self, index: usize) -> Vec<u8> {
        let mut order = Order::default();
        self.members.items_of(index).for_each(|pair| order.add(pair.clone()));
        let members: Vec<Scored> = order.sorted().collect();
        let is_timed = !self.deaths.is_empty() && members.iter().any(|scored| expiry_of(&scored.pair) != 0);
        self.packed(members.iter(), is_timed)
    }

    fn packed<'a>(&self, members: impl Iterator<Item = &'a Scored>, is_timed: bool) -> Vec<u8> {
        let mut builder = Builder::new((u8::from(self.is_wide) * FLAG_WIDE) | (u8::from(is_timed) * FLAG_TIMED));
        for scored in members {
            builder.push(Item::of_f64(scored.score));
            builder.push_bytes(scored.pair.key());
            if is_timed {
                builder.push(Item::Int(expiry_of(&scored.pair) as i64));
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
    #[expect(clippy::len_without_is_empty, reason = "an empty sorted set is none")]
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
        self.order.heap_bytes() + self.members.heap_bytes() + self.deaths.heap_bytes()
    }

    /// Does `op`.
    pub(super) fn apply(&mut self, op: &ZsetOp<'_>, change: &Change<'_>) {
        match *op {
            ZsetOp::Add { members } | ZsetOp::Rescore { members } => {
                self.is_wide |= !change.thresholds.zset_fits(Packed::new(members).count() as u64 / 2);
                let keeps_expiry = matches!(op, ZsetOp::Rescore { .. });
                for (score, name) in pairs_of(Packed::new(members)) {
                    name.with_bytes(|name| self.set(score, name, keeps_expiry, change));
                }
            }
            ZsetOp::Remove { members } => Packed::new(members)
                .items()
                .for_each(|name| name.with_bytes(|name| self.remove(name, change))),
            ZsetOp::RemoveRange { start, len } => self.remove_range(start, len, change),
            ZsetOp::ExpireAt { members, expire_at_ms } => Packed::new(members)
                .items()
                .for_each(|name| name.with_bytes(|name| self.expire_at(name, expire_at_ms, change))),
        }
    }

    fn set(&mut self, score: f64, name: &[u8], keeps_expiry: bool, change: &Change<'_>) {
        let thresholds = change.thresholds;
        if !self.is_wide && self.members.get(name).is_none() {
            self.is_wide = !(thresholds.zset_fits(self.len() + 1) && thresholds.zset_item_fits(name.len()));
        }
        let score = super::packed_form::kept_score(score, self.is_wide);
        let old_ms = match self.deaths.is_empty() {
            true => 0,
            false => self.members.get(name).map_or(0, expiry_of),
        };
        let new_ms = if keeps_expiry { old_ms } else { 0 };
        self.put(score, name, new_ms, change);
        self.deaths.note(name, old_ms, new_ms);
    }

    /// Puts a member in, in place of what was there of that name.
    fn put(&mut self, score: f64, name: &[u8], at_ms: u64, change: &Change<'_>) {
        let fresh = pair(score, name, at_ms);
        if let Some(old) = self.members.insert(fresh.clone(), change.mark) {
            self.take_from_order(score_of(&old), name);
        }
        let placed = self
            .order
            .insert_by(|other| other.place(score, name), Scored { score, pair: fresh });
        debug_assert!(placed.is_ok(), "a member is in the order once");
    }

    /// Trie and tree get another pair: a share of it cannot be changed.
    fn expire_at(&mut self, name: &[u8], at_ms: u64, change: &Change<'_>) {
        let found = self.members.get(name).map(|pair| (score_of(pair), expiry_of(pair)));
        if let Some((score, old_ms)) = found.filter(|(_, old_ms)| *old_ms != at_ms) {
            self.put(score, name, at_ms, change);
            self.deaths.note(name, old_ms, at_ms);
        }
    }

    fn take_from_order(&mut self, score: f64, name: &[u8]) {
        let taken = self.order.remove_by(|other| other.place(score, name));
        debug_assert!(taken.is_some(), "tree and trie have the same members");
    }

    fn remove(&mut self, name: &[u8], change: &Change<'_>) {
        if let Some(removed) = self.members.remove(name, change.mark) {
            self.take_from_order(score_of(&removed), name);
            self.deaths.note(name, expiry_of(&removed), 0);
        }
    }

    fn remove_range(&mut self, start: u64, len: u64, change: &Change<'_>) {
        let count = self.order.len();
        let start = usize::try_from(start).unwrap_or(count).min(count);
        let len = usize::try_from(len).unwrap_or(count).min(count - start);
        for scored in self.order.iter_from(start).take(len) {
            self.members.remove(scored.pair.key(), change.mark);
            self.deaths.note(scored.pair.key(), expiry_of(&scored.pair), 0);
        }
        self.order.remove_range(start, len);
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

    /// The score of a member.
    #[inline]
    pub fn score(&self, name: &[u8]) -> Option<f64> {
        self.members.get(name).map(score_of)
    }

    /// See [`super::ZsetRef::rank`].
    pub fn rank(&self, name: &[u8]) -> Option<(u64, f64)> {
        let score = self.score(name)?;
        let rank = self
            .order
            .partition_point(|other| other.place(score, name) == Ordering::Less);
        Some((rank as u64, score))
    }

    /// See [`super::ZsetRef::partition_point`].
    pub fn partition_point(&self, is_before: &mut dyn FnMut(Member<'_>) -> bool) -> u64 {
        self.order.partition_point(|scored| is_before(scored.member())) as u64
    }

    /// The members from a rank on towards higher scores.
    pub fn iter_from(&self, rank: usize) -> impl Iterator<Item = Member<'_>> {
        self.order.iter_from(rank).map(Scored::member)
    }

    /// The members from a rank on towards lower scores.
    pub fn iter_back_from(&self, rank: usize) -> impl Iterator<Item = Member<'_>> {
        self.order.iter_back_from(rank).map(Scored::member)
    }

    /// See [`super::ZsetRef::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, visit: &mut dyn FnMut(Member<'a>)) -> u64 {
        self.members.scan(cursor, count, |pair| {
            visit(Member {
                name: Item::Bytes(pair.key()),
                score: score_of(pair),
            });
        })
    }
}
