//! What becomes of an error that no `pcall` of the script catches, and Redis's own `pcall`.

use super::context::Context;
use super::raise::Raise;
use super::stack::{Kind, Stack};
use mlua::ffi;
use std::ffi::c_int;

/// Makes the error a table of its text and the place of the script that raised it.
pub(super) fn describe(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let place = stack
        .place(1)
        .filter(|place| !place.is_ours)
        .or_else(|| match stack.place(1) {
            Some(_) => stack.place(2),
            None => None,
        });
    if stack.kind(1) == Kind::Table {
        stack.push_copy(1);
    } else {
        let text = shown(stack);
        stack.push_table(0, 3);
        stack.push_string(text);
        stack.set_field(-2, "err");
    }
    if let Some(place) = place {
        stack.push_string(place.source);
        stack.set_field(-2, "source");
        stack.push_number(place.line.into());
        stack.set_field(-2, "line");
    }
    Ok(1)
}

/// The error as `tostring` shows it, as the text of an error reply.
fn shown(stack: &Stack<'_>) -> Vec<u8> {
    let mut text = b"ERR ".to_vec();
    match stack.kind(1) {
        Kind::String | Kind::Number => text.extend_from_slice(stack.argument_text(1).unwrap_or_default()),
        Kind::Boolean => text.extend_from_slice(if stack.truth(1) { b"true" } else { b"false" }),
        Kind::Nil | Kind::None => text.extend_from_slice(b"nil"),
        kind => text.extend_from_slice(format!("{}: {:#x}", kind.name(), stack.address(1)).as_bytes()),
    }
    text
}

/// `pcall` as Redis has it: of an error that is a table with a text, scripts get the text.
///
/// # Safety
/// Called by Lua. Holds nothing that has to be dropped when Lua jumps.
pub(super) unsafe extern "C-unwind" fn pcall(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        let arguments = ffi::lua_gettop(lua);
        ffi::lua_pushboolean(lua, 1);
        ffi::lua_insert(lua, 1);
        let status = ffi::lua_pcall(lua, (arguments - 1).max(0), ffi::LUA_MULTRET, 0);
        if status == ffi::LUA_OK {
            if arguments == 0 {
                ffi::lua_pushboolean(lua, 1)
            }
            return ffi::lua_gettop(lua);
        }
        make_room(lua, status);
        if ffi::lua_type(lua, -1) == ffi::LUA_TTABLE {
            ffi::lua_pushstring_(lua, c"err".as_ptr());
            ffi::lua_rawget_(lua, -2);
            if ffi::lua_isstring(lua, -1) == 0 {
                ffi::lua_settop(lua, -2);
            }
        }
        ffi::lua_pushboolean(lua, 0);
        ffi::lua_insert(lua, -2);
        2
    }
}

/// Where memory was wanting, garbage goes now: what caught the error would find none either. A function of ours may
/// have left more than there may be.
///
/// # Safety
/// As [`pcall`].
unsafe fn make_room(lua: *mut ffi::lua_State, status: c_int) {
    // SAFETY: Lua has called one of our states.
    unsafe {
        if status == ffi::LUA_ERRMEM || Context::of(lua).heap.is_over() {
            ffi::lua_gc(lua, ffi::LUA_GCCOLLECT, 0);
        }
    }
}

/// `xpcall`, whose handler runs when the error has been caught. Lua calls it where the error is raised, which may be in
/// the hook: nothing could interrupt it there. Without `debug`, scripts can't tell.
///
/// # Safety
/// As [`pcall`].
pub(super) unsafe extern "C-unwind" fn xpcall(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        ffi::luaL_checkany(lua, 2);
        ffi::lua_settop(lua, 2);
        ffi::lua_insert(lua, 1);
        let status = ffi::lua_pcall(lua, 0, ffi::LUA_MULTRET, 0);
        let is_good = status == ffi::LUA_OK;
        make_room(lua, status);
        if !is_good && ffi::lua_pcall(lua, 1, 1, 0) != ffi::LUA_OK {
            ffi::lua_pushstring_(lua, c"error in error handling".as_ptr());
            ffi::lua_replace(lua, -2);
        }
        ffi::lua_pushboolean(lua, is_good.into());
        if is_good {
            ffi::lua_replace(lua, 1);
        } else {
            ffi::lua_insert(lua, 1);
        }
        ffi::lua_gettop(lua)
    }
}
