//! What a script or a function finds: Lua's library without what reaches out of it, and Redis's tables, all read-only.
//!
//! The order is: fill the real tables, make a view of each, make the view of the table of globals that of all code.
//! What scripts have of tables that outlive them is views only.

use super::api::{self, Whose};
use super::lua::{Kind, Raise, Stack, State};
use super::{base, libs};
use std::ffi::c_int;

/// Of Lua's library, but not for scripts.
const REMOVED: [&str; 7] = ["dofile", "loadfile", "print", "getfenv", "setfenv", "newproxy", "_G"];
/// Of `os`, for scripts.
const OS: [&str; 1] = ["clock"];
/// Tables that become views, after their contents are there.
const TABLES: [&str; 6] = ["string", "table", "math", "os", "coroutine", "redis"];

/// Makes the state ready for scripts, or for functions.
pub(super) fn set_up(state: &State, whose: Whose, version: &str) {
    state.with_stack(|stack| {
        state.push_globals(stack);
        let globals = stack.top();
        fill(stack, globals, whose, version);
        state.guard_library(stack, globals);
        for name in TABLES.into_iter().chain(libs::TABLES) {
            stack.get_field(globals, name);
            stack.push_view();
            stack.set_field(globals, name);
        }
        if whose == Whose::Scripts {
            stack.get_field(globals, "redis");
            stack.set_field(globals, "server");
        }
        protect_metatable_of_strings(stack, globals);
        miss_loudly(stack, globals);
        stack.push_copy(globals);
        stack.push_view();
        stack.push_copy(-1);
        stack.set_field(globals, "_G");
        state.set_globals(stack);
    });
}

fn fill(stack: &mut Stack<'_>, globals: c_int, whose: Whose, version: &str) {
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
    base::set_up(stack, globals);
    api::push_table(stack, whose, version);
    stack.set_field(globals, "redis");
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

/// Has what is missing in a table raise an error.
pub(super) fn miss_loudly(stack: &mut Stack<'_>, table: c_int) {
    stack.push_table(0, 1);
    stack.push_native(missing_global, 0);
    stack.set_field(-2, "__index");
    stack.set_metatable(table);
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
