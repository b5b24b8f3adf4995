//! Functions of `string` that make a string of another one; what they make is judged before it is made.

use super::super::lua::{Raise, Stack};
use std::ffi::c_int;

/// `string.rep`
pub(super) fn repeat(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let text = stack.check_text(1)?;
    let times = usize::try_from(stack.check_integer(2)?).unwrap_or(0);
    stack.make_room(text.len().checked_mul(times).ok_or(Raise::Memory)?)?;
    stack.push_string(text.repeat(if text.is_empty() { 0 } else { times }));
    Ok(1)
}

pub(super) fn upper(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    changed(stack, <[u8]>::make_ascii_uppercase)
}

pub(super) fn lower(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    changed(stack, <[u8]>::make_ascii_lowercase)
}

pub(super) fn reverse(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    changed(stack, <[u8]>::reverse)
}

/// Pushes the text that `change` makes of the first argument.
fn changed(stack: &mut Stack<'_>, change: fn(&mut [u8])) -> Result<c_int, Raise> {
    let text = stack.check_text(1)?;
    stack.make_room(text.len())?;
    let mut text: smallvec::SmallVec<[u8; 256]> = text.into();
    change(&mut text);
    stack.push_string(text);
    Ok(1)
}
