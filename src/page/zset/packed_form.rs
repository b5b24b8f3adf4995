//! A packed sorted set: whether bytes are one, and its members under change, borrowed, and what takes their stead.

use std::cmp::Ordering;

use super::op::pairs_of;
use crate::page::malformed::Malformed;
use crate::page::packed::{Builder, FLAG_TIMED, FLAG_WIDE, Item, Packed, is_time, time_of};
use crate::page::thresholds::Thresholds;

/// See the module.
#[derive(Default)]
pub(super) struct Members<'a> {
    pairs: Vec<(f64, Item<'a>)>,
    /// When each dies, 0 for never; `None`: none ever does.
    times: Option<Vec<u64>>,
    is_wide: bool,
}

/// The order of sorted sets: by score, then by the members' bytes.
pub(super) fn order(one: (f64, Item<'_>), other: (f64, Item<'_>)) -> Ordering {
    let by_score = one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
    by_score.then_with(|| other.1.with_bytes(|bytes| one.1.cmp_bytes(bytes)))
}

impl<'a> Members<'a> {
    pub fn of(packed: Packed<'a>) -> Self {
        Self {
            pairs: pairs_of(packed).collect(),
            times: packed.is_timed().then(|| rows(packed).map(|row| row.1).collect()),
            is_wide: packed.is_wide(),
        }
    }

    /// One without members.
    pub fn empty(is_wide: bool) -> Self {
        Self {
            is_wide,
            ..Self::default()
        }
    }

    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// So many members come at once: as in Redis, whether they fit is seen before the first of them.
    pub fn expect(&mut self, members: u64, thresholds: &Thresholds) {
        self.is_wide |= !thresholds.zset_fits(members);
    }

    fn find(&self, member: Item<'_>) -> Option<usize> {
        self.pairs.iter().position(|pair| pair.1.is(member))
    }

    /// Takes out what is there; when it would have died.
    fn take(&mut self, at: usize) -> u64 {
        self.pairs.remove(at);
        self.times.as_mut().map_or(0, |times| times.remove(at))
    }

    pub fn set(&mut self, score: f64, member: Item<'a>, keeps_expiry: bool, thresholds: &Thresholds) {
        let mut at_ms = 0;
        match self.find(member) {
            Some(at) => at_ms = self.take(at) * u64::from(keeps_expiry),
            None => {
                let len = self.pairs.len() as u64 + 1;
                self.is_wide |= !(thresholds.zset_fits(len) && thresholds.zset_item_fits(member.bytes_len()));
            }
        }
        let pair = (kept_score(score, self.is_wide), member);
        let at = self
            .pairs
            .partition_point(|other| order(*other, pair) == Ordering::Less);
        self.pairs.insert(at, pair);
        if let Some(times) = &mut self.times {
            times.insert(at, at_ms);
        }
    }

    pub fn remove(&mut self, member: Item<'_>) {
        if let Some(at) = self.find(member) {
            self.take(at);
        }
    }

    pub fn remove_range(&mut self, start: u64, len: u64) {
        let count = self.pairs.len();
        let start = usize::try_from(start).unwrap_or(count).min(count);
        let end = usize::try_from(len).unwrap_or(count).saturating_add(start).min(count);
        self.pairs.drain(start..end);
        if let Some(times) = &mut self.times {
            times.drain(start..end);
        }
    }

    pub fn expire_at(&mut self, member: Item<'_>, at_ms: u64) {
        let Some(at) = self.find(member) else { return };
        let times = self.times.get_or_insert_with(|| vec![0; self.pairs.len()]);
        if let Some(time) = times.get_mut(at) {
            *time = at_ms;
        }
    }

    pub fn pack(&self) -> Vec<u8> {
        let wide = u8::from(self.is_wide) * FLAG_WIDE;
        let timed = self
            .times
            .as_ref()
            .filter(|times| times.iter().any(|at_ms| *at_ms != 0));
        let mut builder = Builder::new(wide | (u8::from(timed.is_some()) * FLAG_TIMED));
        for (at, (score, member)) in self.pairs.iter().enumerate() {
            builder.push(Item::of_f64(*score));
            builder.push(*member);
            if let Some(times) = timed {
                builder.push(Item::Int(times.get(at).map_or(0, |at_ms| *at_ms as i64)));
            }
        }
        builder.finish()
    }
}

/// The members of a packed sorted set, and when they die, 0 for never.
pub(super) fn rows(packed: Packed<'_>) -> impl Iterator<Item = (Item<'_>, u64)> {
    let (mut items, is_timed) = (packed.items(), packed.is_timed());
    std::iter::from_fn(move || {
        items.pass(1)?;
        Some((items.next()?, if is_timed { time_of(items.next()) } else { 0 }))
    })
}

/// Items of a member.
fn width_of(packed: Packed<'_>) -> usize {
    2 + usize::from(packed.is_timed())
}

/// The packed form of a sorted set of these members, which are in order, none of them twice.
pub fn pack_members<'a>(members: impl Iterator<Item = (f64, Item<'a>)> + Clone, thresholds: &Thresholds) -> Vec<u8> {
    let (mut count, mut fits) = (0, true);
    for (_, member) in members.clone() {
        count += 1;
        fits &= thresholds.zset_fits(count) && thresholds.zset_item_fits(member.bytes_len());
    }
    let mut items = Vec::new();
    for (score, member) in members {
        Item::of_f64(kept_score(score, !fits)).write(&mut items);
        member.write(&mut items);
    }
    Builder::from_items(u8::from(!fits) * FLAG_WIDE, count * 2, items).finish()
}

/// A score as it is kept: Redis's compact encoding has no negative zero.
pub(super) fn kept_score(score: f64, is_wide: bool) -> f64 {
    if is_wide { score } else { score + 0.0 }
}

/// Whether `packed` is a whole sorted set.
///
/// # Errors
/// What is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), Malformed> {
    check_items(packed)?;
    let mut members: Vec<_> = pairs_of(packed)
        .map(|(score, member)| (score, member.bytes()))
        .collect();
    let is_before = |one: &(f64, _), other: &(f64, _)| match one.0.partial_cmp(&other.0) {
        Some(std::cmp::Ordering::Equal) => one.1 < other.1,
        order => order == Some(std::cmp::Ordering::Less),
    };
    if !members.is_sorted_by(is_before) {
        return Err(Malformed::Container("a sorted set is out of order"));
    }
    members.sort_unstable_by(|one, other| one.1.cmp(&other.1));
    let is_twice = |pair: &[(f64, std::borrow::Cow<'_, [u8]>)]| match pair {
        [one, other] => one.1 == other.1,
        _ => false,
    };
    if members.windows(2).any(is_twice) {
        return Err(Malformed::Container("a sorted set has a member twice"));
    }
    Ok(())
}

/// The same, but that members may be out of order, or there twice.
///
/// # Errors
/// What is wrong.
pub fn check_items(packed: Packed<'_>) -> Result<(), Malformed> {
    let (count, width) = (packed.count(), width_of(packed));
    let (mut place, mut are_right) = (0, true);
    packed.check_with(|item| {
        are_right &= match place {
            0 => item.number().is_some_and(|score| !score.is_nan()),
            1 => !matches!(item, Item::Double(_)),
            _ => is_time(item),
        };
        place = if place + 1 < width { place + 1 } else { 0 };
    })?;
    if count == 0 || !count.is_multiple_of(width) {
        return Err(Malformed::ZsetItems(count));
    }
    if !are_right {
        return Err(Malformed::Container("a sorted set has a member that is none"));
    }
    Ok(())
}

/// How many members a packed sorted set has.
pub fn len(packed: Packed<'_>) -> u64 {
    (packed.count() / width_of(packed)) as u64
}
