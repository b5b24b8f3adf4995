//! A packed set: whether bytes are one, and its members under change, borrowed.

use crate::page::malformed::Malformed;
use crate::page::packed::{Builder, FLAG_WIDE, Item, Packed};
use crate::page::thresholds::Thresholds;

/// A packed set under change.
#[derive(Default)]
pub(super) struct Members<'a> {
    items: Vec<Item<'a>>,
    is_wide: bool,
}

impl<'a> Members<'a> {
    pub fn of(packed: Packed<'a>) -> Self {
        Self {
            items: packed.items().collect(),
            is_wide: packed.is_wide(),
        }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn add(&mut self, member: Item<'a>, thresholds: &Thresholds) {
        if self.items.iter().any(|item| item.is(member)) {
            return;
        }
        self.items.push(member);
        self.is_wide |= !keeps_compact_name(member, self.items.len() as u64, thresholds);
    }

    pub fn remove(&mut self, member: Item<'_>) {
        self.items.retain(|item| !item.is(member));
    }

    pub fn pack(&self) -> Vec<u8> {
        let mut builder = Builder::new(u8::from(self.is_wide) * FLAG_WIDE);
        self.items.iter().for_each(|item| builder.push(*item));
        builder.finish()
    }
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
    let mut members: Vec<_> = packed.items().map(Item::bytes).collect();
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
    packed.check()?;
    if packed.count() == 0 {
        return Err(Malformed::Container("a set is empty"));
    }
    if packed.items().any(|item| matches!(item, Item::Double(_))) {
        return Err(Malformed::Container("a set has a member that is no string"));
    }
    Ok(())
}

/// How many members a packed set has.
pub fn len(packed: Packed<'_>) -> u64 {
    packed.count() as u64
}
