//! Fair choices among numbered items.

use std::collections::HashSet;

/// Of a sample this large a part of the whole, all items are looked at; of a smaller one, each is looked up.
const SAMPLE_PART: usize = 4;

/// `count` different ones of `len` items, or all if there are fewer; each such choice as likely as any other, in no
/// particular order. `nth` looks one up, `all` goes over them; `pick(n)` must return a uniform number below `n`.
/// O(count) of either.
pub fn sample<T>(
    len: usize,
    count: usize,
    pick: &mut dyn FnMut(usize) -> usize,
    nth: impl FnMut(usize) -> Option<T>,
    all: impl Iterator<Item = T>,
) -> Vec<T> {
    if count >= len / SAMPLE_PART {
        return sample_by_walk(len, count, pick, all);
    }
    // Floyd's algorithm: when a number was drawn before, the round's own, which cannot have been, stands in for it.
    let mut chosen = HashSet::with_capacity(count);
    for round in len - count..len {
        if !chosen.insert(pick(round + 1)) {
            chosen.insert(round);
        }
    }
    chosen.into_iter().filter_map(nth).collect()
}

/// The same where looking at all of them costs no more than a look-up.
///
/// Takes each item with the probability that makes the choice fair: of those still needed to those still ahead.
pub fn sample_by_walk<T>(
    len: usize,
    count: usize,
    pick: &mut dyn FnMut(usize) -> usize,
    all: impl Iterator<Item = T>,
) -> Vec<T> {
    let (mut needed, mut ahead) = (count.min(len), len);
    let mut chosen = Vec::with_capacity(needed);
    for item in all {
        if needed == ahead || (needed > 0 && pick(ahead) < needed) {
            chosen.push(item);
            needed -= 1;
        }
        ahead -= 1;
    }
    chosen
}
