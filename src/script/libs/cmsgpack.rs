//! `cmsgpack`: values as MessagePack, and back, as the C library of Redis has it.

use super::super::lua::{Kind, Native, Pacer, Raise, Stack};
use super::super::made::Made;
use super::super::numbers::to_i64;
use std::ffi::c_int;

const FUNCTIONS: [(&str, Native); 4] = [
    ("pack", pack),
    ("unpack", unpack),
    ("unpack_one", unpack_one),
    ("unpack_limit", unpack_limit),
];

const TEXTS: [(&str, &str); 4] = [
    ("_NAME", "cmsgpack"),
    ("_VERSION", "lua-cmsgpack 0.4.0"),
    ("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"),
    ("_DESCRIPTION", "MessagePack C implementation for Lua"),
];

/// Tables nested deeper are packed as nil.
const PACKED_DEPTH_MAX: usize = 16;
/// Room for a value that is unpacked, and for the place behind it.
const VALUE_ROOM: c_int = 5;
const TOO_MANY_VALUES: &str =
    "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";
/// What is nested deeper is not unpacked.
const UNPACKED_DEPTH_MAX: usize = 1_100;
/// What a value costs, in steps.
const VALUE_STEPS: usize = 2;
/// Bytes of a text that are copied in one step.
const BYTES_PER_STEP: usize = 16;
/// How many values may come before the memory is judged.
const JUDGED_EVERY: usize = 1_024;

pub(super) fn push_table(stack: &mut Stack<'_>) {
    stack.push_table(0, 8);
    let table = stack.top();
    stack.set_natives(table, &FUNCTIONS);
    for (name, text) in TEXTS {
        stack.push_string(text);
        stack.set_field(table, name);
    }
}

fn pack(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    if stack.arguments() == 0 {
        return Err(Raise::Argument(0, "MessagePack pack needs input.".into()));
    }
    if stack.reserve(stack.arguments()).is_err() {
        return Err(Raise::Argument(0, "Too many arguments for MessagePack pack.".into()));
    }
    let mut packing = Packing(Made::new(stack));
    for at in 1..=stack.arguments() {
        stack.push_copy(at);
        packing.put_value(stack, 0)?;
    }
    stack.push_text(&packing.0.bytes)?;
    Ok(1)
}

/// What has been packed.
struct Packing<'a>(Made<'a>);

impl Packing<'_> {
    /// Packs the value on top, and pops it.
    fn put_value(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        self.pay(0)?;
        match stack.kind(-1) {
            Kind::String => {
                let text = stack.string(-1).unwrap_or_default();
                self.pay(text.len())?;
                put_string(text, &mut self.0.bytes);
            }
            Kind::Boolean => self.0.bytes.push(if stack.truth(-1) { 0xC3 } else { 0xC2 }),
            Kind::Number => put_number(stack.number(-1).unwrap_or_default(), &mut self.0.bytes),
            Kind::Table if depth < PACKED_DEPTH_MAX => self.put_table(stack, depth)?,
            _ => self.0.bytes.push(0xC0),
        }
        stack.pop(1);
        Ok(())
    }

    /// Counts what is done for a value, and judges what was packed and so many bytes more.
    fn pay(&mut self, more: usize) -> Result<(), Raise> {
        self.0.spend(VALUE_STEPS + more / BYTES_PER_STEP)?;
        self.0.judge(more)
    }

    fn put_table(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        stack.reserve(3)?;
        let (count, is_array) = self.measure(stack)?;
        if is_array {
            put_head(&mut self.0.bytes, count, (0x90, 0xDC));
            for at in 1..=c_int::try_from(count).unwrap_or(c_int::MAX) {
                stack.get_element(-1, at);
                self.put_value(stack, depth + 1)?;
            }
            return Ok(());
        }
        put_head(&mut self.0.bytes, count, (0x80, 0xDE));
        stack.push_nil();
        while stack.next(-2) {
            stack.push_copy(-2);
            self.put_value(stack, depth + 1)?;
            self.put_value(stack, depth + 1)?;
        }
        Ok(())
    }

    /// How many pairs there are, and whether their keys are the numbers from 1 up.
    #[expect(clippy::cast_precision_loss, reason = "no table has as many")]
    fn measure(&mut self, stack: &mut Stack<'_>) -> Result<(usize, bool), Raise> {
        let (mut count, mut largest, mut are_indices) = (0_usize, 0.0_f64, true);
        stack.push_nil();
        while stack.next(-2) {
            self.0.spend(1)?;
            stack.pop(1);
            count += 1;
            match stack.number(-1).filter(|_| stack.kind(-1) == Kind::Number) {
                Some(key) if key.fract() == 0.0 && key >= 1.0 => largest = largest.max(key),
                _ => are_indices = false,
            }
        }
        Ok((count, are_indices && largest.to_bits() == (count as f64).to_bits()))
    }
}

fn put_head(packed: &mut Vec<u8>, count: usize, (short, long): (u8, u8)) {
    match (u8::try_from(count), u16::try_from(count), u32::try_from(count)) {
        (Ok(count @ ..16), _, _) => packed.push(short | count),
        (_, Ok(count), _) => put(packed, long, count.to_be_bytes()),
        (_, _, count) => put(packed, long + 1, count.unwrap_or(u32::MAX).to_be_bytes()),
    }
}

fn put<const N: usize>(packed: &mut Vec<u8>, kind: u8, bytes: [u8; N]) {
    packed.push(kind);
    packed.extend_from_slice(&bytes);
}

fn put_string(text: &[u8], packed: &mut Vec<u8>) {
    match (
        u8::try_from(text.len()),
        u16::try_from(text.len()),
        u32::try_from(text.len()),
    ) {
        (Ok(len @ ..32), _, _) => packed.push(0xA0 | len),
        (Ok(len), _, _) => put(packed, 0xD9, [len]),
        (_, Ok(len), _) => put(packed, 0xDA, len.to_be_bytes()),
        (_, _, len) => put(packed, 0xDB, len.unwrap_or(u32::MAX).to_be_bytes()),
    }
    packed.extend_from_slice(text);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "equal is exact"
)]
fn put_number(number: f64, packed: &mut Vec<u8>) {
    let integer = to_i64(number);
    if integer as f64 == number {
        put_integer(integer, packed);
    } else if f64::from(number as f32) == number {
        put(packed, 0xCA, (number as f32).to_be_bytes());
    } else {
        put(packed, 0xCB, number.to_be_bytes());
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "each range fits")]
fn put_integer(integer: i64, packed: &mut Vec<u8>) {
    match integer {
        -32..=127 => packed.push(integer as u8),
        128..=0xFF => put(packed, 0xCC, [integer as u8]),
        0x100..=0xFFFF => put(packed, 0xCD, (integer as u16).to_be_bytes()),
        0x1_0000..=0xFFFF_FFFF => put(packed, 0xCE, (integer as u32).to_be_bytes()),
        0x1_0000_0000.. => put(packed, 0xCF, integer.to_be_bytes()),
        -128..=-33 => put(packed, 0xD0, [integer as u8]),
        -0x8000..=-129 => put(packed, 0xD1, (integer as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => put(packed, 0xD2, (integer as i32).to_be_bytes()),
        ..=-0x8000_0001 => put(packed, 0xD3, integer.to_be_bytes()),
    }
}

fn unpack(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    unpack_some(stack, 0, 0)
}

fn unpack_one(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let offset = stack.integer_or(2, 0)?;
    unpack_some(stack, 1, offset)
}

fn unpack_limit(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let (limit, offset) = (stack.check_integer(2)?, stack.integer_or(3, 0)?);
    unpack_some(stack, limit, offset)
}

/// Pushes up to `limit` values that lie from `offset` on, after the offset of the next one. All, and no offset, if both
/// are 0.
fn unpack_some(stack: &mut Stack<'_>, limit: i64, offset: i64) -> Result<c_int, Raise> {
    let data = stack.check_text(1)?;
    let len = data.len();
    let Some(from) = usize::try_from(offset).ok().filter(|_| limit >= 0) else {
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(Raise::here(text));
    };
    let rest = data.get(from..);
    let rest = rest.ok_or_else(|| Raise::here(format!("Start offset {offset} greater than input length {len}.")))?;
    let takes_all = limit == 0 && offset == 0;
    let mut reading = Reading {
        rest,
        values: 0,
        pacer: stack.pacer(),
    };
    let mut results = 0;
    if !takes_all {
        stack.push_nil();
        results = 1;
    }
    let first = stack.top();
    let mut left = if takes_all { i64::MAX } else { limit };
    while left > 0 && !reading.rest.is_empty() {
        stack.reserve(VALUE_ROOM).map_err(|_| Raise::here(TOO_MANY_VALUES))?;
        reading.push(stack, 0)?;
        (left, results) = (left - 1, results + 1);
    }
    if !takes_all {
        #[expect(clippy::cast_precision_loss, reason = "numbers of scripts are doubles")]
        let next = if reading.rest.is_empty() {
            -1.0
        } else {
            (len - reading.rest.len()) as f64
        };
        stack.replace_number(first, next);
    }
    Ok(results)
}

struct Reading<'d> {
    rest: &'d [u8],
    /// How many there were.
    values: usize,
    pacer: Pacer<'d>,
}

impl<'d> Reading<'d> {
    fn take(&mut self, bytes: usize) -> Result<&'d [u8], Raise> {
        let (taken, rest) = self
            .rest
            .split_at_checked(bytes)
            .ok_or_else(|| Raise::here("Missing bytes in input."))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Raise> {
        Ok(self.take(N)?.try_into().unwrap_or([0; N]))
    }

    fn count<const N: usize>(&mut self) -> Result<usize, Raise> {
        let bytes: [u8; N] = self.number()?;
        Ok(bytes.iter().fold(0, |count, byte| count << 8 | usize::from(*byte)))
    }

    fn push(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        self.pacer.spend(VALUE_STEPS)?;
        self.values += 1;
        if self.values.is_multiple_of(JUDGED_EVERY) {
            stack.check_memory()?;
        }
        let [kind] = self.number()?;
        match self.container(kind)? {
            None => self.push_scalar(stack, kind),
            Some((count, true)) => self.push_map(stack, count, depth),
            Some((count, false)) => self.push_array(stack, count, depth),
        }
    }

    /// How many elements or pairs follow, and whether they are pairs, if `kind` is that of a container.
    fn container(&mut self, kind: u8) -> Result<Option<(usize, bool)>, Raise> {
        Ok(Some(match kind {
            0x80..=0x8F => (usize::from(kind & 0x0F), true),
            0x90..=0x9F => (usize::from(kind & 0x0F), false),
            0xDC | 0xDE => (self.count::<2>()?, kind == 0xDE),
            0xDD | 0xDF => (self.count::<4>()?, kind == 0xDF),
            _ => return Ok(None),
        }))
    }

    /// Not part of `push`, which runs once for each level that is nested.
    #[inline(never)]
    fn push_scalar(&mut self, stack: &mut Stack<'_>, kind: u8) -> Result<(), Raise> {
        stack.reserve(4).map_err(|_| too_deep())?;
        match kind {
            0x00..=0x7F => stack.push_number(kind.into()),
            0xA0..=0xBF => stack.push_string(self.take(usize::from(kind & 0x1F))?),
            0xC0 => stack.push_nil(),
            0xC2 | 0xC3 => stack.push_boolean(kind == 0xC3),
            0xCA..=0xD3 => {
                let number = self.wide_number(kind)?;
                stack.push_number(number);
            }
            0xD9..=0xDB => {
                let len = match kind {
                    0xD9 => self.count::<1>()?,
                    0xDA => self.count::<2>()?,
                    _ => self.count::<4>()?,
                };
                stack.push_string(self.take(len)?);
            }
            0xE0.. => stack.push_number(kind.cast_signed().into()),
            _ => return Err(Raise::here("Bad data format in input.")),
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of scripts are doubles")]
    fn wide_number(&mut self, kind: u8) -> Result<f64, Raise> {
        Ok(match kind {
            0xCA => f32::from_be_bytes(self.number()?).into(),
            0xCB => f64::from_be_bytes(self.number()?),
            0xCC => u8::from_be_bytes(self.number()?).into(),
            0xCD => u16::from_be_bytes(self.number()?).into(),
            0xCE => u32::from_be_bytes(self.number()?).into(),
            0xD0 => i8::from_be_bytes(self.number()?).into(),
            0xD1 => i16::from_be_bytes(self.number()?).into(),
            0xD2 => i32::from_be_bytes(self.number()?).into(),
            // The C library takes large unsigned ones for negative ones, too.
            _ => i64::from_be_bytes(self.number()?) as f64,
        })
    }

    /// Nothing is reserved for elements that may not come.
    fn push_array(&mut self, stack: &mut Stack<'_>, count: usize, depth: usize) -> Result<(), Raise> {
        descend(stack, depth)?;
        stack.push_table(0, 0);
        for at in 1..=count {
            self.push(stack, depth + 1)?;
            stack.set_element(-2, c_int::try_from(at).map_err(|_| too_deep())?);
        }
        Ok(())
    }

    fn push_map(&mut self, stack: &mut Stack<'_>, count: usize, depth: usize) -> Result<(), Raise> {
        descend(stack, depth)?;
        stack.push_table(0, 0);
        for _ in 0..count {
            self.push(stack, depth + 1)?;
            match stack.kind(-1) {
                Kind::Nil => return Err(Raise::Bare("table index is nil")),
                Kind::Number if stack.number(-1).is_none_or(f64::is_nan) => {
                    return Err(Raise::Bare("table index is NaN"));
                }
                _ => {}
            }
            self.push(stack, depth + 1)?;
            stack.set_pair(-3);
        }
        Ok(())
    }
}

fn descend(stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
    stack.check_memory()?;
    stack.reserve(4).map_err(|_| too_deep())?;
    if depth < UNPACKED_DEPTH_MAX {
        Ok(())
    } else {
        Err(too_deep())
    }
}

fn too_deep() -> Raise {
    Raise::here("stack overflow (in function mp_decode_to_lua_array)")
}
