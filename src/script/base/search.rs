//! `string.find`, `match` and `gmatch`.

use super::super::lua::{Raise, Stack};
use super::super::patterns::{BYTES_PER_STEP, Captured, Match, Matcher, is_plain, until_nul};
use memchr::memmem;
use std::ffi::c_int;

/// `find(text, pattern, init, plain)`: where the first match is, and its captures.
pub(super) fn find(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let (text, pattern) = (stack.check_text(1)?, stack.check_text(2)?);
    let from = init(stack, text.len())?;
    if stack.truth(4) || is_plain(until_nul(pattern)) {
        return find_plain(stack, text, pattern, from);
    }
    first_match(stack, (text, pattern, from), |stack, matcher, found| {
        push_place(stack, found);
        Ok(2 + push_captures(stack, text, matcher, found, matcher.captures())?)
    })
}

/// `match(text, pattern, init)`: what the first match has captured.
pub(super) fn match_(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let (text, pattern) = (stack.check_text(1)?, stack.check_text(2)?);
    let from = init(stack, text.len())?;
    first_match(stack, (text, pattern, from), |stack, matcher, found| {
        push_captures(stack, text, matcher, found, matcher.captures().max(1))
    })
}

/// Has `push` push what is to be told of the first match; nil if there is none.
fn first_match(
    stack: &mut Stack<'_>,
    (text, pattern, from): (&[u8], &[u8], usize),
    push: impl FnOnce(&mut Stack<'_>, &Matcher<'_, '_>, &Match) -> Result<c_int, Raise>,
) -> Result<c_int, Raise> {
    let mut pacer = stack.pacer();
    let (pattern, is_anchored) = anchored(pattern);
    let mut matcher = Matcher::new(text, pattern, &mut pacer);
    match matcher.find(from, is_anchored)? {
        Some(found) => push(stack, &matcher, &found),
        None => {
            stack.push_nil();
            Ok(1)
        }
    }
}

/// `gmatch(text, pattern)`: a function that gives the captures of one match after the other. It keeps both, and from
/// where to go on.
pub(super) fn gmatch(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    stack.check_text(1)?;
    stack.check_text(2)?;
    stack.push_copy(1);
    stack.push_copy(2);
    stack.push_number(0.0);
    stack.push_native(next_match, 3);
    Ok(1)
}

fn next_match(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let text = stack.kept_text(1).unwrap_or_default();
    let pattern = until_nul(stack.kept_text(2).unwrap_or_default());
    let from = stack.number(Stack::kept(3)).unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a usize")]
    let from = from as usize;
    if from > text.len() {
        return Ok(0);
    }
    let mut pacer = stack.pacer();
    let mut matcher = Matcher::new(text, pattern, &mut pacer);
    let Some(found) = matcher.find(from, false)? else {
        return Ok(0);
    };
    let next = found.end + usize::from(found.is_empty());
    #[expect(clippy::cast_precision_loss, reason = "lengths are less than 2^53")]
    stack.set_kept(3, next as f64);
    push_captures(stack, text, &matcher, &found, matcher.captures().max(1))
}

/// Where to begin, from 0: the third argument.
fn init(stack: &Stack<'_>, len: usize) -> Result<usize, Raise> {
    let init = stack.integer_or(3, 1)?;
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from = if init < 0 { init + len } else { init - 1 };
    Ok(usize::try_from(from.clamp(0, len)).unwrap_or(0))
}

/// The pattern, and whether it matches where the search begins only.
pub(super) fn anchored(pattern: &[u8]) -> (&[u8], bool) {
    let pattern = until_nul(pattern);
    pattern.strip_prefix(b"^").map_or((pattern, false), |rest| (rest, true))
}

fn find_plain(stack: &mut Stack<'_>, text: &[u8], part: &[u8], from: usize) -> Result<c_int, Raise> {
    let rest = text.get(from..).unwrap_or_default();
    let found = memmem::find(rest, part);
    stack.pacer().spend(found.unwrap_or(rest.len()) / BYTES_PER_STEP)?;
    if let Some(found) = found {
        let start = from + found;
        push_place(stack, &(start..start + part.len()));
        return Ok(2);
    }
    stack.push_nil();
    Ok(1)
}

#[expect(clippy::cast_precision_loss, reason = "lengths are less than 2^53")]
fn push_place(stack: &mut Stack<'_>, place: &Match) {
    stack.push_number((place.start + 1) as f64);
    stack.push_number(place.end as f64);
}

/// Pushes so many captures.
pub(super) fn push_captures(
    stack: &mut Stack<'_>,
    text: &[u8],
    matcher: &Matcher<'_, '_>,
    found: &Match,
    count: usize,
) -> Result<c_int, Raise> {
    let results = c_int::try_from(count).unwrap_or(c_int::MAX);
    stack
        .reserve(results)
        .map_err(|_| Raise::here("stack overflow (too many captures)"))?;
    for index in 0..count {
        push_capture(stack, text, &matcher.captured(index, found)?)?;
    }
    Ok(results)
}

#[expect(clippy::cast_precision_loss, reason = "lengths are less than 2^53")]
pub(super) fn push_capture(stack: &mut Stack<'_>, text: &[u8], captured: &Captured) -> Result<(), Raise> {
    match captured {
        Captured::Text(place) => stack.push_text(text.get(place.clone()).unwrap_or_default()),
        Captured::Position(at) => {
            stack.push_number((at + 1) as f64);
            Ok(())
        }
    }
}
