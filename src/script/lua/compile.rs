//! Source becomes a function: for scripts, and for `load` and `loadstring`.
//!
//! Lua 5.1's parser does not hold on to the name of what it compiles, so garbage is not collected while it runs
//! (CVE-2025-49844). Compiled code is refused: Lua does not check it.

use super::context::Context;
use super::interrupt::{Pacer, spend};
use super::raise::Raise;
use super::stack::{Kind, Stack};
use mlua::ffi;
use std::ffi::{CStr, c_char, c_int, c_void};

/// What compiled code begins with.
const COMPILED: u8 = 0x1B;
/// Source that the parser gets at once; then the host is asked.
const PIECE_BYTES: usize = 16 << 10;
/// Bytes that are parsed in one step.
const BYTES_PER_STEP: usize = 2;
/// What one call of another function costs at least, in steps.
const CALL_STEPS: usize = 10;

/// Source that is being parsed.
struct Source<'s> {
    rest: &'s [u8],
    pacer: Pacer<'s>,
    /// Whether the script may not go on: then the source ends here.
    is_stopped: bool,
}

impl Stack<'_> {
    /// Pushes the function that `source` is, or else a message: `false`.
    ///
    /// # Errors
    /// If the running script has to stop.
    pub(super) fn compile(&mut self, source: &[u8], name: &CStr) -> Result<bool, Raise> {
        if source.first() == Some(&COMPILED) {
            // No longer at the start, it is source that is wrong.
            return self.compile(&[b" ", source].concat(), name);
        }
        let lua = self.lua();
        let mut source = Source {
            rest: source,
            pacer: self.pacer(),
            is_stopped: false,
        };
        let is_function = self.context().heap.with_limit(|| {
            // SAFETY: the state is ours; the parser catches all that it raises, want of memory included. The source
            // stays where it is.
            unsafe {
                ffi::lua_gc(lua, ffi::LUA_GCSTOP, 0);
                let status = ffi::lua_load(lua, next_piece, (&raw mut source).cast(), name.as_ptr());
                ffi::lua_gc(lua, ffi::LUA_GCRESTART, 0);
                status == ffi::LUA_OK
            }
        });
        if source.is_stopped {
            return Err(Raise::Stopped);
        }
        Ok(is_function)
    }
}

/// What the parser reads next.
///
/// # Safety
/// Called by Lua, with a [`Source`] as `data`.
unsafe extern "C-unwind" fn next_piece(_: *mut ffi::lua_State, data: *mut c_void, len: *mut usize) -> *const c_char {
    // SAFETY: `compile` lends its source to the parser alone.
    let (source, len) = unsafe { (&mut *data.cast::<Source<'_>>(), &mut *len) };
    let piece = source.rest.get(..PIECE_BYTES).unwrap_or(source.rest);
    source.is_stopped = source.is_stopped || source.pacer.spend(piece.len() / BYTES_PER_STEP).is_err();
    if source.is_stopped || piece.is_empty() {
        *len = 0;
        return std::ptr::null();
    }
    source.rest = source.rest.get(piece.len()..).unwrap_or_default();
    *len = piece.len();
    piece.as_ptr().cast()
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
    if stack.compile(source, &name)? {
        return Ok(1);
    }
    stack.push_nil();
    stack.swap();
    Ok(2)
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
            spend(lua, Context::of(lua), CALL_STEPS);
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
            spend(lua, Context::of(lua), 2);
            ffi::lua_rawgeti_(lua, table, piece);
            ffi::luaL_addvalue(&raw mut buffer);
        }
        ffi::luaL_pushresult(&raw mut buffer);
        ffi::lua_remove(lua, table);
    }
}
