//! Functions of `table` that may go over all of a big one: what Lua's do, and they can be interrupted.
//!
//! What is here is written like C, and holds nothing that has to be dropped: Lua may jump out of it.

use super::context::Context;
use super::interrupt::spend;
use super::sort::sort;
use mlua::ffi;
use std::ffi::c_int;

/// What one call of another function costs at least, in steps.
const CALL_STEPS: usize = 10;
/// Where the table is.
const TABLE: c_int = 1;

/// What `table` gets of these.
pub(super) static FUNCTIONS: [(&str, ffi::lua_CFunction); 5] = [
    ("insert", insert),
    ("remove", remove),
    ("foreach", for_each),
    ("foreachi", for_each_element),
    ("sort", sort),
];

/// The length of the table that is the first argument.
///
/// # Safety
/// Called by functions that Lua has called.
unsafe fn length(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: as the caller's.
    unsafe {
        ffi::luaL_checktype(lua, TABLE, ffi::LUA_TTABLE);
        c_int::try_from(ffi::lua_objlen(lua, TABLE)).unwrap_or(c_int::MAX - 1)
    }
}

/// An argument as C's `int`.
///
/// # Safety
/// Called by functions that Lua has called.
#[expect(clippy::cast_possible_truncation, reason = "as C does it")]
unsafe fn int(lua: *mut ffi::lua_State, at: c_int) -> c_int {
    // SAFETY: as the caller's.
    unsafe { ffi::luaL_checkinteger(lua, at) as c_int }
}

/// Copies an element to another place.
///
/// # Safety
/// Called by functions that Lua has called.
unsafe fn copy_element(lua: *mut ffi::lua_State, context: &Context, from: c_int, to: c_int) {
    // SAFETY: as the caller's.
    unsafe {
        spend(lua, context, 2);
        ffi::lua_rawgeti_(lua, TABLE, from);
        ffi::lua_rawseti_(lua, TABLE, to);
    }
}

/// `table.insert(table, at, value)`
///
/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn insert(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        let context = Context::of(lua);
        let mut end = length(lua) + 1;
        let at = match ffi::lua_gettop(lua) {
            2 => end,
            3 => {
                let at = int(lua, 2);
                end = end.max(at);
                while end > at {
                    copy_element(lua, context, end - 1, end);
                    end -= 1;
                }
                at
            }
            _ => return ffi::luaL_error(lua, c"wrong number of arguments to 'insert'".as_ptr()),
        };
        ffi::lua_rawseti_(lua, TABLE, at);
        0
    }
}

/// `table.remove(table, at)`
///
/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn remove(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        let context = Context::of(lua);
        let end = length(lua);
        let is_given = ffi::lua_type(lua, 2) > ffi::LUA_TNIL;
        let at = if is_given { int(lua, 2) } else { end };
        if at < 1 || at > end {
            return 0;
        }
        ffi::lua_rawgeti_(lua, TABLE, at);
        for at in at..end {
            copy_element(lua, context, at + 1, at);
        }
        ffi::lua_pushnil(lua);
        ffi::lua_rawseti_(lua, TABLE, end);
        1
    }
}

/// `table.foreach(table, function)`: until it gives something.
///
/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn for_each(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        let context = Context::of(lua);
        ffi::luaL_checktype(lua, TABLE, ffi::LUA_TTABLE);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TFUNCTION);
        ffi::lua_pushnil(lua);
        while ffi::lua_next(lua, TABLE) != 0 {
            spend(lua, context, CALL_STEPS);
            ffi::lua_pushvalue(lua, 2);
            ffi::lua_pushvalue(lua, -3);
            ffi::lua_pushvalue(lua, -3);
            ffi::lua_call(lua, 2, 1);
            if ffi::lua_type(lua, -1) != ffi::LUA_TNIL {
                return 1;
            }
            ffi::lua_settop(lua, -3);
        }
        0
    }
}

/// `table.foreachi(table, function)`: the same for the elements from 1 on.
///
/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn for_each_element(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        let context = Context::of(lua);
        let end = length(lua);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TFUNCTION);
        for at in 1..=end {
            spend(lua, context, CALL_STEPS);
            ffi::lua_pushvalue(lua, 2);
            ffi::lua_pushinteger(lua, at.into());
            ffi::lua_rawgeti_(lua, TABLE, at);
            ffi::lua_call(lua, 2, 1);
            if ffi::lua_type(lua, -1) != ffi::LUA_TNIL {
                return 1;
            }
            ffi::lua_settop(lua, -2);
        }
        0
    }
}
