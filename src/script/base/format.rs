//! `string.format`. Numbers are written by C, as its formats are what Lua's are.

use super::super::lua::{Printed, Raise, Stack, print};
use super::super::made::Made;
use super::super::numbers::{to_i64, to_u64};
use super::super::patterns::BYTES_PER_STEP;
use std::ffi::{CStr, c_int};

/// Texts as long as this are taken whole, if the format does not say how much of them.
const WHOLE_BYTES_MIN: usize = 100;
/// Flags that there are, and how many may be given.
const FLAGS: &[u8] = b"-+ #0";
/// Bytes that are quoted before the cost is paid.
const STRETCH_BYTES: usize = 4_096;

/// `format(format, values…)`
pub(super) fn format(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let mut rest = stack.check_text(1)?;
    let mut made = Formatted(Made::new(stack));
    let mut argument = 1;
    while let Some(escape) = memchr::memchr(b'%', rest) {
        let (plain, after) = rest.split_at(escape);
        made.add(plain)?;
        let after = after.get(1..).unwrap_or_default();
        if let Some(after) = after.strip_prefix(b"%") {
            made.add(b"%")?;
            rest = after;
            continue;
        }
        argument += 1;
        if argument > stack.arguments() {
            return Err(Raise::Argument(argument, "no value".into()));
        }
        let how = how(after)?;
        let letter = after.get(how.len()).copied().unwrap_or(0);
        made.add_value(stack, argument, how, letter)?;
        rest = after.get(how.len() + 1..).unwrap_or_default();
    }
    made.add(rest)?;
    stack.push_text(&made.0.bytes)?;
    Ok(1)
}

/// What a format says before its letter: flags, width and precision.
fn how(format: &[u8]) -> Result<&[u8], Raise> {
    let at = |at: usize| format.get(at).copied().unwrap_or(0);
    let mut len = format.iter().take_while(|byte| FLAGS.contains(byte)).count();
    if len > FLAGS.len() {
        return Err(Raise::here("invalid format (repeated flags)"));
    }
    let two_digits = |from: usize| {
        let is_digit = |from: usize| at(from).is_ascii_digit();
        from + usize::from(is_digit(from)) + usize::from(is_digit(from) && is_digit(from + 1))
    };
    len = two_digits(len);
    if at(len) == b'.' {
        len = two_digits(len + 1);
    }
    if at(len).is_ascii_digit() {
        return Err(Raise::here("invalid format (width or precision too long)"));
    }
    Ok(format.get(..len).unwrap_or_default())
}

/// What has been made so far.
struct Formatted<'a>(Made<'a>);

impl Formatted<'_> {
    fn add(&mut self, bytes: &[u8]) -> Result<(), Raise> {
        self.0.judge(bytes.len())?;
        self.0.spend(1 + bytes.len() / BYTES_PER_STEP)?;
        self.0.add(bytes)
    }

    fn add_value(&mut self, stack: &Stack<'_>, at: c_int, how: &[u8], letter: u8) -> Result<(), Raise> {
        let number = || stack.check_number(at);
        #[expect(clippy::cast_possible_truncation, reason = "as C does it")]
        let value = match letter {
            b'c' => Printed::Char(to_i64(number()?) as c_int),
            b'd' | b'i' => Printed::Signed(to_i64(number()?)),
            b'o' | b'u' | b'x' | b'X' => Printed::Unsigned(to_u64(number()?), letter),
            b'e' | b'E' | b'f' | b'g' | b'G' => Printed::Double(number()?, letter),
            b'q' => return self.add_quoted(stack.check_text(at)?),
            b's' => return self.add_text(stack.check_text(at)?, how),
            // Lua takes it for the end of a text.
            0 => return Err(Raise::here("invalid option '%' to 'format'")),
            letter => {
                return Err(Raise::here(
                    [b"invalid option '%", &[letter][..], b"' to 'format'"].concat(),
                ));
            }
        };
        self.add(&print(how, value).unwrap_or_default())
    }

    /// A short text ends at its first NUL, as in C.
    fn add_text(&mut self, text: &[u8], how: &[u8]) -> Result<(), Raise> {
        if how.is_empty() && !text.contains(&0) || !how.contains(&b'.') && text.len() >= WHOLE_BYTES_MIN {
            return self.add(text);
        }
        // No precision has more than two digits.
        let text = text.get(..WHOLE_BYTES_MIN).unwrap_or(text);
        let ended = [text, b"\0"].concat();
        let text = CStr::from_bytes_until_nul(&ended).unwrap_or_default();
        self.add(&print(how, Printed::Text(text)).unwrap_or_default())
    }

    /// As Lua reads it again.
    fn add_quoted(&mut self, text: &[u8]) -> Result<(), Raise> {
        self.add(b"\"")?;
        for stretch in text.chunks(STRETCH_BYTES) {
            let mut quoted = Vec::with_capacity(stretch.len());
            for &byte in stretch {
                match byte {
                    b'"' | b'\\' | b'\n' => quoted.extend_from_slice(&[b'\\', byte]),
                    b'\r' => quoted.extend_from_slice(b"\\r"),
                    0 => quoted.extend_from_slice(b"\\000"),
                    byte => quoted.push(byte),
                }
            }
            self.0.spend(stretch.len() / 4)?;
            self.add(&quoted)?;
        }
        self.add(b"\"")
    }
}
