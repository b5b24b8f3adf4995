//! What functions of ours raise, and how arguments are judged: with the words of Lua's own library.

use super::super::numbers::to_i64;
use super::stack::{Kind, Stack};
use std::ffi::c_int;

/// What Lua says when there is no more memory.
pub(in crate::script) const NO_MEMORY: &str = "not enough memory";

/// An error for the script.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::script) enum Raise {
    /// A text, with the place of the call before it.
    Here(Vec<u8>),
    /// A text alone.
    Bare(&'static str),
    /// An argument is wrong.
    Argument(c_int, String),
    /// The value on top of the stack.
    Top,
    /// There is no more memory.
    Memory,
    /// The script has been stopped.
    Stopped,
}

impl Raise {
    pub(in crate::script) fn here(text: impl Into<Vec<u8>>) -> Self {
        Self::Here(text.into())
    }

    /// Makes it the value on top of the stack.
    pub(super) fn push(self, stack: &mut Stack<'_>) {
        if self != Self::Top {
            // What the function has pushed may have left no room for the words.
            stack.pop(stack.top());
        }
        match self {
            Self::Top => {}
            Self::Memory => stack.push_string(NO_MEMORY),
            Self::Stopped => stack.push_string("ERR Error running script: it was stopped"),
            Self::Bare(text) => stack.push_string(text),
            Self::Here(text) => push_here(stack, &text),
            Self::Argument(at, what) => {
                let (name, is_method) = stack.called_as().unwrap_or_default();
                let text = match at - c_int::from(is_method) {
                    0 if is_method => format!("calling '{name}' on bad self ({what})"),
                    at => format!("bad argument #{at} to '{name}' ({what})"),
                };
                push_here(stack, text.as_bytes());
            }
        }
    }
}

fn push_here(stack: &mut Stack<'_>, text: &[u8]) {
    stack.push_where();
    stack.push_string(text);
    stack.join();
}

impl<'a> Stack<'a> {
    /// The argument `at` is of a wrong type.
    pub(in crate::script) fn wrong_type(&self, at: c_int, expected: &str) -> Raise {
        Raise::Argument(at, format!("{expected} expected, got {}", self.kind(at).name()))
    }

    /// The argument `at`, which has to be a string (or a number).
    pub(in crate::script) fn check_text(&self, at: c_int) -> Result<&'a [u8], Raise> {
        self.argument_text(at).ok_or_else(|| self.wrong_type(at, "string"))
    }

    /// The argument `at`, which has to be a number (or a string that is one).
    pub(in crate::script) fn check_number(&self, at: c_int) -> Result<f64, Raise> {
        self.number(at).ok_or_else(|| self.wrong_type(at, "number"))
    }

    /// The argument `at` as an integer, as C casts it.
    pub(in crate::script) fn check_integer(&self, at: c_int) -> Result<i64, Raise> {
        self.check_number(at).map(to_i64)
    }

    /// The argument `at` as an integer, or another if it is nil or missing.
    pub(in crate::script) fn integer_or(&self, at: c_int, otherwise: i64) -> Result<i64, Raise> {
        match self.kind(at) {
            Kind::None | Kind::Nil => Ok(otherwise),
            _ => self.check_integer(at),
        }
    }
}
