//! The hash type: its operations as effects carry them, and how both forms do them.
//!
//! A packed hash is field, value, field, value … in order of arrival; where fields may die (`FLAG_TIMED`), a third item
//! behind each pair is when, in Unix milliseconds, 0 for never. A big one is a trie of pairs.
//!
//! **Invariant:** that a field has died is for who reads to see; `apply` knows no present.

mod big;
mod packed_form;
#[cfg(test)]
mod tests;
mod view;

use serde::{Deserialize, Serialize};

use super::container::{Big, Form, Kind, Next};
use super::packed::{FLAG_TIMED, Item, Packed};
use super::thresholds::Thresholds;
use packed_form::Fields;

pub use big::BigHash;
pub use view::{Field, HashRef};

/// A change to a hash.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum HashOp<'a> {
    /// Fields have these values now; the hash is made if there is none.
    Set {
        /// Field, value, field, value …, packed.
        #[serde(borrow, with = "serde_bytes")]
        pairs: &'a [u8],
        /// Whether fields that were there die when they would have died.
        keeps_expiry: bool,
    },
    /// Fields are gone.
    Remove {
        /// The fields, packed.
        #[serde(borrow, with = "serde_bytes")]
        fields: &'a [u8],
    },
    /// Fields that are there die at another time.
    ExpireAt {
        /// The fields, packed.
        #[serde(borrow, with = "serde_bytes")]
        fields: &'a [u8],
        /// When, Unix milliseconds; 0 = never.
        expire_at_ms: u64,
    },
}

/// Does `op` to what a key holds.
pub fn apply<'a>(form: Form<'a>, op: &HashOp<'a>, thresholds: &Thresholds) -> Next {
    match form {
        Form::Absent => match *op {
            HashOp::Set { .. } => packed_next(Fields::default(), op, thresholds),
            HashOp::Remove { .. } | HashOp::ExpireAt { .. } => Next::Keep,
        },
        Form::Packed(Kind::Hash, packed) => packed_next(Fields::of(packed), op, thresholds),
        Form::Big(Big::Hash(hash)) => {
            hash.apply(op, thresholds);
            if hash.len() == 0 { Next::Remove } else { Next::Keep }
        }
        Form::Packed(..) | Form::Big(_) => Next::Keep,
    }
}

/// Hashes that may become longer than this are not packed again. Twice what stays packed: changing all fields of a small
/// one leaves it small.
const LONG: usize = 256;

fn packed_next<'a>(mut fields: Fields<'a>, op: &HashOp<'a>, thresholds: &Thresholds) -> Next {
    match *op {
        HashOp::Set { pairs, .. } if fields.len() + Packed::new(pairs).count() / 2 > LONG => {
            // Looking through all for each would take the square of their number.
            let mut big = BigHash::unpack(Packed::new(&fields.pack()));
            big.apply(op, thresholds);
            return Next::Big(Big::Hash(big));
        }
        HashOp::Set { pairs, keeps_expiry } => {
            for (field, value) in pairs_of(Packed::new(pairs)) {
                fields.set(field, value, keeps_expiry, thresholds);
            }
        }
        HashOp::Remove { fields: gone } => Packed::new(gone).items().for_each(|field| fields.remove(field)),
        HashOp::ExpireAt {
            fields: timed,
            expire_at_ms,
        } => Packed::new(timed)
            .items()
            .for_each(|field| fields.expire_at(field, expire_at_ms)),
    }
    if fields.len() == 0 {
        return Next::Remove;
    }
    Next::Packed(fields.pack())
}

/// The pairs of items in an operation.
fn pairs_of(packed: Packed<'_>) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
    let mut items = packed.items();
    std::iter::from_fn(move || Some((items.next()?, items.next()?)))
}

/// Whether `packed` is a whole hash.
///
/// # Errors
/// A sentence saying what is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), String> {
    packed.check()?;
    let (count, width) = (packed.count(), width_of(packed));
    if count == 0 || !count.is_multiple_of(width) {
        return Err(format!("a hash of {count} items has no whole fields"));
    }
    let is_wrong = |(at, item): (usize, Item<'_>)| match (at % width, item) {
        (2, Item::Int(at_ms)) => at_ms < 0,
        (2, _) => true,
        (_, item) => matches!(item, Item::Double(_)),
    };
    if packed.items().enumerate().any(is_wrong) {
        return Err("a hash has a field that is none".to_owned());
    }
    let mut fields: Vec<_> = packed.items().step_by(width).map(Item::bytes).collect();
    fields.sort_unstable();
    if fields.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err("a hash has a field twice".to_owned());
    }
    Ok(())
}

/// Items of a field.
fn width_of(packed: Packed<'_>) -> usize {
    if packed.flags() & FLAG_TIMED == 0 { 2 } else { 3 }
}

/// How many fields a packed hash has.
pub fn len(packed: Packed<'_>) -> u64 {
    (packed.count() / width_of(packed)) as u64
}
