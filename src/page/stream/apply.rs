//! How an operation is done to whatever a key holds.

use super::big::BigStream;
use super::op::StreamOp;
use crate::page::Change;
use crate::page::container::{Big, Form, Kind, Next};
use crate::page::value::ValueRef;

/// Does `op` to what a key holds.
pub fn apply(form: Form<'_>, op: &StreamOp<'_>, change: &Change<'_>) -> Next {
    let mut made = match form {
        Form::Big(Big::Stream(stream)) => {
            stream.apply(op, change);
            return Next::Keep;
        }
        Form::Packed(Kind::Stream, packed) => BigStream::unpack(packed),
        Form::Absent if matches!(op, StreamOp::Create | StreamOp::Add { .. }) => BigStream::default(),
        Form::Absent | Form::Packed(..) | Form::Big(_) => return Next::Keep,
    };
    made.apply(op, change);
    Next::Big(Big::Stream(made))
}

/// The stream that a value is, if it is one.
pub fn stream_of(value: ValueRef<'_>) -> Option<&BigStream> {
    match value {
        ValueRef::Big(Big::Stream(stream)) => Some(stream),
        ValueRef::Str(_) | ValueRef::Packed(..) | ValueRef::Big(_) => None,
    }
}
