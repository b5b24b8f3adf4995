//! The order of many members at once: what a tree is built of when a sorted set is loaded.
//!
//! Comparing names means going where they are, so scores alone are sorted first, spread over buckets by how great they
//! are, and names are looked at only among equal scores, prefetched.
//!
//! **Invariant:** each run is in the order of its scores; names are in no order until [`Order::sorted`].

use std::cmp::Ordering;
use std::vec::IntoIter;

use super::big::Scored;
use crate::page::tree::Tree;
use crate::page::trie::Item as Pair;

/// For fewer members comparing is faster.
const SPREAD_MIN: usize = 64;
/// Members of a bucket, about, unless that makes too many: then it is spread in turn.
const BUCKET_MEMBERS: usize = 32;
/// Not more than a processor can write to one after another.
const BUCKETS_MAX: usize = 256;
/// How often members are spread: what is still together then, few scores being far from the others, is compared.
const LEVELS_MAX: u32 = 4;
/// Names are put in order for so many members at a time, while they are in the cache.
const BATCH: usize = 2048;
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
    pub fn add(&mut self, pair: Pair) {
        self.added.push(Scored::of(pair));
    }

    /// Makes what was added a run. O(n), unless scores are very far apart.
    pub fn settle(&mut self) {
        let mut run = std::mem::take(&mut self.added);
        if !run.is_empty() {
            sort_by_score(&mut run, LEVELS_MAX);
            self.runs.push(run);
        }
    }

    /// Takes the runs of another, which is settled.
    pub fn append(&mut self, mut other: Self) {
        self.runs.append(&mut other.runs);
    }

    /// The tree of all members.
    pub fn finish(self) -> Ordered {
        Ordered(Tree::of_exact(self.sorted()))
    }

    /// All members in their order. O(n log(runs)), and what names among equal scores need.
    pub(super) fn sorted(mut self) -> Sorted {
        self.settle();
        let mut runs = self.runs;
        while runs.len() > 2 {
            let mut pairs = runs.into_iter();
            let pair = std::iter::from_fn(|| Some(Merge::of(pairs.next()?, pairs.next())));
            runs = pair.map(Iterator::collect).collect();
        }
        let mut runs = runs.into_iter();
        Sorted {
            merge: Merge::of(runs.next().unwrap_or_default(), runs.next()),
            batch: Vec::new().into_iter(),
        }
    }
}

/// Puts members in the order of their scores.
fn sort_by_score(members: &mut Vec<Scored>, levels: u32) {
    let spread = if members.len() < SPREAD_MIN || levels == 0 {
        None
    } else {
        Spread::of(members)
    };
    let Some(spread) = spread else {
        return members.sort_by(|one, other| one.score.partial_cmp(&other.score).unwrap_or(Ordering::Equal));
    };
    let mut counts = [0; BUCKETS_MAX];
    for member in &*members {
        if let Some(count) = counts.get_mut(spread.bucket_of(member)) {
            *count += 1;
        }
    }
    let used = counts.into_iter().take(spread.buckets);
    let mut buckets: Vec<Vec<Scored>> = used.map(Vec::with_capacity).collect();
    for member in members.drain(..) {
        if let Some(bucket) = buckets.get_mut(spread.bucket_of(&member)) {
            bucket.push(member);
        }
    }
    // Back to where they were: that memory is there.
    for mut bucket in buckets {
        sort_by_score(&mut bucket, levels - 1);
        members.append(&mut bucket);
    }
}

/// Which bucket a score belongs to: a greater one never to an earlier bucket, however it is rounded.
struct Spread {
    least: f64,
    /// Buckets in a difference of 1.
    scale: f64,
    buckets: usize,
}

impl Spread {
    /// Over the scores of these members; `None`: no finite ones that differ.
    fn of(members: &[Scored]) -> Option<Self> {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for Scored { score, .. } in members {
            if *score < least && *score > f64::NEG_INFINITY {
                least = *score;
            }
            if *score > most && *score < f64::INFINITY {
                most = *score;
            }
        }
        let buckets = (members.len() / BUCKET_MEMBERS).clamp(2, BUCKETS_MAX);
        // Of scores all over the range of numbers the difference may be infinite: then there is one bucket.
        let scale = buckets as f64 / (most - least);
        (most > least).then_some(Self { least, scale, buckets })
    }

    /// Infinite scores come to the ends. Infinity times nothing is not a number, which comes to the first.
    #[inline]
    fn bucket_of(&self, member: &Scored) -> usize {
        (((member.score - self.least) * self.scale) as usize).min(self.buckets - 1)
    }
}

/// Two runs as one, in the order of scores.
struct Merge {
    left: IntoIter<Scored>,
    right: IntoIter<Scored>,
}

impl Merge {
    fn of(one: Vec<Scored>, other: Option<Vec<Scored>>) -> Self {
        Self {
            left: one.into_iter(),
            right: other.unwrap_or_default().into_iter(),
        }
    }

    /// The run that has the next member.
    #[inline]
    fn nearer(&mut self) -> &mut IntoIter<Scored> {
        match (self.left.as_slice().first(), self.right.as_slice().first()) {
            (Some(one), Some(other)) if one.score <= other.score => &mut self.left,
            (Some(_), None) => &mut self.left,
            _ => &mut self.right,
        }
    }
}

impl Iterator for Merge {
    type Item = Scored;

    #[inline]
    fn next(&mut self) -> Option<Scored> {
        self.nearer().next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.left.len() + self.right.len();
        (len, Some(len))
    }
}

/// Members in their order, those of some scores after another.
pub(super) struct Sorted {
    merge: Merge,
    /// The next ones, whose names are in order.
    batch: IntoIter<Scored>,
}

impl Sorted {
    /// Some members of the least scores, but all that any of these scores has.
    fn next_batch(&mut self) -> Vec<Scored> {
        let mut batch: Vec<Scored> = Vec::with_capacity(BATCH.min(self.merge.size_hint().0));
        batch.extend(self.merge.by_ref().take(BATCH));
        while let (Some(last), Some(next)) = (batch.last(), self.merge.nearer().as_slice().first())
            && last.score == next.score
        {
            batch.extend(self.merge.next());
        }
        sort_names(&mut batch);
        batch
    }
}

impl Iterator for Sorted {
    type Item = Scored;

    #[inline]
    fn next(&mut self) -> Option<Scored> {
        if self.batch.as_slice().is_empty() {
            self.batch = self.next_batch().into_iter();
        }
        self.batch.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.batch.len() + self.merge.size_hint().0;
        (len, Some(len))
    }
}

impl ExactSizeIterator for Sorted {}

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
            share.iter().for_each(|pair| other.add(pair.clone()));
            other.settle();
            order.append(other);
        }
        let sorted = order.sorted();
        assert_eq!(sorted.len(), scores.len());
        let found: Vec<_> = sorted
            .map(|scored| (scored.score, scored.pair.key().to_vec()))
            .collect();
        let mut wanted: Vec<_> = members
            .iter()
            .map(|pair| (Scored::of(pair.clone()).score, pair.key().to_vec()))
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
        for count in [0, 1, 2, 100, 3 * BATCH] {
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

    #[test]
    fn scores_far_apart_come_in_order() {
        let count = 5000;
        let seeded = |number: usize| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) as u64;
        let of_bits = |bits: u64| {
            Some(f64::from_bits(bits))
                .filter(|score| !score.is_nan())
                .unwrap_or(0.0)
        };
        let kinds: [&dyn Fn(usize) -> f64; 9] = [
            // All over the range: differences are infinite.
            &|number| of_bits(seeded(number)),
            // Each spreading leaves most of them together.
            &|number| 2_f64.powi((seeded(number) % 2000) as i32 - 1000),
            &|number| -(2_f64.powi((seeded(number) % 2000) as i32 - 1000)),
            // One is far from the others.
            &|number| {
                if number == 77 {
                    1e300
                } else {
                    (seeded(number) % 1000) as f64
                }
            },
            &|number| {
                if number == 77 {
                    -1e300
                } else {
                    (seeded(number) % 100_000) as f64
                }
            },
            // So near each other that a bucket in 1 is beyond the numbers.
            &|number| f64::from_bits(seeded(number) % 3),
            &|number| 1.0 + (seeded(number) % 50) as f64 * f64::EPSILON,
            // None that is finite, and few.
            &|number| [f64::INFINITY, f64::NEG_INFINITY][number % 2],
            &|number| [f64::INFINITY, f64::MAX, 0.0, -0.0, f64::MIN, f64::NEG_INFINITY][number % 6],
        ];
        for kind in kinds {
            for shares in [1, 3] {
                check(&(0..count).map(kind).collect::<Vec<_>>(), shares);
            }
        }
    }
}
