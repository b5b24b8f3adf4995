//! `struct`: values as bytes, by a format, and back.
//!
//! Sizes and places are judged before they are used; formats end at their first NUL, as in C.

use super::super::lua::{Kind, Native, Raise, Stack};
use super::super::made::Made;
use super::super::numbers::to_u64;
use std::ffi::c_int;

const FUNCTIONS: [(&str, Native); 3] = [("pack", pack), ("unpack", unpack), ("size", size)];

/// The largest integer's bytes.
const INTEGER_BYTES_MAX: usize = 32;
const NATIVE_ALIGNMENT: i32 = 8;
/// Bytes of a text that are copied in one step.
const BYTES_PER_STEP: usize = 16;

pub(super) fn push_table(stack: &mut Stack<'_>) {
    stack.push_table(0, 3);
    let table = stack.top();
    stack.set_natives(table, &FUNCTIONS);
}

/// A format that is read, and how what follows is laid out.
struct Format<'f> {
    rest: &'f [u8],
    is_big: bool,
    alignment: usize,
}

/// One option of a format, with the bytes that it takes.
struct Item {
    option: u8,
    bytes: usize,
}

impl<'f> Format<'f> {
    fn new(stack: &Stack<'f>) -> Result<Self, Raise> {
        let text = stack.check_text(1)?;
        let rest = text.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(Self {
            rest,
            is_big: false,
            alignment: 1,
        })
    }

    fn next(&mut self) -> Result<Option<Item>, Raise> {
        let Some((&option, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let bytes = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => usize::try_from(self.number(1)?).unwrap_or(0),
            b'i' | b'I' => {
                let bytes = usize::try_from(self.number(4)?).unwrap_or(0);
                if bytes > INTEGER_BYTES_MAX {
                    let text = format!("integral size {bytes} is larger than limit of {INTEGER_BYTES_MAX}");
                    return Err(Raise::here(text));
                }
                bytes
            }
            _ => 0,
        };
        Ok(Some(Item { option, bytes }))
    }

    /// The number that follows, or another.
    fn number(&mut self, otherwise: i32) -> Result<i32, Raise> {
        let mut number = None;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            let digit = i32::from(digit - b'0');
            let longer = number
                .unwrap_or(0_i32)
                .checked_mul(10)
                .and_then(|number| number.checked_add(digit));
            number = Some(longer.ok_or_else(|| Raise::here("integral size overflow"))?);
            self.rest = rest;
        }
        Ok(number.unwrap_or(otherwise))
    }

    /// Bytes between `at` and where the item begins.
    const fn padding(&self, at: usize, item: &Item) -> usize {
        if item.bytes == 0 || item.option == b'c' {
            return 0;
        }
        let size = if item.bytes > self.alignment {
            self.alignment
        } else {
            item.bytes
        };
        size.wrapping_sub(at & (size - 1)) & (size - 1)
    }

    /// An option that is no value.
    fn control(&mut self, option: u8) -> Result<(), Raise> {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let alignment = self.number(NATIVE_ALIGNMENT)?;
                match usize::try_from(alignment) {
                    Ok(power) if power.is_power_of_two() => self.alignment = power,
                    _ => return Err(Raise::here(format!("alignment {alignment} is not a power of 2"))),
                }
            }
            _ => {
                let text = format!("invalid format option '{}'", char::from(option));
                return Err(Raise::Argument(1, text));
            }
        }
        Ok(())
    }

    fn in_order<const N: usize>(&self, mut little: [u8; N]) -> [u8; N] {
        if self.is_big {
            little.reverse();
        }
        little
    }
}

fn pack(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let mut format = Format::new(stack)?;
    let mut made = Made::new(stack);
    let mut argument = 2;
    while let Some(item) = format.next()? {
        made.spend(1)?;
        let packed = &mut made.bytes;
        packed.resize(packed.len() + format.padding(packed.len(), &item), 0);
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = to_u64(number(stack, argument)?);
                put_integer(packed, &format, value, item.bytes);
            }
            b'x' => packed.push(0),
            #[expect(clippy::cast_possible_truncation, reason = "a float is what the format asks for")]
            b'f' => packed.extend(format.in_order((number(stack, argument)? as f32).to_le_bytes())),
            b'd' => packed.extend(format.in_order(number(stack, argument)?.to_le_bytes())),
            b'c' | b's' => {
                let text = text(stack, argument, &item)?;
                made.spend(text.len() / BYTES_PER_STEP)?;
                made.add(text)?;
                made.bytes.extend((item.option == b's').then_some(0));
            }
            option => format.control(option)?,
        }
        argument += c_int::from(item.option.is_ascii_alphabetic() && item.option != b'x');
    }
    stack.push_text(&made.bytes)?;
    Ok(1)
}

/// A missing argument is nil here, as in the C library.
fn number(stack: &Stack<'_>, at: c_int) -> Result<f64, Raise> {
    if stack.kind(at) == Kind::None {
        return Err(Raise::Argument(at, "number expected, got nil".into()));
    }
    stack.check_number(at)
}

fn put_integer(packed: &mut Vec<u8>, format: &Format<'_>, value: u64, bytes: usize) {
    let mut all = [0; INTEGER_BYTES_MAX];
    for (to, from) in all.iter_mut().zip(value.to_le_bytes()) {
        *to = from;
    }
    let little = all.get(..bytes).unwrap_or_default();
    if format.is_big {
        packed.extend(little.iter().rev());
    } else {
        packed.extend(little);
    }
}

/// The part of an argument that is packed.
fn text<'a>(stack: &Stack<'a>, at: c_int, item: &Item) -> Result<&'a [u8], Raise> {
    if stack.kind(at) == Kind::None {
        return Err(Raise::Argument(at, "string expected, got nil".into()));
    }
    let text = stack.check_text(at)?;
    let bytes = if item.bytes == 0 { text.len() } else { item.bytes };
    text.get(..bytes)
        .ok_or_else(|| Raise::Argument(at + 1, "string too short".into()))
}

/// Behind the end of every text.
const FAR: usize = usize::MAX / 2;

fn unpack(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let mut format = Format::new(stack)?;
    let data = stack.check_text(2)?;
    let from = stack.integer_or(3, 1)?;
    if from == 0 {
        return Err(Raise::Argument(3, "offset must be 1 or greater".into()));
    }
    let too_short = || Raise::Argument(2, "data string too short".into());
    // What is no place in a text is behind its end, with room for all that a format adds.
    let before = from.checked_sub(1).and_then(|before| usize::try_from(before).ok());
    let mut at = before.map_or(FAR, |before| before.min(FAR));
    let mut results = 0;
    let mut pacer = stack.pacer();
    while let Some(item) = format.next()? {
        pacer.spend(1)?;
        at += format.padding(at, &item);
        let bytes = data.get(at..at + item.bytes).ok_or_else(too_short)?;
        stack
            .reserve(2)
            .map_err(|_| Raise::here("stack overflow (too many results)"))?;
        let mut taken = item.bytes;
        match item.option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                stack.push_number(get_integer(bytes, &format, item.option.is_ascii_lowercase()));
            }
            b'f' => stack.push_number(f32::from_le_bytes(format.in_order(bytes.try_into().unwrap_or([0; 4]))).into()),
            b'd' => stack.push_number(f64::from_le_bytes(format.in_order(bytes.try_into().unwrap_or([0; 8])))),
            b'c' if item.bytes == 0 => {
                taken = counted(stack, results)?;
                results -= 1;
                stack.push_text(data.get(at..at.saturating_add(taken)).ok_or_else(too_short)?)?;
            }
            b'c' => stack.push_text(bytes)?,
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let end = memchr::memchr(0, rest).ok_or_else(|| Raise::here("unfinished string in data"))?;
                stack.push_text(rest.get(..end).unwrap_or_default())?;
                taken = end + 1;
            }
            b'x' => results -= 1,
            option => {
                format.control(option)?;
                results -= 1;
            }
        }
        results += 1;
        at += taken;
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of scripts are doubles")]
    stack.push_number((at + 1) as f64);
    Ok(results + 1)
}

/// The last result, which says how long a text is, and is no result any more.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is out of range is judged later"
)]
fn counted(stack: &mut Stack<'_>, results: c_int) -> Result<usize, Raise> {
    let count = stack
        .number(-1)
        .filter(|_| results > 0 && stack.kind(-1) == Kind::Number);
    let count = count.ok_or_else(|| Raise::here("format 'c0' needs a previous size"))?;
    stack.pop(1);
    Ok(if count < 0.0 { usize::MAX } else { count as usize })
}

#[expect(clippy::cast_precision_loss, reason = "numbers of scripts are doubles")]
fn get_integer(bytes: &[u8], format: &Format<'_>, is_signed: bool) -> f64 {
    let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = if format.is_big {
        bytes.iter().fold(0, join)
    } else {
        bytes.iter().rev().fold(0, join)
    };
    if !is_signed {
        return value as f64;
    }
    let signs = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    (if value & signs == 0 { value } else { value | signs }).cast_signed() as f64
}

fn size(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let mut format = Format::new(stack)?;
    let mut at = 0_usize;
    let mut pacer = stack.pacer();
    while let Some(item) = format.next()? {
        pacer.spend(1)?;
        at = at.saturating_add(format.padding(at, &item));
        match item.option {
            b's' => return Err(Raise::Argument(1, "option 's' has no fixed size".into())),
            b'c' if item.bytes == 0 => return Err(Raise::Argument(1, "option 'c0' has no fixed size".into())),
            option if option.is_ascii_alphanumeric() => at = at.saturating_add(item.bytes),
            option => format.control(option)?,
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of scripts are doubles")]
    stack.push_number(at as f64);
    Ok(1)
}
