//! What a script finds: Lua's library without what reaches out of it, and Redis's tables, all read-only.
//!
//! The order is: fill the real tables, make a view of each, make the view of the table of globals that of all code. What
//! scripts have of tables that outlive them is views only.

use super::lua::{Kind, Raise, Stack, State};
use super::{api, base, libs};
use std::ffi::c_int;

/// Of Lua's library, but not for scripts.
const REMOVED: [&str; 7] = ["dofile", "loadfile", "print", "getfenv", "setfenv", "newproxy", "_G"];
/// Of `os`, for scripts.
const OS: [&str; 1] = ["clock"];
/// Tables that become views, after their contents are there.
const TABLES: [&str; 7] = ["string", "table", "math", "os", "coroutine", "redis", "server"];

/// Makes the state ready for scripts.
pub(super) fn set_up(state: &State, version: &str) {
    state.with_stack(|stack| {
        state.push_globals(stack);
        let globals = stack.top();
        fill(stack, globals, version);
        state.guard_library(stack, globals);
        for name in TABLES.into_iter().chain(libs::TABLES) {
            stack.get_field(globals, name);
            stack.push_view();
            stack.set_field(globals, name);
        }
        protect_metatable_of_strings(stack, globals);
        stack.push_table(0, 1);
        stack.push_native(missing_global, 0);
        stack.set_field(-2, "__index");
        stack.set_metatable(globals);
        stack.push_copy(globals);
        stack.push_view();
        stack.push_copy(-1);
        stack.set_field(globals, "_G");
        state.set_globals(stack);
    });
}

fn fill(stack: &mut Stack<'_>, globals: c_int, version: &str) {
    for name in REMOVED {
        stack.push_nil();
        stack.set_field(globals, name);
    }
    stack.get_field(globals, "os");
    stack.push_table(0, 1);
    for name in OS {
        stack.get_field(-2, name);
        stack.set_field(-2, name);
    }
    stack.set_field(globals, "os");
    stack.set_natives(globals, &base::GLOBALS);
    for (table, functions) in [("math", &base::MATH[..]), ("string", &base::STRING[..])] {
        stack.get_field(globals, table);
        let table = stack.top();
        stack.set_natives(table, functions);
    }
    api::push_table(stack, version);
    stack.push_copy(-1);
    stack.set_field(globals, "redis");
    stack.set_field(globals, "server");
    libs::set_up(stack, globals);
}

/// Strings find their methods in the real table of `string`. Who asks for their metatable gets a view of one that names
/// the view (CVE-2025-46818).
fn protect_metatable_of_strings(stack: &mut Stack<'_>, globals: c_int) {
    stack.push_string("");
    if stack.get_metatable(-1) {
        stack.push_table(0, 1);
        stack.get_field(globals, "string");
        stack.set_field(-2, "__index");
        stack.push_view();
        stack.set_field(-2, "__metatable");
    }
}

/// A global that is not there.
fn missing_global(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let name = match stack.kind(2) {
        Kind::String | Kind::Number => String::from_utf8_lossy(stack.check_text(2)?).into_owned(),
        kind => kind.name().into(),
    };
    Err(Raise::here(format!(
        "Script attempted to access nonexistent global variable '{name}'"
    )))
}
