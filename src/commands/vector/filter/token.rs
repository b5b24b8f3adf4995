//! The words of an expression.

use std::borrow::Cow;

use super::op::Op;
use super::value::Value;

/// A word.
#[derive(Debug)]
pub(super) enum Token<'e> {
    /// A number, a text, a list of these, or null.
    Literal(Value<'static>),
    /// The name of an attribute.
    Attribute(&'e [u8]),
    /// An operator, or a parenthesis.
    Op(Op),
}

/// Where an expression stops making sense.
#[derive(Debug)]
pub(super) struct BadToken<'e> {
    /// What is left of it there.
    pub rest: &'e [u8],
}

/// All words of an expression.
///
/// # Errors
/// There is something else between them.
pub(super) fn all(expression: &[u8]) -> Result<Vec<Token<'_>>, BadToken<'_>> {
    let mut reader = Reader { rest: expression };
    let mut tokens = Vec::new();
    loop {
        reader.skip_spaces();
        if reader.rest.is_empty() {
            return Ok(tokens);
        }
        let follows_operand = match tokens.last() {
            None => false,
            Some(Token::Op(op)) => *op == Op::Close,
            Some(Token::Literal(_) | Token::Attribute(_)) => true,
        };
        tokens.push(reader.token(follows_operand)?);
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_operator(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || b"+-*%/!()<>=|&".contains(&byte)
}

fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E')
}

struct Reader<'e> {
    rest: &'e [u8],
}

impl<'e> Reader<'e> {
    fn skip_spaces(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'));
    }

    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'e [u8] {
        let len = self.rest.iter().take_while(|byte| fits(**byte)).count();
        self.take(len)
    }

    fn take(&mut self, len: usize) -> &'e [u8] {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn bad<T>(&self) -> Result<T, BadToken<'e>> {
        Err(BadToken { rest: self.rest })
    }

    fn token(&mut self, follows_operand: bool) -> Result<Token<'e>, BadToken<'e>> {
        match *self.rest {
            [b'0'..=b'9', ..] => self.number().map(Token::Literal),
            [b'-', b'0'..=b'9', ..] if !follows_operand => self.number().map(Token::Literal),
            [b'.'] => Ok(Token::Attribute(self.name())),
            [b'.', next, ..] if is_name(next) => Ok(Token::Attribute(self.name())),
            [b'"' | b'\'', ..] => self.text().map(Token::Literal),
            [b'[', ..] => self.list().map(Token::Literal),
            [b'n', b'u', b'l', b'l', ..] => {
                self.take(4);
                Ok(Token::Literal(Value::Null))
            }
            _ => self.operator(),
        }
    }

    fn name(&mut self) -> &'e [u8] {
        self.take(1);
        self.take_while(is_name)
    }

    fn operator(&mut self) -> Result<Token<'e>, BadToken<'e>> {
        let Some((op, len)) = Op::at_start_of(self.rest) else {
            self.take_while(is_operator);
            return self.bad();
        };
        self.take(len);
        Ok(Token::Op(op))
    }

    fn number(&mut self) -> Result<Value<'static>, BadToken<'e>> {
        let start = self.rest;
        if start.starts_with(b"-") {
            self.take(1);
        }
        self.take_while(is_number);
        let text = start.get(..start.len() - self.rest.len()).unwrap_or_default();
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        number.map_or_else(|| self.bad(), |number| Ok(Value::Number(number)))
    }

    /// A text in quotes of either kind. A backslash keeps the character behind it from ending the text, and stays.
    fn text(&mut self) -> Result<Value<'static>, BadToken<'e>> {
        let quote = self.take(1);
        let start = self.rest;
        loop {
            match self.take(1) {
                [] => return self.bad(),
                b"\\" => drop(self.take(1)),
                sign if sign == quote => break,
                _ => {}
            }
        }
        let len = start.len() - self.rest.len() - quote.len();
        let text = start.get(..len).unwrap_or_default();
        Ok(Value::Text(Cow::Owned(text.to_vec())))
    }

    /// A list: of numbers and texts, in brackets, with commas between them.
    fn list(&mut self) -> Result<Value<'static>, BadToken<'e>> {
        self.take(1);
        let mut values = Vec::new();
        loop {
            self.skip_spaces();
            values.push(match self.rest {
                [b']', ..] => break,
                [b'-' | b'0'..=b'9', ..] => self.number()?,
                [b'"' | b'\'', ..] => self.text()?,
                _ => return self.bad(),
            });
            self.skip_spaces();
            match self.rest {
                [b',', ..] => drop(self.take(1)),
                [b']', ..] => break,
                _ => return self.bad(),
            }
        }
        self.take(1);
        Ok(Value::List(values))
    }
}
