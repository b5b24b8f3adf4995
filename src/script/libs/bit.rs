//! `bit`: operations on the lower 32 bits of numbers.

use super::super::lua::{Kind, Native, Raise, Stack};
use std::ffi::c_int;

const FUNCTIONS: [(&str, Native); 12] = [
    ("tobit", to_bit),
    ("bnot", not),
    ("band", and),
    ("bor", or),
    ("bxor", xor),
    ("lshift", shift_left),
    ("rshift", shift_right),
    ("arshift", shift_signed_right),
    ("rol", rotate_left),
    ("ror", rotate_right),
    ("bswap", swap),
    ("tohex", to_hex),
];

/// Added to a number, it leaves the number's lower 32 bits, rounded, as the lower bits of the double.
const ROUNDS_TO_BITS: f64 = 6_755_399_441_055_744.0;

pub(super) fn push_table(stack: &mut Stack<'_>) {
    stack.push_table(0, 12);
    let table = stack.top();
    stack.set_natives(table, &FUNCTIONS);
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn bits(stack: &Stack<'_>, at: c_int) -> Result<u32, Raise> {
    stack
        .check_number(at)
        .map(|number| (number + ROUNDS_TO_BITS).to_bits() as u32)
}

fn done(stack: &mut Stack<'_>, bits: u32) -> Result<c_int, Raise> {
    stack.push_number(bits.cast_signed().into());
    Ok(1)
}

fn to_bit(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let value = bits(stack, 1)?;
    done(stack, value)
}

fn not(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let value = bits(stack, 1)?;
    done(stack, !value)
}

fn swap(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let value = bits(stack, 1)?;
    done(stack, value.swap_bytes())
}

fn fold(stack: &mut Stack<'_>, join: fn(u32, u32) -> u32) -> Result<c_int, Raise> {
    let mut value = bits(stack, 1)?;
    for at in 2..=stack.arguments() {
        value = join(value, bits(stack, at)?);
    }
    done(stack, value)
}

fn and(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    fold(stack, |a, b| a & b)
}

fn or(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    fold(stack, |a, b| a | b)
}

fn xor(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    fold(stack, |a, b| a ^ b)
}

/// The lower five bits say how far.
fn shift(stack: &mut Stack<'_>, shift: fn(u32, u32) -> u32) -> Result<c_int, Raise> {
    let (value, by) = (bits(stack, 1)?, bits(stack, 2)?);
    done(stack, shift(value, by & 31))
}

fn shift_left(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    shift(stack, |value, by| value << by)
}

fn shift_right(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    shift(stack, |value, by| value >> by)
}

fn shift_signed_right(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    shift(stack, |value, by| (value.cast_signed() >> by).cast_unsigned())
}

fn rotate_left(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    shift(stack, u32::rotate_left)
}

fn rotate_right(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    shift(stack, u32::rotate_right)
}

/// `tohex(value, digits)`: negative digits are capital ones.
fn to_hex(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let value = bits(stack, 1)?;
    let digits = if stack.kind(2) == Kind::None {
        8
    } else {
        bits(stack, 2)?.cast_signed()
    };
    let all = if digits < 0 {
        format!("{value:08X}")
    } else {
        format!("{value:08x}")
    };
    let count = usize::try_from(digits.unsigned_abs().min(8)).unwrap_or(8);
    stack.push_string(all.get(8 - count..).unwrap_or_default());
    Ok(1)
}
