//! The operators: how they are written, what binds closer, and what they do.

use super::value::Operand;

/// An operator, or a parenthesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Open,
    Close,
    Not,
    Power,
    Times,
    Divided,
    Modulo,
    Plus,
    Minus,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    In,
    And,
    Or,
}

/// How each is written; of those that fit the longest is meant.
const NAMES: [(&str, Op); 21] = [
    ("(", Op::Open),
    (")", Op::Close),
    ("!", Op::Not),
    ("not", Op::Not),
    ("**", Op::Power),
    ("*", Op::Times),
    ("/", Op::Divided),
    ("%", Op::Modulo),
    ("+", Op::Plus),
    ("-", Op::Minus),
    (">", Op::Greater),
    (">=", Op::GreaterOrEqual),
    ("<", Op::Less),
    ("<=", Op::LessOrEqual),
    ("==", Op::Equal),
    ("!=", Op::NotEqual),
    ("in", Op::In),
    ("and", Op::And),
    ("&&", Op::And),
    ("or", Op::Or),
    ("||", Op::Or),
];

impl Op {
    /// The operator that `text` begins with, and how long it is.
    pub fn at_start_of(text: &[u8]) -> Option<(Self, usize)> {
        let fitting = NAMES.iter().filter(|(name, _)| text.starts_with(name.as_bytes()));
        let (name, op) = fitting.max_by_key(|(name, _)| name.len())?;
        Some((*op, name.len()))
    }

    /// Whether it takes one operand.
    pub fn is_unary(self) -> bool {
        self == Self::Not
    }

    /// Whether it is computed before `next`, which comes behind it.
    pub fn goes_before(self, next: Self) -> bool {
        self != Self::Open
            && (self.closeness() > next.closeness() || self.closeness() == next.closeness() && next != Self::Power)
    }

    /// How close it binds.
    fn closeness(self) -> u8 {
        match self {
            Self::Open | Self::Close => 7,
            Self::Not => 6,
            Self::Power => 5,
            Self::Times | Self::Divided | Self::Modulo => 4,
            Self::Plus | Self::Minus => 3,
            Self::Greater
            | Self::GreaterOrEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::Equal
            | Self::NotEqual
            | Self::In => 2,
            Self::And => 1,
            Self::Or => 0,
        }
    }

    /// What it makes of its operands; one that takes one has it on the right.
    pub fn apply<'v>(self, left: Operand<'_>, right: Operand<'_>) -> Operand<'v> {
        let truth = |is_true: bool| f64::from(u8::from(is_true));
        let (a, b) = (left.number(), right.number());
        Operand::Number(match self {
            Self::Open | Self::Close => b,
            Self::Not => truth(!right.is_true()),
            Self::Power => a.powf(b),
            Self::Times => a * b,
            Self::Divided => a / b,
            Self::Modulo => a % b,
            Self::Plus => a + b,
            Self::Minus => a - b,
            Self::Greater => truth(a > b),
            Self::GreaterOrEqual => truth(a >= b),
            Self::Less => truth(a < b),
            Self::LessOrEqual => truth(a <= b),
            Self::Equal => truth(left.equals(right)),
            Self::NotEqual => truth(!left.equals(right)),
            Self::In => truth(left.is_in(right)),
            Self::And => truth(left.is_true() && right.is_true()),
            Self::Or => truth(left.is_true() || right.is_true()),
        })
    }
}
