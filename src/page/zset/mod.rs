//! The sorted set type: its operations as effects carry them, and how both forms do them.
//!
//! A packed sorted set is score, member, score, member … in order of score, then of the members' bytes. A big one is a
//! tree in that order and a trie from member to score, which share the pairs.
//!
//! **Invariant:** no score is NaN.

mod big;
mod packed_form;
#[cfg(test)]
mod tests;
mod view;

use serde::{Deserialize, Serialize};

use super::container::{Big, Form, Kind, Next};
use super::packed::{Builder, FLAG_WIDE, Item, Packed};
use super::thresholds::Thresholds;
use packed_form::Members;

pub use big::BigZset;
pub use view::{HeldZset, Member, ZsetRef};

/// A change to a sorted set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum ZsetOp<'a> {
    /// Members have these scores now; the sorted set is made if there is none.
    Add {
        /// Score, member, score, member …, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// Members leave.
    Remove {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// A run of members leaves.
    RemoveRange {
        /// The first one's rank, from 0.
        start: u64,
        /// How many.
        len: u64,
    },
}

/// Does `op` to what a key holds.
pub fn apply<'a>(form: Form<'a>, op: &ZsetOp<'a>, thresholds: &Thresholds) -> Next {
    match form {
        Form::Absent => match op {
            ZsetOp::Add { .. } => packed_next(Members::default(), op, thresholds),
            ZsetOp::Remove { .. } | ZsetOp::RemoveRange { .. } => Next::Keep,
        },
        Form::Packed(Kind::Zset, packed) => packed_next(Members::of(packed), op, thresholds),
        Form::Big(Big::Zset(zset)) => {
            zset.apply(op, thresholds);
            if zset.len() == 0 { Next::Remove } else { Next::Keep }
        }
        Form::Packed(..) | Form::Big(_) => Next::Keep,
    }
}

/// Sorted sets that become longer than this are not packed again.
const LONG: usize = 256;

fn packed_next<'a>(mut zset: Members<'a>, op: &ZsetOp<'a>, thresholds: &Thresholds) -> Next {
    match *op {
        ZsetOp::Add { members } if zset.len() + Packed::new(members).count() / 2 > LONG => {
            // Looking through all for each would take the square of their number.
            let mut big = BigZset::unpack(Packed::new(&zset.pack()));
            big.apply(op, thresholds);
            return Next::Big(Big::Zset(big));
        }
        ZsetOp::Add { members } => {
            for (score, member) in pairs_of(Packed::new(members)) {
                zset.set(score, member, thresholds);
            }
        }
        ZsetOp::Remove { members } => Packed::new(members).items().for_each(|member| zset.remove(member)),
        ZsetOp::RemoveRange { start, len } => zset.remove_range(start, len),
    }
    if zset.len() == 0 {
        return Next::Remove;
    }
    Next::Packed(zset.pack())
}

/// The scores and members that items are.
fn pairs_of(packed: Packed<'_>) -> impl Iterator<Item = (f64, Item<'_>)> {
    let mut items = packed.items();
    std::iter::from_fn(move || Some((items.next()?.number()?, items.next()?)))
}

/// Scores and members as they stand in an effect.
pub fn pack_pairs<'a>(pairs: impl Iterator<Item = (f64, &'a [u8])>) -> Vec<u8> {
    let mut builder = Builder::new(0);
    for (score, member) in pairs {
        builder.push(Item::of_f64(score));
        builder.push_bytes(member);
    }
    builder.finish()
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
fn kept_score(score: f64, is_wide: bool) -> f64 {
    if is_wide { score } else { score + 0.0 }
}

/// Whether `packed` is a whole sorted set.
///
/// # Errors
/// A sentence saying what is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), String> {
    packed.check()?;
    let count = packed.count();
    if count == 0 || !count.is_multiple_of(2) {
        return Err(format!("a sorted set of {count} items has no whole members"));
    }
    let pairs: Vec<_> = pairs_of(packed).collect();
    let is_wrong = |(score, member): &(f64, Item<'_>)| score.is_nan() || matches!(member, Item::Double(_));
    if pairs.len() * 2 != count || pairs.iter().any(is_wrong) {
        return Err("a sorted set has a member that is none".to_owned());
    }
    let mut members: Vec<_> = pairs.iter().map(|(score, member)| (*score, member.bytes())).collect();
    let is_before = |one: &(f64, _), other: &(f64, _)| match one.0.partial_cmp(&other.0) {
        Some(std::cmp::Ordering::Equal) => one.1 < other.1,
        order => order == Some(std::cmp::Ordering::Less),
    };
    if !members.is_sorted_by(is_before) {
        return Err("a sorted set is out of order".to_owned());
    }
    members.sort_unstable_by(|one, other| one.1.cmp(&other.1));
    let is_twice = |pair: &[(f64, std::borrow::Cow<'_, [u8]>)]| match pair {
        [one, other] => one.1 == other.1,
        _ => false,
    };
    if members.windows(2).any(is_twice) {
        return Err("a sorted set has a member twice".to_owned());
    }
    Ok(())
}

/// How many members a packed sorted set has.
pub fn len(packed: Packed<'_>) -> u64 {
    packed.count() as u64 / 2
}
