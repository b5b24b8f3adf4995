//! The settings of instances, and the functions that show and change them.

use super::super::super::lua::{Kind, Raise, Stack};
use std::ffi::c_int;

/// What becomes of numbers that JSON has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidNumbers {
    Off,
    On,
    Null,
}

/// The settings of one instance.
#[derive(Clone, Copy, Debug)]
pub(in crate::script) struct Settings {
    /// Whether an array that is too sparse becomes an object.
    pub(super) converts_sparse: bool,
    pub(super) sparse_ratio: i32,
    pub(super) sparse_safe: i32,
    pub(super) encode_max_depth: i32,
    pub(super) decode_max_depth: i32,
    pub(super) encodes_invalid: InvalidNumbers,
    pub(super) decodes_invalid: bool,
    pub(super) precision: i32,
    /// Shown, and without effect.
    keeps_buffer: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            converts_sparse: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            encodes_invalid: InvalidNumbers::Off,
            decodes_invalid: true,
            precision: 14,
            keeps_buffer: true,
        }
    }
}

/// The settings of all instances of a script; the first is `cjson`'s.
#[derive(Debug, Default)]
pub(in crate::script) struct Instances {
    first: Settings,
    others: Vec<Settings>,
}

impl Instances {
    /// A script has ended: what it has set does not last.
    pub(in crate::script) fn reset(&mut self) {
        self.first = Settings::default();
        self.others = Vec::new();
    }

    /// A new instance; its number.
    #[expect(clippy::cast_precision_loss, reason = "there are not as many")]
    pub(super) fn add(&mut self) -> f64 {
        self.others.push(Settings::default());
        self.others.len() as f64
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made by `add`")]
    fn at(&mut self, instance: f64) -> &mut Settings {
        let others = self.others.get_mut((instance as usize).wrapping_sub(1));
        others.unwrap_or(&mut self.first)
    }
}

impl Stack<'_> {
    /// The settings of the instance whose function runs.
    pub(super) fn json_settings(&self) -> Settings {
        let instance = self.number(Self::kept(1)).unwrap_or_default();
        *self.context().json.borrow_mut().at(instance)
    }

    fn change_json_settings(&self, change: impl FnOnce(&mut Settings)) {
        let instance = self.number(Self::kept(1)).unwrap_or_default();
        change(self.context().json.borrow_mut().at(instance));
    }
}

fn at_most(stack: &Stack<'_>, arguments: c_int) -> Result<(), Raise> {
    if stack.arguments() <= arguments {
        return Ok(());
    }
    Err(Raise::Argument(arguments + 1, "found too many arguments".into()))
}

/// A whole number of a range, if the argument is there.
fn integer(stack: &Stack<'_>, at: c_int, low: i32, high: i32) -> Result<Option<i32>, Raise> {
    if matches!(stack.kind(at), Kind::None | Kind::Nil) {
        return Ok(None);
    }
    let number = stack.check_integer(at)?;
    match i32::try_from(number) {
        Ok(number) if (low..=high).contains(&number) => Ok(Some(number)),
        _ => Err(Raise::Argument(1, format!("expected integer between {low} and {high}"))),
    }
}

/// A truth value, or which of the words, if the argument is there.
fn choice(stack: &Stack<'_>, at: c_int, words: &[&str]) -> Result<Option<usize>, Raise> {
    match stack.kind(at) {
        Kind::None | Kind::Nil => Ok(None),
        Kind::Boolean => Ok(Some(usize::from(stack.truth(at)))),
        _ => {
            let text = stack.check_text(at)?;
            let found = words.iter().position(|word| word.as_bytes() == text);
            let wrong = || Raise::Argument(at, format!("invalid option '{}'", String::from_utf8_lossy(text)));
            found.map(Some).ok_or_else(wrong)
        }
    }
}

/// A function of one whole number.
fn one_integer(stack: &mut Stack<'_>, range: (i32, i32), field: fn(&mut Settings) -> &mut i32) -> Result<c_int, Raise> {
    at_most(stack, 1)?;
    if let Some(number) = integer(stack, 1, range.0, range.1)? {
        stack.change_json_settings(|settings| *field(settings) = number);
    }
    let mut settings = stack.json_settings();
    stack.push_number((*field(&mut settings)).into());
    Ok(1)
}

/// A function of one truth value.
fn one_boolean(stack: &mut Stack<'_>, words: &[&str], field: fn(&mut Settings) -> &mut bool) -> Result<c_int, Raise> {
    at_most(stack, 1)?;
    if let Some(chosen) = choice(stack, 1, words)? {
        stack.change_json_settings(|settings| *field(settings) = chosen == 1);
    }
    let mut settings = stack.json_settings();
    stack.push_boolean(*field(&mut settings));
    Ok(1)
}

pub(super) fn encode_sparse_array(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    at_most(stack, 3)?;
    if let Some(converts) = choice(stack, 1, &[])? {
        stack.change_json_settings(|settings| settings.converts_sparse = converts == 1);
    }
    if let Some(ratio) = integer(stack, 2, 0, i32::MAX)? {
        stack.change_json_settings(|settings| settings.sparse_ratio = ratio);
    }
    if let Some(safe) = integer(stack, 3, 0, i32::MAX)? {
        stack.change_json_settings(|settings| settings.sparse_safe = safe);
    }
    let settings = stack.json_settings();
    stack.push_boolean(settings.converts_sparse);
    stack.push_number(settings.sparse_ratio.into());
    stack.push_number(settings.sparse_safe.into());
    Ok(3)
}

pub(super) fn encode_max_depth(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    one_integer(stack, (1, i32::MAX), |settings| &mut settings.encode_max_depth)
}

pub(super) fn decode_max_depth(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    one_integer(stack, (1, i32::MAX), |settings| &mut settings.decode_max_depth)
}

pub(super) fn encode_number_precision(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    one_integer(stack, (1, 14), |settings| &mut settings.precision)
}

pub(super) fn encode_keep_buffer(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    one_boolean(stack, &[], |settings| &mut settings.keeps_buffer)
}

pub(super) fn decode_invalid_numbers(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    one_boolean(stack, &["off", "on"], |settings| &mut settings.decodes_invalid)
}

pub(super) fn encode_invalid_numbers(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    at_most(stack, 1)?;
    if let Some(chosen) = choice(stack, 1, &["off", "on", "null"])? {
        let chosen = match chosen {
            0 => InvalidNumbers::Off,
            1 => InvalidNumbers::On,
            _ => InvalidNumbers::Null,
        };
        stack.change_json_settings(|settings| settings.encodes_invalid = chosen);
    }
    match stack.json_settings().encodes_invalid {
        InvalidNumbers::Null => stack.push_string("null"),
        chosen => stack.push_boolean(chosen == InvalidNumbers::On),
    }
    Ok(1)
}
