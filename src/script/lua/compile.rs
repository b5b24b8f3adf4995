//! Source becomes a function: for scripts, and for `load` and `loadstring`.
//!
//! Lua 5.1's parser does not hold on to the name of what it compiles, so garbage is not collected while it runs
//! (CVE-2025-49844). Compiled code is refused: Lua does not check it.

use super::raise::Raise;
use super::stack::{Kind, Stack};
use mlua::ffi;
use std::ffi::{CStr, c_int};

/// What compiled code begins with.
const COMPILED: u8 = 0x1B;

impl Stack<'_> {
    /// Pushes the function that `source` is, or else a message: `false`.
    pub(super) fn compile(&mut self, source: &[u8], name: &CStr) -> bool {
        if source.first() == Some(&COMPILED) {
            // No longer at the start, it is source that is wrong.
            return self.compile(&[b" ", source].concat(), name);
        }
        let lua = self.lua();
        self.context().heap.with_limit(|| {
            // SAFETY: the state is ours; the parser catches all that it raises, want of memory included.
            unsafe {
                ffi::lua_gc(lua, ffi::LUA_GCSTOP, 0);
                let status = ffi::luaL_loadbuffer(lua, source.as_ptr().cast(), source.len(), name.as_ptr());
                ffi::lua_gc(lua, ffi::LUA_GCRESTART, 0);
                status == ffi::LUA_OK
            }
        })
    }
}

/// `loadstring(source, name)`
pub(in crate::script) fn load_string(stack: &mut Stack<'_>) -> Result<c_int, Raise> {
    let source = stack.check_text(1)?;
    let name = match stack.kind(2) {
        Kind::None | Kind::Nil => source,
        _ => stack.check_text(2)?,
    };
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    let name = std::ffi::CString::new(name).unwrap_or_default();
    Ok(compiled(stack, source, &name))
}

fn compiled(stack: &mut Stack<'_>, source: &[u8], name: &CStr) -> c_int {
    if stack.compile(source, name) {
        return 1;
    }
    stack.push_nil();
    stack.swap();
    2
}

/// `load(function, name)`: gathers what the function gives, and compiles it.
///
/// # Safety
/// Called by Lua. Keeps `loadstring`, and nothing that has to be dropped when Lua jumps.
pub(super) unsafe extern "C-unwind" fn load(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TFUNCTION);
        let name = ffi::luaL_optlstring(lua, 2, c"=(load)".as_ptr(), std::ptr::null_mut());
        ffi::lua_settop(lua, 2);
        ffi::lua_pushvalue(lua, ffi::lua_upvalueindex(1));
        ffi::lua_createtable(lua, 0, 0);
        let mut pieces = 0;
        loop {
            match push_piece(lua, &mut pieces) {
                Piece::Pushed => {}
                Piece::Last => break,
                Piece::Wrong => {
                    ffi::lua_pushnil(lua);
                    ffi::lua_insert(lua, -2);
                    return 2;
                }
            }
        }
        join_pieces(lua, pieces);
        ffi::lua_pushstring_(lua, name);
        ffi::lua_call(lua, 2, 2);
        if ffi::lua_type(lua, -2) == ffi::LUA_TNIL {
            2
        } else {
            ffi::lua_settop(lua, -2);
            1
        }
    }
}

/// What a function gave.
enum Piece {
    Pushed,
    Last,
    /// An error, which is on top.
    Wrong,
}

/// Puts the next piece into the table on top.
///
/// # Safety
/// As `load`.
unsafe fn push_piece(lua: *mut ffi::lua_State, pieces: &mut c_int) -> Piece {
    // SAFETY: as `load`.
    unsafe {
        ffi::lua_pushvalue(lua, 1);
        if ffi::lua_pcall(lua, 0, 1, 0) != ffi::LUA_OK {
            return Piece::Wrong;
        }
        let mut len = 0;
        match ffi::lua_type(lua, -1) {
            ffi::LUA_TNIL => {}
            ffi::LUA_TSTRING | ffi::LUA_TNUMBER => {
                ffi::lua_tolstring(lua, -1, &raw mut len);
            }
            _ => {
                ffi::lua_pushstring_(lua, c"reader function must return a string".as_ptr());
                return Piece::Wrong;
            }
        }
        if len == 0 || *pieces == c_int::MAX {
            ffi::lua_settop(lua, -2);
            return Piece::Last;
        }
        *pieces += 1;
        ffi::lua_rawseti_(lua, -2, *pieces);
        Piece::Pushed
    }
}

/// Makes the table on top one string.
///
/// # Safety
/// As `load`.
unsafe fn join_pieces(lua: *mut ffi::lua_State, pieces: c_int) {
    // SAFETY: as `load`; a buffer is Lua's own.
    unsafe {
        let table = ffi::lua_gettop(lua);
        let mut buffer: ffi::luaL_Buffer = std::mem::zeroed();
        ffi::luaL_buffinit(lua, &raw mut buffer);
        for piece in 1..=pieces {
            ffi::lua_rawgeti_(lua, table, piece);
            ffi::luaL_addvalue(&raw mut buffer);
        }
        ffi::luaL_pushresult(&raw mut buffer);
        ffi::lua_remove(lua, table);
    }
}
