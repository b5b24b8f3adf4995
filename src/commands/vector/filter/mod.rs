//! The expressions of `FILTER`: which elements a search may find, by their attributes.
//!
//! ```text
//! .year >= 1980 and .genre in ["drama", "comedy"] and not (.seen or .rating < 7)
//! ```
//!
//! An expression is read once (`token.rs`), brought into the order in which it is computed (`compile.rs`), and then
//! asked of each candidate (`Filter::accepts`): the attributes that it names are taken out of the candidate's JSON in
//! one pass (`attributes.rs`), and its steps work on a stack (`op.rs`).
//!
//! **Invariants**
//! - Nothing recurses, so no expression overflows a thread's stack; one has at most [`EXPRESSION_BYTES_MAX`] bytes.
//! - Each step finds as many operands as it takes, and one is left at the end: that is checked when it is compiled.
//! - As in Redis, all of an expression is computed; one that names an attribute which is not there accepts nothing.

mod attributes;
mod compile;
mod op;
#[cfg(test)]
mod tests;
mod token;
mod value;

use smallvec::SmallVec;

use crate::commands::CmdError;
use crate::commands::error::shown;
use op::Op;
use value::{Operand, Value};

/// Longest expression, bytes: its steps take some forty times as much memory.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

/// So much text is read within a step.
const STEP_BYTES: usize = 64;

/// A step of a compiled expression.
#[derive(Debug)]
enum Step {
    /// Puts a literal on the stack.
    Literal(Value<'static>),
    /// Puts what an attribute says on the stack: the one with this number in [`Filter::names`].
    Attribute(usize),
    /// Takes operands from the stack, and puts a result there.
    Op(Op),
}

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Filter {
    /// The attributes that it names, in order.
    names: Vec<Box<[u8]>>,
    steps: Vec<Step>,
}

impl Filter {
    /// Reads an expression, which ends at a NUL.
    ///
    /// # Errors
    /// It makes no sense, or is too long.
    pub fn compile(expression: &[u8]) -> Result<Self, CmdError> {
        let expression = shown(expression, usize::MAX);
        if expression.len() > EXPRESSION_BYTES_MAX {
            return Err(CmdError::text("ERR a FILTER expression has at most 1 MiB"));
        }
        let near = |rest: &[u8]| {
            let rest = if rest.is_empty() { expression } else { rest };
            CmdError::Quoting([b"ERR syntax error in FILTER expression near: ", rest].concat())
        };
        let tokens = token::all(expression).map_err(|error| near(error.rest))?;
        compile::compile(tokens).ok_or_else(|| near(b""))
    }

    /// What it may take to judge an element with attributes of so many bytes, in steps: each may read a text.
    pub fn cost(&self, attributes_bytes: usize) -> usize {
        let of_step = 1 + attributes_bytes / STEP_BYTES;
        self.steps.len().saturating_mul(of_step).saturating_add(of_step)
    }

    /// Whether an element with these attributes is accepted.
    pub fn accepts(&self, attributes: &[u8]) -> bool {
        let mut found: SmallVec<[Option<Value<'_>>; 4]> = SmallVec::new();
        found.resize(self.names.len(), None);
        attributes::read(attributes, &self.names, &mut found);
        let mut stack: SmallVec<[Operand<'_>; 8]> = SmallVec::new();
        for step in &self.steps {
            let next = match step {
                Step::Literal(literal) => literal.operand(),
                Step::Attribute(number) => match found.get(*number) {
                    Some(Some(value)) => value.operand(),
                    _ => return false,
                },
                Step::Op(op) => {
                    let right = stack.pop().unwrap_or(Operand::Null);
                    let left = if op.is_unary() { None } else { stack.pop() };
                    op.apply(left.unwrap_or(Operand::Null), right)
                }
            };
            stack.push(next);
        }
        stack.pop().is_some_and(Operand::is_true)
    }
}
