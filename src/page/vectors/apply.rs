//! How an operation is done to whatever a key holds.

use super::op::VectorOp;
use super::set::VectorSet;
use crate::page::Change;
use crate::page::container::{Big, Form, Kind, Next};
use crate::page::value::ValueRef;

/// Does `op` to what a key holds.
pub fn apply(form: Form<'_>, op: &VectorOp<'_>, change: &Change<'_>) -> Next {
    let mut made = match form {
        Form::Big(Big::Vectors(set)) => {
            set.apply(op, change.mark);
            return if set.is_empty() { Next::Remove } else { Next::Keep };
        }
        Form::Packed(Kind::Vectors, packed) => VectorSet::unpack(packed),
        Form::Absent => match op {
            VectorOp::Add { shape, .. } if shape.is_valid() => VectorSet::new(*shape),
            _ => return Next::Keep,
        },
        Form::Packed(..) | Form::Big(_) => return Next::Keep,
    };
    let was_empty = made.is_empty();
    made.apply(op, change.mark);
    match made.is_empty() {
        true if was_empty => Next::Keep,
        true => Next::Remove,
        false => Next::Big(Big::Vectors(made)),
    }
}

/// The vector set that a value is, if it is one.
pub fn vectors_of(value: ValueRef<'_>) -> Option<&VectorSet> {
    match value {
        ValueRef::Big(Big::Vectors(set)) => Some(set),
        ValueRef::Str(_) | ValueRef::Packed(..) | ValueRef::Big(_) => None,
    }
}
