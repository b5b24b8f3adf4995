//! Functions of ours that scripts can call.
//!
//! A [`Native`] is plain Rust: it gets a [`Stack`], and ends by `Ok` (how many results it has pushed) or `Err`. Only
//! when it has returned, and dropped what it held, does `enter` let Lua jump.

use super::context::Context;
use super::raise::Raise;
use super::stack::Stack;
use mlua::ffi;
use std::ffi::{c_int, c_void};

/// A function that scripts can call.
pub(in crate::script) type Native = fn(&mut Stack<'_>) -> Result<c_int, Raise>;

impl Stack<'_> {
    /// Pushes a function that keeps the `kept` topmost values, which are popped.
    pub(in crate::script) fn push_native(&mut self, native: Native, kept: c_int) {
        // SAFETY: as `Stack::new`; the address of the function goes below what it keeps.
        unsafe {
            ffi::lua_pushlightuserdata(self.lua(), native as *mut c_void);
            ffi::lua_insert(self.lua(), -1 - kept);
            ffi::lua_pushcclosure(self.lua(), enter, kept + 1);
        }
    }

    /// Makes functions fields of a table.
    pub(in crate::script) fn set_natives(&mut self, table: c_int, natives: &[(&str, Native)]) {
        for (name, native) in natives {
            self.push_native(*native, 0);
            self.set_field(table, name);
        }
    }
}

/// What Lua calls.
///
/// # Safety
/// Called by Lua only, as `push_native` has made it. Nothing here has to be dropped when Lua jumps.
unsafe extern "C-unwind" fn enter(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: the first value kept is the address of a `Native`; the state is ours.
    unsafe {
        let native: Native = std::mem::transmute(ffi::lua_touserdata(lua, ffi::lua_upvalueindex(1)));
        match run(lua, native) {
            RAISES => ffi::lua_error(lua),
            OUT_OF_MEMORY => {
                // Lua raises it, as what it is, when it is asked for more than there can be.
                if Context::of(lua).heap.refuses(TOO_MUCH_BYTES) {
                    ffi::lua_newuserdata(lua, TOO_MUCH_BYTES);
                }
                ffi::lua_error(lua)
            }
            results => results,
        }
    }
}

/// The error is on top.
const RAISES: c_int = -1;
/// It is, and says that there is no more memory.
const OUT_OF_MEMORY: c_int = -2;
/// More than any state has.
const TOO_MUCH_BYTES: usize = usize::MAX / 4;

/// Runs it.
///
/// # Safety
/// `lua` is one of ours.
unsafe fn run(lua: *mut ffi::lua_State, native: Native) -> c_int {
    // SAFETY: the state is ours, and lives as it calls us.
    let context = unsafe { Context::of(lua) };
    context.heap.without_limit(|| {
        // SAFETY: no allocation is refused; Lua waits for us.
        let mut stack = unsafe { Stack::new(lua, context) };
        let result = native(&mut stack).and_then(|results| stack.check_memory().map(|()| results));
        result.unwrap_or_else(|raise| {
            let is_memory = raise == Raise::Memory;
            if raise != Raise::Top {
                // It may have been given up in the middle of tables, where there is no room for more.
                stack.pop(stack.top());
            }
            raise.push(&mut stack);
            if is_memory { OUT_OF_MEMORY } else { RAISES }
        })
    })
}
