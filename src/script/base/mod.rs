//! Functions of Lua's own library that are not Lua's here: they are bounded, can be interrupted, or are as Redis has
//! them.

mod basic;
mod concat;
mod format;
mod search;
mod strings;
mod substitute;

use super::lua::{Native, Raise, Stack};
use std::ffi::c_int;

/// Those of the globals.
const GLOBALS: [(&str, Native); 3] = [
    ("unpack", basic::unpack),
    ("loadstring", super::lua::load_string),
    ("collectgarbage", super::lua::collect_garbage),
];
/// Those of `math`.
const MATH: [(&str, Native); 2] = [("random", basic::random), ("randomseed", basic::seed)];
/// Those of `string`.
const STRING: [(&str, Native); 8] = [
    ("rep", strings::repeat),
    ("upper", strings::upper),
    ("lower", strings::lower),
    ("reverse", strings::reverse),
    ("format", format::format),
    ("find", search::find),
    ("match", search::match_),
    ("gmatch", search::gmatch),
];
/// Those of `table`.
const TABLE: [(&str, Native); 1] = [("concat", concat::concat)];

/// Puts them into the tables that are fields of the table of globals.
pub(super) fn set_up(stack: &mut Stack<'_>, globals: c_int) {
    stack.set_natives(globals, &GLOBALS);
    for (table, functions) in [("math", &MATH[..]), ("string", &STRING), ("table", &TABLE)] {
        stack.get_field(globals, table);
        let table = stack.top();
        stack.set_natives(table, functions);
        stack.pop(1);
    }
    stack.get_field(globals, "string");
    stack.push_steps::<substitute::Substitution>();
    stack.set_field(-2, "gsub");
    // Its name before 5.1.
    stack.get_field(-1, "gmatch");
    stack.set_field(-2, "gfind");
    stack.pop(1);
}

/// An argument as C's `int`.
fn c_integer(stack: &Stack<'_>, at: c_int, otherwise: i64) -> Result<i64, Raise> {
    stack.integer_or(at, otherwise).map(c_int_of)
}

/// As C makes an `int` of it.
#[expect(clippy::cast_possible_truncation, reason = "as C does it")]
fn c_int_of(number: i64) -> i64 {
    i64::from(number as i32)
}
