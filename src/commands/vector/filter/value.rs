//! What expressions compute with: numbers, texts, lists of these, and null. Truth values are 1 and 0.

use std::borrow::Cow;

use crate::resp::double::{parse_f64, parse_lenient};

/// A literal, or what an attribute says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// Nothing.
    Null,
    /// A number, or a truth value.
    Number(f64),
    /// A text.
    Text(Cow<'a, [u8]>),
    /// A list.
    List(Vec<Value<'a>>),
}

impl Value<'_> {
    /// The same for the stack.
    pub fn operand(&self) -> Operand<'_> {
        match self {
            Self::Null => Operand::Null,
            Self::Number(number) => Operand::Number(*number),
            Self::Text(text) => Operand::Text(text),
            Self::List(values) => Operand::List(values),
        }
    }
}

/// A value on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand<'v> {
    /// Nothing.
    Null,
    /// A number, or a truth value.
    Number(f64),
    /// A text.
    Text(&'v [u8]),
    /// A list.
    List(&'v [Value<'v>]),
}

impl Operand<'_> {
    /// The number that it is taken for: 0 where it is none.
    pub fn number(self) -> f64 {
        match self {
            Self::Number(number) => number,
            Self::Text(text) => number_of(text),
            Self::Null | Self::List(_) => 0.0,
        }
    }

    /// Whether it holds.
    pub fn is_true(self) -> bool {
        match self {
            Self::Number(number) => number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(_) => true,
            Self::Null => false,
        }
    }

    /// Whether both are the same: texts by their bytes, null is like null alone, anything else by its number.
    pub fn equals(self, other: Operand<'_>) -> bool {
        match (self, other) {
            (Self::Text(one), Operand::Text(other)) => one == other,
            (Self::Null, Operand::Null) => true,
            (Self::Null, _) | (_, Operand::Null) => false,
            _ => self.number() == other.number(),
        }
    }

    /// Whether it is in a list, or a part of a text.
    pub fn is_in(self, other: Operand<'_>) -> bool {
        match (self, other) {
            (_, Operand::List(values)) => values.iter().any(|value| self.equals(value.operand())),
            (Self::Text(part), Operand::Text(text)) => memchr::memmem::find(text, part).is_some(),
            _ => false,
        }
    }
}

/// The number that a text is: spaces may stand before it, and it may be hexadecimal or larger than any.
fn number_of(text: &[u8]) -> f64 {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let spaces = text.iter().take_while(is_space).count();
    let text = text.get(spaces..).unwrap_or_default();
    parse_f64(text).or_else(|| parse_lenient(text)).unwrap_or(0.0)
}
