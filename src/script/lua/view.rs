//! Tables that scripts may read and not change, as all are that outlive a script.
//!
//! A script never has such a table itself, but a *view*: an empty table whose metatable looks it up in the real one and
//! refuses to set. What would go by a view (`rawset`, `next`, …) is replaced by a function that knows views.
//!
//! **Invariants**
//! - A view stays empty, and its metatable is seen by no script.
//! - What is C here holds nothing that has to be dropped: Lua may jump out of it.

use super::stack::Stack;
use mlua::ffi;
use std::ffi::{c_int, c_void};

/// Its address is the key of the real table in a view's metatable.
static REAL: u8 = 0;

const READ_ONLY: &std::ffi::CStr = c"Attempt to modify a readonly table";

/// What stands between a script and a function of Lua's that would go by views.
#[derive(Clone, Copy, Debug)]
pub(super) enum Guard {
    /// Its first argument must be no view.
    Refuse,
    /// Of a view it gets the real table.
    SeeThrough,
}

impl Stack<'_> {
    /// Pops a table and pushes a view of it. `__metatable` of its metatable is what scripts see as the view's.
    pub(in crate::script) fn push_view(&mut self) {
        self.push_table(0, 0);
        self.push_table(0, 3);
        // SAFETY: the state is ours, nothing is refused; raw access. Below: real table, view, metatable.
        unsafe {
            let lua = self.lua();
            ffi::lua_pushvalue(lua, -3);
            ffi::lua_setfield(lua, -2, c"__index".as_ptr());
            ffi::lua_pushcclosure(lua, refuse_to_set, 0);
            ffi::lua_setfield(lua, -2, c"__newindex".as_ptr());
            ffi::lua_pushlightuserdata(lua, real_key());
            ffi::lua_pushvalue(lua, -4);
            ffi::lua_rawset(lua, -3);
            if ffi::lua_getmetatable(lua, -3) != 0 {
                self.push_view();
                ffi::lua_setfield(lua, -2, c"__metatable".as_ptr());
            }
            ffi::lua_setmetatable(lua, -2);
            ffi::lua_remove(lua, -2);
        }
    }

    /// Pops a table: what the view `view` shows from now on.
    pub(in crate::script) fn show_in_view(&mut self, view: c_int) {
        // SAFETY: the state is ours, nothing is refused; raw access. Below: real table, metatable.
        unsafe {
            let lua = self.lua();
            if ffi::lua_getmetatable(lua, view) != 0 {
                ffi::lua_pushvalue(lua, -2);
                ffi::lua_setfield(lua, -2, c"__index".as_ptr());
                ffi::lua_pushlightuserdata(lua, real_key());
                ffi::lua_pushvalue(lua, -3);
                ffi::lua_rawset(lua, -3);
                ffi::lua_settop(lua, -2);
            }
            ffi::lua_settop(lua, -2);
        }
    }

    /// Pops a function of Lua's and pushes it guarded.
    pub(super) fn push_guarded(&mut self, guard: Guard) {
        let guarded = match guard {
            Guard::Refuse => refuse_views as unsafe extern "C-unwind" fn(_) -> _,
            Guard::SeeThrough => see_through,
        };
        self.wrap(guarded);
    }

    /// Pops `next`, guarded, and `next` as it was, and pushes `pairs`.
    pub(super) fn push_pairs(&mut self) {
        // SAFETY: the state is ours, nothing is refused.
        unsafe { ffi::lua_pushcclosure(self.lua(), pairs, 2) }
    }

    /// Pushes `getmetatable` for views and others.
    pub(super) fn push_getmetatable(&mut self) {
        self.wrap(get_metatable);
    }

    fn wrap(&mut self, guarded: ffi::lua_CFunction) {
        // SAFETY: the state is ours, nothing is refused; the function goes, its address is kept.
        unsafe {
            let lua = self.lua();
            let function =
                ffi::lua_tocfunction(lua, -1).map_or(std::ptr::null_mut(), |function| function as *mut c_void);
            ffi::lua_settop(lua, -2);
            ffi::lua_pushlightuserdata(lua, function);
            ffi::lua_pushcclosure(lua, guarded, 1);
        }
    }
}

const fn real_key() -> *mut c_void {
    (&raw const REAL).cast_mut().cast()
}

/// Pushes the real table if the value is a view.
///
/// # Safety
/// Called by functions that Lua has called.
unsafe fn push_real(lua: *mut ffi::lua_State, at: c_int) -> bool {
    // SAFETY: a function has room for 20 values.
    unsafe {
        if ffi::lua_type(lua, at) != ffi::LUA_TTABLE || ffi::lua_getmetatable(lua, at) == 0 {
            return false;
        }
        ffi::lua_pushlightuserdata(lua, real_key());
        ffi::lua_rawget_(lua, -2);
        ffi::lua_remove(lua, -2);
        if ffi::lua_type(lua, -1) == ffi::LUA_TTABLE {
            return true;
        }
        ffi::lua_settop(lua, -2);
        false
    }
}

/// Calls the function that is kept, in the place of the running one.
///
/// # Safety
/// Called by what `wrap` has made.
unsafe fn call_kept(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: `wrap` has kept the address of a function of Lua's library, which uses nothing that it keeps itself.
    unsafe {
        let function = ffi::lua_touserdata(lua, ffi::lua_upvalueindex(1));
        if function.is_null() {
            return 0;
        }
        std::mem::transmute::<*mut c_void, ffi::lua_CFunction>(function)(lua)
    }
}

/// Raises without a place, as Redis does where no line of a script sets.
///
/// # Safety
/// Called by functions that Lua has called.
unsafe fn raise_read_only(lua: *mut ffi::lua_State) -> ! {
    // SAFETY: as above.
    unsafe {
        ffi::lua_pushstring_(lua, READ_ONLY.as_ptr());
        ffi::lua_error(lua)
    }
}

/// # Safety
/// `__newindex` of views; as all functions below it is called by Lua.
unsafe extern "C-unwind" fn refuse_to_set(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe { ffi::luaL_error(lua, READ_ONLY.as_ptr()) }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn refuse_views(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        if push_real(lua, 1) {
            raise_read_only(lua);
        }
        call_kept(lua)
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn see_through(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        if push_real(lua, 1) {
            ffi::lua_replace(lua, 1);
        }
        call_kept(lua)
    }
}

/// # Safety
/// Called by Lua. Keeps `next` as it was, and guarded.
unsafe extern "C-unwind" fn pairs(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TTABLE);
        let is_view = push_real(lua, 1);
        ffi::lua_pushvalue(lua, ffi::lua_upvalueindex(if is_view { 2 } else { 1 }));
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_pushnil(lua);
        3
    }
}

/// # Safety
/// Called by Lua.
unsafe extern "C-unwind" fn get_metatable(lua: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua has called.
    unsafe {
        if push_real(lua, 1) && ffi::luaL_getmetafield_(lua, 1, c"__metatable".as_ptr()) == 0 {
            ffi::lua_pushnil(lua);
            return 1;
        }
        call_kept(lua)
    }
}
