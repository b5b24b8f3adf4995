//! The set type: its operations as effects carry them, and how both forms do them.
//!
//! A packed set is its members in order of arrival. A big one is a trie of them.

mod big;
#[cfg(test)]
mod tests;
mod view;

use serde::{Deserialize, Serialize};

use super::container::{Big, Form, Kind, Next};
use super::packed::{Builder, FLAG_WIDE, Item, Packed};
use super::thresholds::Thresholds;

pub use big::BigSet;
pub use view::{HeldSet, SetRef};

/// A change to a set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum SetOp<'a> {
    /// Members come in; the set is made if there is none.
    Add {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// Members leave.
    Remove {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
}

/// Does `op` to what a key holds.
pub fn apply(form: Form<'_>, op: &SetOp<'_>, thresholds: &Thresholds) -> Next {
    match form {
        Form::Absent => match *op {
            SetOp::Add { members } => packed_next(Members::default(), Packed::new(members), true, thresholds),
            SetOp::Remove { .. } => Next::Keep,
        },
        Form::Packed(Kind::Set, packed) => {
            let (members, adds) = parts(op);
            packed_next(Members::of(packed), members, adds, thresholds)
        }
        Form::Big(Big::Set(set)) => {
            let (members, adds) = parts(op);
            set.apply(members, adds, thresholds);
            if set.len() == 0 { Next::Remove } else { Next::Keep }
        }
        Form::Packed(..) | Form::Big(_) => Next::Keep,
    }
}

fn parts<'a>(op: &SetOp<'a>) -> (Packed<'a>, bool) {
    match *op {
        SetOp::Add { members } => (Packed::new(members), true),
        SetOp::Remove { members } => (Packed::new(members), false),
    }
}

fn packed_next<'a>(mut set: Members<'a>, members: Packed<'a>, adds: bool, thresholds: &Thresholds) -> Next {
    let is_long = set.items.len() + members.count() > LONG;
    if adds && is_long {
        // Looking through all for each would take the square of their number.
        let mut big = BigSet::unpack(Packed::new(&set.pack()));
        big.apply(members, true, thresholds);
        return Next::Big(Big::Set(big));
    }
    for member in members.items() {
        if adds {
            set.add(member, thresholds)
        } else {
            set.remove(member)
        }
    }
    if set.items.is_empty() {
        return Next::Remove;
    }
    Next::Packed(set.pack())
}

/// Sets that become longer than this are not packed again.
const LONG: usize = 512;

/// A packed set under change.
#[derive(Default)]
struct Members<'a> {
    items: Vec<Item<'a>>,
    is_wide: bool,
}

impl<'a> Members<'a> {
    fn of(packed: Packed<'a>) -> Self {
        Self {
            items: packed.items().collect(),
            is_wide: packed.is_wide(),
        }
    }

    fn add(&mut self, member: Item<'a>, thresholds: &Thresholds) {
        if self.items.iter().any(|item| item.is(member)) {
            return;
        }
        self.items.push(member);
        self.is_wide |= !keeps_compact_name(member, self.items.len() as u64, thresholds);
    }

    fn remove(&mut self, member: Item<'_>) {
        self.items.retain(|item| !item.is(member));
    }

    fn pack(&self) -> Vec<u8> {
        let mut builder = Builder::new(u8::from(self.is_wide) * FLAG_WIDE);
        self.items.iter().for_each(|item| builder.push(*item));
        builder.finish()
    }
}

/// Whether a set that `member` has come into, now of `len` members, is still one of few integers.
fn keeps_compact_name(member: Item<'_>, len: u64, thresholds: &Thresholds) -> bool {
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
/// A sentence saying what is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), String> {
    packed.check()?;
    if packed.count() == 0 {
        return Err("a set is empty".to_owned());
    }
    if packed.items().any(|item| matches!(item, Item::Double(_))) {
        return Err("a set has a member that is no string".to_owned());
    }
    let mut members: Vec<_> = packed.items().map(Item::bytes).collect();
    members.sort_unstable();
    if members.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err("a set has a member twice".to_owned());
    }
    Ok(())
}

/// How many members a packed set has.
pub fn len(packed: Packed<'_>) -> u64 {
    packed.count() as u64
}
