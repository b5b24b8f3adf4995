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
        Form::Absent => match *op {
            SetOp::Add { members } => packed_next(Members::default(), Packed::new(members), true, change),
            SetOp::Remove { .. } => Next::Keep,
        },
        Form::Packed(Kind::Set, packed) => {
            let (members, adds) = parts(op);
            packed_next(Members::of(packed), members, adds, change)
        }
        Form::Big(Big::Set(set)) => {
            let (members, adds) = parts(op);
            set.apply(members, adds, change);
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

fn packed_next<'a>(mut set: Members<'a>, members: Packed<'a>, adds: bool, change: &Change<'_>) -> Next {
    let is_long = set.len() + members.count() > LONG;
    if adds && is_long {
        // Looking through all for each would take the square of their number.
        let mut big = BigSet::unpack(Packed::new(&set.pack()));
        big.apply(members, true, change);
        return Next::Big(Big::Set(big));
    }
    for member in members.items() {
        if adds {
            set.add(member, change.thresholds)
        } else {
            set.remove(member)
        }
    }
    if set.len() == 0 {
        return Next::Remove;
    }
    Next::Packed(set.pack())
}

/// Sets that become longer than this are not packed again.
const LONG: usize = 512;
