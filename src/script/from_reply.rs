//! A reply of the server becomes a value of Lua's.

use super::lua::{Raise, Stack};
use memchr::{memchr, memmem};

/// What is nested deeper becomes nil. No command replies so.
const DEPTH_MAX: usize = 500;

/// A reply that is read.
///
/// Tables grow with what is put into them, as in Redis: the order of a map's pairs, and the length of an array with
/// holes, follow from that.
struct Reading<'r> {
    rest: &'r [u8],
    /// Arrays may have holes. Others can be given their size at once.
    has_nulls: bool,
}

/// Pushes the value of the reply that `bytes` are; whether it is an error.
pub(super) fn push_reply(stack: &mut Stack<'_>, bytes: &[u8]) -> Result<bool, Raise> {
    let has_nulls = memmem::find(bytes, b"_\r\n").is_some();
    Reading { rest: bytes, has_nulls }.push(stack, 0)?;
    Ok(bytes.first() == Some(&b'-'))
}

/// Pushes an error as scripts get it: a table with the text, which begins with a code.
pub(super) fn push_error(stack: &mut Stack<'_>, text: &[u8]) {
    stack.push_table(0, 3);
    stack.push_string(text);
    stack.set_field(-2, "err");
}

/// The text of an error with a code before it, as there has to be one. `text` begins with `-`, or has no code.
pub(super) fn with_code(text: &[u8]) -> Vec<u8> {
    let (code, text) = match text.strip_prefix(b"-") {
        None => (&b"ERR"[..], text),
        Some(text) => match memchr(b' ', text) {
            None => (&b"ERR"[..], text),
            Some(at) => (
                text.get(..at).unwrap_or_default(),
                text.get(at + 1..).unwrap_or_default(),
            ),
        },
    };
    [code, b" ", trimmed(text)].concat()
}

fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] | [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}

impl<'r> Reading<'r> {
    fn line(&mut self) -> &'r [u8] {
        let end = memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    fn bytes(&mut self, len: usize) -> &'r [u8] {
        let bytes = self.rest.get(..len).unwrap_or_default();
        self.rest = self.rest.get(len.saturating_add(2)..).unwrap_or_default();
        bytes
    }

    fn push(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        stack.reserve(6)?;
        let line = self.line();
        let (kind, line) = line.split_first().map_or((b'_', line), |(kind, line)| (*kind, line));
        match kind {
            b':' => stack.push_number(number(line)),
            b'$' => match usize::try_from(integer(line)) {
                Ok(len) => stack.push_string(self.bytes(len)),
                Err(_) => stack.push_boolean(false),
            },
            b'+' => push_single(stack, "ok", line),
            b'-' => push_command_error(stack, line),
            b'*' | b'>' => return self.push_array(stack, line, depth),
            b'%' => return self.push_map(stack, line, depth),
            b'~' => return self.push_set(stack, line, depth),
            b',' => {
                stack.push_table(0, 1);
                stack.push_number(double(line));
                stack.set_field(-2, "double");
            }
            b'#' => stack.push_boolean(line == b"t"),
            b'(' => push_single(stack, "big_number", line),
            b'=' => {
                let text = self.bytes(usize::try_from(integer(line)).unwrap_or(0));
                push_verbatim(stack, text);
            }
            _ => stack.push_nil(),
        }
        Ok(())
    }

    fn push_array(&mut self, stack: &mut Stack<'_>, line: &[u8], depth: usize) -> Result<(), Raise> {
        let Ok(len) = i32::try_from(integer(line))
            .map_err(drop)
            .and_then(|len| if len < 0 { Err(()) } else { Ok(len) })
        else {
            stack.push_boolean(false);
            return Ok(());
        };
        stack.push_table(if self.has_nulls { 0 } else { len }, 0);
        for at in 1..=len {
            self.push_nested(stack, depth)?;
            stack.set_element(-2, at);
        }
        Ok(())
    }

    fn push_map(&mut self, stack: &mut Stack<'_>, line: &[u8], depth: usize) -> Result<(), Raise> {
        let len = i32::try_from(integer(line)).unwrap_or(0);
        stack.push_table(0, 1);
        stack.push_table(0, 0);
        for _ in 0..len {
            self.push_nested(stack, depth)?;
            self.push_nested(stack, depth)?;
            stack.set_pair(-3);
        }
        stack.set_field(-2, "map");
        Ok(())
    }

    fn push_set(&mut self, stack: &mut Stack<'_>, line: &[u8], depth: usize) -> Result<(), Raise> {
        let len = i32::try_from(integer(line)).unwrap_or(0);
        stack.push_table(0, 1);
        stack.push_table(0, 0);
        for _ in 0..len {
            self.push_nested(stack, depth)?;
            stack.push_boolean(true);
            stack.set_pair(-3);
        }
        stack.set_field(-2, "set");
        Ok(())
    }

    fn push_nested(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        stack.check_memory()?;
        if depth >= DEPTH_MAX {
            return Err(Raise::here("reply is nested too deep"));
        }
        self.push(stack, depth + 1)
    }
}

fn push_single(stack: &mut Stack<'_>, name: &str, text: &[u8]) {
    stack.push_table(0, 1);
    stack.push_string(text);
    stack.set_field(-2, name);
}

/// The server has counted this error already, which scripts can see.
pub(super) fn push_command_error(stack: &mut Stack<'_>, text: &[u8]) {
    push_error(stack, &with_code(&[b"-", text].concat()));
    stack.push_boolean(true);
    stack.set_field(-2, "ignore_error_stats_update");
}

fn push_verbatim(stack: &mut Stack<'_>, text: &[u8]) {
    stack.push_table(0, 1);
    stack.push_table(0, 2);
    stack.push_string(text.get(4..).unwrap_or_default());
    stack.set_field(-2, "string");
    stack.push_string(text.get(..3).unwrap_or_default());
    stack.set_field(-2, "format");
    stack.set_field(-2, "verbatim_string");
}

fn integer(digits: &[u8]) -> i64 {
    crate::resp::parse_i64(digits).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of scripts are doubles")]
fn number(digits: &[u8]) -> f64 {
    integer(digits) as f64
}

fn double(digits: &[u8]) -> f64 {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0.0)
}
