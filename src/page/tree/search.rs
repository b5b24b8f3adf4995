//! Binary search that has several looks under way at once: what it compares is mostly in no cache, and a look that
//! waits for the one before costs more than all else.

/// Places looked at together. They take as many comparisons as a plain binary search would: one for each doubling.
const PARTS: usize = 8;

/// How many of `count` places stand before the first that `is_before` is false of; `prefetch` is told the places that
/// may be asked for soon.
#[inline]
pub(super) fn partition_point(
    count: usize,
    prefetch: impl Fn(usize),
    mut is_before: impl FnMut(usize) -> bool,
) -> usize {
    let (mut from, mut to) = (0, count);
    while to - from >= PARTS {
        let (base, span) = (from, to - from);
        // Wrapping: a node is never so wide, and checks of all these would cost as much as the looks.
        let place = |part: usize| base.wrapping_add(span.wrapping_mul(part) / PARTS);
        (1..PARTS).for_each(|part| prefetch(place(part)));
        let (mut low, mut high) = (0, PARTS);
        while high - low > 1 {
            let part = (low + high) / 2;
            if is_before(place(part)) {
                (low, from) = (part, place(part) + 1);
            } else {
                (high, to) = (part, place(part));
            }
        }
    }
    (from..to).for_each(prefetch);
    while from < to {
        let middle = (from + to) / 2;
        if is_before(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}
