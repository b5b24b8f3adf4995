//! `unpack`, and the numbers that scripts draw.

use super::super::lua::{DRAWN_MAX, Kind, Raise, Random, Stack};
use super::super::numbers::to_i64;
use super::{c_int_of, c_integer};
use std::ffi::c_int;

/// `unpack`: how many there would be is counted without overflow (CVE-2025-46817).
pub(super) fn unpack(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    if stack.kind(1) != Kind::Table {
        return Err(stack.wrong_type(1, "table"));
    }
    let first = c_integer(stack, 2, 1)?;
    let length = i64::try_from(stack.len(1)).unwrap_or(i64::MAX);
    let last = c_integer(stack, 3, length)?;
    if first > last {
        return Ok(0);
    }
    let count = c_int::try_from(last - first + 1)
        .ok()
        .filter(|&count| stack.reserve(count).is_ok());
    let count = count.ok_or_else(|| Raise::here("too many results to unpack"))?;
    for at in first..=last {
        let Ok(at) = c_int::try_from(at) else {
            return Err(Raise::here("too many results to unpack"));
        };
        stack.get_element(1, at);
    }
    Ok(count)
}

pub(super) fn random(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let context = stack.context();
    let mut random = context.random.get();
    let drawn = f64::from(random.draw() % DRAWN_MAX) / f64::from(DRAWN_MAX);
    context.random.set(random);
    let whole = |at| stack.check_integer(at).map(c_int_of);
    let number = match stack.arguments() {
        0 => drawn,
        1 => {
            let high = whole(1)?;
            if high < 1 {
                return Err(Raise::Argument(1, "interval is empty".into()));
            }
            within(drawn, 1, high)
        }
        2 => {
            let (low, high) = (whole(1)?, whole(2)?);
            if low > high {
                return Err(Raise::Argument(2, "interval is empty".into()));
            }
            within(drawn, low, high)
        }
        _ => return Err(Raise::here("wrong number of arguments")),
    };
    stack.push_number(number);
    Ok(1)
}

/// A whole number of `low` to `high`. Bounds are C's `int`s in Lua.
#[expect(clippy::cast_precision_loss, reason = "numbers of scripts are doubles")]
fn within(drawn: f64, low: i64, high: i64) -> f64 {
    (drawn * (high.saturating_sub(low).saturating_add(1)) as f64).floor() + low as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as C does it")]
pub(super) fn seed(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let seed = to_i64(stack.check_number(1)?);
    stack.context().random.set(Random::seeded(seed as u32));
    Ok(0)
}
