//! From words to steps: operators go behind their operands, those that bind closer first.

use std::collections::BTreeSet;

use super::op::Op;
use super::token::Token;
use super::{Filter, Step};

/// The steps of an expression; `None` if its words make no sense together.
pub(super) fn compile(tokens: Vec<Token<'_>>) -> Option<Filter> {
    let names: BTreeSet<&[u8]> = tokens.iter().filter_map(name_of).collect();
    let names: Vec<Box<[u8]>> = names.into_iter().map(Box::from).collect();
    let mut steps = Vec::with_capacity(tokens.len());
    let mut waiting: Vec<Op> = Vec::new();
    for token in tokens {
        match token {
            Token::Literal(literal) => steps.push(Step::Literal(literal)),
            Token::Attribute(name) => {
                let number = names.binary_search_by(|known| (**known).cmp(name)).ok()?;
                steps.push(Step::Attribute(number));
            }
            Token::Op(Op::Open) => waiting.push(Op::Open),
            Token::Op(Op::Close) => loop {
                match waiting.pop()? {
                    Op::Open => break,
                    op => steps.push(Step::Op(op)),
                }
            },
            Token::Op(op) => {
                while let Some(before) = waiting.pop_if(|before| before.goes_before(op)) {
                    steps.push(Step::Op(before));
                }
                waiting.push(op);
            }
        }
    }
    while let Some(op) = waiting.pop() {
        if op == Op::Open {
            return None;
        }
        steps.push(Step::Op(op));
    }
    leaves_one(&steps).then_some(Filter { names, steps })
}

fn name_of<'e>(token: &Token<'e>) -> Option<&'e [u8]> {
    match token {
        Token::Attribute(name) => Some(name),
        Token::Literal(_) | Token::Op(_) => None,
    }
}

/// Whether each operator finds its operands, and one value is left at the end.
fn leaves_one(steps: &[Step]) -> bool {
    let depth = steps.iter().try_fold(0_usize, |depth, step| match step {
        Step::Literal(_) | Step::Attribute(_) => Some(depth + 1),
        Step::Op(op) if op.is_unary() => (depth >= 1).then_some(depth),
        Step::Op(_) => (depth >= 2).then(|| depth - 1),
    });
    depth == Some(1)
}
