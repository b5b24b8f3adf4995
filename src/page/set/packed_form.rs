//! A packed set: whether bytes are one, and its members under change, borrowed.

use crate::page::malformed::Malformed;
use crate::page::packed::{Builder, FLAG_TIMED, FLAG_WIDE, Item, Packed, is_time, time_of};
use crate::page::thresholds::Thresholds;

/// A packed set under change.
#[derive(Default)]
pub(super) struct Members<'a> {
    items: Vec<Item<'a>>,
    /// When each dies, 0 for never; `None`: none ever does.
    times: Option<Vec<u64>>,
    is_wide: bool,
}

impl<'a> Members<'a> {
    pub fn of(packed: Packed<'a>) -> Self {
        Self {
            items: names(packed).collect(),
            times: packed.is_timed().then(|| rows(packed).map(|row| row.1).collect()),
            is_wide: packed.is_wide(),
        }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    fn find(&self, member: Item<'_>) -> Option<usize> {
        self.items.iter().position(|item| item.is(member))
    }

    pub fn add(&mut self, member: Item<'a>, thresholds: &Thresholds) {
        if self.find(member).is_some() {
            return;
        }
        self.items.push(member);
        if let Some(times) = &mut self.times {
            times.push(0);
        }
        self.is_wide |= !keeps_compact_name(member, self.items.len() as u64, thresholds);
    }

    pub fn remove(&mut self, member: Item<'_>) {
        let Some(at) = self.find(member) else { return };
        self.items.remove(at);
        if let Some(times) = &mut self.times {
            times.remove(at);
        }
    }

    pub fn expire_at(&mut self, member: Item<'_>, at_ms: u64) {
        let Some(at) = self.find(member) else { return };
        let times = self.times.get_or_insert_with(|| vec![0; self.items.len()]);
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
        let Some(times) = timed else {
            let mut builder = Builder::new(wide);
            self.items.iter().for_each(|item| builder.push(*item));
            return builder.finish();
        };
        let mut builder = Builder::new(wide | FLAG_TIMED);
        for (item, at_ms) in self.items.iter().zip(times) {
            builder.push(*item);
            builder.push(Item::Int(*at_ms as i64));
        }
        builder.finish()
    }
}

/// The members of a packed set.
#[inline]
pub(super) fn names(packed: Packed<'_>) -> impl Iterator<Item = Item<'_>> {
    let (mut items, behind) = (packed.items(), width_of(packed) - 1);
    std::iter::from_fn(move || {
        let item = items.next()?;
        items.pass(behind)?;
        Some(item)
    })
}

/// The members of a packed set, and when they die, 0 for never.
pub(super) fn rows(packed: Packed<'_>) -> impl Iterator<Item = (Item<'_>, u64)> {
    let (mut items, is_timed) = (packed.items(), packed.is_timed());
    std::iter::from_fn(move || Some((items.next()?, if is_timed { time_of(items.next()) } else { 0 })))
}

/// Items of a member.
fn width_of(packed: Packed<'_>) -> usize {
    1 + usize::from(packed.is_timed())
}

/// The member of a number.
pub(super) fn nth(packed: Packed<'_>, number: usize) -> Option<Item<'_>> {
    packed.items().nth(number * width_of(packed))
}

/// Whether a set that `member` has come into, now of `len` members, is still one of few integers.
pub(super) fn keeps_compact_name(member: Item<'_>, len: u64, thresholds: &Thresholds) -> bool {
    matches!(member, Item::Int(_)) && thresholds.intset_fits(len)
}

/// The packed form of a set of these members, none of them twice.
pub fn pack_members<'a>(members: impl Iterator<Item = Item<'a>>, thresholds: &Thresholds) -> Vec<u8> {
    let mut items = Vec::new();
    let (mut count, mut is_wide) = (0, false);
    for member in members {
        // A big set gives integers as texts; a packed one has one form of each, by which it is found.
        let member = match member {
            Item::Bytes(bytes) => Item::of(bytes),
            other => other,
        };
        count += 1;
        is_wide |= !keeps_compact_name(member, count, thresholds);
        member.write(&mut items);
    }
    Builder::from_items(u8::from(is_wide) * FLAG_WIDE, count, items).finish()
}

/// Whether `packed` is a whole set.
///
/// # Errors
/// What is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), Malformed> {
    check_items(packed)?;
    let mut members: Vec<_> = names(packed).map(Item::bytes).collect();
    members.sort_unstable();
    if members.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Malformed::Container("a set has a member twice"));
    }
    Ok(())
}

/// The same, but that a member may be there twice.
///
/// # Errors
/// What is wrong.
pub fn check_items(packed: Packed<'_>) -> Result<(), Malformed> {
    let (count, width) = (packed.count(), width_of(packed));
    let (mut place, mut are_right) = (0, true);
    packed.check_with(|item| {
        are_right &= match place {
            0 => !matches!(item, Item::Double(_)),
            _ => is_time(item),
        };
        place = if place + 1 < width { place + 1 } else { 0 };
    })?;
    if count == 0 {
        return Err(Malformed::Container("a set is empty"));
    }
    if !count.is_multiple_of(width) || !are_right {
        return Err(Malformed::Container("a set has a member that is no string"));
    }
    Ok(())
}

/// How many members a packed set has.
pub fn len(packed: Packed<'_>) -> u64 {
    (packed.count() / width_of(packed)) as u64
}
