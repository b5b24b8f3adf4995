//! `cjson`: values as JSON, and back, as the C library of Redis has it.
//!
//! Each instance (`cjson` itself, or what `cjson.new` makes) has settings of its own, which last as long as the script.

mod decode;
mod encode;
mod settings;
mod token;

use super::super::lua::{Native, Raise, Stack};
pub(in crate::script) use settings::Instances;
use std::ffi::c_int;

const FUNCTIONS: [(&str, Native); 10] = [
    ("encode", encode::encode),
    ("decode", decode::decode),
    ("encode_sparse_array", settings::encode_sparse_array),
    ("encode_max_depth", settings::encode_max_depth),
    ("decode_max_depth", settings::decode_max_depth),
    ("encode_number_precision", settings::encode_number_precision),
    ("encode_keep_buffer", settings::encode_keep_buffer),
    ("encode_invalid_numbers", settings::encode_invalid_numbers),
    ("decode_invalid_numbers", settings::decode_invalid_numbers),
    ("new", new),
];

/// However deep the settings allow: our own stack has to hold it.
const DEPTH_MAX: usize = 1_100;

/// Pushes `cjson`.
pub(super) fn push_table(stack: &mut Stack<'_>) {
    push_instance(stack, 0.0);
}

fn push_instance(stack: &mut Stack<'_>, instance: f64) {
    stack.push_table(0, 16);
    let table = stack.top();
    for (name, native) in FUNCTIONS {
        stack.push_number(instance);
        stack.push_native(native, 1);
        stack.set_field(table, name);
    }
    for (name, text) in [("_NAME", "cjson"), ("_VERSION", "2.1.0")] {
        stack.push_string(text);
        stack.set_field(table, name);
    }
    stack.push_null();
    stack.set_field(table, "null");
}

fn new(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let instance = stack.context().json.borrow_mut().add();
    push_instance(stack, instance);
    Ok(1)
}

/// Both directions take one argument.
fn one_argument(stack: &Stack<'_>) -> Result<(), Raise> {
    if stack.arguments() == 1 {
        Ok(())
    } else {
        Err(Raise::Argument(1, "expected 1 argument".into()))
    }
}
