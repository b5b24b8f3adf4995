//! `table.concat`.

use super::super::lua::{Kind, Raise, Stack};
use super::super::patterns::BYTES_PER_STEP;
use std::ffi::c_int;

/// `concat(table, separator, first, last)`
pub(super) fn concat(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let separator = match stack.kind(2) {
        Kind::None | Kind::Nil => &[],
        _ => stack.check_text(2)?,
    };
    if stack.kind(1) != Kind::Table {
        return Err(stack.wrong_type(1, "table"));
    }
    let first = super::c_integer(stack, 3, 1)?;
    let len = i64::try_from(stack.len(1)).unwrap_or(i64::MAX);
    let last = super::c_integer(stack, 4, len)?;
    let mut pacer = stack.pacer();
    let mut made = Vec::new();
    for at in first..=last {
        if at > first {
            made.extend_from_slice(separator);
        }
        let index = c_int::try_from(at).unwrap_or(c_int::MAX);
        let kind = stack.get_element(1, index);
        let Some(text) = stack.top_text() else {
            let text = format!("invalid value ({}) at index {at} in table for 'concat'", kind.name());
            return Err(Raise::here(text));
        };
        made.extend_from_slice(text);
        pacer.spend(2 + (text.len() + separator.len()) / BYTES_PER_STEP)?;
        stack.pop(1);
        if made.len() > stack.context().heap.room() {
            stack.make_room(made.len())?;
        }
    }
    stack.push_text(&made)?;
    Ok(1)
}
