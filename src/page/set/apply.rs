//! How an operation is done to whatever a key holds.

use super::big::BigSet;
use super::op::SetOp;
use super::packed_form::Members;
use crate::page::Change;
use crate::page::container::{Big, Form, Kind, Next};
use crate::page::packed::Packed;

/// Does `op` to what a key holds.
pub fn apply(form: Form<'_>, op: &SetOp<'_>, change: &Change<'_>) -> Next {
    match form {
        Form::Absent => match op {
            SetOp::Add { .. } => packed_next(Members::default(), op, change),
            SetOp::Remove { .. } | SetOp::ExpireAt { .. } => Next::Keep,
        },
        Form::Packed(Kind::Set, packed) => packed_next(Members::of(packed), op, change),
        Form::Big(Big::Set(set)) => {
            set.apply(op, change);
            if set.len() == 0 { Next::Remove } else { Next::Keep }
        }
        Form::Packed(..) | Form::Big(_) => Next::Keep,
    }
}

fn packed_next<'a>(mut set: Members<'a>, op: &SetOp<'a>, change: &Change<'_>) -> Next {
    match *op {
        SetOp::Add { members } if set.len() + Packed::new(members).count() > LONG => {
            // Looking through all for each would take the square of their number.
            let mut big = BigSet::unpack(Packed::new(&set.pack()));
            big.apply(op, change);
            return Next::Big(Big::Set(big));
        }
        SetOp::Add { members } => Packed::new(members)
            .items()
            .for_each(|member| set.add(member, change.thresholds)),
        SetOp::Remove { members } => Packed::new(members).items().for_each(|member| set.remove(member)),
        SetOp::ExpireAt { members, expire_at_ms } => Packed::new(members)
            .items()
            .for_each(|member| set.expire_at(member, expire_at_ms)),
    }
    if set.len() == 0 {
        return Next::Remove;
    }
    Next::Packed(set.pack())
}

/// Sets that become longer than this are not packed again.
const LONG: usize = 512;
