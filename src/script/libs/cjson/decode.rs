//! JSON becomes values.

use super::super::super::lua::{Pacer, Raise, Stack};
use super::token::{Token, Tokens};
use std::ffi::c_int;

pub(super) fn decode(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    super::one_argument(stack)?;
    let settings = stack.json_settings();
    let json = stack.check_text(1)?;
    if matches!(json, [0, _, ..] | [_, 0, ..]) {
        return Err(Raise::here("JSON parser does not support UTF-16 or UTF-32"));
    }
    let depth_max = usize::try_from(settings.decode_max_depth)
        .unwrap_or(0)
        .min(super::DEPTH_MAX);
    let mut decoding = Decoding {
        tokens: Tokens::new(json, settings.decodes_invalid),
        depth_max,
        values: 0,
        pacer: stack.pacer(),
    };
    let token = decoding.tokens.next();
    decoding.push(stack, token, 0)?;
    match decoding.tokens.next() {
        Token::End => Ok(1),
        token => Err(decoding.expected("the end", &token)),
    }
}

/// What a value costs, in steps.
const VALUE_STEPS: usize = 5;
/// How many values may come before the memory is judged.
const JUDGED_EVERY: usize = 1_024;

struct Decoding<'j> {
    tokens: Tokens<'j>,
    depth_max: usize,
    /// How many there were.
    values: usize,
    pacer: Pacer<'j>,
}

impl Decoding<'_> {
    fn expected(&self, what: &str, found: &Token) -> Raise {
        let at = self.tokens.from + 1;
        Raise::here(format!("Expected {what} but found {} at character {at}", found.name()))
    }

    fn push(&mut self, stack: &mut Stack<'_>, token: Token, depth: usize) -> Result<(), Raise> {
        self.pacer.spend(VALUE_STEPS)?;
        self.values += 1;
        if self.values.is_multiple_of(JUDGED_EVERY) {
            stack.check_memory()?;
        }
        match token {
            Token::String(text) => stack.push_string(text),
            Token::Number(number) => stack.push_number(number),
            Token::Boolean(value) => stack.push_boolean(value),
            Token::Null => stack.push_null(),
            Token::ObjectBegin => return self.push_object(stack, depth + 1),
            Token::ArrayBegin => return self.push_array(stack, depth + 1),
            token => return Err(self.expected("value", &token)),
        }
        Ok(())
    }

    fn descend(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        stack.check_memory()?;
        if depth <= self.depth_max && stack.reserve(4).is_ok() {
            return Ok(());
        }
        let at = self.tokens.at;
        Err(Raise::here(format!(
            "Found too many nested data structures ({depth}) at character {at}"
        )))
    }

    fn push_object(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        self.descend(stack, depth)?;
        stack.push_table(0, 0);
        let mut token = self.tokens.next();
        if token == Token::ObjectEnd {
            return Ok(());
        }
        loop {
            let Token::String(key) = token else {
                return Err(self.expected("object key string", &token));
            };
            stack.push_string(key);
            match self.tokens.next() {
                Token::Colon => {}
                token => return Err(self.expected("colon", &token)),
            }
            let value = self.tokens.next();
            self.push(stack, value, depth)?;
            stack.set_pair(-3);
            match self.tokens.next() {
                Token::ObjectEnd => return Ok(()),
                Token::Comma => token = self.tokens.next(),
                token => return Err(self.expected("comma or object end", &token)),
            }
        }
    }

    fn push_array(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Raise> {
        self.descend(stack, depth)?;
        stack.push_table(0, 0);
        let mut token = self.tokens.next();
        if token == Token::ArrayEnd {
            return Ok(());
        }
        for at in 1..c_int::MAX {
            self.push(stack, token, depth)?;
            stack.set_element(-2, at);
            match self.tokens.next() {
                Token::ArrayEnd => return Ok(()),
                Token::Comma => token = self.tokens.next(),
                token => return Err(self.expected("comma or array end", &token)),
            }
        }
        Err(Raise::Memory)
    }
}
