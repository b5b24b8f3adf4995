//! The libraries that Redis gives to scripts beside Lua's own: what the C ones do, in Rust.

mod bit;
pub(super) mod cjson;
mod cmsgpack;
mod structs;

use super::lua::Stack;
use std::ffi::c_int;

/// The tables that [`set_up`] makes.
pub(super) const TABLES: [&str; 4] = ["bit", "cjson", "cmsgpack", "struct"];

/// Makes the libraries fields of the table of globals.
pub(super) fn set_up(stack: &mut Stack<'_>, globals: c_int) {
    bit::push_table(stack);
    stack.set_field(globals, "bit");
    cjson::push_table(stack);
    stack.set_field(globals, "cjson");
    cmsgpack::push_table(stack);
    stack.set_field(globals, "cmsgpack");
    structs::push_table(stack);
    stack.set_field(globals, "struct");
}
