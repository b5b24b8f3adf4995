//! How an operation is done to whatever a key holds.

use super::big::BigHash;
use super::op::{HashOp, pairs_of};
use super::packed_form::Fields;
use crate::page::Change;
use crate::page::container::{Big, Form, Kind, Next};
use crate::page::packed::Packed;

/// Does `op` to what a key holds.
#[inline]
pub fn apply<'a>(form: Form<'a>, op: &HashOp<'a>, change: &Change<'_>) -> Next {
    match form {
        Form::Absent => match *op {
            HashOp::Set { .. } => packed_next(Fields::default(), op, change),
            HashOp::Remove { .. } | HashOp::ExpireAt { .. } => Next::Keep,
        },
        Form::Packed(Kind::Hash, packed) => packed_next(Fields::of(packed), op, change),
        Form::Big(Big::Hash(hash)) => {
            hash.apply(op, change);
            if hash.len() == 0 { Next::Remove } else { Next::Keep }
        }
        Form::Packed(..) | Form::Big(_) => Next::Keep,
    }
}

/// Hashes that may become longer than this are not packed again. Twice what stays packed: changing all fields of a
/// small one leaves it small.
const LONG: usize = 256;

fn packed_next<'a>(mut fields: Fields<'a>, op: &HashOp<'a>, change: &Change<'_>) -> Next {
    match *op {
        HashOp::Set { pairs, .. } if fields.len() + Packed::new(pairs).count() / 2 > LONG => {
            // Looking through all for each would take the square of their number.
            let mut big = BigHash::unpack(Packed::new(&fields.pack()));
            big.apply(op, change);
            return Next::Big(Big::Hash(big));
        }
        HashOp::Set { pairs, keeps_expiry } => {
            for (field, value) in pairs_of(Packed::new(pairs)) {
                fields.set(field, value, keeps_expiry, change.thresholds);
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
