//! Values become JSON.

use super::super::super::lua::{Kind, Raise, Stack};
use super::super::super::made::Made;
use super::settings::{InvalidNumbers, Settings};
use crate::resp::format_general;
use std::ffi::c_int;

pub(super) fn encode(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    super::one_argument(stack)?;
    let mut encoding = Encoding {
        settings: stack.json_settings(),
        made: Made::new(stack),
    };
    stack.push_copy(1);
    encoding.put(stack, 0)?;
    stack.push_text(&encoding.made.bytes)?;
    Ok(1)
}

/// What a value costs, in steps, and a number beside that.
const VALUE_STEPS: usize = 2;
const NUMBER_STEPS: usize = 20;
/// Bytes of a text that are looked at in one step.
const BYTES_PER_STEP: usize = 4;

struct Encoding<'a> {
    settings: Settings,
    made: Made<'a>,
}

/// Why a value can't be JSON.
fn refused(kind: Kind, why: &str) -> Raise {
    Raise::here(format!("Cannot serialise {}: {why}", kind.name()))
}

impl Encoding<'_> {
    /// Counts what is done for a value, and judges what was made and so many bytes more.
    fn pay(&mut self, more: usize) -> Result<(), Raise> {
        self.made.spend(VALUE_STEPS + more / BYTES_PER_STEP)?;
        self.made.judge(more)
    }

    /// Writes the value on top, and pops it.
    fn put(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        self.pay(0)?;
        match stack.kind(-1) {
            Kind::String => self.put_string(stack.string(-1).unwrap_or_default())?,
            Kind::Number => self.put_number(stack.number(-1).unwrap_or_default())?,
            Kind::Boolean => self
                .made
                .bytes
                .extend_from_slice(if stack.truth(-1) { b"true" } else { b"false" }),
            Kind::Table => self.put_table(stack, depth + 1)?,
            Kind::Nil => self.made.bytes.extend_from_slice(b"null"),
            _ if stack.is_null(-1) => self.made.bytes.extend_from_slice(b"null"),
            kind => return Err(refused(kind, "type not supported")),
        }
        stack.pop(1);
        Ok(())
    }

    fn put_table(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        let depth_max = usize::try_from(self.settings.encode_max_depth)
            .unwrap_or(0)
            .min(super::DEPTH_MAX);
        if depth > depth_max || stack.reserve(4).is_err() {
            return Err(Raise::here(format!("Cannot serialise, excessive nesting ({depth})")));
        }
        match self.length(stack)? {
            Some(length) if length > 0 => self.put_array(stack, length, depth),
            _ => self.put_object(stack, depth),
        }
    }

    /// The length of the table on top if it is to be an array.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the range is checked"
    )]
    fn length(&mut self, stack: &mut Stack<'_>) -> Result<Option<c_int>, Raise> {
        let (mut largest, mut count) = (0.0_f64, 0_u64);
        stack.push_nil();
        while stack.next(-2) {
            self.made.spend(1)?;
            stack.pop(1);
            let key = stack.number(-1).filter(|_| stack.kind(-1) == Kind::Number);
            match key {
                Some(key) if key >= 1.0 && key.fract() == 0.0 && key <= f64::from(c_int::MAX) => {
                    largest = largest.max(key);
                    count += 1;
                }
                _ => {
                    stack.pop(1);
                    return Ok(None);
                }
            }
        }
        let ratio = f64::from(self.settings.sparse_ratio);
        let is_sparse = ratio > 0.0 && largest > count as f64 * ratio && largest > f64::from(self.settings.sparse_safe);
        match (is_sparse, self.settings.converts_sparse) {
            (true, false) => Err(refused(Kind::Table, "excessively sparse array")),
            (true, true) => Ok(None),
            (false, _) => Ok(Some(largest as c_int)),
        }
    }

    fn put_array(&mut self, stack: &mut Stack<'_>, length: c_int, depth: usize) -> Result<(), Raise> {
        self.made.bytes.push(b'[');
        for at in 1..=length {
            if at > 1 {
                self.made.bytes.push(b',');
            }
            stack.get_element(-1, at);
            self.put(stack, depth)?;
        }
        self.made.bytes.push(b']');
        Ok(())
    }

    fn put_object(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        self.made.bytes.push(b'{');
        let mut is_first = true;
        stack.push_nil();
        while stack.next(-2) {
            if !std::mem::take(&mut is_first) {
                self.made.bytes.push(b',');
            }
            match stack.kind(-2) {
                Kind::String => self.put_string(stack.string(-2).unwrap_or_default())?,
                Kind::Number => {
                    self.made.bytes.push(b'"');
                    self.put_number(stack.number(-2).unwrap_or_default())?;
                    self.made.bytes.push(b'"');
                }
                kind => return Err(refused(kind, "table key must be a number or string")),
            }
            self.made.bytes.push(b':');
            self.put(stack, depth)?;
        }
        self.made.bytes.push(b'}');
        Ok(())
    }

    fn put_number(&mut self, number: f64) -> Result<(), Raise> {
        self.made.spend(NUMBER_STEPS)?;
        if !number.is_finite() {
            match self.settings.encodes_invalid {
                InvalidNumbers::Off => return Err(refused(Kind::Number, "must not be NaN or Inf")),
                InvalidNumbers::Null => {
                    self.made.bytes.extend_from_slice(b"null");
                    return Ok(());
                }
                InvalidNumbers::On if number.is_nan() => {
                    self.made.bytes.extend_from_slice(b"nan");
                    return Ok(());
                }
                InvalidNumbers::On => {}
            }
        }
        let precision = u8::try_from(self.settings.precision).unwrap_or(14);
        self.made
            .bytes
            .extend_from_slice(format_general(number, precision).as_bytes());
        Ok(())
    }

    fn put_string(&mut self, text: &[u8]) -> Result<(), Raise> {
        self.pay(text.len())?;
        self.made.bytes.reserve(text.len() + 2);
        self.made.bytes.push(b'"');
        for &byte in text {
            let escape = match byte {
                b'"' => b'"',
                b'\\' => b'\\',
                b'/' => b'/',
                0x08 => b'b',
                b'\t' => b't',
                b'\n' => b'n',
                0x0C => b'f',
                b'\r' => b'r',
                0..0x20 | 0x7F => {
                    self.made.bytes.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                _ => {
                    self.made.bytes.push(byte);
                    continue;
                }
            };
            self.made.bytes.extend_from_slice(&[b'\\', escape]);
        }
        self.made.bytes.push(b'"');
        self.pay(0)
    }
}
