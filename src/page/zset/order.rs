//! The order of many members at once: what a tree is built of when a sorted set is loaded.
//!
//! Comparing names means going where they are, so scores alone are sorted first, as integers and digit by digit, and
//! names are looked at only among equal scores, prefetched.
//!
//! **Invariant:** each run is in the order of its scores; names are in no order until [`Order::sorted`].

use super::big::Scored;
use crate::page::tree::Tree;
use crate::page::trie::Item as Pair;

/// For fewer members comparing is faster.
const RADIX_MIN: usize = 2048;
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
const BUCKETS: usize = 1 << DIGIT_BITS;
/// How far ahead a name is prefetched.
const AHEAD: usize = 16;

/// Members on their way into order.
#[derive(Default)]
pub struct Order {
    runs: Vec<Vec<Scored>>,
    /// What has been added since the last run was made.
    added: Vec<Scored>,
}

/// Members in their order.
pub struct Ordered(pub(super) Tree<Scored>);

impl Order {
    /// Makes room for so many members.
    pub fn reserve(&mut self, count: usize) {
        self.added.reserve_exact(count);
    }

    /// Takes a member.
    #[inline]
    pub fn add(&mut self, pair: &Pair) {
        self.added.push(Scored::of(pair));
    }

    /// Makes what was added a run. O(n).
    pub fn settle(&mut self) {
        let run = std::mem::take(&mut self.added);
        self.runs.push(sort_by_score(run));
    }

    /// Takes the runs of another, which is settled.
    pub fn append(&mut self, mut other: Self) {
        self.runs.append(&mut other.runs);
    }

    /// The tree of all members.
    pub fn finish(self) -> Ordered {
        Ordered(self.sorted().into_iter().collect())
    }

    /// All members in their order. O(n log(runs)), and what names among equal scores need.
    pub(super) fn sorted(mut self) -> Vec<Scored> {
        self.settle();
        let mut runs = self.runs;
        while runs.len() > 1 {
            let mut pairs = runs.into_iter();
            runs = std::iter::from_fn(|| Some(merged(pairs.next()?, pairs.next().unwrap_or_default()))).collect();
        }
        let mut all = runs.pop().unwrap_or_default();
        sort_names(&mut all);
        all
    }
}

/// A number that is in the order of scores. No score is NaN; both zeroes are one.
#[inline]
fn sort_key(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    let is_negative = bits >> (u64::BITS - 1) == 1;
    if is_negative {
        !bits
    } else {
        bits | (1 << (u64::BITS - 1))
    }
}

#[inline]
fn digit_of(member: &Scored, digit: usize) -> usize {
    (sort_key(member.score) >> (digit * DIGIT_BITS as usize)) as usize & (BUCKETS - 1)
}

fn sort_by_score(members: Vec<Scored>) -> Vec<Scored> {
    if members.len() < RADIX_MIN {
        let mut members = members;
        members.sort_unstable_by_key(|member| sort_key(member.score));
        return members;
    }
    let all: Vec<[usize; BUCKETS]> = counts_of(&members);
    let count = members.len();
    let mut from: Vec<Option<Scored>> = members.into_iter().map(Some).collect();
    let mut to: Vec<Option<Scored>> = Vec::new();
    for (digit, counts) in all.iter().enumerate() {
        // Scores are often small integers, which differ in few digits.
        if counts.iter().all(|same| *same < count) {
            to.resize_with(count, || None);
            distribute(&mut from, &mut to, digit, counts);
            std::mem::swap(&mut from, &mut to);
        }
    }
    from.into_iter().flatten().collect()
}

/// For each digit how often it has which value.
fn counts_of(members: &[Scored]) -> Vec<[usize; BUCKETS]> {
    let mut all = vec![[0; BUCKETS]; DIGITS];
    for member in members {
        for (digit, counts) in all.iter_mut().enumerate() {
            if let Some(count) = counts.get_mut(digit_of(member, digit)) {
                *count += 1;
            }
        }
    }
    all
}

/// Moves members to where this digit has them; of equal ones the first stays the first.
fn distribute(from: &mut [Option<Scored>], to: &mut [Option<Scored>], digit: usize, counts: &[usize; BUCKETS]) {
    let mut end = 0;
    let mut places = counts.map(|count| {
        end += count;
        end - count
    });
    for member in from.iter_mut().filter_map(Option::take) {
        if let Some(place) = places.get_mut(digit_of(&member, digit)) {
            if let Some(slot) = to.get_mut(*place) {
                *slot = Some(member);
            }
            *place += 1;
        }
    }
}

/// Two runs as one.
fn merged(one: Vec<Scored>, other: Vec<Scored>) -> Vec<Scored> {
    if other.is_empty() {
        return one;
    }
    let mut merged = Vec::with_capacity(one.len() + other.len());
    let (mut left, mut right) = (one.into_iter(), other.into_iter());
    loop {
        let from = match (left.as_slice().first(), right.as_slice().first()) {
            (Some(one), Some(other)) if one.score <= other.score => &mut left,
            (Some(_), None) => &mut left,
            (_, Some(_)) => &mut right,
            (None, None) => return merged,
        };
        merged.extend(from.next());
    }
}

/// Puts members of equal scores in the order of their names. In a run of many that come from few sorted ones, that
/// takes hardly more than O(n): the sort finds those.
fn sort_names(members: &mut [Scored]) {
    let mut rest = members;
    while let Some(first) = rest.first() {
        let score = first.score;
        let mut len = 0;
        while rest.get(len).is_some_and(|member| member.score == score) {
            if let Some([one, other]) = rest.get(len + AHEAD..len + AHEAD + 2)
                && one.score == other.score
            {
                one.pair.prefetch();
                other.pair.prefetch();
            }
            len += 1;
        }
        let (equal, behind) = rest.split_at_mut(len);
        if len > 1 {
            equal.sort_by(|one, other| one.pair.key().cmp(other.pair.key()));
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::super::big::pair;
    use super::*;

    fn check(scores: &[f64], shares: usize) {
        let name = |number: usize| format!("name:{:05}", number * 7919 % 10_007);
        let members: Vec<Pair> = scores
            .iter()
            .enumerate()
            .map(|(number, score)| pair(*score, name(number).as_bytes(), 0))
            .collect();
        let mut order = Order::default();
        for share in members.chunks(members.len().div_ceil(shares).max(1)) {
            let mut other = Order::default();
            share.iter().for_each(|pair| other.add(pair));
            other.settle();
            order.append(other);
        }
        let found: Vec<_> = order
            .sorted()
            .iter()
            .map(|scored| (scored.score, scored.pair.key().to_vec()))
            .collect();
        let mut wanted: Vec<_> = members
            .iter()
            .map(|pair| (Scored::of(pair).score, pair.key().to_vec()))
            .collect();
        wanted.sort_by(|one, other| one.partial_cmp(other).unwrap());
        assert!(found == wanted, "{} members, {shares} shares", scores.len());
    }

    #[test]
    fn members_come_in_the_order_of_scores_and_names() {
        let ends = [
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            0.0,
            -0.0,
            -1.5,
        ];
        for count in [0, 1, 2, 100, 3 * RADIX_MIN] {
            for shares in [1, 2, 5] {
                let seeded = |number: usize| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) as u64;
                let some = (0..count).map(|number| match number % 5 {
                    0 => ends[number / 5 % ends.len()],
                    1 => seeded(number) as i64 as f64,
                    2 => f64::from_bits(seeded(number) >> 2),
                    _ => (seeded(number) % 1000) as f64 - 500.0,
                });
                check(&some.collect::<Vec<_>>(), shares);
                check(&vec![7.0; count], shares);
            }
        }
    }
}
